// The approval screen: a lease with a warning, a letter that shows itself while it is written, and words that survive
// a lost connection or a lost lease.

const form = document.getElementById("answer");
const statusLine = document.querySelector("[data-desk-status]");

function say(words) {
  if (!statusLine) return;
  statusLine.hidden = !words;
  statusLine.textContent = words;
}

// ---------------------------------------------------------------- what was written is kept in this tab

function keep() {
  const fields = [...new FormData(form)].filter(([name]) => name !== "csrfmiddlewaretoken");
  try {
    sessionStorage.setItem(`answer ${form.dataset.answer}`, JSON.stringify(fields));
  } catch {
    // then the form itself keeps it, until the page is left
  }
}

function restore() {
  let fields;
  try {
    fields = JSON.parse(sessionStorage.getItem(`answer ${form.dataset.answer}`) ?? "null");
  } catch {
    fields = null;
  }
  if (!fields || "bound" in form.dataset) return; // what the server sends back is newer
  for (const field of form.elements) {
    const values = fields.filter(([name]) => name === field.name).map(([, value]) => value);
    if (field.type === "checkbox" || field.type === "radio") {
      if (field.name) field.checked = values.includes(field.value);
    } else if (values.length && field.type !== "hidden" && field.type !== "submit") {
      [field.value] = values;
    }
  }
}

// Blur, greyscale and the policy's wording stay as one left them.
for (const box of document.querySelectorAll("[data-keep]")) {
  try {
    box.checked = localStorage.getItem(`desk ${box.dataset.keep}`) === "on";
    box.addEventListener("change", () => localStorage.setItem(`desk ${box.dataset.keep}`, box.checked ? "on" : "off"));
  } catch {
    // not remembered
  }
}

// ---------------------------------------------------------------- the letter, and what it still lacks

const facts = () => (form.elements.facts ?? form.elements.message).value.trim();
const clauses = () => [...form.querySelectorAll("[data-letter-clause]:checked")];

function place() {
  if (form.elements.whole.checked) return "the whole clip";
  const seconds = (name) => Number(form.elements[name].value).toFixed(1);
  if (form.elements.from_seconds.value === "") return "";
  const from = `from ${seconds("from_seconds")} s`;
  return form.elements.to_seconds.value === "" ? from : `${from} to ${seconds("to_seconds")} s`;
}

function missing() {
  if (form.elements.message) return [[facts(), "what the artist reads", form.elements.message]].filter(([there]) => !there);
  return [
    [clauses().length, "a clause", form.querySelector("[data-letter-clause]")],
    [facts(), "what you saw", form.elements.facts],
    [place(), "where in the clip", form.elements.from_seconds],
  ].filter(([there]) => !there);
}

function write(part, words, lacks) {
  if (!part) return;
  part.textContent = words || lacks;
  part.classList.toggle("missing", !words);
}

function letter() {
  const box = form.querySelector("[data-letter]");
  if (!box) return;
  const as = form.elements.letter_as.value;
  for (const part of box.querySelectorAll("[data-as]")) part.hidden = part.dataset.as !== as;
  write(box.querySelector("[data-letter-facts]"), facts(), form.elements.message ? "[your words]" : "[what you saw]");
  if (!form.elements.message) {
    write(box.querySelector("[data-letter-clauses]"), clauses().map((box) => box.dataset.letterClause).join("; "), "[which clause]");
    write(box.querySelector("[data-letter-place]"), place(), "[where]");
  }
  const whole = !missing().length;
  for (const button of document.querySelectorAll("[data-verdict-button]")) {
    button.classList.toggle("hand", whole && button.dataset.verdictButton === as);
  }
  const ticked = new Set(clauses().map((clause) => clause.dataset.number));
  for (const line of document.querySelectorAll("[data-precedent]")) {
    line.classList.toggle("soft", !ticked.has(line.dataset.precedent));
  }
}

function lacks(button) {
  form.elements.letter_as.value = button.dataset.verdictButton;
  letter();
  const lacking = missing();
  if (!lacking.length) return false;
  const what = {
    reject: "A refusal",
    request_changes: "A request for changes",
    overturn: "The answer to an appeal",
    uphold: "The answer to an appeal",
  }[button.dataset.verdictButton];
  say(`${what} still needs ${lacking.map(([, words]) => words).join(", ")}. Nothing is sent yet.`);
  lacking[0][2].focus();
  return true;
}

