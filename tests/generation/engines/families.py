"""A tiny real pipeline of each family, with random weights, in the folder that `from_pretrained` reads."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLHunyuanVideo,
    AutoencoderKLLTXVideo,
    AutoencoderKLMochi,
    AutoencoderKLWan,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
    FlowMatchEulerDiscreteScheduler,
    FluxPipeline,
    FluxTransformer2DModel,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
    LTXPipeline,
    LTXVideoTransformer3DModel,
    MochiPipeline,
    MochiTransformer3DModel,
    UniPCMultistepScheduler,
    WanPipeline,
    WanTransformer3DModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    LlamaConfig,
    LlamaModel,
    T5Config,
    T5EncoderModel,
    UMT5Config,
    UMT5EncoderModel,
)

from generation.engines import Model, Request
from generation.sketch import build

WIDTH = 32  # of every text encoder


def t5(kind: Any = T5EncoderModel, config: Any = T5Config) -> Any:
    return kind(
        config(
            vocab_size=len(build.tokenizer()), d_model=WIDTH, d_kv=8, d_ff=37, num_layers=1, num_heads=2,
            feed_forward_proj="gated-gelu", is_encoder_decoder=False, use_cache=False, pad_token_id=0, eos_token_id=1,
        )
    )  # fmt: skip


def clip() -> Any:
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(build.tokenizer()), hidden_size=WIDTH, intermediate_size=37, projection_dim=WIDTH,
            num_hidden_layers=1, num_attention_heads=2, max_position_embeddings=77, pad_token_id=0, eos_token_id=1,
            bos_token_id=2,
        )
    )  # fmt: skip


def cogvideox(**changes: Any) -> CogVideoXTransformer3DModel:
    return CogVideoXTransformer3DModel(
        **{
            "num_attention_heads": 2, "attention_head_dim": 16, "num_layers": 2, "in_channels": build.LATENT_CHANNELS,
            "out_channels": build.LATENT_CHANNELS, "time_embed_dim": 8, "text_embed_dim": WIDTH, "patch_size": 2,
            "max_text_seq_length": build.TEXT_TOKENS, "sample_width": 4, "sample_height": 6, "sample_frames": 9,
            "temporal_compression_ratio": 4, "use_rotary_positional_embeddings": True, **changes,
        }
    )  # fmt: skip


def cogvideox_from_words() -> Any:
    return CogVideoXPipeline(
        tokenizer=build.tokenizer(), text_encoder=t5(), vae=build.vae(), transformer=cogvideox(),
        scheduler=build.scheduler(),
    )  # fmt: skip


def cogvideox_from_a_picture() -> Any:
    """As the 5B one: with learned positions, and so of one size."""
    transformer = cogvideox(in_channels=2 * build.LATENT_CHANNELS, use_learned_positional_embeddings=True)
    return CogVideoXImageToVideoPipeline(
        tokenizer=build.tokenizer(), text_encoder=t5(), vae=build.vae(), transformer=transformer,
        scheduler=build.scheduler(),
    )  # fmt: skip


def mochi() -> Any:
    vae = AutoencoderKLMochi(
        latent_channels=12, out_channels=3, encoder_block_out_channels=(32,) * 4,
        decoder_block_out_channels=(32,) * 4,
        layers_per_block=(1,) * 5,
    )  # fmt: skip
    transformer = MochiTransformer3DModel(
        patch_size=2, num_attention_heads=2, attention_head_dim=8, num_layers=2, pooled_projection_dim=16,
        in_channels=12, qk_norm="rms_norm", text_embed_dim=WIDTH, time_embed_dim=4, max_sequence_length=256,
    )  # fmt: skip
    return MochiPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(), vae=vae, text_encoder=t5(), tokenizer=build.tokenizer(),
        transformer=transformer,
    )  # fmt: skip


def ltx() -> Any:
    vae = AutoencoderKLLTXVideo(
        latent_channels=8, block_out_channels=(8,) * 4, decoder_block_out_channels=(8,) * 4,
        layers_per_block=(1,) * 5, decoder_layers_per_block=(1,) * 5,
        spatio_temporal_scaling=(True, True, True, False), decoder_spatio_temporal_scaling=(True, True, True, False),
        patch_size=4, patch_size_t=1,
    )  # fmt: skip
    transformer = LTXVideoTransformer3DModel(
        in_channels=8, out_channels=8, num_attention_heads=4, attention_head_dim=8, cross_attention_dim=32,
        num_layers=2, caption_channels=WIDTH,
    )  # fmt: skip
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    return LTXPipeline(
        scheduler=scheduler, vae=vae, text_encoder=t5(), tokenizer=build.tokenizer(), transformer=transformer
    )


def wan() -> Any:
    vae = AutoencoderKLWan(
        base_dim=4, z_dim=16, dim_mult=[1, 1, 1, 1], num_res_blocks=1, temperal_downsample=[False, True, True]
    )
    transformer = WanTransformer3DModel(
        patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=12, in_channels=16, out_channels=16,
        text_dim=WIDTH, freq_dim=32, ffn_dim=32, num_layers=2, cross_attn_norm=True, rope_max_seq_len=32,
    )  # fmt: skip
    scheduler = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0)
    return WanPipeline(
        tokenizer=build.tokenizer(), text_encoder=t5(UMT5EncoderModel, UMT5Config), vae=vae, scheduler=scheduler,
        transformer=transformer,
    )  # fmt: skip


def hunyuanvideo() -> Any:
    vae = AutoencoderKLHunyuanVideo(
        latent_channels=4, block_out_channels=(8,) * 4, layers_per_block=1, norm_num_groups=4,
    )  # fmt: skip
    transformer = HunyuanVideoTransformer3DModel(
        in_channels=4, out_channels=4, num_attention_heads=2, attention_head_dim=10, num_layers=1,
        num_single_layers=1, num_refiner_layers=1, patch_size=2, patch_size_t=1, guidance_embeds=True,
        text_embed_dim=WIDTH, pooled_projection_dim=WIDTH, rope_axes_dim=(2, 4, 4),
    )  # fmt: skip
    llama = LlamaModel(
        LlamaConfig(
            vocab_size=len(build.tokenizer()), hidden_size=WIDTH, intermediate_size=37, num_hidden_layers=3,
            num_attention_heads=2, pad_token_id=0, bos_token_id=2, eos_token_id=1,
        )
    )  # fmt: skip
    return HunyuanVideoPipeline(
        text_encoder=llama, tokenizer=build.tokenizer(), transformer=transformer, vae=vae,
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0), text_encoder_2=clip(), tokenizer_2=build.tokenizer(),
    )  # fmt: skip


def flux() -> Any:
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8,) * 4, layers_per_block=1, latent_channels=4, norm_num_groups=4, sample_size=64,
        use_quant_conv=False, use_post_quant_conv=False, shift_factor=0.1, scaling_factor=0.4,
    )  # fmt: skip
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=WIDTH, pooled_projection_dim=WIDTH, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    return FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(), vae=vae, text_encoder=clip(), tokenizer=build.tokenizer(),
        text_encoder_2=t5(), tokenizer_2=build.tokenizer(), transformer=transformer,
    )  # fmt: skip


def picture(width: int, height: int, shade: int = 0) -> np.ndarray:
    """Colours that run from one corner to the other."""
    across, down = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return np.stack([across, down, np.full_like(across, shade)], axis=-1).astype(np.uint8)


@dataclass(frozen=True)
class Case:
    """A family: how its tiny pipeline is built, what it can be asked for, and what it refuses, with which words."""

    make: Callable[[], Any]
    pipeline: str
    asked: dict[str, Any]
    off_grid: list[tuple[dict[str, Any], str]] = field(default_factory=list)
    fewest_steps: int = 1
    fewest_frames: int = 1

    def request(self, **changes: Any) -> Request:
        told: dict[str, Any] = {"prompt": "a red circle drifting left over a blue field", "fps": 8, "steps": 3}
        told |= {"id": "g1", "guidance": 3.0, "seed": 7, **self.asked}
        return replace(Request(**told), **changes)

    def save(self, path: Path) -> Path:
        """The folder, with the same weights each time; in float32, so that sums can be compared closely."""
        torch.manual_seed(1)
        build.quiet()
        pipeline = self.make()
        for part in pipeline.components.values():
            if isinstance(part, torch.nn.Module):
                part.eval()
        pipeline.save_pretrained(path, safe_serialization=True)
        return path

    def model(self, path: Path, **changes: Any) -> Model:
        return replace(Model(self.pipeline, self.pipeline, str(path)), **changes)


CASES = {
    "cogvideox": Case(
        cogvideox_from_words,
        "CogVideoXPipeline",
        {"width": 16, "height": 24, "frames": 9},
        [
            ({"width": 20}, "multiples of 8 pixels: 20 × 24 is not; the nearest that fits is 24 × 24"),
            ({"frames": 10}, "1, 9, 17, … frames, not 10; the nearest are 9 and 17"),
        ],
    ),
    "cogvideox-i2v": Case(
        cogvideox_from_a_picture,
        "CogVideoXImageToVideoPipeline",
        {"width": 16, "height": 24, "frames": 9, "image": picture(16, 24)},
        [
            ({"width": 24, "image": picture(24, 24)}, "clips of 16 × 24 pixels only, not 24 × 24"),
            ({"image": picture(24, 16)}, "as large as the clip: 16 × 24"),
            ({"image": None}, "begins from a picture, and none came"),
        ],
    ),
    "mochi": Case(
        mochi,
        "MochiPipeline",
        {"width": 32, "height": 16, "frames": 7},
        [
            ({"width": 24}, "multiples of 16 pixels: 24 × 16 is not; the nearest that fits is 32 × 16"),
            ({"frames": 8}, "1, 7, 13, … frames, not 8; the nearest are 7 and 13"),
            ({"steps": 1}, "takes 2 to 1000 steps, not 1"),
        ],
        fewest_steps=2,
    ),
    "ltx": Case(
        ltx,
        "LTXPipeline",
        {"width": 64, "height": 32, "frames": 9},
        [
            ({"height": 48}, "multiples of 32 pixels: 64 × 48 is not; the nearest that fits is 64 × 64"),
            ({"frames": 12}, "1, 9, 17, … frames, not 12; the nearest are 9 and 17"),
        ],
    ),
    "wan": Case(
        wan,
        "WanPipeline",
        {"width": 32, "height": 16, "frames": 5},
        [
            ({"width": 24}, "multiples of 16 pixels: 24 × 16 is not; the nearest that fits is 32 × 16"),
            ({"frames": 6}, "1, 5, 9, … frames, not 6; the nearest are 5 and 9"),
        ],
    ),
    "hunyuanvideo": Case(
        hunyuanvideo,
        "HunyuanVideoPipeline",
        {"width": 32, "height": 16, "frames": 5},
        [
            ({"width": 24}, "multiples of 16 pixels: 24 × 16 is not; the nearest that fits is 32 × 16"),
            ({"frames": 8}, "1, 5, 9, … frames, not 8; the nearest are 5 and 9"),
        ],
    ),
    "flux": Case(
        flux,
        "FluxPipeline",
        {"width": 48, "height": 32, "frames": 1},
        [
            ({"width": 40}, "multiples of 16 pixels: 40 × 32 is not; the nearest that fits is 48 × 32"),
            ({"frames": 2}, "makes one picture, not 2 frames"),
        ],
    ),
}
