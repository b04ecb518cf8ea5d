"""Teaches Sketch from clips that are drawn as they are needed. Three stages, each resumed where it was interrupted.

1. `vae`: pictures to latents and back.
2. `text`: a sentence to what it asks for.
3. `transformer`: noise to latents, told by a sentence: first single pictures, which are five times cheaper and teach
   colour and shape, then clips.

A step draws its data and its noise from its own number, so a run that was stopped goes on as if it had not been.
Learning rates are functions of the step and of the number of steps in all; asking for fewer steps than before makes a
run settle down sooner. The same code runs on a GPU and on the CPU, in bfloat16 where that is safe.
"""

import contextlib
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXSpatialNorm3D
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from generation.sketch import build, clips
from generation.sketch.captions import COLOURS, MOTIONS, SHAPES, SIZES, Scene, held_out, reworded, scenes

SEED = 1
# Seconds between checkpoints, and between lines of progress.
KEEP_EVERY, SAY_EVERY = 120.0, 20.0

Say = Callable[[str], None]


def seen() -> list[Scene]:
    """The scenes that may be trained on: all but those that the evaluation keeps."""
    return [scene for scene in scenes() if not held_out(scene)]


def lots(stage: str, step: int) -> np.random.Generator:
    """The chance of one step, and of no other."""
    return np.random.default_rng([SEED, *stage.encode(), step])


def torch_lots(rng: np.random.Generator, device: torch.device) -> torch.Generator:
    return torch.Generator(device).manual_seed(int(rng.integers(2**62)))


def settle(step: int, steps: int, warm: int, stay: float) -> float:
    """The learning rate as a part of its highest: up at first, then level, then down to nothing."""
    return min((step + 1) / warm, 1.0, max((steps - step) / (steps * (1 - stay)), 0.0))


@dataclass(slots=True)
class Stage:
    """What has to be kept to go on with a stage, and where. `parts` have a `state_dict`."""

    name: str
    folder: Path
    parts: dict[str, Any]
    step: int = 0

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.pt"

    def resume(self) -> None:
        """Go on from the checkpoint, if there is one. Raises ValueError where it is of a model of other sizes."""
        if not self.file.exists():
            return
        kept = torch.load(self.file, map_location="cpu", weights_only=True)
        try:
            for name, part in self.parts.items():
                part.load_state_dict(kept[name])
        except (KeyError, RuntimeError) as error:
            raise ValueError(f"{self.file} was kept for a model of other sizes. Name another folder.") from error
        self.step = kept["step"]

    def keep(self) -> None:
        """Write beside, then rename: an interrupted write leaves the earlier checkpoint."""
        beside = self.file.with_suffix(".part")
        torch.save({"step": self.step, **{name: part.state_dict() for name, part in self.parts.items()}}, beside)
        beside.rename(self.file)

    def run(self, steps: int, learn: Callable[[int], dict[str, float]], say: Say) -> None:
        """Do the steps that are left. `learn` does one and returns the figures to show."""
        if self.step >= steps:
            return
        began, first, said, kept = time.monotonic(), self.step, time.monotonic(), time.monotonic()
        shown: dict[str, list[float]] = {}
        while self.step < steps:
            for name, value in learn(self.step).items():
                shown.setdefault(name, []).append(value)
            self.step += 1
            now = time.monotonic()
            if now - said > SAY_EVERY or self.step == steps:
                pace = (now - began) / (self.step - first)
                figures = "  ".join(f"{name} {np.mean(values):.4f}" for name, values in shown.items())
                left = pace * (steps - self.step) / 60
                say(f"{self.name:<12}{self.step:>6} of {steps}  {figures}  {pace:.2f} s a step, {left:.0f} min left")
                shown, said = {}, now
            if now - kept > KEEP_EVERY or self.step == steps:
                self.keep()
                kept = now


