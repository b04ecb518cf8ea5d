"""The catalogue's first filling, from catalogue.toml."""

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from generation import model_files
from generation.models import ModelProfile

SOURCE = Path(__file__).parent / "catalogue.toml"


@cache
def entries() -> list[dict[str, Any]]:
    """What the file says, in its order."""
    found: list[dict[str, Any]] = tomllib.loads(SOURCE.read_text())["model"]
    return found


def load() -> list[ModelProfile]:
    """Add the models that are not in the catalogue yet, and return them; what an admin has changed stays as it is.

    None is offered whose files are not there: artists would pay for the discovery, even if they are paid back.
    """
    known = set(ModelProfile.objects.values_list("slug", flat=True))
    new = [ModelProfile(**entry) for entry in entries() if entry["slug"] not in known]
    for profile in new:
        profile.enabled = profile.enabled and model_files.present(profile)
    return ModelProfile.objects.bulk_create(new, ignore_conflicts=True)
