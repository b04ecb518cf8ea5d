"""The device's memory: how much there is, when it ran out, how it is given back."""

import contextlib
import gc
import os
from collections.abc import Iterator

import torch

# Of errors that have no class of their own: on the CPU, in the compiler, in CUDA's libraries; and of a tensor larger
# than a GPU's kernel can count, which the same remedies help.
WORDS = ("can't allocate memory", "out of memory", "STATUS_ALLOC_FAILED", "32-bit index math")


def ran_out(error: Exception) -> bool:
    """Whether it was memory."""
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or any(words in str(error) for words in WORDS)


@contextlib.contextmanager
def surviving() -> Iterator[None]:
    """Leave the block quietly where memory ran out; any other error goes on its way."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not ran_out(error):
            raise


def collect() -> None:
    """Give freed memory back to the device."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def memory(device: torch.device) -> dict[str, int]:
    """Bytes of the device's memory: all of it, and what is free."""
    if device.type == "cuda":
        free, total = torch.cuda.mem_get_info(device)
        return {"total": total, "free": free}
    pages = {"total": "SC_PHYS_PAGES", "free": "SC_AVPHYS_PAGES"}
    return {
        name: os.sysconf(key) * os.sysconf("SC_PAGE_SIZE") for name, key in pages.items() if key in os.sysconf_names
    }


def held(device: torch.device) -> float:
    """The share of a GPU's memory that something holds; what torch keeps there for reuse is not held. 0 on a CPU."""
    if device.type != "cuda":
        return 0.0
    free, total = torch.cuda.mem_get_info(device)
    reusable = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return 1 - (free + reusable) / total
