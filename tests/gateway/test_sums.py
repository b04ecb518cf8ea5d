"""A model's folder is what was published, or it is not read."""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

from gateway import sums
from tests.generation.engines.conftest import folder

__all__ = ["folder"]  # the fixture: a real model's


@pytest.fixture
def copy(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "sketch"))


def test_it_is_sealed_in_the_format_of_sha256sum(folder: Path) -> None:
    assert sums.verify(folder) == []
    checked = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], check=False, cwd=folder, capture_output=True
    )
    assert checked.returncode == 0
    assert sums.revision(folder) == hashlib.sha256((folder / "SHA256SUMS").read_bytes()).hexdigest()


def test_any_change_is_named(copy: Path) -> None:
    weights = copy / "vae/diffusion_pytorch_model.safetensors"
    with weights.open("r+b") as opened:
        opened.seek(-1, 2)
        opened.write(b"\xff" if weights.read_bytes()[-1] != 0xFF else b"\x00")
    (copy / "scheduler/scheduler_config.json").unlink()
    (copy / "vae/extra.py").write_text("")
    assert sums.verify(copy) == [
        "scheduler/scheduler_config.json is missing.",
        "vae/extra.py does not belong to the model.",
        "vae/diffusion_pytorch_model.safetensors has been changed or damaged.",
    ]


def test_a_change_that_was_meant_is_sealed_anew(copy: Path) -> None:
    before = sums.revision(copy)
    (copy / "README.md").write_text("a model card")
    assert sums.verify(copy) == ["README.md does not belong to the model."]
    sums.seal(copy)
    assert sums.verify(copy) == []
    assert sums.revision(copy) != before


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "SHA256SUMS is empty."), ("not a sum", "SHA256SUMS is damaged."), (None, "SHA256SUMS is missing.")],
)
def test_without_sums_nothing_is_trusted(copy: Path, text: str | None, sentence: str) -> None:
    if text is None:
        (copy / "SHA256SUMS").unlink()
    else:
        (copy / "SHA256SUMS").write_text(text)
    assert sums.verify(copy) == [sentence]


def test_no_folder_is_not_a_model(tmp_path: Path) -> None:
    assert sums.verify(tmp_path / "none") == [f"There is no model in {tmp_path / 'none'}."]
