"""The kinds of pipeline that this engine runs: what each takes, how it is asked, how its latents become pictures.

A pipeline's own last lines, after its last step, are repeated here, because decoding is a step of its own. The tests
hold each of them to what the pipeline itself gives for the same seed, bit for bit.
"""

import math
from typing import Any, ClassVar

import torch
from PIL import Image
from torch import Tensor

from generation.engines import Grid, Request, Unsupported

Pipeline = Any  # to a type checker, what diffusers exports are placeholders
Embeddings = dict[str, Tensor]


class Family:
    """One kind of pipeline. The methods of this class are true for most of them."""

    # Its class in diffusers, by name: to import all of them would cost each worker seconds for one model.
    pipeline: ClassVar[str]
    # What `encode_prompt` returns, by the names under which the pipeline takes it back.
    embeddings: ClassVar[tuple[str, ...]] = ("prompt_embeds", "negative_prompt_embeds")
    guided = True  # it weighs a second prediction, of what a clip must not show
    precise: ClassVar[tuple[str, ...]] = ()  # parts that stay in float32 whatever the model's precision
    masked = False  # its attention takes a mask, which the fastest kernels do not

    def grid(self, pipeline: Pipeline) -> Grid:
        """What this pipeline can make."""
        raise NotImplementedError

    def reader(self, pipeline: Pipeline) -> tuple[Any, int]:
        """The tokenizer that counts, and how many tokens of a prompt are read, marks not counted."""
        tokenizer = pipeline.tokenizer
        return tokenizer, self.grid(pipeline).tokens - tokenizer.num_special_tokens_to_add()

    @torch.no_grad()
    def embed(self, pipeline: Pipeline, request: Request) -> Embeddings:
        """The prompt as this pipeline's transformer reads it."""
        asked: dict[str, Any] = {"prompt": request.prompt, "max_sequence_length": self.grid(pipeline).tokens}
        if self.guided:
            asked["negative_prompt"] = request.negative_prompt or None
            asked["do_classifier_free_guidance"] = request.guidance > 1
        found = zip(self.embeddings, pipeline.encode_prompt(**asked), strict=False)
        return {name: tensor for name, tensor in found if tensor is not None}

    def asked(self, pipeline: Pipeline, request: Request) -> dict[str, Any]:
        """What the pipeline is called with, its prompt and its noise apart."""
        return {
            "width": request.width,
            "height": request.height,
            "num_frames": request.frames,
            "num_inference_steps": request.steps,
            "guidance_scale": request.guidance,
        }

    def decode(self, pipeline: Pipeline, latents: Tensor, request: Request) -> Any:
        """Latents to pictures: floats from 0 to 1, shaped (frames, height, width, 3)."""
        video = pipeline.vae.decode(self.unscaled(pipeline, latents, request), return_dict=False)[0]
        return pipeline.video_processor.postprocess_video(video, output_type="np")[0]

    def unscaled(self, pipeline: Pipeline, latents: Tensor, request: Request) -> Tensor:
        """The latents as the decoder takes them."""
        raise NotImplementedError

    def tile(self, pipeline: Pipeline) -> None:
        """Have the decoder work in tiles: by its own sizes, which its makers tried."""
        pipeline.vae.enable_tiling()


