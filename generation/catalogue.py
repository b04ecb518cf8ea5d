"""The catalogue's first filling, from catalogue.toml."""

import tomllib
from pathlib import Path

from generation import model_files
from generation.models import ModelProfile

SOURCE = Path(__file__).parent / "catalogue.toml"


def load() -> list[ModelProfile]:
    """Add the models that are not in the catalogue yet; what an admin has changed stays as it is.

    None is offered whose files are not there: artists would pay for the discovery, even if they are paid back.
    """
    entries = tomllib.loads(SOURCE.read_text())["model"]
    added = []
    for entry in entries:
        offered = entry.get("enabled", True) and model_files.present(ModelProfile(**entry))
        profile, made = ModelProfile.objects.get_or_create(slug=entry["slug"], defaults={**entry, "enabled": offered})
        if made:
            added.append(profile)
    return added
