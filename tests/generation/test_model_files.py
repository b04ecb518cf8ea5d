"""`manage.py models`: what comes from a hub, what is refused, and what the catalogue offers."""

import json
import shutil
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.conf import settings as gateway_settings
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from gateway import audit, sums
from generation import catalogue, model_files
from generation.engines import ModelMissing
from generation.models import ModelProfile
from tests import makers
from tests.generation import hub as hubs

pytestmark = pytest.mark.django_db
SKETCH = Path(gateway_settings.SHIPPED_MODELS_DIR, "sketch")
NOT_OURS = {
    "README.md": b"words",
    "sketch.safetensors": b"one file for another program",
    "assets/clip.mp4": b"a clip",
    "transformer/pytorch_model.bin": b"a pickle",
    "transformer/diffusion_pytorch_model.bf16.safetensors": b"the same in bf16",
    "prior/model.safetensors": b"of no part that the index names",
    "code/pipeline.py": b"import os",
}


class Machine(NamedTuple):
    """A machine without the model, a hub that has it, and the command."""

    hub: hubs.Hub
    models: Callable[..., str]
    place: Path


@pytest.fixture
def machine(settings: Any, tmp_path: Path) -> Iterator[Machine]:
    makers.sketch()
    ModelProfile.objects.filter(slug="sketch").update(source="studio/sketch", revision="")
    settings.MODELS_DIR = tmp_path / "models"
    hub = hubs.Hub(SKETCH, "studio/sketch")
    hub.files |= NOT_OURS

    def models(*words: str) -> str:
        out = StringIO()
        call_command("models", *words, stdout=out)
        return out.getvalue()

    with hubs.serving(hub):
        settings.HF_ENDPOINT = hub.url
        yield Machine(hub, models, Path(settings.MODELS_DIR, "studio/sketch"))


def refused(machine: Machine, *words: str) -> str:
    with pytest.raises(CommandError) as refusal:
        machine.models(*words)
    return str(refusal.value)


def sketch() -> ModelProfile:
    return ModelProfile.objects.get(slug="sketch")


def test_what_a_model_is_made_of_comes_and_nothing_else(machine):
    said = machine.models("pull", "sketch")
    assert sums.verify(machine.place) == []
    assert set(sums.members(machine.place)) == set(sums.members(SKETCH)) - {"README.md", "samples.webp"}
    assert not machine.place.with_name("sketch.part").exists()
    assert sketch().revision == hubs.SHA and hubs.SHA in said
    assert "1/9" in said and "transformer/diffusion_pytorch_model.safetensors" in said
    (pinned,) = audit.of(sketch()).filter(action="model.pinned")
    assert json.loads(bytes(pinned.body))["facts"] == {"revision": hubs.SHA}


def test_the_pulled_model_draws(machine, settings):
    settings.ENGINE_THREADS = 1
    assert "not on this machine" in refused(machine, "check", "sketch")
    machine.models("pull", "sketch")
    said = machine.models("check", "sketch")
    assert "sketch draws here" in said and "9 frames of 64 × 64" in said
    assert "sketch was read" in machine.models("warm", "sketch")


def test_an_interrupted_pull_goes_on_where_it_was(machine):
    machine.hub.failing = {"vae/config.json"}
    assert "What has come is kept: pull again." in refused(machine, "pull", "sketch")
    assert not machine.place.exists() and sketch().revision == ""
    machine.hub.failing = set()
    before = len(machine.hub.got())
    machine.models("pull", "sketch")
    assert machine.hub.got()[before:] == ["vae/config.json", "vae/diffusion_pytorch_model.safetensors"]
    assert sums.verify(machine.place) == []


def test_a_second_machine_has_the_same_and_a_second_pull_fetches_nothing(machine, settings, tmp_path):
    machine.models("pull", "sketch")
    before = len(machine.hub.got())
    assert "already" in machine.models("pull", "sketch")
    assert machine.hub.got()[before:] == ["model_index.json"]
    settings.MODELS_DIR = tmp_path / "another machine's"
    machine.models("pull", "sketch")
    assert ("GET", f"/api/models/studio/sketch/revision/{hubs.SHA}") in machine.hub.log
    assert sums.revision(tmp_path / "another machine's/studio/sketch") == sums.revision(machine.place)


def test_a_machine_with_other_weights_than_the_catalogue_names_does_not_draw(machine):
    machine.models("pull", "sketch")
    ModelProfile.objects.filter(slug="sketch").update(revision="6" * 40)
    assert "are of another revision" in refused(machine, "check", "sketch")
    assert "another revision" in machine.models("list")
    with pytest.raises(ModelMissing):
        model_files.model_of(sketch())
    machine.models("pull", "sketch", "--revision", "main")
    assert model_files.model_of(sketch()).revision == hubs.SHA


