"""A worker that is told to go, and one whose run hears nothing: the row is back in line at once, the process ends.

The workers are real ones: Celery's parent and its child.
"""

import signal
from pathlib import Path
from typing import Any

import pytest
from django.db.models import Q

from gateway import actors, allowances, brakes, states
from gateway.models import LedgerEntry
from generation import generations, leases, scheduling, tasks
from generation.models import Generation, ModelProfile, Output, Worker
from tests import makers
from tests.generation import hanging
from tests.generation.workers import Workers, now, wait_for

pytestmark = [pytest.mark.live, pytest.mark.timeout(600), pytest.mark.xdist_group("up")]

SOON = 60.0  # on any machine; benchmarks/cancel.py holds it to five seconds


def test_told_to_go_it_finishes_the_clip_and_goes_or_hands_it_back_at_once(start: Workers):
    """The first has time enough; the second has a second, and its lease would last a minute."""
    artist = makers.artist()
    makers.sketch()
    ModelProfile.objects.update(engine="hanging")  # a step each half second
    short = makers.queued(artist, seconds=1, steps=6, seed=hanging.WALKING)
    patient = start("patient", app="tests.generation.hanging", LEASE_SECONDS="60", SHUTDOWN_SECONDS="60")
    wait_for(lambda: now(short).step >= 1)
    (row,) = Worker.objects.all()
    assert (row.name, row.pools, row.draining_since) == ("gpu-patient@test", ["default"], None)
    patient.send_signal(signal.SIGTERM)
    assert patient.wait(timeout=60) == 0
    assert (now(short).state, now(short).handed_back) == ("completed", 0)
    assert not Worker.objects.exists(), "it went in good order"

    long = makers.queued(artist, seconds=1, steps=50, seed=hanging.WALKING)
    hasty = start("hasty", app="tests.generation.hanging", LEASE_SECONDS="60", SHUTDOWN_SECONDS="1")
    wait_for(lambda: now(long).step >= 1)
    waits = makers.queued(artist, seconds=1)
    hasty.send_signal(signal.SIGTERM)
    hasty.wait(timeout=60)
    found = now(long)
    assert (found.state, found.handed_back, found.fence, found.lease_until) == ("queued", 1, 1, None)
    assert now(waits).fence == 0, "it began nothing more"
    ended = LedgerEntry.objects.filter(subject=long.pk).values_list("kind", flat=True)
    assert list(ended) == ["reserve"]
    assert Output.objects.filter(generation=long).count() == 0
    assert allowances.differences() == []
    assert not Worker.objects.exists()


def test_a_clip_is_kept_while_the_next_is_drawn_and_neither_costs_the_other(start: Workers, tmp_path: Path):
    """Its artist may cancel it there, which ends nothing else; told to go, the worker hands back what is not kept."""
    artist = makers.artist()
    makers.sketch()
    ModelProfile.objects.update(engine="hanging")
    first, second, third, fourth = (
        makers.queued(artist, seconds=1, steps=steps, seed=seed)
        for steps, seed in ((2, hanging.DAWDLING), (2, hanging.WALKING), (2, hanging.DAWDLING), (50, hanging.WALKING))
    )
    log = tmp_path / "worker.log"
    worker = start("beside", app="tests.generation.hanging", log=log, LEASE_SECONDS="60", SHUTDOWN_SECONDS="1")
    wait_for(lambda: now(second).state == "in_progress")
    assert (now(first).state, now(first).step) == ("in_progress", 2)
    generations.cancel(first, by=actors.person(artist.user))
    # One deep: the second waits for the first, and the third is not begun before.
    wait_for(lambda: now(second).step == 2)
    assert (now(first).state, now(second).state, now(third).fence) == ("cancelled", "in_progress", 0)
    go = Path(start.env["MEDIA_DIR"], "go")
    go.touch()
    wait_for(lambda: now(second).state == "completed")
    assert not Output.objects.filter(generation=first).exists()
    assert (now(second).fence, now(second).handed_back) == (1, 0), "its process never ended"

    wait_for(lambda: now(fourth).step >= 1)
    assert now(third).state == "completed", "kept beside the fourth"
    fifth = makers.queued(artist, seconds=1, steps=2, seed=hanging.DAWDLING)
    generations.cancel(fourth, by=actors.person(artist.user))
    wait_for(lambda: now(fifth).state == "completed")
    go.unlink()
    sixth = makers.queued(artist, seconds=1, steps=2, seed=hanging.DAWDLING)
    seventh = makers.queued(artist, seconds=1, steps=50, seed=hanging.WALKING)
    wait_for(lambda: now(seventh).step >= 1)
    worker.send_signal(signal.SIGTERM)
    worker.wait(timeout=60)
    for back in (sixth, seventh):
        assert (now(back).state, now(back).fence, now(back).handed_back) == ("queued", 1, 1)
    assert allowances.differences() == []


