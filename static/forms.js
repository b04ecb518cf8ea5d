// On every page: a form is sent once, a secret can be copied, and an undo shows how long it is possible.

document.addEventListener("submit", (event) => {
  const form = event.target;
  // A download leaves the page as it is: it can be asked for again.
  if (event.defaultPrevented || form.method === "dialog" || "again" in form.dataset) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  // Not `disabled` within the event: a disabled button's own name and value would not be sent.
  setTimeout(() => {
    for (const button of buttons(form)) button.disabled = true;
  });
});

// The browser's “back” may show the page as it was left: everything can be pressed again.
addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  for (const form of document.querySelectorAll("form[data-sent]")) {
    delete form.dataset.sent;
    for (const button of buttons(form)) button.disabled = false;
  }
});

function buttons(form) {
  return [...form.elements].filter((element) => element.type === "submit");
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  const word = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(document.getElementById(button.dataset.copy));
      button.textContent = "Press Ctrl C";
    }
    setTimeout(() => (button.textContent = word), 2500);
  });
}

for (const form of document.querySelectorAll("form[data-until]")) {
  // The server's clock counts, not this machine's.
  const ahead = Date.now() - Date.parse(form.dataset.now);
  const tick = () => {
    const left = Math.ceil((Date.parse(form.dataset.until) + ahead - Date.now()) / 1000);
    form.querySelector("[data-left]").textContent = left > 0 ? `${left} s` : "";
    if (left > 0) return;
    clearInterval(timer);
    form.textContent = "In effect";
  };
  const timer = setInterval(tick, 1000);
  tick();
}