class CogVideoX(Family):
    pipeline = "CogVideoXPipeline"

    def grid(self, pipeline: Pipeline) -> Grid:
        """CogVideoX itself asks for multiples of 8 only, then fails when the patches do not come out even.

        Its decoder takes the latent frames in batches of two, and an even number of them comes out longer than was
        asked for: hence the batch in the number of frames.
        """
        vae, transformer = pipeline.vae, pipeline.transformer.config
        scale = pipeline.vae_scale_factor_spatial
        return Grid(
            side=scale * transformer.patch_size,
            frames=pipeline.vae_scale_factor_temporal * vae.num_latent_frames_batch_size,
            tokens=transformer.max_text_seq_length,
            steps=pipeline.scheduler.config.num_train_timesteps,
            # CogVideoX-5B-I2V and Sketch: any other size is a ValueError in the middle of the run.
            only=(transformer.sample_width * scale, transformer.sample_height * scale)
            if transformer.use_learned_positional_embeddings
            else None,
        )

    def decode(self, pipeline: Pipeline, latents: Tensor, request: Request) -> Any:
        # CogVideoX 1.5 pads the beginning to an even number of frames, and leaves that in when asked for latents.
        wanted = (request.frames - 1) // pipeline.vae_scale_factor_temporal + 1
        video = pipeline.decode_latents(latents[:, latents.shape[1] - wanted :])
        return pipeline.video_processor.postprocess_video(video=video, output_type="np")[0]

    def tile(self, pipeline: Pipeline) -> None:
        """With the built-in overlaps of 1/6 and 1/5, tiles and their seams are rounded apart at most sizes, and the
        picture comes out too large. A quarter of a multiple of four has nothing to round."""
        vae, scale = pipeline.vae, pipeline.vae_scale_factor_spatial
        sides = (vae.tile_latent_min_height, vae.tile_latent_min_width)
        height, width = (max(side // 4, 1) * 4 * scale for side in sides)
        vae.enable_tiling(height, width, tile_overlap_factor_height=0.25, tile_overlap_factor_width=0.25)


class CogVideoXFromPicture(CogVideoX):
    pipeline = "CogVideoXImageToVideoPipeline"

    def grid(self, pipeline: Pipeline) -> Grid:
        found = super().grid(pipeline)
        return Grid(found.side, found.frames, found.tokens, found.steps, found.only, picture=True)

    def asked(self, pipeline: Pipeline, request: Request) -> dict[str, Any]:
        assert request.image is not None  # the grid has seen to it
        return {**super().asked(pipeline, request), "image": Image.fromarray(request.image)}


class Mochi(Family):
    pipeline = "MochiPipeline"
    embeddings = (
        "prompt_embeds",
        "prompt_attention_mask",
        "negative_prompt_embeds",
        "negative_prompt_attention_mask",
    )

    def grid(self, pipeline: Pipeline) -> Grid:
        return Grid(
            side=pipeline.vae_spatial_scale_factor * pipeline.patch_size,
            frames=pipeline.vae_temporal_scale_factor,
            tokens=256,
            steps=pipeline.scheduler.config.num_train_timesteps,
            fewest=2,  # its schedule has two halves, and divides by the length of the first
        )

    def unscaled(self, pipeline: Pipeline, latents: Tensor, request: Request) -> Tensor:
        config = pipeline.vae.config
        if config.latents_mean is None or config.latents_std is None:
            return latents / config.scaling_factor
        return latents * per_channel(config.latents_std, latents) / config.scaling_factor + per_channel(
            config.latents_mean, latents
        )


class LTX(Family):
    pipeline = "LTXPipeline"
    embeddings = Mochi.embeddings
    masked = True

    def grid(self, pipeline: Pipeline) -> Grid:
        return Grid(
            side=math.lcm(32, pipeline.vae_spatial_compression_ratio * pipeline.transformer_spatial_patch_size),
            frames=pipeline.vae_temporal_compression_ratio,
            tokens=128,
            steps=pipeline.scheduler.config.num_train_timesteps,
        )

    def asked(self, pipeline: Pipeline, request: Request) -> dict[str, Any]:
        return {**super().asked(pipeline, request), "frame_rate": request.fps}

    def unscaled(self, pipeline: Pipeline, latents: Tensor, request: Request) -> Tensor:
        vae, scale = pipeline.vae, pipeline.vae_spatial_compression_ratio
        latents = pipeline._unpack_latents(
            latents,
            (request.frames - 1) // pipeline.vae_temporal_compression_ratio + 1,
            request.height // scale,
            request.width // scale,
            pipeline.transformer_spatial_patch_size,
            pipeline.transformer_temporal_patch_size,
        )
        latents = pipeline._denormalize_latents(latents, vae.latents_mean, vae.latents_std, vae.config.scaling_factor)
        return latents.to(pipeline.transformer.dtype).to(vae.dtype)

    def decode(self, pipeline: Pipeline, latents: Tensor, request: Request) -> Any:
        vae = pipeline.vae
        latents = self.unscaled(pipeline, latents, request)
        # The pipeline's default is to decode from time 0, where the noise that it mixes in weighs nothing.
        at = torch.zeros(1, device=latents.device, dtype=latents.dtype) if vae.config.timestep_conditioning else None
        video = vae.decode(latents, at, return_dict=False)[0]
        return pipeline.video_processor.postprocess_video(video, output_type="np")[0]


class Wan(Family):
    pipeline = "WanPipeline"
    precise = ("vae",)  # its makers decode in float32

    def grid(self, pipeline: Pipeline) -> Grid:
        transformer = pipeline.transformer or pipeline.transformer_2
        patch = math.lcm(*transformer.config.patch_size[1:])
        return Grid(
            side=math.lcm(16, pipeline.vae_scale_factor_spatial * patch),
            frames=pipeline.vae_scale_factor_temporal,
            tokens=512,
            steps=pipeline.scheduler.config.num_train_timesteps,
        )

    def unscaled(self, pipeline: Pipeline, latents: Tensor, request: Request) -> Tensor:
        config = pipeline.vae.config
        latents = latents.to(pipeline.vae.dtype)
        # Divided by the inverse, as the pipeline does: multiplying would round otherwise.
        return latents / (1.0 / per_channel(config.latents_std, latents)) + per_channel(config.latents_mean, latents)


class HunyuanVideo(Family):
    pipeline = "HunyuanVideoPipeline"
    embeddings = ("prompt_embeds", "pooled_prompt_embeds", "prompt_attention_mask")
    guided = False  # the weight goes into the transformer, which was distilled
    masked = True

    def grid(self, pipeline: Pipeline) -> Grid:
        return Grid(
            side=math.lcm(16, pipeline.vae_scale_factor_spatial * pipeline.transformer.config.patch_size),
            frames=pipeline.vae_scale_factor_temporal,
            tokens=256,
            steps=pipeline.scheduler.config.num_train_timesteps,
        )

    def reader(self, pipeline: Pipeline) -> tuple[Any, int]:
        return pipeline.tokenizer, self.grid(pipeline).tokens  # the marks are part of its template, counted apart

    def unscaled(self, pipeline: Pipeline, latents: Tensor, request: Request) -> Tensor:
        return latents.to(pipeline.vae.dtype) / pipeline.vae.config.scaling_factor


class Flux(Family):
    """Makes one picture: a clip of one frame."""

    pipeline = "FluxPipeline"
    embeddings = ("prompt_embeds", "pooled_prompt_embeds")
    guided = False

    def grid(self, pipeline: Pipeline) -> Grid:
        return Grid(
            side=pipeline.vae_scale_factor * 2,
            frames=0,
            # FLUX.1 schnell learned half as many as dev, which is the one that is told its guidance.
            tokens=512 if pipeline.transformer.config.guidance_embeds else 256,
            steps=pipeline.scheduler.config.num_train_timesteps,
        )

    def reader(self, pipeline: Pipeline) -> tuple[Any, int]:
        tokenizer = pipeline.tokenizer_2  # the first one's few tokens only set the mood
        return tokenizer, self.grid(pipeline).tokens - tokenizer.num_special_tokens_to_add()

    def asked(self, pipeline: Pipeline, request: Request) -> dict[str, Any]:
        asked = super().asked(pipeline, request)
        del asked["num_frames"]
        return asked

    def decode(self, pipeline: Pipeline, latents: Tensor, request: Request) -> Any:
        config = pipeline.vae.config
        latents = pipeline._unpack_latents(latents, request.height, request.width, pipeline.vae_scale_factor)
        latents = (latents / config.scaling_factor) + config.shift_factor
        picture = pipeline.vae.decode(latents, return_dict=False)[0]
        return pipeline.image_processor.postprocess(picture, output_type="np")

    def tile(self, pipeline: Pipeline) -> None:
        """Half its own tiles, which are as large as the pictures that it makes."""
        vae = pipeline.vae
        vae.tile_sample_min_size = vae.config.sample_size // 2
        vae.tile_latent_min_size = vae.tile_sample_min_size // pipeline.vae_scale_factor
        vae.enable_tiling()


def per_channel(values: list[float], latents: Tensor) -> Tensor:
    return torch.tensor(values).view(1, -1, 1, 1, 1).to(latents.device, latents.dtype)


# A class is listed once the tests run it.
FAMILIES: dict[str, Family] = {
    family.pipeline: family
    for family in (CogVideoX(), CogVideoXFromPicture(), Mochi(), LTX(), Wan(), HunyuanVideo(), Flux())
}


def family_of(pipeline: str, slug: str) -> Family:
    """The family of a pipeline class, by its name. Raises Unsupported."""
    if pipeline not in FAMILIES:
        raise Unsupported(f"{slug} needs {pipeline}, which this engine does not run.")
    return FAMILIES[pipeline]
