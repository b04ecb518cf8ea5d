// The studio's form: what the chosen model offers, what it costs, how many words it reads and which of them it does not
// know, examples that fill the box, words that are put in where the cursor stands.

const form = document.querySelector("[data-studio]");

if (form) {
  const model = form.querySelector("select[data-model]");
  const seconds = form.querySelector("select[data-seconds]");
  const size = form.querySelector("select[data-size]");
  const price = form.querySelector("[data-price]");
  const plural = form.querySelector("[data-plural]");
  const wordsLeft = form.querySelector("[data-words-left]");
  const strange = form.querySelector("[data-strange]");
  const prompt = form.elements.prompt;
  const steps = form.elements.steps;
  const begins = form.querySelector("[data-begins]");

  const offer = (select, values, text) => {
    const kept = values.includes(select.value) ? select.value : values[0];
    select.replaceChildren(...values.map((value) => new Option(text(value), value, false, value === kept)));
  };

  // As ModelProfile.strange cuts a prompt; the server has the last word.
  const cut = (text) => text.normalize("NFKC").match(/[\p{L}\p{M}\p{N}]+|[^\s\p{L}\p{M}\p{N}]/gu) ?? [];

  const showStrange = () => {
    const known = form.querySelectorAll(`[data-of-model="${CSS.escape(model.value)}"] [data-word]`);
    const words = new Set([...known].flatMap((each) => each.textContent.split(" ")));
    const found = words.size ? new Set(cut(prompt.value).filter((word) => !words.has(word.toLowerCase()))) : new Set();
    const said = found.size ? `${model.selectedOptions[0].text} does not know: ${[...found].join(", ")}` : "";
    if (strange.textContent !== said) strange.textContent = said; // spoken once, not at each key
  };

  const insert = (word) => {
    const { selectionStart: from, selectionEnd: to, value } = prompt;
    const before = from && !/\s$/.test(value.slice(0, from)) ? " " : "";
    const after = /^\s/.test(value.slice(to)) ? "" : " ";
    prompt.setRangeText(before + word + after, from, to, "end");
    prompt.focus();
    showWords();
  };

  const showModel = () => {
    const { seconds: lengths, sizes, steps: usual, maxSteps } = chosen();
    offer(seconds, lengths.split(" "), (value) => (value === "0" ? "one picture" : `${value} s`));
    if (begins) begins.hidden = chosen().picture === undefined;
    if (size) offer(size, sizes.split(" "), (value) => value.replace("x", " × "));
    if (steps) Object.assign(steps, { placeholder: usual, max: maxSteps });
    for (const part of form.querySelectorAll("[data-of-model]")) part.hidden = part.dataset.ofModel !== model.value;
    showPrice();
    showWords();
  };

  const chosen = () => model.selectedOptions[0].dataset;

  const showPrice = () => {
    const credits = Number(chosen().credits) * Math.max(Number(seconds.value), 1);
    price.textContent = credits;
    plural.textContent = credits === 1 ? "" : "s";
  };

  const showWords = () => {
    const said = prompt.value.trim().split(/\s+/).filter(Boolean).length;
    const limit = Number(chosen().words);
    wordsLeft.textContent = said > limit ? `${said} words; it reads ${limit}. Shorten it a little.` : said ? `${said} of ${limit} words` : "";
    wordsLeft.classList.toggle("over-long", said > limit);
    showStrange();
  };

  const fill = (text) => {
    prompt.value = text;
    showWords();
  };

  model.addEventListener("change", showModel);
  seconds.addEventListener("change", showPrice);
  prompt.addEventListener("input", showWords);
  for (const example of form.querySelectorAll("[data-fill]")) {
    example.addEventListener("click", (event) => {
      event.preventDefault();
      fill(example.textContent.trim());
      prompt.focus();
    });
  }

  for (const word of form.querySelectorAll("[data-word]")) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: word.textContent });
    button.addEventListener("click", () => insert(button.textContent));
    button.dataset.word = "";
    word.replaceWith(button);
  }

  const asked = new URLSearchParams(location.search).get("prompt");
  if (asked && !prompt.value) fill(asked);
  showModel();
}
