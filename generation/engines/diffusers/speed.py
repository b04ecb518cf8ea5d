"""The presets: what makes a pipeline quicker than diffusers' plain way, and at which price.

reference  plain diffusers.
tuned      the same arithmetic up to rounding: attention by way of a kernel that can be chosen, blocks compiled where
           there is a GPU that torch can compile for, prompts read once, text encoders off the GPU once they have read
           if its memory is short.
fast       tuned, and of the steps in the middle only every third is computed; the others are carried on in a
           straight line from those before. Which ones is fixed beforehand, so that a clip takes as long as any other
           of its settings; what it costs is fine detail, and the artist is told.
"""

import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from diffusers import TaylorSeerCacheConfig
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from diffusers.models.embeddings import apply_rotary_emb
from torch import Tensor

from generation.engines import Model
from generation.engines.diffusers.families import CogVideoX, Embeddings, Family, Mochi, Pipeline

logger = logging.getLogger(__name__)

Kernel = AttentionBackendName | None  # None is torch's own choice

PROMPTS = 32  # how many are remembered by each model; one of a large model takes some megabytes
EVERY = 3  # of the steps in the middle, one of so many is computed
RECOMPILE = 64
FEWEST = 10  # with fewer steps than these there is no middle to speak of


class CogVideoXAttention:
    """CogVideoX's own attention, but through the dispatcher, so that another kernel can be chosen."""

    _attention_backend: Kernel = None

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        image_rotary_emb: Any = None,
    ) -> tuple[Tensor, Tensor]:
        words = encoder_hidden_states.size(1)
        tokens = torch.cat([encoder_hidden_states, hidden_states], dim=1)
        query, key, value = (part(tokens).unflatten(-1, (attn.heads, -1)) for part in (attn.to_q, attn.to_k, attn.to_v))
        if attn.norm_q is not None:
            query, key = attn.norm_q(query), attn.norm_k(key)
        if image_rotary_emb is not None:
            query, key = (
                torch.cat([x[:, :words], _turned(x[:, words:], image_rotary_emb)], dim=1) for x in (query, key)
            )
        mixed = dispatch_attention_fn(
            query, key, value, attn_mask=attention_mask, backend=self._attention_backend
        ).flatten(2)
        mixed = attn.to_out[1](attn.to_out[0](mixed))
        return mixed[:, words:], mixed[:, :words]


class MochiAttention:
    """Mochi's own attention through the dispatcher. Each sample attends to the words that its prompt really has."""

    _attention_backend: Kernel = None

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: Tensor,
        image_rotary_emb: Any = None,
    ) -> tuple[Tensor, Tensor]:
        pictures = [part(hidden_states).unflatten(-1, (attn.heads, -1)) for part in (attn.to_q, attn.to_k, attn.to_v)]
        words = [
            part(encoder_hidden_states).unflatten(-1, (attn.heads, -1))
            for part in (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj)
        ]
        pictures[:2] = attn.norm_q(pictures[0]), attn.norm_k(pictures[1])
        words[:2] = attn.norm_added_q(words[0]), attn.norm_added_k(words[1])
        if image_rotary_emb is not None:
            pictures[:2] = (_rotated(x, *image_rotary_emb) for x in pictures[:2])
        mixed = self._attend(pictures, words, attention_mask)
        of_pictures, of_words = mixed.split([hidden_states.size(1), encoder_hidden_states.size(1)], dim=1)
        of_pictures = attn.to_out[1](attn.to_out[0](of_pictures))
        return of_pictures, attn.to_add_out(of_words) if hasattr(attn, "to_add_out") else of_words

    @torch.compiler.disable  # how many words there are is known only when it runs
    def _attend(self, pictures: list[Tensor], words: list[Tensor], mask: Tensor) -> Tensor:
        found = []
        for sample in range(mask.size(0)):
            said = mask[sample].flatten().nonzero().flatten()
            query, key, value = (
                torch.cat([of_pictures[sample : sample + 1], of_words[sample : sample + 1, said]], dim=1)
                for of_pictures, of_words in zip(pictures, words, strict=True)
            )
            mixed = dispatch_attention_fn(query, key, value, backend=self._attention_backend).flatten(2)
            found.append(F.pad(mixed, (0, 0, 0, words[0].size(1) - len(said))))
        return torch.cat(found)


def _turned(x: Tensor, rotary: Any) -> Tensor:
    turned: Any = apply_rotary_emb(x, rotary, sequence_dim=1)
    return turned


