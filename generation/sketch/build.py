"""Sketch's parts before they have learned anything, and the folder that they are kept in: a real CogVideoX pipeline."""

import shutil
import uuid
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
)
from diffusers.models.embeddings import get_3d_rotary_pos_embed
from diffusers.utils import logging as diffusers_logging
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor
from transformers import PreTrainedTokenizerFast, T5Config, T5EncoderModel
from transformers.utils import logging as transformers_logging

from gateway import sums
from generation.sketch import captions
from generation.sketch.clips import FRAMES, SIZE

TEXT_TOKENS = 24
TEXT_WIDTH = 128
HEAD_WIDTH = 32
LATENT_CHANNELS = 8
PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a word, as far as Sketch knows the word."""
    vocabulary = {PAD: 0, END: 1, UNKNOWN: 2}
    for word in captions.vocabulary():
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
    """Positions as in CogVideoX-5B-I2V: where a token is, and rotary, where the others are from there.

    With the first alone, neighbours learn late that they draw one outline; it also ties the model to its one size.
    """
    return CogVideoXTransformer3DModel(
        num_attention_heads=6,
        attention_head_dim=HEAD_WIDTH,
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
        use_rotary_positional_embeddings=True,
        use_learned_positional_embeddings=True,
    )


def rotary(frames: int) -> tuple[Tensor, Tensor]:
    """What the pipeline hands to the transformer for so many frames of latents: cosines and sines."""
    side = SIZE // 8  # four by the autoencoder, two by the patches
    found: Any = get_3d_rotary_pos_embed(HEAD_WIDTH, ((0, 0), (side, side)), (side, side), temporal_size=frames)
    return found[0], found[1]


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


def assemble(encoder: Any, coder: Any, denoiser: Any) -> Any:
    """The parts as the pipeline that draws with them."""
    return CogVideoXPipeline(
        tokenizer=tokenizer(), text_encoder=encoder, vae=coder, transformer=denoiser, scheduler=scheduler()
    )


def save(pipeline: Any, folder: Path) -> None:
    """Write a pipeline's folder in half precision, whole or not at all; refuses a folder that is there already.

    Raises FileExistsError.
    """
    if folder.exists():
        raise FileExistsError(f"{folder} is there already; name another folder, or move that one away.")
    quiet()
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = folder.with_name(f".{folder.name}-{uuid.uuid4().hex}")
    try:
        pipeline.to(dtype=torch.float16).save_pretrained(beside, safe_serialization=True)
        sums.seal(beside)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def quiet() -> None:
    for library in (diffusers_logging, transformers_logging):
        library.disable_progress_bar()
        library.set_verbosity_error()
