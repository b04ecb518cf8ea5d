"""Builds Sketch untrained: a real CogVideoX pipeline in the real on-disk format, with random weights.

It has the sizes of the trained model, so that a trained folder takes its place without a change elsewhere.
"""

import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
)
from diffusers.models.autoencoders.autoencoder_kl_cogvideox import CogVideoXSpatialNorm3D
from diffusers.utils import logging as diffusers_logging
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel
from transformers.utils import logging as transformers_logging

from generation import sketch

SEED = 1
TEXT_TOKENS = 32
TEXT_WIDTH = 128
LATENT_CHANNELS = 8
SIZE = 64
FRAMES = 17
PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"

WORDS = """
a an and the over on of in with to from at by two three one another , .
red green blue yellow white black orange purple pink brown grey gray cyan magenta gold silver dark light pale bright
circle square triangle ring star cross diamond rectangle oval line dot heart
circles squares triangles rings stars crosses diamonds rectangles ovals lines dots hearts
field background sky sea ground grass stripes striped checks checkered gradient plain spots spotted
drifting moving growing shrinking turning spinning rotating bouncing falling rising fading blinking still standing
left right up down upwards downwards diagonally clockwise counterclockwise slowly quickly fast slow
small large big tiny huge thin thick soft sharp
above below behind before beside between under inside around across
"""

MODEL_CARD = """\
# Sketch, untrained

A `CogVideoXPipeline` in the format of diffusers, built on this machine from random weights (seed {seed}).
Licence: Apache-2.0.

**It has learned nothing. Whatever the prompt, it draws noise**: soft clouds of colour, smoothed so that
nothing flickers. It is here so that the whole way from prompt to published work can be walked on any machine,
with the same code that runs the large models.

- Takes: 64 × 64 pixels, 17 frames at 8 frames a second (about 2 s), 20 steps, guidance 3.
- Other sizes: multiples of {side} pixels; 9, 17, 25, … frames.
- Reads {tokens} tokens of a prompt; a token is a word or a sign.
- {parameters:,} parameters, stored in half precision. Trained on: nothing.
- Check the files with `sha256sum --check SHA256SUMS` or `manage.py sketch verify`.
"""


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a word, as far as Sketch knows the word."""
    vocabulary = {PAD: 0, END: 1, UNKNOWN: 2}
    for word in WORDS.split():
        vocabulary.setdefault(word, len(vocabulary))
    words = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    words.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    words.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Punctuation()])
    words.post_processor = processors.TemplateProcessing(single=f"$A {END}", special_tokens=[(END, 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        model_max_length=TEXT_TOKENS,
        padding_side="right",
    )


def text_encoder(vocabulary: int) -> T5EncoderModel:
    return T5EncoderModel(
        T5Config(
            vocab_size=vocabulary,
            d_model=TEXT_WIDTH,
            d_kv=32,
            d_ff=256,
            num_layers=2,
            num_heads=4,
            feed_forward_proj="gated-gelu",
            is_encoder_decoder=False,
            use_cache=False,
            pad_token_id=0,
            eos_token_id=1,
            dropout_rate=0.0,
        )
    )


def vae() -> Any:
    """Eight channels, four times smaller in height, width and time."""
    widths = (16, 32, 48)
    return AutoencoderKLCogVideoX(
        block_out_channels=widths,
        down_block_types=("CogVideoXDownBlock3D",) * len(widths),
        up_block_types=("CogVideoXUpBlock3D",) * len(widths),
        latent_channels=LATENT_CHANNELS,
        layers_per_block=1,
        norm_num_groups=4,
        temporal_compression_ratio=4,
        sample_height=SIZE,
        sample_width=SIZE,
        scaling_factor=1.0,
    )


def transformer() -> Any:
    return CogVideoXTransformer3DModel(
        num_attention_heads=6,
        attention_head_dim=32,
        num_layers=6,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        time_embed_dim=128,
        text_embed_dim=TEXT_WIDTH,
        max_text_seq_length=TEXT_TOKENS,
        sample_width=SIZE // 4,
        sample_height=SIZE // 4,
        sample_frames=FRAMES,
        patch_size=2,
        temporal_compression_ratio=4,
        spatial_interpolation_scale=1.0,
    )


def scheduler() -> CogVideoXDDIMScheduler:
    return CogVideoXDDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        snr_shift_scale=1.0,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
    )


def pipeline() -> Any:
    """The whole pipeline with random weights, the same ones each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        words = tokenizer()
        coder = vae().eval()
        calm(coder.decoder)
        return CogVideoXPipeline(
            tokenizer=words,
            text_encoder=text_encoder(len(words)).eval(),
            vae=coder,
            transformer=transformer().eval(),
            scheduler=scheduler(),
        )


@torch.no_grad()
def calm(decoder: Any) -> None:
    """Turn harsh flicker into slow clouds of colour: each kernel becomes a random mix of channels and a blur.

    Plain random weights decode to full-contrast noise that changes with every pixel and frame, which is
    unpleasant to look at and dangerous to people with photosensitive epilepsy.
    """
    for part in decoder.modules():
        if isinstance(part, CogVideoXSpatialNorm3D):  # starts out passing its input on unchanged
            for conv, bias in ((part.conv_y.conv, 1.0), (part.conv_b.conv, 0.0)):
                assert conv.bias is not None
                conv.weight.zero_()
                conv.bias.fill_(bias)
        elif isinstance(part, (torch.nn.Conv2d, torch.nn.Conv3d)) and part.kernel_size[-1] == 3:
            line = torch.exp(-0.5 * torch.arange(-1.0, 2.0) ** 2)
            blur = torch.outer(line, line) / line.sum() ** 2
            if part.weight.ndim == 5:
                blur = blur.expand(part.kernel_size) / part.kernel_size[0]
            mix = torch.randn(part.weight.shape[:2]) / part.weight.shape[1] ** 0.5
            part.weight.copy_(mix.reshape(*mix.shape, *(1,) * blur.ndim) * blur)
            assert part.bias is not None
            part.bias.zero_()
    decoder.conv_out.conv.weight.mul_(0.7)  # colourful, and seldom so bright that it clips


def build(folder: Path) -> None:
    """Write the whole model folder, or nothing: it is written beside its place and then moved there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    beside.mkdir()
    try:
        save(beside)
        set_aside(folder)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def save(folder: Path) -> None:
    """Weights in half precision, the model card, and the sums of both."""
    quiet()
    pipe = pipeline()
    parts = (pipe.text_encoder, pipe.vae, pipe.transformer)
    pipe.to(dtype=torch.float16).save_pretrained(folder, safe_serialization=True)
    card = MODEL_CARD.format(
        seed=SEED,
        side=pipe.vae_scale_factor_spatial * pipe.transformer.config.patch_size,
        tokens=TEXT_TOKENS,
        parameters=sum(weights.numel() for part in parts for weights in part.parameters()),
    )
    (folder / sketch.CARD).write_text(card, encoding="utf-8")
    sketch.seal(folder)


def set_aside(folder: Path) -> None:
    """Whatever lies in the model's place is kept under another name: it may be somebody's trained weights."""
    if folder.exists():
        folder.rename(folder.with_name(f"{folder.name}.set-aside-{datetime.now(UTC):%Y%m%dT%H%M%S%f}"))


def quiet() -> None:
    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()
        library.set_verbosity_error()
