"""From a folder on this machine to a pipeline: no network, no pickles, no code of the model's own."""

import json
import logging
from pathlib import Path

import diffusers
import torch

from gateway import sums
from generation.engines import Model, ModelMissing, Unsupported
from generation.engines.diffusers.families import Pipeline, family_of
from generation.engines.diffusers.memory import ran_out

logger = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
SAFELY = {"local_files_only": True, "use_safetensors": True, "trust_remote_code": False}


def inspect(model: Model) -> None:
    """Refuse a model that we do not know or cannot trust, before anything of it is loaded.

    Raises Unsupported, ModelMissing.
    """
    family_of(model.pipeline, model.slug)
    if model.dtype not in DTYPES:
        raise Unsupported(f"{model.slug} asks for the precision {model.dtype}; there is {', '.join(DTYPES)}.")
    # A path that is no folder would be taken for a name on the hub.
    index_file = Path(model.path, "model_index.json")
    try:
        index = json.loads(index_file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelMissing(f"The files of the model {model.slug} are not on this machine.") from None
    except (OSError, ValueError) as error:
        raise ModelMissing(f"The files of the model {model.slug} are damaged.") from error
    if not isinstance(index, dict) or index.get("_class_name") != model.pipeline:
        raise Unsupported(f"The folder of {model.slug} holds another kind of model than {model.pipeline}.")
    # Any other library would be Python code out of the model's folder.
    libraries = {part[0] for name, part in index.items() if isinstance(part, list) and name[0] != "_"}
    if foreign := libraries - {"diffusers", "transformers", None}:
        raise Unsupported(f"{model.slug} wants to bring code of its own ({', '.join(map(str, foreign))}).")
    folder = Path(model.path)
    if (folder / sums.SUMS).exists() and (wrong := sums.verify(folder)):
        logger.error("%s in %s: %s", model.slug, folder, " ".join(wrong))
        raise ModelMissing(f"The files of the model {model.slug} are not as they were published.")


def read(model: Model, device: torch.device) -> Pipeline:
    """The pipeline from its folder, on its device, with what is to be offloaded on the CPU. Raises ModelMissing."""
    family = family_of(model.pipeline, model.slug)
    dtypes = {"default": DTYPES[model.dtype], **dict.fromkeys(family.precise, torch.float32)}
    try:
        pipeline = getattr(diffusers, family.pipeline).from_pretrained(model.path, dtype=dtypes, **SAFELY)
        place(pipeline, device, offloading(model, device))
    except Exception as error:  # damage shows in many ways: OSError, ValueError, SafetensorError, …
        if ran_out(error):
            raise
        raise ModelMissing(f"The files of the model {model.slug} are incomplete or damaged.") from error
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def offloading(model: Model, device: torch.device) -> str:
    """What is really offloaded: nothing where there is no GPU to take it off."""
    return model.offload if device.type == "cuda" else "none"


def place(pipeline: Pipeline, device: torch.device, offload: str) -> None:
    if offload == "model":
        pipeline.enable_model_cpu_offload(device=device)
    elif offload == "sequential":
        pipeline.enable_sequential_cpu_offload(device=device)
    else:
        pipeline.to(device)
