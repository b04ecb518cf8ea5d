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

const said = {
  clauses: () => [...form.querySelectorAll("[data-letter-clause]:checked")].map((box) => box.dataset.letterClause),
  facts: () => form.elements.facts.value.trim(),
  place: () => {
    if (form.elements.whole.checked) return "the whole clip";
    const seconds = (name) => Number(form.elements[name].value).toFixed(1);
    if (form.elements.from_seconds.value === "") return "";
    const from = `from ${seconds("from_seconds")} s`;
    return form.elements.to_seconds.value === "" ? from : `${from} to ${seconds("to_seconds")} s`;
  },
};

function write(place, words, missing) {
  place.textContent = words || missing;
  place.classList.toggle("missing", !words);
}

function letter() {
  const box = form.querySelector("[data-letter]");
  const as = form.elements.letter_as.value;
  for (const part of box.querySelectorAll("[data-as]")) part.hidden = part.dataset.as !== as;
  write(box.querySelector("[data-letter-clauses]"), said.clauses().join("; "), "[which clause]");
  write(box.querySelector("[data-letter-place]"), said.place(), "[where]");
  write(box.querySelector("[data-letter-facts]"), said.facts(), "[what you saw]");
  const whole = !missing().length;
  for (const button of document.querySelectorAll("[data-verdict-button]")) {
    button.classList.toggle("hand", whole && button.dataset.verdictButton === as);
  }
}

function missing() {
  return [
    [said.clauses().length, "a clause", form.querySelector("[data-letter-clause]")],
    [said.facts(), "what you saw", form.elements.facts],
    [said.place(), "where in the clip", form.elements.from_seconds],
  ].filter(([there]) => !there);
}

function prepare(button, event) {
  form.elements.letter_as.value = button.dataset.verdictButton;
  const lacks = missing();
  letter();
  if (!lacks.length) return;
  event.preventDefault();
  const what = button.dataset.verdictButton === "reject" ? "A refusal" : "A request for changes";
  say(`${what} still needs ${lacks.map(([, words]) => words).join(", ")}. Nothing is sent yet.`);
  lacks[0][2].focus();
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
        lease.dataset.until = (await answer.json()).lease_until;
        say("");
        tick();
      } else {
        const page = new DOMParser().parseFromString(await answer.text(), "text/html");
        say(page.querySelector("main .error p")?.textContent ?? "It could not be kept longer. What you wrote stays in this tab.");
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
  form.querySelector("[data-letter]").hidden = false;
  letter();
  form.addEventListener("input", () => {
    keep();
    letter();
  });
  form.addEventListener("submit", keep);
  // Enter in a small field sends nothing: a decision is pressed on purpose.
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.matches("input")) event.preventDefault();
  });
  for (const button of document.querySelectorAll("[data-verdict-button]")) {
    button.addEventListener("click", (event) => prepare(button, event));
  }
  for (const button of form.querySelectorAll("[data-here]")) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const field = document.getElementById(button.dataset.here);
      field.value = document.querySelector("[data-player] video").currentTime.toFixed(2);
      form.elements.whole.checked = false;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
  }
  addEventListener("offline", () => say("The connection is lost. What you wrote stays in this tab."));
  addEventListener("online", () => say(""));
}

const lease = document.querySelector("[data-lease]");
if (lease && form) watch(lease);
