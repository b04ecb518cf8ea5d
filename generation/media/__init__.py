"""Files: kept privately, opened by one function. Nothing else opens a stored file, and none is served by its path."""

from .files import PURPOSES, Opened, discard, erase, keep, open_for
from .serve import respond

__all__ = ["PURPOSES", "Opened", "discard", "erase", "keep", "open_for", "respond"]