def to_tensor(pictures: np.ndarray, device: torch.device) -> Tensor:
    """uint8 (clips, frames, height, width, 3) to (clips, 3, frames, height, width) from -1 to 1."""
    return torch.from_numpy(pictures).to(device).permute(0, 4, 1, 2, 3).float().div_(127.5).sub_(1).contiguous()


# --- pictures to latents and back


def differences(x: Tensor) -> Iterator[Tensor]:
    """How each pixel differs from the next one below, to the right, and in the next frame."""
    yield x[..., 1:, :] - x[..., :-1, :]
    yield x[..., 1:] - x[..., :-1]
    yield x[:, :, 1:] - x[:, :, :-1]


def crops(rng: np.random.Generator, among: list[Scene], part: float) -> np.ndarray:
    """Clips for the autoencoder, whole ones in the end: small crops show as much of an edge for much less."""
    count, side, frames = (8, 32, 9) if part < 0.4 else (4, 48, 9) if part < 0.6 else (2, 64, 17)
    found = []
    for _ in range(count):
        whole = clips.draw(among[rng.integers(len(among))], rng)
        time_, top, left = (int(rng.integers(n + 1)) for n in (17 - frames, 64 - side, 64 - side))
        found.append(whole[time_ : time_ + frames, top : top + side, left : left + side])
    return np.stack(found)


def train_vae(folder: Path, steps: int, device: torch.device, say: Say, start: Path | None = None) -> Any:
    """The autoencoder. Its loss is L1, L2 and the L1 of differences, which is what makes edges sharp; a trace of KL.

    With `start`, a folder of weights, it goes on from there with whole clips only.
    """
    torch.manual_seed(SEED)
    vae = build.vae().to(device).train()
    if start:
        vae.load_state_dict(type(vae).from_pretrained(start).state_dict())
    optimizer = torch.optim.AdamW(vae.parameters(), lr=1e-3, betas=(0.9, 0.99), weight_decay=0.0)
    stage = Stage("vae", folder, {"model": vae, "optimizer": optimizer})
    stage.resume()
    among, top = seen(), 4e-4 if start else 1.2e-3

    def learn(step: int) -> dict[str, float]:
        rng = lots("vae", step)
        x = to_tensor(crops(rng, among, 1.0 if start else step / steps), device)
        with torch.autocast(device.type, dtype=torch.bfloat16):
            latents = vae.encode(x).latent_dist
            y = vae.decode(latents.sample(torch_lots(rng, device))).sample
        y = y.float()
        mean, log_variance = latents.mean.float(), latents.logvar.float()
        l1, l2 = (y - x).abs().mean(), (y - x).square().mean()
        edges = sum((a - b).abs().mean() for a, b in zip(differences(y), differences(x), strict=True))
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        optimizer.param_groups[0]["lr"] = top * settle(step, steps, warm=30, stay=0.1)
        optimizer.zero_grad(set_to_none=True)
        (l1 + l2 + 0.5 * edges + 1e-4 * kl).backward()
        nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        optimizer.step()
        return {"decibels": 10 * math.log10(4 / l2.item()), "l1": l1.item(), "kl": kl.item()}

    stage.run(steps, learn, say)
    return vae.eval().requires_grad_(False)


@torch.no_grad()
def centre(vae: Any, among: list[Scene], device: torch.device) -> None:
    """Make the latents of our clips centre on nought with a spread of one, and decode to what they did.

    The pipeline knows one factor for all channels and no offset, so the offset goes into the encoder's last bias and
    into the first biases of the decoder. (Along the edges, where the decoder pads with noughts, a trace of it shows.)
    """
    rng = np.random.default_rng([SEED, *b"centre"])
    channels = vae.config.latent_channels
    latents = torch.cat(
        [encode(vae, clips.draw(among[rng.integers(len(among))], rng)[None], device) for _ in range(64)]
    )
    mean = latents.mean((0, 2, 3, 4))
    vae.encoder.conv_out.conv.bias[:channels] -= mean
    firsts: list[Any] = [vae.decoder.conv_in.conv]
    for part in vae.decoder.modules():
        if isinstance(part, CogVideoXSpatialNorm3D):
            firsts += [part.conv_y.conv, part.conv_b.conv]
    for first in firsts:
        first.bias += first.weight.sum((2, 3, 4)) @ mean
    vae.register_to_config(scaling_factor=1 / (latents - mean.view(1, channels, 1, 1, 1)).std().item())


