"""A worker killed by -9, or paused past its lease, in mid-generation: nothing is lost, and it is charged once.

The workers are real ones: Celery's parent and its child, under the application's own role, called by the real bell.
The first draws with the real engine; the others only walk, since a worker that reads no torch is there ten seconds sooner.
"""

import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage

from gateway import allowances, refusals
from gateway.models import LedgerEntry
from generation import limits, tasks
from generation.models import Generation, ModelProfile, Output
from tests import makers
from tests.generation import hanging
from tests.generation.workers import Workers, now, send, wait_for

pytestmark = [pytest.mark.live, pytest.mark.timeout(600), pytest.mark.xdist_group("up")]


@pytest.fixture
def walk(start: Workers) -> Callable[[str], Any]:
    """Start a worker whose engine takes half a second a step the first time that it is asked for a clip, then none."""
    makers.sketch()
    ModelProfile.objects.update(engine="hanging")
    return partial(start, app="tests.generation.hanging")


def swept(generation: Generation) -> bool:
    """Sweep as the scheduler does, every moment: it puts a dead worker's row in line again, and rings until somebody
    comes. Returns whether that has happened.
    """
    tasks.sweep()
    return now(generation).fence > 1 or now(generation).state == "queued"


def delivered_once(generation: Generation, credits: int) -> None:
    ended = LedgerEntry.objects.filter(subject=generation.pk).exclude(kind="reserve")
    assert list(ended.values_list("kind", "amount")) == [("settle", credits)]
    allowance = allowances.current(generation.membership)
    assert (allowance.held, allowance.spent, allowance.free) == (0, credits, 20 - credits)
    outputs = {output.kind: output for output in generation.outputs.all()}
    assert set(outputs) == set(Output.KINDS)
    assert all(default_storage.size(output.path) == output.size for output in outputs.values())


def kept(generation: Generation) -> set[str]:
    """Every file of it that lies in the storage, whichever attempt made it."""
    folder = Path(default_storage.path(f"outputs/{generation.pk.hex}"))
    return {path.relative_to(default_storage.path("")).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_worker_killed_in_mid_generation_loses_nothing_and_charges_once(start: Workers):
    generation = makers.queued(makers.artist(), seconds=1, steps=50)
    first = start("first")
    wait_for(lambda: now(generation).step >= 2)
    send(first, signal.SIGKILL)
    first.wait()
    died_at = now(generation)
    assert (died_at.state, died_at.fence) == ("in_progress", 1)

    start("second")
    wait_for(lambda: swept(generation) and now(generation).state == "completed")
    found = now(generation)
    assert (found.fence, found.worker) == (2, "gpu-second@test")
    delivered_once(found, credits=1)
    assert kept(found) == set(found.outputs.values_list("path", flat=True))


def test_a_killed_workers_slot_is_free_again_once_its_clip_has_ended(walk: Any, settings: Any):
    settings.ATTEMPTS = 1
    artist = makers.artist(cohort=makers.cohort(concurrent=2))
    assert artist.membership is not None
    dies = makers.queued(artist, seconds=1, steps=24, seed=hanging.WALKING)
    waits = makers.queued(artist, seconds=1, steps=2)
    killed = walk("killed")
    wait_for(lambda: now(dies).step >= 2)
    send(killed, signal.SIGKILL)
    killed.wait()
    with pytest.raises(refusals.TooManyAtOnce):
        makers.queued(artist)
    assert limits.use(artist.membership).under_way == 2, "nobody has swept yet"
    wait_for(lambda: (tasks.sweep(), now(dies).state != "in_progress")[1])
    assert (now(dies).state, now(dies).error_code) == ("failed", "worker_lost")
    walk("lives")
    wait_for(lambda: (tasks.sweep(), now(waits).state == "completed")[1])
    assert limits.use(artist.membership).under_way == 0
    for _ in range(2):
        makers.queued(artist)
    with pytest.raises(refusals.TooManyAtOnce):
        makers.queued(artist)
    allowance = allowances.current(artist.membership)
    assert (allowance.spent, allowances.differences()) == (1, [])


def test_a_worker_paused_past_its_lease_publishes_nothing(walk: Any):
    generation = makers.queued(makers.artist(), seconds=1, steps=50, seed=hanging.WALKING)
    paused = walk("paused")
    wait_for(lambda: now(generation).step >= 2)
    send(paused, signal.SIGSTOP)
    other = walk("other")
    wait_for(lambda: swept(generation) and now(generation).state == "completed")
    assert now(generation).worker == "gpu-other@test"
    send(other, signal.SIGKILL)

    send(paused, signal.SIGCONT)  # it wakes in the middle of a step, and finds its lease gone
    next_one = makers.queued(makers.artist(), seconds=1, steps=1)
    # Swept meanwhile: the broker may have handed its bell to the one that was just killed.
    wait_for(lambda: (tasks.sweep(), now(next_one).state == "completed")[1])
    assert now(next_one).worker == "gpu-paused@test", "it let go, and works on"
    found = now(generation)
    assert found.worker == "gpu-other@test"
    delivered_once(found, credits=1)
    assert kept(found) == set(found.outputs.values_list("path", flat=True))
