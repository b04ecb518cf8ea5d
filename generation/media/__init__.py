"""Files: kept privately, opened by one function. Nothing else opens a stored file, and none is served by its path."""

from .files import PURPOSES, Opened, PurposeName, discard, erase, erase_picture, keep, open_for, store
from .serve import respond

__all__ = [
    "PURPOSES",
    "Opened",
    "PurposeName",
    "discard",
    "erase",
    "erase_picture",
    "keep",
    "open_for",
    "respond",
    "store",
]
