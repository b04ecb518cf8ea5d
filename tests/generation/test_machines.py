"""Two machines that share a database, a broker and a bucket, and no disk: each finishes what the other has left.

The workers are real ones, each with a data directory, a media folder and a models folder of its own.
"""

import hashlib
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as gateway_settings

from gateway import allowances, pulses
from generation import media, tasks
from generation.models import Generation, ModelProfile, Output
from tests import makers
from tests.generation.bucket import Store
from tests.generation.workers import Workers, now, send, wait_for

pytestmark = [pytest.mark.live, pytest.mark.timeout(1200), pytest.mark.soak]
Start = Callable[[str], subprocess.Popen[bytes]]


@pytest.fixture
def machine(start: Workers, store: Store, tmp_path: Path) -> Start:
    """A machine by name, with a worker on it."""

    def one(name: str) -> subprocess.Popen[bytes]:
        disk = tmp_path / name
        shutil.copytree(Path(gateway_settings.SHIPPED_MODELS_DIR, "sketch"), disk / "models/studio/small")
        own = {"DATA_DIR": str(disk / "data"), "MEDIA_DIR": str(disk / "media"), "MODELS_DIR": str(disk / "models")}
        worker: subprocess.Popen[bytes] = start(name, node="gpu@{}", **store.env, **own)
        return worker

    return one


def test_two_machines_without_a_common_disk_finish_each_others_queue(
    machine: Start, store: Store, tmp_path: Path, browser_of: Any
):
    makers.sketch()
    ModelProfile.objects.filter(slug="sketch").update(source="studio/small")  # on each machine's own disk
    artist = makers.artist()
    workers = {name: machine(name) for name in ("one", "two")}
    wait_for(lambda: pulses.live().filter(kind="gpu").count() == 2)
    for steps in (50, 2, 2):
        makers.queued(artist, seconds=1, steps=steps)
    drawing = Generation.objects.filter(state="in_progress", step__gte=2, steps=50)
    wait_for(drawing.exists)
    left = drawing[0]
    dies = left.worker.removeprefix("gpu@")
    (lives,) = set(workers) - {dies}
    send(workers[dies], signal.SIGKILL)
    workers[dies].wait()

    def all_ended() -> bool:
        tasks.sweep()
        return not Generation.objects.filter(state__in=["queued", "in_progress"]).exists()

    wait_for(all_ended)
    assert set(Generation.objects.values_list("state", flat=True)) == {"completed"}
    assert (now(left).worker, now(left).fence) == (f"gpu@{lives}", 2)
    allowance = allowances.current(artist.membership)
    assert (allowance.held, allowance.spent) == (0, 3)

    assert {path.name for name in ("one", "two") for path in (tmp_path / name).iterdir()} <= {"models", "data"}
    assert store.keys() == {f"works/{path}" for path in Output.objects.values_list("path", flat=True)}
    for output in Output.objects.select_related("generation__membership__user"):
        with media.open_for(artist, "own work", output).file as file:
            assert hashlib.sha256(file.read()).hexdigest() == output.sha256
    answer = browser_of(artist).get(f"/generations/{left.pk.hex}/video.mp4", headers={"range": "bytes=0-99"})
    assert (answer.status_code, len(b"".join(answer.streaming_content))) == (206, 100)
