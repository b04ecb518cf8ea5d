"""What is asked for, waits or is drawn under a brake."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db.models import Q
from django.utils import timezone

from gateway import actors, allowances, brakes, states
from gateway.actors import Actor
from gateway.models import Brake
from generation import keeping, leases, scheduling, worker
from generation.models import Generation, Output
from review import history, radius
from tests import makers
from tests.gateway.test_brakes import over, targets
from tests.generation.places import positions
from tests.generation.watched import Watched

pytestmark = pytest.mark.django_db
HOLDING = ("artist", "cohort", "model", "all")


def by_token(artist: Actor) -> Generation:
    """A clip that a token has asked for."""
    token = artist.user.tokens.get() if artist.user and artist.user.tokens.exists() else None
    if token is None:
        makers.token(artist)
        token = artist.user.tokens.get()  # type: ignore[union-attr]
    return makers.queued(Actor("token", user=artist.user, token=token), seconds=1, steps=4)


def pull(scope: str, artist: Actor, **told: Any) -> Brake:
    target = makers.sketch().pk if scope == "model" else targets(artist)[scope]
    return brakes.pull(scope, target, by=actors.SYSTEM, label="it", reason="Something is wrong", **told)


@pytest.mark.parametrize("scope", HOLDING)
def test_what_waits_keeps_its_place_and_is_passed_over(scope: str, artist: Actor, stranger: Actor):
    held, other = makers.queued(artist, seconds=1), makers.queued(stranger, seconds=1)
    brake = pull(scope, artist)
    everybody = scope in ("model", "all")
    places = positions("default", [held, other])
    assert places == ({} if everybody else {other.pk: 1})
    assert scheduling.claim("default", worker="w") == (None if everybody else other)
    assert scheduling.claim("default", worker="w") is None
    worker.sweep()
    held.refresh_from_db()
    assert held.state == "queued"
    brakes.release(brake, by=actors.SYSTEM)
    assert scheduling.claim("default", worker="w") == held


def test_a_brake_that_has_ended_holds_nothing(artist: Actor):

    waiting = makers.queued(artist, seconds=1)
    brake = pull("all", artist, ends_at=timezone.now() + timedelta(hours=1))
    assert scheduling.claim("default", worker="w") is None
    over(brake)
    assert scheduling.claim("default", worker="w") == waiting


def test_what_a_braked_token_asked_for_is_never_drawn_and_its_credits_come_back(artist: Actor):
    asked, own = by_token(artist), makers.queued(artist, seconds=1)
    brakes.pull("token", asked.token_id, by=actors.SYSTEM, label="the token “x”", reason="It leaked")
    assert scheduling.claim("default", worker="w") == own
    assert scheduling.claim("default", worker="w") is None
    worker.sweep()
    asked.refresh_from_db()
    assert (asked.state, asked.error_code) == ("cancelled", "braked")
    assert asked.error_message == "A brake is on the token “x”. The reason: It leaked. Your credits are back."
    assert allowances.current(artist.membership).held == own.credits  # type: ignore[arg-type]
    assert "A brake stopped it; the credits came back." in [event.sentence for event in history.events(asked, None)]
    assert history.status(asked, None) == ("Stopped by a brake", "")


def test_a_brake_on_all_cancels_nothing_that_a_token_asked_for(artist: Actor):
    asked = by_token(artist)
    pull("all", artist)
    worker.sweep()
    asked.refresh_from_db()
    assert asked.state == "queued"


@pytest.mark.parametrize("scope", HOLDING)
def test_what_is_being_drawn_stops_at_that_step_and_waits_in_line(
    scope: str, transactional_db: None, draw: Callable[[], Any], at: dict[int, Callable[[], object]]
):
    artist = makers.artist()
    generation = by_token(artist)
    at[2] = partial(pull, scope, artist)
    draw()
    generation.refresh_from_db()
    assert Watched.seen == [1, 2]
    assert (generation.state, generation.step, generation.lease_until, generation.handed_back) == ("queued", 0, None, 1)
    assert not Output.objects.exists()
    assert allowances.current(artist.membership).held == generation.credits  # type: ignore[arg-type]
    assert "A brake stopped it, and it went back into the line." in [
        e.sentence for e in history.events(generation, None)
    ]
    at.clear()
    brakes.release(Brake.objects.get(), by=actors.SYSTEM)
    draw()
    generation.refresh_from_db()
    assert generation.state == "completed"


def test_what_a_token_is_having_drawn_is_cancelled_at_that_step(
    transactional_db: None, draw: Callable[[], Any], at: dict[int, Callable[[], object]]
):
    artist = makers.artist()
    generation = by_token(artist)
    at[2] = lambda: radius.pull("token", generation.token.last_four, by=actors.SYSTEM, reason="It leaked")  # type: ignore[union-attr]
    draw()
    generation.refresh_from_db()
    assert Watched.seen == [1, 2]
    assert (generation.state, generation.error_code) == ("cancelled", "braked")
    assert allowances.current(artist.membership).free == 20  # type: ignore[arg-type]


def test_a_brake_on_another_lets_it_be_drawn(
    transactional_db: None, draw: Callable[[], Any], at: dict[int, Callable[[], object]], stranger: Actor
):
    generation = by_token(makers.artist())
    at[2] = partial(pull, "artist", stranger, closes=True)
    draw()
    generation.refresh_from_db()
    assert generation.state == "completed"


def test_a_brake_after_the_last_step_still_keeps_the_clip_from_being_delivered(
    transactional_db: None, draw: Callable[[], Any], at: dict[int, Callable[[], object]], monkeypatch: Any
):
    generation = by_token(makers.artist())
    real = keeping._encode

    def encode(*args: Any) -> Any:
        made = real(*args)
        brakes.pull("token", generation.token_id, by=actors.SYSTEM, label="it", reason="It leaked")
        return made

    monkeypatch.setattr(keeping, "_encode", encode)
    draw()
    generation.refresh_from_db()
    assert generation.state == "cancelled"
    assert not Output.objects.exists()


def test_what_brakes_put_back_does_not_count_as_a_death(artist: Actor, settings: Any):
    generation = makers.queued(artist, seconds=1)
    for _ in range(settings.ATTEMPTS):
        claimed = scheduling.claim("default", worker="w")
        assert claimed == generation
        leases.obey(claimed, pull("all", artist), actors.worker("w"))
        brakes.release(Brake.objects.in_force().get(), by=actors.SYSTEM)
    claimed = scheduling.claim("default", worker="w")
    assert claimed is not None
    Generation.objects.filter(pk=claimed.pk).update(lease_until=claimed.created_at)
    worker.sweep()
    generation.refresh_from_db()
    assert generation.state == "queued"


def test_pages_and_resource_say_what_holds_it(artist: Actor, client_of: Any, browser_of: Any):
    generation = makers.queued(artist, seconds=1)
    client = client_of(artist)
    radius.pull("model", "sketch", by=actors.SYSTEM, reason="It draws moons")
    shown = client.get(f"/v1/videos/video_{generation.pk.hex}").json()
    assert (shown["status"], shown["queue"]["position"]) == ("queued", None)
    assert shown["held"] == "A brake is on the model Sketch. The reason: It draws moons."
    for path in ("/studio/live?seen=", f"/mine/{generation.pk.hex}", "/studio"):
        assert "Held: a brake is on the model Sketch" in browser_of(artist).get(path).content.decode(), path


def test_a_worker_that_hears_of_it_late_ends_nothing_twice(artist: Actor):
    generation = by_token(artist)
    claimed = scheduling.claim("default", worker="w")
    brake = brakes.pull("token", generation.token_id, by=actors.SYSTEM, label="it", reason="It leaked")
    assert claimed is not None
    states.move(claimed, "queued", by=actors.SYSTEM, when=Q(fence=1), lease_until=None)
    worker.sweep()
    leases.obey(claimed, brake, actors.worker("w"))
    assert allowances.current(artist.membership).held == 0  # type: ignore[arg-type]