@torch.no_grad()
def encode(vae: Any, pictures: np.ndarray, device: torch.device) -> Tensor:
    """Pictures to latents shaped (clips, channels, frames, height, width), not yet scaled."""
    with torch.autocast(device.type, dtype=torch.bfloat16):
        return vae.encode(to_tensor(pictures, device)).latent_dist.mode().float()


# --- a sentence to what it asks for


def labels(scene: Scene) -> list[int]:
    return [
        list(COLOURS).index(scene.colour),
        SHAPES.index(scene.shape),
        MOTIONS.index(scene.motion),
        list(COLOURS).index(scene.field),
        SIZES.index(scene.size),
    ]


CHOICES = (len(COLOURS), len(SHAPES), len(MOTIONS), len(COLOURS), len(SIZES))


def tokens(tokenizer: Any, texts: list[str], device: torch.device) -> Tensor:
    read = tokenizer(texts, padding="max_length", max_length=build.TEXT_TOKENS, truncation=True, return_tensors="pt")
    return read.input_ids.to(device)


def train_text(folder: Path, steps: int, device: torch.device, say: Say) -> Any:
    """The text encoder. Each of its tokens has to tell colour, shape, motion, field and size of the whole scene.

    A small T5 with random weights can't tell whose colour is whose. Three of its heads begin by looking at the word
    before, the word after and the one before that; the heads that answer are thrown away in the end.
    """
    torch.manual_seed(SEED)
    tokenizer = build.tokenizer()
    encoder: Any = build.text_encoder(len(tokenizer))
    encoder.to(device)
    near = encoder.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    with torch.no_grad():
        near.zero_()
        near[1, 0] = near[17, 1] = near[2, 2] = 6.0
    answers = nn.ModuleList([nn.Linear(build.TEXT_WIDTH, choices) for choices in CHOICES]).to(device)
    weights = [*encoder.parameters(), *answers.parameters()]
    optimizer = torch.optim.AdamW(weights, lr=3e-3)
    stage = Stage("text", folder, {"model": encoder, "answers": answers, "optimizer": optimizer})
    stage.resume()
    among = seen()

    def learn(step: int) -> dict[str, float]:
        rng = random.Random(f"text {SEED} {step}")  # noqa: S311
        batch = [rng.choice(among) for _ in range(96)]
        wanted = torch.tensor([labels(scene) for scene in batch], device=device)
        texts = [reworded(scene, rng, build.UNKNOWN) for scene in batch]
        told = encoder(tokens(tokenizer, texts, device))[0]
        loss = torch.stack(
            [
                F.cross_entropy(answer(told).flatten(0, 1), wanted[:, which].repeat_interleave(build.TEXT_TOKENS))
                for which, answer in enumerate(answers)
            ]
        ).sum()
        optimizer.param_groups[0]["lr"] = 3e-3 * settle(step, steps, warm=40, stay=0.1) + 1e-5
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        return {"loss": loss.item()}

    stage.run(steps, learn, say)
    return encoder.eval().requires_grad_(False)


# --- noise to latents


def still(scene: Scene) -> bool:
    return not scene.motion


