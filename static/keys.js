// Single keys press what carries data-key. Never while typing, never with a modifier, and off when switched off (WCAG 2.1.4).

const dialog = document.getElementById("shortcuts");
const control = document.querySelector("[data-keys-switch]");
let on = remembered() !== "off";

document.addEventListener("keydown", (event) => {
  if (!on || event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  const key = event.key === " " ? "Space" : event.key.toLowerCase();
  if (key === "Space" && event.target.closest("a, button, input, summary, video")) return; // it presses what has focus
  const target = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!target || target.disabled || (event.repeat && key !== "," && key !== ".")) return;
  event.preventDefault();
  if (key === "g") document.querySelector(target.hash)?.focus({ preventScroll: true });
  target.click();
});

function typing(element) {
  if (element.isContentEditable || element.matches("textarea, select")) return true;
  return element.matches("input") && !["checkbox", "radio", "range", "button"].includes(element.type);
}

function remembered() {
  try {
    return localStorage.getItem("keys");
  } catch {
    return null;
  }
}

if (control) {
  control.checked = on;
  control.addEventListener("change", () => {
    on = control.checked;
    try {
      localStorage.setItem("keys", on ? "on" : "off");
    } catch {
      // it lasts for this page
    }
  });
}

for (const opener of document.querySelectorAll("[data-opens]")) {
  opener.hidden = false;
  opener.addEventListener("click", () => dialog.showModal());
}
