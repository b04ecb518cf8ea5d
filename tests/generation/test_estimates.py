"""How long until a clip is there."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from gateway import pulses
from generation import estimates, scheduling
from generation.models import Generation, ModelProfile
from tests import makers

pytestmark = pytest.mark.django_db
STAGES = {"load": 6.0, "text": 1.0, "denoise": 20.0, "decode": 2.0, "encode": 0.5, "store": 0.5}


def measured(artist, *, worker="gpu@one", timings=STAGES, seconds=1, **asked) -> Generation:
    """A clip of ten steps that took so long, drawn by this worker."""
    done = makers.completed(artist, seconds=seconds, steps=10, **asked)
    Generation.objects.filter(pk=done.pk).update(
        timings=timings, worker=worker, started_at=Now() - timedelta(seconds=30), ended_at=Now()
    )
    return done


def begun(generation: Generation, *, ago: float, step: int = 0) -> None:
    """A worker has drawn it for so many seconds and is at this step."""
    assert scheduling.claim("default", worker="gpu@one") == generation
    Generation.objects.filter(pk=generation.pk).update(started_at=Now() - timedelta(seconds=ago), step=step)


def left(generation: Generation) -> float | None:
    return estimates.left(["default"])[1].get(generation.pk)


def test_nothing_is_foretold_of_a_model_that_was_never_measured(artist):
    waiting = makers.queued(artist)
    assert estimates.left(["default"]) == ({waiting.pk: 1}, {})
    begun(waiting, ago=2)
    assert left(waiting) is None


def test_a_step_the_rest_and_the_load_of_a_cold_model(artist):
    measured(artist)
    waiting = makers.queued(artist, seconds=1, steps=20)
    assert left(waiting) == pytest.approx(6 + 20 * 2 + 4)
    pulses.beat("gpu", "gpu@one")  # who drew with it lives: it is warm
    assert left(waiting) == pytest.approx(20 * 2 + 4)


def test_without_stages_the_whole_run_is_taken(artist):
    measured(artist, timings={})
    assert left(makers.queued(artist, seconds=1, steps=20)) == pytest.approx(60)


def test_a_length_that_was_never_drawn_is_taken_in_proportion(artist):
    done = measured(artist)
    pulses.beat("gpu", "gpu@one")
    waiting = makers.queued(artist, seconds=2, steps=10)
    assert left(waiting) == pytest.approx(24 * waiting.frames / done.frames)
    measured(artist, seconds=2, timings={**STAGES, "denoise": 100.0})
    assert left(waiting) == pytest.approx(104)


def test_who_waits_waits_for_all_before_them_on_the_machines_that_live(artist, stranger):
    measured(artist)
    pulses.beat("gpu", "gpu@one")
    runs = makers.queued(artist, seconds=1, steps=10)
    begun(runs, ago=4)
    first, second = (makers.queued(stranger, seconds=1, steps=10) for _ in range(2))
    assert [left(each) for each in (runs, first, second)] == pytest.approx([20, 44, 68], abs=1)
    pulses.beat("gpu", "gpu@two")
    assert [left(each) for each in (runs, first, second)] == pytest.approx([20, 24, 44], abs=1)


def test_what_is_drawn_is_corrected_by_its_own_pace(artist):
    measured(artist)
    pulses.beat("gpu", "gpu@one")
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
    sketch = ModelProfile.objects.get(slug="sketch")
    makers.twin(sketch, "other")
    makers.queued(artist, model="other")
    behind = makers.queued(artist, seconds=1, steps=10)
    places, seconds = estimates.left(["default"])
    assert (places[behind.pk], seconds) == (2, {})


def test_a_long_line_costs_as_many_statements_as_a_short_one(artist, stranger):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            estimates.left(["default", "large"])
        return len(queries)

    measured(artist)
    makers.queued(artist)
    few = cost()
    makers.twin(ModelProfile.objects.get(slug="sketch"), "other")
    for _ in range(5):
        makers.queued(stranger)
        makers.queued(stranger, model="other")
        scheduling.claim("default", worker="gpu@one")
    assert cost() == few


def test_the_studio_and_the_resource_tell_it(artist, client_of, browser_of):
    measured(artist)
    pulses.beat("gpu", "gpu@one")
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
