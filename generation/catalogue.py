"""The catalogue's first filling, from catalogue.toml."""

import tomllib
from pathlib import Path

from generation.models import ModelProfile

SOURCE = Path(__file__).parent / "catalogue.toml"


def load() -> list[ModelProfile]:
    """Add the models that are not in the catalogue yet; what an admin has changed stays as it is."""
    entries = tomllib.loads(SOURCE.read_text())["model"]
    added = []
    for entry in entries:
        profile, made = ModelProfile.objects.get_or_create(slug=entry["slug"], defaults=entry)
        if made:
            added.append(profile)
    return added
