"""What `manage.py doctor` finds, and that it says what to do."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from gateway import sums
from gateway.management.commands import doctor


def found(look: doctor.Look) -> list[tuple[str, str]]:
    return [(finding.level, finding.text) for finding in look()]


@pytest.fixture
def as_application(db: None) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("set local role gateway_app")
        yield
        cursor.execute("reset role")


@pytest.fixture
def model(settings: Any, tmp_path: Path) -> Path:
    settings.SHIPPED_MODELS_DIR, settings.MODELS_DIR = tmp_path, tmp_path / "others"
    folder = tmp_path / "sketch"
    folder.mkdir()
    (folder / "model_index.json").write_text("{}")
    (folder / sums.SUMS).write_text(f"{hashlib.sha256(b'{}').hexdigest()}  model_index.json\n")
    return folder


def test_model_files_are_compared_with_what_was_published(model: Path) -> None:
    assert found(doctor.model_files) == [("ok", "sketch, as published")]
    (model / "model_index.json").write_text("{ }")
    ((level, text),) = found(doctor.model_files)
    assert level == "FAIL"
    assert "model_index.json" in text


def test_missing_model_files_come_with_the_way_to_get_them(settings: Any, tmp_path: Path) -> None:
    settings.SHIPPED_MODELS_DIR = settings.MODELS_DIR = tmp_path
    ((level, text),) = found(doctor.model_files)
    assert level == "FAIL"
    assert "out of the sources again" in text


def test_a_store_that_cannot_be_written_fails(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path / "nowhere"
    ((level, _),) = found(doctor.storage)
    assert level == "FAIL"


def test_a_store_with_little_space_is_told(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MEDIA_ROOT = tmp_path
    tmp_path.chmod(0o700)
    for enough, little, level in ((0, 0, "ok"), (0, 2**62, "warn"), (2**62, 2**62, "FAIL")):
        monkeypatch.setattr(doctor, "NO_SPACE", enough)
        monkeypatch.setattr(doctor, "LITTLE_SPACE", little)
        assert [each for each, _ in found(doctor.storage)] == [level]


def test_the_broker_answers_or_comes_with_advice(settings: Any, tmp_path: Path) -> None:
    assert [level for level, _ in found(doctor.broker)] == ["ok"]
    settings.REDIS_URL = f"unix://{tmp_path}/none.sock"
    assert [level for level, _ in found(doctor.broker)] == ["FAIL"]


@pytest.mark.usefixtures("as_application")
def test_the_application_is_bound_by_the_rules() -> None:
    assert [level for level, _ in found(doctor.roles)] == ["ok"]


@pytest.mark.django_db
def test_processes_that_gave_no_sign_of_life_fail_by_name() -> None:
    looked = list(doctor.processes())
    assert {finding.what for finding in looked} == {"gpu", "chores", "scheduler"}
    assert {finding.level for finding in looked} == {"FAIL"}
