// Clips: loops that start by themselves unless motion is unwelcome, and the reviewers' player: scrub, frame, speed.

const still = matchMedia("(prefers-reduced-motion: reduce)");

for (const video of document.querySelectorAll("video[data-loop]")) {
  if (!still.matches) video.play().catch(() => {}); // the browser may say no; then there is the button
}

for (const player of document.querySelectorAll("[data-player]")) {
  const video = player.querySelector("video");
  const tools = player.querySelector("[data-tools]");
  const scrub = player.querySelector("[data-scrub]");
  const word = player.querySelector("[data-play-word]");
  const timecode = player.querySelector("[data-timecode]");
  const fps = Number(player.dataset.fps) || 24;

  video.controls = false; // nothing lies over the picture while it is judged
  tools.hidden = false;

  const length = () => (Number.isFinite(video.duration) ? video.duration : 0);
  const show = () => {
    scrub.value = length() ? video.currentTime / length() : 0;
    const frame = Math.floor(video.currentTime * fps + 0.01);
    timecode.textContent = `${video.currentTime.toFixed(2)} s · frame ${frame + 1}`;
    scrub.setAttribute("aria-valuetext", `${video.currentTime.toFixed(2)} of ${length().toFixed(2)} seconds`);
  };
  const go = (seconds) => {
    video.pause();
    video.currentTime = Math.min(Math.max(seconds, 0), Math.max(length() - 0.001, 0));
  };
  const follow = () => {
    show();
    if (!video.paused) requestAnimationFrame(follow);
  };
  const playing = () => {
    word.textContent = video.paused ? "Play" : "Pause";
    follow();
  };

  video.addEventListener("play", playing);
  video.addEventListener("pause", playing);
  video.addEventListener("seeked", show);
  video.addEventListener("loadedmetadata", show);
  video.addEventListener("click", () => (video.paused ? video.play() : video.pause()));
  playing();

  scrub.addEventListener("input", () => go(scrub.value * length()));
  player.querySelector("[data-play]").addEventListener("click", () => (video.paused ? video.play() : video.pause()));
  player.querySelector("[data-speed]").addEventListener("change", (event) => (video.playbackRate = Number(event.target.value)));
  for (const button of player.querySelectorAll("[data-step]")) {
    button.addEventListener("click", () => {
      const frame = Math.floor(video.currentTime * fps + 0.01) + Number(button.dataset.step);
      const frames = Math.max(Math.round(length() * fps), 1);
      go((((frame + frames) % frames) + 0.5) / fps); // the middle of a frame: no rounding to its neighbour
    });
  }
  for (const link of document.querySelectorAll("[data-seek]")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      go(Number(link.dataset.seek) + 0.5 / fps);
      player.scrollIntoView({ block: "nearest" });
    });
  }
}

// A letter names a place: it is shown in the page's own clip.
if (!document.querySelector("[data-player]")) {
  const video = document.querySelector("video[data-loop]");
  for (const link of document.querySelectorAll("a[data-seek]")) {
    link.addEventListener("click", (event) => {
      if (!video) return;
      event.preventDefault();
      video.pause();
      video.currentTime = Number(link.dataset.seek);
      video.scrollIntoView({ block: "nearest" });
      video.focus();
    });
  }
}
