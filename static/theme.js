// Day, night, or as the system says: set before the first paint, so it stands in the head and blocks. Remembered here only.
(() => {
  const root = document.documentElement;
  const read = () => {
    try {
      return localStorage.getItem("theme") || "auto";
    } catch {
      return "auto"; // storage is forbidden: the system's choice it is
    }
  };
  const apply = (theme) => {
    if (theme === "auto") delete root.dataset.theme;
    else root.dataset.theme = theme;
  };
  apply(read());

  document.addEventListener("DOMContentLoaded", () => {
    const control = document.querySelector("[data-theme-switch]");
    if (!control) return;
    control.hidden = false;
    for (const radio of control.querySelectorAll("input")) {
      radio.checked = radio.value === read();
      radio.addEventListener("change", () => {
        apply(radio.value);
        try {
          localStorage.setItem("theme", radio.value);
        } catch {
          // it lasts for this page
        }
      });
    }
  });
  addEventListener("storage", (event) => event.key === "theme" && apply(event.newValue || "auto"));
})();