// ---------------------------------------------------------------- sending: a lost connection loses nothing

const LOST =
  "No answer came back: the connection is lost. What you wrote stays here. Press again when you are back; if it had arrived after all, you are told so.";
let sending = false;

async function send(button) {
  if (sending) return;
  sending = true;
  button.setAttribute("aria-disabled", "true");
  let answer = null;
  try {
    answer = await fetch(button.formAction, {
      method: "POST",
      body: new FormData(form, button),
      headers: { Accept: "application/json" },
      signal: AbortSignal.timeout(20_000),
    });
  } catch {
    say(LOST);
  }
  sending = false;
  button.removeAttribute("aria-disabled");
  if (!answer) return;
  if (answer.ok && answer.headers.get("Content-Type")?.startsWith("application/json")) {
    location.assign((await answer.json()).next);
    return;
  }
  // A "no" changes nothing, so it can be asked for again: as a page, which says why and has what was typed in it.
  form.dataset.asPage = "yes";
  form.requestSubmit(button);
}

// ---------------------------------------------------------------- the lease

function watch(lease) {
  const clock = lease.querySelector("[data-lease-clock]");
  const ahead = Date.now() - Date.parse(lease.dataset.now); // the server's clock counts
  let warned = "";
  clock.hidden = lease.querySelector("[data-lease-for]").hidden = false;
  lease.querySelector("[data-lease-until]").hidden = true;

  const tick = () => {
    const left = Math.max(Math.round((Date.parse(lease.dataset.until) + ahead - Date.now()) / 1000), 0);
    clock.textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    clock.classList.toggle("ending", left <= 120);
    const stage = left === 0 ? "over" : left <= 30 ? "soon" : left <= 120 ? "near" : "";
    if (stage === warned) return;
    warned = stage;
    say(
      {
        over: "Your hold has ended, and somebody else may take this work. What you wrote stays in this tab: take it again to go on.",
        soon: "Half a minute left. Keep it longer, or decide.",
        near: "Two minutes left. Keep it longer if you need to.",
        "": "",
      }[stage],
    );
  };
  setInterval(tick, 1000);
  tick();

  lease.querySelector("button").addEventListener("click", async (event) => {
    event.preventDefault();
    keep();
    const button = event.currentTarget;
    button.disabled = true;
    try {
      const answer = await fetch(button.formAction, {
        method: "POST",
        headers: { Accept: "application/json", "X-CSRFToken": form.elements.csrfmiddlewaretoken.value },
      });
      if (answer.ok) {
        const { lease_until: until, kept } = await answer.json();
        lease.dataset.until = until;
        lease.querySelector("[data-kept]").textContent = `kept ${kept} of ${lease.dataset.most} times`;
        say("");
        tick();
      } else {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        say(page.querySelector("main [role=alert] p, main .error p")?.textContent ?? "It could not be kept longer. What you wrote stays in this tab.");
      }
    } catch {
      say("The connection is lost. What you wrote stays in this tab; try again in a moment.");
    } finally {
      button.disabled = false;
    }
  });
}

// ---------------------------------------------------------------- set up

if (form) {
  restore();
  for (const box of form.querySelectorAll("[data-letter]")) box.hidden = false;
  letter();
  form.addEventListener("input", () => {
    keep();
    letter();
  });
  form.addEventListener("submit", (event) => {
    keep();
    if (form.dataset.asPage || !event.submitter) return;
    event.preventDefault();
    if (event.submitter.dataset.verdictButton && lacks(event.submitter)) return;
    send(event.submitter);
  });
  addEventListener("pageshow", () => delete form.dataset.asPage); // the browser's “back” may show the page as it was left
  // Enter in a small field sends nothing: a decision is pressed on purpose.
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input")) event.preventDefault();
  });
  const clip = document.querySelector("[data-player] video");
  for (const button of clip ? form.querySelectorAll("[data-here]") : []) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const field = document.getElementById(button.dataset.here);
      field.value = clip.currentTime.toFixed(2);
      form.elements.whole.checked = false;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }
  addEventListener("offline", () => say("The connection is lost. What you wrote stays in this tab."));
  addEventListener("online", () => say("You are connected again: press again to send."));
}

const lease = document.querySelector("[data-lease]");
if (lease && form) watch(lease);