@pytest.fixture
def hangs(start: Workers, tmp_path: Path) -> Any:
    """Ask for a clip whose first run hangs, and wait until it does; the worker's log is `hangs.log`."""
    log = tmp_path / "worker.log"
    makers.sketch()
    ModelProfile.objects.update(engine="hanging")
    start("hanging", app="tests.generation.hanging", log=log, LEASE_SECONDS="60", STALL_SECONDS="4")

    def ask(where: int) -> Generation:
        generation = makers.queued(makers.artist(), seconds=1, steps=2, seed=where)
        wanted = {hanging.LOADING: 0, hanging.DECODING: 2}.get(where, 1)
        wait_for(lambda: now(generation).state == "in_progress" and now(generation).step == wanted)
        return generation

    ask.log = log  # type: ignore[attr-defined]
    return ask


def test_what_hears_nothing_is_killed_and_the_worker_works_on(hangs: Any):
    loading = hangs(hanging.LOADING)
    generations.cancel(loading, by=actors.person(loading.membership.user))
    decoding = hangs(hanging.DECODING)  # drawn by the same worker, whose child was replaced
    assert now(loading).state == "cancelled"

    brake = brakes.pull("model", decoding.model_id, by=actors.SYSTEM, label="Sketch", reason="A test")
    wait_for(lambda: now(decoding).state == "queued", SOON)
    assert (now(decoding).handed_back, now(decoding).lease_until) == (1, None)
    brakes.release(brake, by=actors.SYSTEM)
    wait_for(lambda: (tasks.sweep(), now(decoding).state == "completed")[1])
    wait_for(lambda: Worker.objects.get().done == 1)
    assert "it was stopped, and did not hear it" in hangs.log.read_text()


@pytest.mark.soak
def test_a_run_in_which_nothing_moves_ends_its_process_and_is_begun_again(hangs: Any):
    """Also when it holds the interpreter, so that none of our own threads could see to it."""
    for where, told in ((hanging.STEPPING, "Nothing moved for 4 s"), (hanging.HOLDING, "It fell silent")):
        generation = hangs(where)
        if where == hanging.HOLDING:  # nobody could end its lease of a minute early
            wait_for(lambda: "Timeout" in hangs.log.read_text(), SOON)
            assert now(generation).state == "in_progress"
            Generation.objects.filter(pk=generation.pk).update(lease_until=generation.created_at)
        wait_for(lambda ours=generation: (tasks.sweep(), now(ours).state == "completed")[1])
        found = now(generation)
        assert (found.fence, found.handed_back) == (2, 0), "it counts as an attempt"
        assert allowances.current(found.membership).spent == found.credits
        assert Worker.objects.get().last_error.startswith(told)
    assert hangs.log.read_text().count("hanging.py") >= 2, "where it hung stands in the log"


def test_a_child_that_is_told_to_end_hands_back_before_it_does(transactional_db: None, at: Any, draw: Any):
    """Celery's cold shutdown tells it by SIGTERM, which raises SystemExit wherever it is."""
    generation = makers.queued(makers.artist(), seconds=1, steps=3)

    def told() -> None:
        raise SystemExit(1)

    at[2] = told
    with pytest.raises(SystemExit):
        draw()
    assert (now(generation).state, now(generation).handed_back) == ("queued", 1)


def test_handing_back_what_was_overtaken_changes_nothing(transactional_db: None):
    generation = makers.queued(makers.artist())
    first = scheduling.claim("default", worker="w")
    assert first is not None
    states.move(now(generation), "queued", by=actors.SYSTEM, when=Q(fence=1), lease_until=None)
    second = scheduling.claim("default", worker="other")
    assert second is not None
    leases.hand_back(first, actors.worker("w"))
    assert (now(generation).state, now(generation).worker, now(generation).handed_back) == ("in_progress", "other", 0)