@torch.no_grad()
def latents(  # noqa: PLR0917
    vae: Any, folder: Path, name: str, count: int, frames: int, device: torch.device, say: Say
) -> tuple[Tensor, list[Scene]]:
    """Scaled latents of so many clips, or of pictures where `frames` is 1, made once and kept in half precision."""
    among = [scene for scene in seen() if frames > 1 or still(scene)]
    file = folder / f"{name}.pt"
    if file.exists():
        kept = torch.load(file, map_location="cpu", weights_only=True)
        if (len(kept["which"]), kept["scale"]) == (count, vae.config.scaling_factor):  # of this very autoencoder
            return kept["latents"], [among[index] for index in kept["which"]]
    rng = np.random.default_rng([SEED, *name.encode()])
    which = [int(index) for index in rng.integers(len(among), size=count)]
    made, size = [], 32 if frames > 1 else 128
    for first in range(0, count, size):
        pictures = np.stack([clips.draw(among[index], rng, frames) for index in which[first : first + size]])
        made.append((encode(vae, pictures, device) * vae.config.scaling_factor).permute(0, 2, 1, 3, 4).half().cpu())
        if first % (64 * size) == 0:
            say(f"{name:<12}{first:>6} of {count} drawn and encoded")
    torch.save({"latents": torch.cat(made), "which": which, "scale": vae.config.scaling_factor}, file)
    return torch.cat(made), [among[index] for index in which]


class PlainAttention(TorchFunctionMode):
    """Attention spelled out: on the CPU torch's own kernel takes up to three times as long for so few tokens."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        query, key, value = args
        return torch.softmax(query * query.shape[-1] ** -0.5 @ key.transpose(-1, -2), -1) @ value


def optimizers(transformer: Any, rate: float) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the blocks, AdamW for all else (https://kellerjordan.github.io/posts/muon/)."""
    inner: list[Tensor] = []
    rest: list[Tensor] = []
    for name, weight in transformer.named_parameters():
        matrix = name.startswith("transformer_blocks.") and weight.ndim == 2 and ".norm" not in name
        (inner if matrix else rest).append(weight)
    return [
        torch.optim.Muon(inner, lr=rate, weight_decay=0.01, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
    ]


@torch.no_grad()
def begin_as_nothing(transformer: Any) -> None:
    """Every block begins as the identity and the answer as nought, as in DiT (https://arxiv.org/abs/2212.09748)."""
    for name, weight in transformer.named_parameters():
        if ".norm1.linear" in name or ".norm2.linear" in name or name.startswith("proj_out"):
            weight.zero_()


def times(rng: np.random.Generator, count: int) -> np.ndarray:
    """Which of the 1000 levels of noise: mostly those at which an outline is decided, some of all."""
    middling = 1 / (1 + np.exp(-rng.normal(0.6, 1.1, count)))
    anywhere = rng.random(count)
    return np.minimum(np.where(rng.random(count) < 0.3, anywhere, middling) * 1000, 999).astype(np.int64)


@dataclass(slots=True)
class Average:
    """A slow average of the weights, which draws better than the weights themselves."""

    weights: list[Tensor]
    slow: list[Tensor]
    decay: float = 0.998

    @torch.no_grad()
    def follow(self, step: int) -> None:
        part = 1 - min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.slow, self.weights, part)

    def state_dict(self) -> dict[str, list[Tensor]]:
        return {"slow": self.slow}

    def load_state_dict(self, kept: dict[str, list[Tensor]]) -> None:
        self.slow = [tensor.to(weight.device) for tensor, weight in zip(kept["slow"], self.weights, strict=True)]

    @torch.no_grad()
    def settle(self) -> None:
        for weight, slow in zip(self.weights, self.slow, strict=True):
            weight.copy_(slow)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long and on how much. The first `pictures` of the transformer's `steps` look at single pictures only."""

    vae: int = 6000
    text: int = 400
    steps: int = 6000
    pictures: int = 1500
    rate: float = 6e-3  # Muon's; AdamW's is half of it
    kept_pictures: int = 12288
    kept_clips: int = 10240


# How many at once, by their frames of latents: a picture, half a clip, a whole one. Each about 5,500 tokens.
BATCH = {1: 64, 3: 25, 5: 16}


def frames_of(step: int, pictures: int) -> int:
    """How many frames of latents a step looks at. Pictures and half clips stay in the mix: both can be asked for."""
    return 1 if step < pictures or step % 6 == 0 else 3 if step % 6 == 3 else 5