def _rotated(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    even, odd = x[..., 0::2].float(), x[..., 1::2].float()
    turned = ((even * cosines - odd * sines).to(x.dtype), (even * sines + odd * cosines).to(x.dtype))
    return torch.stack(turned, dim=-1).flatten(-2)


def tune(pipeline: Pipeline, family: Family, model: Model, device: torch.device) -> None:
    """Have the pipeline do the same sooner: its attention through the dispatcher, its blocks compiled."""
    kernel = quickest(device, model.dtype) if not family.masked else None
    for transformer in denoisers(pipeline):
        for name, module in transformer.named_modules():
            if name.endswith(".attn1") and isinstance(family, (CogVideoX, Mochi)):
                module.processor = CogVideoXAttention() if isinstance(family, CogVideoX) else MochiAttention()
            processor: Any = getattr(module, "processor", None)
            if hasattr(processor, "_attention_backend"):
                processor._attention_backend = kernel
        # Offloaded layer by layer, weights come and go within a block.
        if device.type == "cuda" and model.offload != "sequential" and compiles(device):
            compile_blocks(transformer)


def quickest(device: torch.device, dtype: str) -> Kernel:
    """The attention kernel for this device: cuDNN's on Hopper and after, if it works here."""
    if device.type != "cuda" or dtype == "float32" or torch.cuda.get_device_capability(device) < (9, 0):
        return None
    probe = torch.zeros(1, 128, 1, 64, device=device, dtype=getattr(torch, dtype))
    try:
        dispatch_attention_fn(probe, probe, probe, backend=AttentionBackendName._NATIVE_CUDNN)
    except (RuntimeError, ValueError):
        logger.warning("cuDNN's attention does not work here; torch chooses another.", exc_info=True)
        return None
    return AttentionBackendName._NATIVE_CUDNN


def compiles(device: torch.device, compiler: Callable[..., Any] = torch.compile) -> bool:
    """Whether torch can compile for this device. It needs a C compiler and Python's headers besides; without them each
    clip would fail at its first step.
    """
    try:
        compiler(_probe)(torch.zeros(1, device=device))
    except Exception:  # each part of the compiler raises errors of its own
        logger.warning("torch cannot compile here; blocks stay as they are, which is slower.", exc_info=True)
        return False
    return True


def _probe(x: Tensor) -> Tensor:
    return x + 1


def compile_blocks(transformer: Any, compiler: Callable[..., Any] = torch.compile) -> None:
    """Compile the blocks one by one: they are alike, so the first one's code serves all.

    The method and not the module is compiled, so that what diffusers hooks around a block stays outside.
    """
    # Each model and each size that a process draws takes some of these; without enough, it goes on uncompiled.
    torch._dynamo.config.recompile_limit = max(torch._dynamo.config.recompile_limit, RECOMPILE)
    for name, blocks in transformer.named_children():
        if isinstance(blocks, torch.nn.ModuleList) and "blocks" in name:
            for block in blocks:
                block.forward = compiler(block.forward)


def denoisers(pipeline: Pipeline) -> list[Any]:
    """Its transformers: one, and with Wan 2.2 two."""
    parts = (getattr(pipeline, name, None) for name in ("transformer", "transformer_2"))
    return [part for part in parts if part is not None]


def encoders(pipeline: Pipeline) -> list[Any]:
    """Its text encoders: one or two."""
    parts = (getattr(pipeline, name, None) for name in ("text_encoder", "text_encoder_2"))
    return [part for part in parts if part is not None]


class Prompts:
    """What was read of the latest prompts, so that a remix reads nothing again."""

    def __init__(self) -> None:
        self._kept: OrderedDict[object, Embeddings] = OrderedDict()

    def get(self, key: object, read: Callable[[], Embeddings]) -> Embeddings:
        """What is kept under this key, or read now."""
        if key not in self._kept:
            self._kept[key] = read()
            while len(self._kept) > PROMPTS:
                self._kept.popitem(last=False)
        self._kept.move_to_end(key)
        return self._kept[key]


def computed(steps: int) -> list[bool]:
    """Of each step, whether `fast` computes it: the first fifth, where a picture finds its form, and the last two."""
    first, last = before_and_after(steps)
    return [step < first or step >= last or (step - first - 1) % EVERY == 0 for step in range(steps)]


def before_and_after(steps: int) -> tuple[int, int]:
    """The step with which the middle begins, and the one after its end; none of it with few steps."""
    return (max(steps // 5, 2), steps - 2) if steps >= FEWEST else (steps, steps)


@contextlib.contextmanager
def drawing(pipeline: Pipeline, preset: str, steps: int) -> Iterator[list[str]]:
    """For the length of a block, what a preset does to the steps: yields what the artist should know of it.

    Afterwards the pipeline is what it was, bit for bit.
    """
    skipped, transformers = computed(steps).count(False), denoisers(pipeline)
    # Two that take turns (Wan 2.2) would each count its own steps from the beginning.
    if preset != "fast" or not skipped or len(transformers) > 1:
        yield []
        return
    first, last = before_and_after(steps)
    config = TaylorSeerCacheConfig(
        cache_interval=EVERY,
        disable_cache_before_step=first,
        disable_cache_after_step=last,
        max_order=1,
        taylor_factors_dtype=torch.float32,
        use_lite_mode=True,
    )
    transformer = transformers[0]
    try:
        transformer.enable_cache(config)
        yield [f"Drawn fast: {skipped} of {steps} steps were estimated from those before, so fine detail may differ."]
    finally:
        if transformer.is_cache_enabled:
            transformer.disable_cache()
