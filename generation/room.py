"""Whether the disk of the works has room for more. A storage without a disk of ours, such as S3, always has."""

import shutil
from pathlib import Path

from django.conf import settings
from django.core.files.storage import default_storage

from gateway import refusals


def free() -> int | None:
    """Free bytes where the works are kept; None where that is no folder of this machine. One call of the system."""
    try:
        folder = Path(default_storage.path(""))
    except NotImplementedError:
        return None
    while not folder.exists():  # it is made with the first work
        folder = folder.parent
    return shutil.disk_usage(folder).free


def enough() -> bool:
    """Whether MIN_FREE_MB are free, or nobody can tell."""
    left = free()
    return left is None or left >= settings.MIN_FREE_MB * 2**20


def must_be_enough() -> None:
    """Raises DiskFull."""
    if not enough():
        raise refusals.DiskFull(retry_after=300)
