// What is being drawn, beside htmx: nothing typed is lost when something ends, focus stays, a lost connection is said.

const status = document.getElementById("live-status");

// In the studio the server asks for a reload when a clip has ended. Only the parts that changed are taken from it,
// so that a half-written prompt stays.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { xhr, elt } = event.detail;
  const { pathname } = new URL(xhr.responseURL || location.href);
  if (!pathname.endsWith("/live")) {
    event.preventDefault(); // signed out meanwhile: the page itself sends one to sign in
    location.reload();
  } else if (elt.id === "live" && xhr.getResponseHeader("HX-Refresh")) {
    event.preventDefault();
    renew().catch(() => location.reload());
  }
});

async function renew() {
  const answer = await fetch(location.pathname, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) throw new Error("not the studio");
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const before = drawings(document);
  const after = drawings(page);
  for (const id of ["live", "lately", "allowance"]) {
    const fresh = page.getElementById(id);
    const old = document.getElementById(id);
    if (!fresh || !old) continue;
    old.replaceWith(document.adoptNode(fresh));
    window.htmx.process(fresh);
  }
  const ended = [...before].filter(([id]) => !after.has(id)).map(([, words]) => words);
  if (status && ended.length) status.textContent = `${ended.join(", ")}: no longer being drawn. Look under Lately.`;
}

function drawings(page) {
  return new Map(
    [...page.querySelectorAll("[data-drawing]")].map((drawing) => [
      drawing.dataset.drawing,
      drawing.querySelector("h3")?.textContent.trim() ?? "",
    ]),
  );
}

// A page that nobody looks at does not ask.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});

let lost;

function say(words) {
  if (!words) {
    lost?.remove();
    lost = undefined;
  } else if (!lost) {
    lost = document.createElement("p");
    lost.className = "alert";
    lost.setAttribute("role", "status");
    document.querySelector("[data-drawing]")?.before(lost);
    lost.textContent = words;
  }
}

document.addEventListener("htmx:sendError", () => say("The connection is lost. Drawing goes on; this page tries again every second."));
document.addEventListener("htmx:responseError", () => say("The gateway does not answer at the moment. Nothing is lost; this page tries again."));
document.addEventListener("htmx:afterOnLoad", () => say(""));