def train_transformer(folder: Path, recipe: Recipe, vae: Any, encoder: Any, device: torch.device, say: Say) -> Any:  # noqa: PLR0917
    """The transformer, by plain squared error on the velocity, with the noise schedule that the pipeline draws by."""
    torch.manual_seed(SEED)
    tokenizer = build.tokenizer()
    transformer: Any = build.transformer().to(device).train()
    begin_as_nothing(transformer)
    weights = list(transformer.parameters())
    average = Average(weights, [weight.detach().clone() for weight in weights])
    inner, rest = optimizers(transformer, recipe.rate)
    stage = Stage("transformer", folder, {"model": transformer, "average": average, "inner": inner, "rest": rest})
    stage.resume()
    pictures = latents(vae, folder, "pictures", recipe.kept_pictures, 1, device, say)
    moving = latents(vae, folder, "clips", recipe.kept_clips, clips.FRAMES, device, say)
    attention = PlainAttention() if device.type == "cpu" else contextlib.nullcontext()
    schedule: Any = build.scheduler()
    positions = {frames: [each.to(device) for each in build.rotary(frames)] for frames in BATCH}
    alphas = schedule.alphas_cumprod.float().to(device)

    def learn(step: int) -> dict[str, float]:
        rng = lots("transformer", step)
        frames = frames_of(step, recipe.pictures)
        among, scenes_ = pictures if frames == 1 else moving
        which = rng.integers(len(scenes_), size=BATCH[frames])
        words = random.Random(f"transformer {SEED} {step}")  # noqa: S311
        texts = ["" if rng.random() < 0.1 else reworded(scenes_[index], words, build.UNKNOWN) for index in which]
        # The autoencoder never looks ahead, so the first latents of a clip are those of its first half.
        clean = among[torch.from_numpy(which), :frames].to(device).float()
        noise = torch.randn(clean.shape, generator=torch_lots(rng, device), device=device)
        time_ = torch.from_numpy(times(rng, len(which))).to(device)
        signal = alphas[time_].view(-1, 1, 1, 1, 1)
        noisy = signal.sqrt() * clean + (1 - signal).sqrt() * noise
        velocity = signal.sqrt() * noise - (1 - signal).sqrt() * clean
        with torch.no_grad():
            told = encoder(tokens(tokenizer, texts, device))[0]
        with attention, torch.autocast(device.type, dtype=torch.bfloat16):
            guess = transformer(
                hidden_states=noisy,
                encoder_hidden_states=told,
                timestep=time_,
                image_rotary_emb=positions[frames],
                return_dict=False,
            )[0]
        loss = F.mse_loss(guess.float(), velocity)
        for optimizer in (inner, rest):
            rate = recipe.rate if optimizer is inner else recipe.rate / 2
            optimizer.param_groups[0]["lr"] = rate * settle(step, recipe.steps, warm=100, stay=0.65)
            optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        for optimizer in (inner, rest):
            optimizer.step()
        average.follow(step)
        return {{1: "picture", 3: "half", 5: "clip"}[frames]: loss.item()}

    stage.run(recipe.steps, learn, say)
    average.settle()
    return transformer.eval().requires_grad_(False)


def train(  # noqa: PLR0917
    work: Path, out: Path, recipe: Recipe, device: str | None, say: Say, start: Path | None = None
) -> None:
    """All stages, each from where it stands in `work`; then the model's folder in `out`.

    `device` is "cpu" or "cuda", the GPU where there is one if left out; `start` an autoencoder to go on from. Raises
    FileExistsError when `out` is there, and ValueError when `work` holds checkpoints of a model of other sizes.
    """
    on = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    work.mkdir(parents=True, exist_ok=True)
    vae = train_vae(work, recipe.vae, on, say, start)
    centre(vae, seen(), on)
    encoder = train_text(work, recipe.text, on, say)
    transformer = train_transformer(work, recipe, vae, encoder, on, say)
    build.save(build.assemble(encoder.cpu(), vae.cpu(), transformer.cpu()), out)
