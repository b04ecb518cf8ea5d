// Single keys press what carries data-key, as each reviewer has chosen them. Never while typing, never with a modifier,
// and off when switched off (WCAG 2.1.4): then nothing carries one.

const rows = document.querySelector("[data-rows]");

document.addEventListener("keydown", (event) => {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
  if (typing(event.target) || document.querySelector("dialog[open]")) return;
  const key = event.key === " " ? "Space" : event.key.toLowerCase();
  if (key === "Space" && event.target.closest("a, button, input, summary, video")) return; // it presses what has focus
  if (rows && (key === rows.dataset.on || key === rows.dataset.back)) {
    event.preventDefault();
    walk(key === rows.dataset.on ? 1 : -1);
    return;
  }
  const target = document.querySelector(`[data-key="${CSS.escape(key)}"]`);
  if (!target || target.disabled || (event.repeat && !("step" in target.dataset))) return;
  event.preventDefault();
  if ("focuses" in target.dataset) document.querySelector(target.hash)?.focus({ preventScroll: true });
  target.click();
});

function typing(element) {
  if (element.isContentEditable || element.matches("textarea, select")) return true;
  return element.matches("input") && !["checkbox", "radio", "range", "button"].includes(element.type);
}

// In a list the two keys go from row to row; Enter then presses what has focus.
function walk(step) {
  const places = [...rows.querySelectorAll("[data-row]")];
  const now = places.indexOf(document.activeElement);
  const next = now < 0 ? (step > 0 ? 0 : places.length - 1) : Math.min(Math.max(now + step, 0), places.length - 1);
  places[next]?.focus();
}

for (const opener of document.querySelectorAll("[data-opens]")) {
  const dialog = document.getElementById(opener.dataset.opens);
  opener.hidden = false;
  opener.addEventListener("click", () => dialog.showModal());
  dialog.querySelector("[data-closes]")?.addEventListener("click", () => dialog.close());
}
