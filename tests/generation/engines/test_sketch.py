"""Sketch's folder: small, sealed, and written whole or not at all."""

import hashlib
import shutil
import subprocess
from io import StringIO
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

from generation import sketch
from generation.management.commands import sketch as command
from generation.sketch import build


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "sketch"))


def test_it_is_a_small_folder_of_safe_files(folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 16 * 2**20
    assert {path.suffix for path in files} == {"", ".json", ".md", ".safetensors"}
    assert "It has learned nothing" in (folder / "README.md").read_text()
    written = b"".join(path.read_bytes() for path in files if path.suffix != ".safetensors")
    assert str(folder.parent).encode() not in written, "no file says where it was made"


def test_it_is_sealed_in_the_format_of_sha256sum(folder: Path) -> None:
    assert sketch.verify(folder) == []
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], check=False, cwd=folder, capture_output=True
    )
    assert checked.returncode == 0
    assert sketch.revision(folder) == hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()


def test_any_change_is_named(copy: Path) -> None:
    weights = copy / "vae/diffusion_pytorch_model.safetensors"
    with weights.open("r+b") as opened:
        opened.seek(-1, 2)
        opened.write(b"\xff" if weights.read_bytes()[-1] != 0xFF else b"\x00")
    (copy / "scheduler/scheduler_config.json").unlink()
    (copy / "vae/extra.py").write_text("")
    assert sketch.verify(copy) == [
        "scheduler/scheduler_config.json is missing.",
        "vae/extra.py does not belong to the model.",
        "vae/diffusion_pytorch_model.safetensors has been changed or damaged.",
    ]


@pytest.mark.parametrize(
    ("sums", "sentence"),
    [("", "SHA256SUMS is empty."), ("not a sum", "SHA256SUMS is damaged."), (None, "SHA256SUMS is missing.")],
)
def test_without_sums_nothing_is_trusted(copy: Path, sums: str | None, sentence: str) -> None:
    if sums is None:
        (copy / "SHA256SUMS").unlink()
    else:
        (copy / "SHA256SUMS").write_text(sums)
    assert sketch.verify(copy) == [sentence]


def test_no_folder_is_not_a_model(tmp_path: Path) -> None:
    assert sketch.verify(tmp_path / "none") == [f"There is no model in {tmp_path / 'none'}."]


def test_what_lay_in_its_place_is_kept_and_the_same_weights_are_built(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "models/sketch"
    target.mkdir(parents=True)
    (target / "trained.safetensors").write_bytes(b"nights of work")
    build.build(target)
    assert sketch.revision(target) == sketch.revision(folder)
    (aside,) = (path for path in target.parent.iterdir() if path != target)
    assert (aside / "trained.safetensors").read_bytes() == b"nights of work"


def test_a_build_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(build, "save", fail)
    with pytest.raises(OSError, match="No space"):
        build.build(tmp_path / "sketch")
    assert list(tmp_path.iterdir()) == []


def test_the_command_builds_once_and_names_damage(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def manage(action: str) -> str:
        said = StringIO()
        call_command(command.Command(), action, stdout=said)
        return said.getvalue()

    monkeypatch.setattr(command, "settings", SimpleNamespace(MODELS_DIR=tmp_path))
    place = tmp_path / "sketch"
    with pytest.raises(CommandError, match="There is no model"):
        manage("verify")
    assert "Building Sketch from random weights" in manage("ensure")
    assert sketch.verify(place) == []
    before = place.stat().st_mtime_ns
    assert manage("ensure") == manage("verify") == f"Sketch is in {place}, whole.\n"
    assert place.stat().st_mtime_ns == before
    (place / "vae/config.json").write_text("{}")
    with pytest.raises(CommandError, match=r"vae/config\.json has been changed or damaged\."):
        manage("verify")
    assert "the old files are kept. vae/config.json has been changed" in manage("ensure")
    assert sketch.verify(place) == []
    assert len(list(tmp_path.iterdir())) == 2
