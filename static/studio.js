// The studio's form: what the chosen model offers, what it costs, how many words it reads, examples that fill the box.

const form = document.querySelector("[data-studio]");

if (form) {
  const model = form.querySelector("select[data-model]");
  const seconds = form.querySelector("select[data-seconds]");
  const size = form.querySelector("select[data-size]");
  const price = form.querySelector("[data-price]");
  const plural = form.querySelector("[data-plural]");
  const wordsLeft = form.querySelector("[data-words-left]");
  const prompt = form.elements.prompt;
  const steps = form.elements.steps;

  const offer = (select, values, text) => {
    const kept = values.includes(select.value) ? select.value : values[0];
    select.replaceChildren(...values.map((value) => new Option(text(value), value, false, value === kept)));
  };

  const showModel = () => {
    const { seconds: lengths, sizes, steps: usual, maxSteps } = chosen();
    offer(seconds, lengths.split(" "), (value) => `${value} s`);
    offer(size, sizes.split(" "), (value) => value.replace("x", " × "));
    if (steps) Object.assign(steps, { placeholder: usual, max: maxSteps });
    for (const part of form.querySelectorAll("[data-of-model]")) part.hidden = part.dataset.ofModel !== model.value;
    showPrice();
    showWords();
  };

  const chosen = () => model.selectedOptions[0].dataset;

  const showPrice = () => {
    const credits = Number(chosen().credits) * Number(seconds.value);
    price.textContent = credits;
    plural.textContent = credits === 1 ? "" : "s";
  };

  const showWords = () => {
    const said = prompt.value.trim().split(/\s+/).filter(Boolean).length;
    const limit = Number(chosen().words);
    wordsLeft.textContent = said > limit ? `${said} words; it reads ${limit}. Shorten it a little.` : said ? `${said} of ${limit} words` : "";
    wordsLeft.classList.toggle("over-long", said > limit);
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

  const asked = new URLSearchParams(location.search).get("prompt");
  if (asked && !prompt.value) fill(asked);
  showModel();
}