def test_what_arrives_damaged_is_thrown_away(machine):
    machine.hub.broken = {"vae/diffusion_pytorch_model.safetensors"}
    assert "vae/diffusion_pytorch_model.safetensors arrived damaged" in refused(machine, "pull", "sketch")
    assert not machine.place.exists()
    machine.hub.broken = set()
    machine.models("pull", "sketch")
    assert sums.verify(machine.place) == []


def test_a_changed_file_is_fetched_anew(machine):
    machine.models("pull", "sketch")
    (machine.place / "vae/config.json").write_text("{}")
    machine.models("pull", "sketch")
    assert sums.verify(machine.place) == []
    assert (machine.place / "vae/config.json").read_bytes() == (SKETCH / "vae/config.json").read_bytes()


def test_each_reason_why_it_cannot_be_had(machine, settings, monkeypatch):
    assert "has no revision v9" in refused(machine, "pull", "sketch", "--revision", "v9")
    machine.hub.gated = True
    assert "accept its licence on the hub, and set HF_TOKEN" in refused(machine, "pull", "sketch")
    machine.hub.gated = False
    monkeypatch.setattr(model_files, "SPARE", 2**62)
    assert "make room" in refused(machine, "pull", "sketch")
    ModelProfile.objects.filter(slug="sketch").update(source="studio/nothing")
    assert "The hub has no studio/nothing" in refused(machine, "pull", "sketch")
    assert "There is no model sora; there is" in refused(machine, "pull", "sora").replace(" in the catalogue", "")
    ModelProfile.objects.filter(slug="sketch").update(source="sketch")
    assert "ships with the code" in refused(machine, "pull", "sketch")
    ModelProfile.objects.filter(slug="sketch").update(engine="remote")
    assert "no files to pull" in refused(machine, "pull", "sketch")


def test_a_hub_that_is_away_is_said_so(machine, settings):
    settings.HF_ENDPOINT = "http://127.0.0.1:9"
    assert "studio/sketch could not be fetched" in refused(machine, "pull", "sketch")


def test_a_model_of_another_kind_is_not_put_in_place(machine):
    ModelProfile.objects.filter(slug="sketch").update(pipeline="MochiPipeline")
    assert "holds a CogVideoXPipeline, and the catalogue says MochiPipeline" in refused(machine, "pull", "sketch")
    assert not machine.place.exists()


def test_a_folder_does_as_well_as_a_hub(machine, tmp_path):
    given = tmp_path / "given"
    shutil.copytree(SKETCH, given)
    machine.models("pull", "sketch", "--from", str(given))
    assert sketch().revision == sums.revision(machine.place)[:12]
    assert machine.hub.log == []
    assert model_files.same(sketch())
    (given / "vae/config.json").write_text("{}")
    assert "not as it was published: vae/config.json" in refused(machine, "pull", "sketch", "--from", str(given))
    assert "has no model_index.json" in refused(machine, "pull", "sketch", "--from", str(tmp_path))
    assert sums.verify(machine.place) == [], "what was there stays"


def test_the_list_says_what_is_here(machine):
    said = machine.models("list")
    (line,) = (line for line in said.splitlines() if line.startswith("sketch "))
    assert line.split()[-2:] == ["yes", "no"]
    machine.models("pull", "sketch")
    (line,) = (line for line in machine.models("list").splitlines() if line.startswith("sketch "))
    assert line.split()[-2:] == ["yes", "yes"] and hubs.SHA[:12] in line
    assert "mochi-1-preview" in said


def test_a_model_whose_files_are_not_there_is_not_offered(settings, tmp_path):
    settings.SHIPPED_MODELS_DIR = settings.MODELS_DIR = tmp_path
    catalogue.load()
    assert not sketch().enabled
    ModelProfile.objects.all().delete()
    settings.SHIPPED_MODELS_DIR = SKETCH.parent
    catalogue.load()
    assert sketch().enabled


@pytest.mark.parametrize("sizes", [["huge"], ["720x481"], ["722x480"], ["9x9"]])
def test_a_profile_offers_only_sizes_that_can_be_drawn(sizes):
    profile = makers.sketch()
    profile.clean()
    profile.sizes = sizes
    with pytest.raises(ValidationError, match="two even numbers, multiples of 4"):
        profile.clean()
