"""How long until a clip is there."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from generation import estimates, fleet, scheduling
from generation.models import Generation, ModelProfile, Worker
from tests import makers

pytestmark = pytest.mark.django_db
STAGES = {"load": 6.0, "text": 1.0, "denoise": 20.0, "decode": 2.0, "encode": 0.5, "store": 0.5}


def measured(artist, *, timings=STAGES, seconds=1, **asked) -> Generation:
    """A clip of ten steps that took so long, drawn by this worker."""
    done = makers.completed(artist, seconds=seconds, steps=10, **asked)
    Generation.objects.filter(pk=done.pk).update(
        timings=timings, started_at=Now() - timedelta(seconds=30), ended_at=Now()
    )
    return done


def begun(generation: Generation, *, ago: float, step: int = 0) -> None:
    """A worker has drawn it for so many seconds and is at this step."""
    assert scheduling.claim("default", worker="gpu@one") == generation
    Generation.objects.filter(pk=generation.pk).update(started_at=Now() - timedelta(seconds=ago), step=step)


def lives(name: str, *pools: str, warm: bool = True) -> Worker:
    """A worker that lives, with Sketch in its memory or not."""
    made = makers.worker(name, *pools)
    if not warm:
        Worker.objects.filter(pk=made.pk).update(engines={})
    return made


def outlook(generation: Generation) -> estimates.Outlook:
    now = Generation.objects.get(pk=generation.pk)
    return estimates.outlooks([now])[now.pk]


def left(generation: Generation) -> float | None:
    return outlook(generation).seconds


def test_nothing_is_foretold_of_a_model_that_was_never_measured(artist):
    waiting = makers.queued(artist)
    lives("gpu@one")
    assert outlook(waiting) == estimates.Outlook(place=1)
    begun(waiting, ago=2)
    assert left(waiting) is None


def test_a_step_the_rest_and_the_load_of_a_cold_model(artist):
    measured(artist)
    waiting, after = (makers.queued(artist, seconds=1, steps=20) for _ in range(2))
    lives("gpu@cold", warm=False)
    assert left(waiting) == pytest.approx(6 + 20 * 2 + 4)
    assert left(after) == pytest.approx(6 + 2 * (20 * 2 + 4)), "by then it has been read"
    lives("gpu@warm", "large")
    assert left(waiting) == pytest.approx(6 + 20 * 2 + 4), "another pool's memory is no help"
    lives("gpu@one")
    assert left(waiting) == pytest.approx(20 * 2 + 4)


def test_without_stages_the_whole_run_is_taken(artist):
    measured(artist, timings={})
    lives("gpu@one")
    assert left(makers.queued(artist, seconds=1, steps=20)) == pytest.approx(60)


def test_a_length_that_was_never_drawn_is_taken_in_proportion(artist):
    done = measured(artist)
    lives("gpu@one")
    waiting = makers.queued(artist, seconds=2, steps=10)
    assert left(waiting) == pytest.approx(24 * waiting.frames / done.frames)
    measured(artist, seconds=2, timings={**STAGES, "denoise": 100.0})
    assert left(waiting) == pytest.approx(104)


def test_who_waits_waits_for_all_before_them_on_the_machines_that_live(artist, stranger):
    measured(artist)
    lives("gpu@one")
    runs = makers.queued(artist, seconds=1, steps=10)
    begun(runs, ago=4)
    first, second = (makers.queued(stranger, seconds=1, steps=10) for _ in range(2))
    assert [left(each) for each in (runs, first, second)] == pytest.approx([20, 44, 68], abs=1)
    lives("gpu@two")
    assert [left(each) for each in (runs, first, second)] == pytest.approx([20, 24, 44], abs=1)


def test_what_is_drawn_is_corrected_by_its_own_pace(artist):
    measured(artist)
    lives("gpu@one")
    runs = makers.queued(artist, seconds=1, steps=10)
    begun(runs, ago=4, step=2)  # as measured
    assert left(runs) == pytest.approx(8 * 2 + 4, abs=1)
    Generation.objects.filter(pk=runs.pk).update(started_at=Now() - timedelta(seconds=40), step=8)
    assert left(runs) == pytest.approx(2 * (0.8 * 5 + 0.2 * 2) + 4, abs=1)  # half as fast


def test_a_run_of_an_unmeasured_model_tells_by_its_own_steps(artist):
    runs = makers.queued(artist, seconds=1, steps=10)
    begun(runs, ago=10, step=5)
    assert left(runs) == pytest.approx(10, abs=1)


def test_behind_a_clip_of_which_nothing_is_known_nothing_is_known(artist):
    measured(artist)
    makers.twin(ModelProfile.objects.get(slug="sketch"), "other")
    lives("gpu@one")
    makers.queued(artist, model="other")
    assert outlook(makers.queued(artist, model="sketch", seconds=1, steps=10)) == estimates.Outlook(place=2)


def test_who_is_drained_or_serves_another_pool_or_is_silent_draws_nothing_of_this_line(artist, stranger, admin):
    measured(artist)
    drained, silent = lives("gpu@drained"), lives("gpu@silent")
    lives("gpu@other", "large")
    lives("gpu@one")
    first, second, third = (makers.queued(stranger, seconds=1, steps=10) for _ in range(3))
    assert [left(each) for each in (first, second, third)] == pytest.approx([24, 24, 24])
    fleet.drain(drained, by=admin)
    assert [left(each) for each in (first, second, third)] == pytest.approx([24, 24, 48])
    Worker.objects.filter(pk=silent.pk).update(seen_at=Now() - timedelta(minutes=1))
    assert [left(each) for each in (first, second, third)] == pytest.approx([24, 48, 72])
    Worker.objects.exclude(pk=drained.pk).delete()
    assert outlook(first) == estimates.Outlook(place=1), "nobody draws, so nothing can be foretold"


def test_a_worker_of_two_pools_is_as_busy_in_the_other(artist):
    measured(artist)
    lives("gpu@one", "default", "large")
    makers.twin(ModelProfile.objects.get(slug="sketch"), "other")
    ModelProfile.objects.filter(slug="other").update(pool="large")
    runs = makers.queued(artist, model="sketch", seconds=1, steps=10)
    begun(runs, ago=4)
    makers.queued(artist, model="other", seconds=1, steps=10)
    waits = makers.queued(artist, model="sketch", seconds=1, steps=10)
    assert left(waits) == pytest.approx(20 + 24, abs=1)


def test_what_waits_for_files_that_no_machine_has_stands_in_nobodys_way(artist, client_of, browser_of):
    measured(artist)
    lives("gpu@one")
    other = makers.twin(ModelProfile.objects.get(slug="sketch"), "other")
    lost, mine = makers.queued(artist, model="other"), makers.queued(artist, model="sketch", seconds=1, steps=10)
    Worker.objects.update(holds=[mine.model_id])
    assert outlook(lost) == estimates.Outlook(absent=True)
    assert (outlook(mine).place, left(mine)) == (1, pytest.approx(24))
    assert (
        "No machine has this model’s files; it waits until one has"
        in browser_of(artist).get("/studio").content.decode()
    )
    shown = client_of(artist).get(f"/v1/videos/video_{lost.pk.hex}").json()
    assert shown["held"] == "No machine has this model’s files; it waits until one has."
    lives("gpu@two")
    Worker.objects.filter(name="gpu@two").update(holds=[other.pk])
    assert (outlook(lost).absent, outlook(lost).place, outlook(mine).place) == (False, 1, 2)


def test_a_machine_without_the_files_takes_none_of_the_time(artist):
    measured(artist)
    lives("gpu@one")
    first, second = (makers.queued(artist, seconds=1, steps=10) for _ in range(2))
    lives("gpu@without")
    Worker.objects.filter(name="gpu@without").update(holds=[])
    assert [left(each) for each in (first, second)] == pytest.approx([24, 48])


def test_beyond_the_furthest_place_it_is_told_that_it_is_further(artist, stranger, monkeypatch, browser_of):
    monkeypatch.setattr(scheduling, "FURTHEST", 4)
    mine = [makers.queued(artist).pk for _ in range(5)]
    for _ in range(2):
        makers.queued(stranger)
    found = estimates.outlooks(Generation.objects.filter(membership=artist.membership))
    told = [(found[pk].place, found[pk].further) for pk in mine]
    assert told == [(1, False), (3, False), (None, True), (None, True), (None, True)]
    assert "Behind more than 4 others" in browser_of(artist).get("/studio").content.decode()


def test_a_long_line_costs_as_many_statements_as_a_short_one(artist, stranger):
    def cost() -> int:
        asked = list(Generation.objects.filter(membership=artist.membership))
        with CaptureQueriesContext(connection) as queries:
            estimates.outlooks(asked)
        return len(queries)

    measured(artist)
    makers.queued(artist)
    few = cost()
    makers.twin(ModelProfile.objects.get(slug="sketch"), "other")
    for _ in range(5):
        makers.queued(stranger)
        makers.queued(stranger, model="other")
        makers.queued(artist, model="sketch")
        scheduling.claim("default", worker="gpu@one")
    assert cost() == few


def test_the_studio_and_the_resource_tell_it(artist, client_of, browser_of):
    measured(artist)
    lives("gpu@one")
    runs, waits = (makers.queued(artist, seconds=1, steps=10) for _ in range(2))
    begun(runs, ago=4, step=2)
    page = browser_of(artist).get("/studio").content.decode()
    assert "Step 2 of 10 · about 20 s" in page
    assert "Next in line · about 45 s" in page
    client = client_of(artist)
    shown = client.get(f"/v1/videos/video_{waits.pk.hex}").json()
    assert (shown["queue"], shown["eta_seconds"]) == ({"position": 1, "eta_seconds": 45}, 45)
    shown = client.get(f"/v1/videos/video_{runs.pk.hex}").json()
    assert (shown["queue"], shown["eta_seconds"]) == (None, 20)


@pytest.mark.parametrize(("seconds", "told"), [(0.2, 1), (7.4, 7), (33, 35), (88, 90), (100, 90), (251, 240)])
def test_it_is_told_as_people_tell_it(seconds, told):
    assert estimates.about(seconds) == told
