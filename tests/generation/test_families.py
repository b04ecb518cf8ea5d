"""A clip of each family, from the queue to its files: tiny real pipelines, read by their own class."""

from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from generation.models import Generation, ModelProfile, Output
from tests import makers
from tests.generation.engines.families import CASES, Case

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("catalogue")


def offered(case: Case, slug: str, **fields: object) -> ModelProfile:
    """A catalogue entry for it."""
    asked = case.asked
    return ModelProfile.objects.create(
        **{
            "slug": slug,
            "name": slug,
            "pipeline": case.pipeline,
            "modality": "text-to-video" if asked["frames"] > 1 else "text-to-image",
            "source": slug,
            "dtype": "bfloat16",  # as those of the catalogue
            "sizes": [f"{asked['width']}x{asked['height']}"],
            "seconds": [1 if asked["frames"] > 1 else 0],
            "fps": max(asked["frames"] - 1, 1),
            "steps": 2,
            "max_steps": 20,
            "guidance": 3.0,
            "prompt_words": 100,
            "credits_per_second": 1,
            **fields,
        }
    )


@pytest.mark.parametrize("name", [name for name in CASES if "image" not in CASES[name].asked])
def test_a_prompt_becomes_files_whatever_draws_it(transactional_db, folders, settings, artist, draw, name):
    case = CASES[name]
    case.save(folders / name)
    settings.MODELS_DIR = folders
    offered(case, name)
    generation = makers.queued(artist, model=name, seconds=None)
    assert draw() == generation
    generation.refresh_from_db()
    assert (generation.state, generation.error_message) == ("completed", "")
    outputs = {output.kind: output for output in generation.outputs.all()}
    assert set(outputs) == set(Output.KINDS)
    assert all(default_storage.exists(output.path) for output in outputs.values())
    video = outputs["video"]
    assert (video.width, video.height, video.frames) == tuple(case.asked[key] for key in ("width", "height", "frames"))
    assert {"load", "text", "denoise", "decode", "encode", "store"} <= set(generation.timings)


def test_what_a_preset_did_is_kept_on_the_generation(transactional_db, folders, settings, artist, draw):
    case = CASES["wan"]
    case.save(folders / "quick")
    settings.MODELS_DIR = folders
    offered(case, "quick", preset="fast", steps=10)
    makers.queued(artist, model="quick", seconds=None)
    draw()
    generation = Generation.objects.get()
    assert (generation.state, generation.preset) == ("completed", "fast")
    assert any(note.startswith("Drawn fast: 4 of 10 steps") for note in generation.notes)
