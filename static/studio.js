// The studio's form: what the chosen model offers, what it costs, how many words it reads and which of them it does not
// know, examples that fill the box, words that are put in where the cursor stands, and the picture that it begins from.

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
  const picture = form.elements.picture;
  let brought; // the picture as the browser decoded it

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
    if (size) offer(size, sizes.split(" "), (value) => value.replace("x", " × "));
    if (begins) {
      begins.hidden = chosen().picture === undefined;
      picture.disabled = begins.hidden; // what is not shown is not sent
      picture.required = !begins.hidden;
      showPicture();
    }
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

  // What the server would refuse is said before it is sent. Only the server reads the file for certain.
  const bring = async () => {
    const [file] = picture.files;
    const { bytes } = picture.dataset;
    if (file) begins.querySelector("[data-again]")?.remove();
    brought?.close();
    brought = undefined;
    const wrong = file?.type && !picture.accept.includes(file.type) ? "Only PNG, JPEG and WebP can be read." : "";
    const large = file?.size > Number(bytes) ? `This file has ${(file.size / 1e6).toFixed(1)} MB; at most ${bytes / 1e6} are taken.` : "";
    picture.setCustomValidity(wrong || large);
    picture.reportValidity();
    if (file && picture.validity.valid) {
      const decoded = await createImageBitmap(file).catch(() => undefined);
      if (file === picture.files[0]) brought = decoded;
      else decoded?.close(); // another was chosen meanwhile
    }
    showPicture();
  };

  // Cropped around its middle, as the worker does it.
  const showPicture = () => {
    const canvas = begins.querySelector("[data-preview]");
    const [width, height] = size.value.split("x").map(Number);
    canvas.hidden = !brought || !width;
    if (canvas.hidden) return;
    Object.assign(canvas, { width, height });
    const scale = Math.max(width / brought.width, height / brought.height);
    const [shownWidth, shownHeight] = [brought.width * scale, brought.height * scale];
    canvas.getContext("2d").drawImage(brought, (width - shownWidth) / 2, (height - shownHeight) / 2, shownWidth, shownHeight);
  };

  const fill = (text) => {
    prompt.value = text;
    showWords();
  };

  model.addEventListener("change", showModel);
  seconds.addEventListener("change", showPrice);
  picture?.addEventListener("change", bring);
  if (begins) size.addEventListener("change", showPicture);
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
  if (picture?.files.length) bring(); // the browser's “back” kept it
}
