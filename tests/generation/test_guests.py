"""What guests make: exactly as much as was lent, and nothing after the pass was taken back."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError
from django.db.transaction import atomic

from gateway import actors, allowances, brakes, guest_passes, members, refusals, terms, tokens
from gateway.actors import Actor
from gateway.models import Allowance, GuestPass, Membership
from generation import generations, guests, media, scheduling, worker
from generation.models import Generation, Output
from tests import makers
from tests.generation.test_races import finish
from tests.generation.watched import Watched

pytestmark = pytest.mark.django_db


def ask(secret: str, who: str = "somebody", address: str = "192.0.2.1", **asked: Any) -> Generation:
    return makers.queued(makers.visitor(secret, who, address), **asked)


def row_of(secret: str) -> GuestPass:
    return guest_passes.find(secret)


# ---------------------------------------------------------------- as much as was lent


def test_a_guests_work_is_the_artists_and_names_the_pass(artist: Actor):
    secret = makers.lent(artist)
    generation = ask(secret)
    assert generation.membership == artist.membership
    assert generation.guest_pass == row_of(secret)
    assert Generation.objects.visible_to(artist).get() == generation
    assert allowances.current(artist.membership).held == 1  # type: ignore[arg-type]


def test_twenty_guests_at_once_on_a_pass_for_five(at_once: Callable[..., list[Any]]):
    artist = makers.artist(credits=100)
    secret = makers.lent(artist, generations=5, credits=100)
    answers = at_once(*[partial(ask, secret, f"guest {n}", f"192.0.2.{n}") for n in range(20)])
    assert sum(isinstance(answer, Generation) for answer in answers) == 5
    assert sum(isinstance(answer, refusals.GuestPassUsedUp) for answer in answers) == 15
    assert Generation.objects.count() == 5
    assert Allowance.objects.get().held == 5
    assert guests.left(row_of(secret)) == (0, 95)


def test_twenty_guests_at_once_on_seven_credits(at_once: Callable[..., list[Any]]):
    secret = makers.lent(makers.artist(credits=100), generations=100, credits=7)
    answers = at_once(*[partial(ask, secret, f"guest {n}", f"192.0.2.{n}", seconds=2) for n in range(20)])
    assert sum(isinstance(answer, Generation) for answer in answers) == 3
    assert sum(isinstance(answer, refusals.GuestPassUsedUp) for answer in answers) == 17
    assert Allowance.objects.get().held == 6


def test_twenty_presses_at_once_from_one_address(at_once: Callable[..., list[Any]]):
    secret = makers.lent(makers.artist(credits=100), generations=100, credits=100, per_address=3)
    answers = at_once(*[partial(ask, secret, f"guest {n}") for n in range(20)])
    assert sum(isinstance(answer, Generation) for answer in answers) == 3
    assert sum(isinstance(answer, refusals.EnoughForToday) for answer in answers) == 17


def test_asking_and_taking_back_at_once_adds_up(at_once: Callable[..., list[Any]]):
    artist = makers.artist(credits=100)
    secret = makers.lent(artist, generations=4, credits=100, per_address=1000)

    def by_turns(n: int) -> None:
        for _ in range(6):
            try:
                generations.cancel(ask(secret, f"guest {n}"), by=makers.visitor(secret, f"guest {n}"))
            except refusals.GuestPassUsedUp:
                continue

    assert at_once(*[partial(by_turns, n) for n in range(8)]) == [None] * 8
    assert guests.left(row_of(secret)) == (4, 100)
    assert (Allowance.objects.get().held, Allowance.objects.get().spent) == (0, 0)


def test_what_was_cancelled_or_failed_counts_no_more(artist: Actor):
    secret = makers.lent(artist, generations=1, credits=1)
    first = ask(secret)
    with pytest.raises(refusals.GuestPassUsedUp, match="no clip left"):
        ask(secret)
    generations.cancel(first, by=makers.visitor(secret))
    second = scheduling.claim("default", worker="w") or ask(secret)
    claimed = scheduling.claim("default", worker="w")
    assert claimed == second
    worker._fail(claimed, actors.worker("w"), "x", "It broke.")  # type: ignore[arg-type]
    third = ask(secret)
    makers.drawn(third)
    with pytest.raises(refusals.GuestPassUsedUp):
        ask(secret)


def test_a_clip_that_costs_more_than_is_left_says_so(artist: Actor):
    secret = makers.lent(artist, generations=5, credits=1)
    with pytest.raises(refusals.GuestPassUsedUp, match="has 1 credit left, and this would take 2"):
        ask(secret, seconds=2)
    ask(secret, seconds=1)


def test_a_day_has_its_limit_for_an_address_and_taking_back_does_not_open_it(artist: Actor):
    secret = makers.lent(artist, per_address=2)
    generations.cancel(ask(secret), by=makers.visitor(secret))
    ask(secret, "another browser")
    with pytest.raises(refusals.EnoughForToday, match="From your network 2 clips were asked for today"):
        ask(secret, "a third")
    ask(secret, "somebody elsewhere", "198.51.100.7")


def test_yesterdays_do_not_count(artist: Actor, monkeypatch: pytest.MonkeyPatch):
    secret = makers.lent(artist, per_address=1)
    ask(secret)
    another_day = guest_passes.address_of_day(row_of(secret), "192.0.2.1", Generation.objects.get().created_at.date())
    assert bytes(Generation.objects.get().guest_address or b"") == another_day
    tomorrow = Actor("guest", guest_pass=row_of(secret), visitor=b"x" * 32, visitor_address=b"tomorrow's".ljust(32))
    makers.queued(tomorrow)


def test_the_artists_credits_are_the_limit_behind_and_are_not_told(artist: Actor):
    secret = makers.lent(artist, generations=100, credits=100)
    for _ in range(20):
        makers.queued(artist)
    with pytest.raises(refusals.ArtistOutOfCredits) as refused:
        ask(secret)
    assert "20" not in refused.value.sentence


def test_the_artists_own_pace_holds_their_guests_too_and_its_figures_are_not_told(artist: Actor):
    secret = makers.lent(artist)
    Membership.objects.filter(user=artist.user).update(concurrent=1, daily=100)
    first = makers.queued(artist)
    with pytest.raises(refusals.ArtistHasNoRoom):
        ask(secret)
    generations.cancel(first, by=artist)
    Membership.objects.filter(user=artist.user).update(concurrent=5, daily=1)
    with pytest.raises(refusals.ArtistHasNoRoom):
        ask(secret)


def test_a_tokens_own_limit_holds_for_what_it_lent(artist: Actor):
    by = makers.with_token(artist, credits_limit=2)
    secret = makers.lent(by)
    ask(secret, seconds=2)
    with pytest.raises(refusals.ArtistOutOfCredits):
        ask(secret)
    makers.queued(artist)


def test_an_artist_who_owes_the_new_terms_an_answer_has_guests_that_wait(artist: Actor, admin: Actor):
    secret = makers.lent(artist)
    latest = terms.current()
    made = terms.publish(by=admin, after=latest.version if latest else 0, body="x", rates=[])
    with pytest.raises(refusals.TermsNotAccepted):
        ask(secret)
    terms.accept(made, artist.user, by=artist)  # type: ignore[arg-type]
    ask(secret)


def test_a_suspended_artists_guests_make_nothing(artist: Actor, admin: Actor):
    secret = makers.lent(artist)
    guest = makers.visitor(secret)
    members.suspend(artist.membership, by=admin, reason="x")  # type: ignore[arg-type]
    with pytest.raises(refusals.GuestPassPaused):
        makers.queued(guest)  # who had the page open before


def test_a_pass_for_one_model_is_for_that_one(artist: Actor):
    makers.sketch()
    with pytest.raises(refusals.UnknownModel, match="There is no model “mochi” here"):
        makers.lent(artist, models=["mochi"])
    secret = makers.lent(artist, models=["sketch"])
    assert [model.slug for model in generations.offered(makers.visitor(secret))] == ["sketch"]
    assert ask(secret, model="sketch").model.slug == "sketch"
    other = makers.sketch()
    other.pk, other.slug, other.position = uuid4(), "other", 1
    other.save(force_insert=True)
    assert ask(secret).model.slug == "sketch"
    with pytest.raises(refusals.UnknownModel, match="There are: sketch"):
        ask(secret, model="other")


def test_one_press_of_one_guest_is_never_another_guests(artist: Actor):
    secret, once = makers.lent(artist), uuid4()
    first = ask(secret, "one", once=once)
    assert ask(secret, "one", once=once) == first
    assert ask(secret, "two", once=once) != first
    assert makers.queued(artist, once=once).guest_pass is None


# ---------------------------------------------------------------- the database's word


def test_the_database_counts_again(artist: Actor, stranger: Actor):
    """Whatever a rule forgets: no more than was lent, of the lender's allowance alone, while the pass is in force."""
    secret = makers.lent(artist, generations=1, credits=1)
    guest = makers.visitor(secret)

    def straight_in(by: Actor) -> None:
        with atomic():
            made = makers.queued(by)
            Generation.objects.filter(pk=made.pk).update(once=None)
            copy = Generation.objects.get(pk=made.pk)
            copy.pk, copy.guest_clip = uuid4(), uuid4()
            copy.guest_pass, copy.guest, copy.guest_address = row, guest.visitor, guest.visitor_address
            copy.save(force_insert=True)

    row = row_of(secret)
    with pytest.raises(IntegrityError, match="another artist's"):
        straight_in(stranger)
    with pytest.raises(IntegrityError, match="is used up"):
        straight_in(guest)
    guest_passes.revoke(row, by=artist)
    with pytest.raises(IntegrityError, match="is over"):
        straight_in(artist)


@pytest.mark.parametrize("column", ["guest_pass", "guest", "guest_address", "guest_clip"])
def test_whose_it_is_stays(artist: Actor, column: str):
    generation = ask(makers.lent(artist))
    with pytest.raises(IntegrityError, match="append-only"), atomic():
        Generation.objects.filter(pk=generation.pk).update(**{column: None})


# ---------------------------------------------------------------- taken back


def test_taking_it_back_cancels_what_waits_and_gives_the_credits_back(artist: Actor):
    secret = makers.lent(artist)
    waiting, kept, own = ask(secret), makers.drawn(ask(secret)), makers.queued(artist)
    guests.revoke(row_of(secret), by=artist)
    assert {row.pk: row.state for row in Generation.objects.all()} == {
        waiting.pk: "cancelled",
        kept.pk: "completed",
        own.pk: "queued",
    }
    allowance = allowances.current(artist.membership)  # type: ignore[arg-type]
    assert (allowance.held, allowance.spent) == (1, 1)


def test_taking_it_back_stops_what_is_drawn_at_its_next_step(
    artist: Actor, at: dict[int, Callable[[], Any]], draw: Callable[[], Any], settings: Any
):
    settings.LEASE_SECONDS = 3600  # the thread that renews it sees nothing of a test's transaction
    secret = makers.lent(artist)
    generation = ask(secret, steps=6)
    at[2] = lambda: guests.revoke(GuestPass.objects.select_related("membership").get(), by=artist)
    draw()
    generation.refresh_from_db()
    assert generation.state == "cancelled"
    assert Watched.seen == [1, 2], "not one step more"
    assert not Output.objects.exists()
    assert allowances.current(artist.membership).free == 20  # type: ignore[arg-type]


def test_nothing_slips_through_while_it_is_taken_back(at_once: Callable[..., list[Any]]):
    for _ in range(3):
        artist = makers.artist(credits=100)
        secret = makers.lent(artist, generations=100, credits=100)
        actors_ = [makers.visitor(secret, f"guest {n}") for n in range(12)]
        row = row_of(secret)
        asks = [partial(makers.queued, guest) for guest in actors_]
        answers = at_once(*asks[:6], partial(guests.revoke, row, by=artist), *asks[6:])
        wrong = [a for a in answers if not isinstance(a, (Generation, refusals.GuestPassRevoked, type(None)))]
        assert wrong == []
        assert not Generation.objects.exclude(state="cancelled").exists()
        assert not Allowance.objects.exclude(held=0).exists()


def test_taking_back_while_it_is_drawn_and_cancelled_ends_each_once(at_once: Callable[..., list[Any]]):
    """No deadlock between the pass, a generation and the allowance, in whatever order they are locked."""
    artist = makers.artist(credits=100)
    secret = makers.lent(artist, generations=100, credits=100)
    made = [ask(secret, f"guest {n}") for n in range(6)]
    claimed = [scheduling.claim("default", worker="w") for _ in range(3)]
    row = row_of(secret)
    answers = at_once(
        *[partial(finish, generation) for generation in claimed],
        *[partial(generations.cancel, generation, by=artist) for generation in made],
        partial(guests.revoke, row, by=artist),
        worker.sweep,
    )
    assert all(answer is None or isinstance(answer, (set, refusals.WrongState)) for answer in answers), answers
    assert not Generation.objects.exclude(state__in=Generation.ENDED).exists()
    spent = Generation.objects.filter(state="completed").count()
    allowance = Allowance.objects.get()
    assert (allowance.held, allowance.spent) == (0, spent)


def test_the_sweep_finds_what_a_crash_left_over(artist: Actor):
    secret = makers.lent(artist)
    left_over = ask(secret)
    guest_passes.revoke(row_of(secret), by=artist)  # and then the process died
    worker.sweep()
    left_over.refresh_from_db()
    assert left_over.state == "cancelled"
    assert allowances.current(artist.membership).free == 20  # type: ignore[arg-type]


# ---------------------------------------------------------------- brakes


@pytest.mark.parametrize("scope", ["guest_pass", "token"])
def test_a_brake_on_a_pass_or_on_the_token_that_lent_it_closes_it_and_cancels_what_waits(artist: Actor, scope: str):
    token, _ = tokens.issue(by=artist, label="x", scopes=["generate"])
    secret = makers.lent(Actor("token", user=artist.user, token=token))
    waiting, other = ask(secret), makers.queued(artist)
    made, guest = makers.drawn(ask(secret)), makers.visitor(secret)
    target = row_of(secret).pk if scope == "guest_pass" else token.pk
    brake = brakes.pull(scope, target, by=actors.SYSTEM, label="it", reason="It went round a forum")
    with pytest.raises(refusals.GuestPassPaused) as refused:
        guest_passes.find(secret)
    assert "forum" not in refused.value.sentence
    with pytest.raises(refusals.Braked):
        makers.queued(guest)  # who had come in before
    assert scheduling.claim("default", worker="w") == other
    worker.sweep()
    waiting.refresh_from_db()
    assert (waiting.state, waiting.error_code) == ("cancelled", "braked")
    brakes.release(brake, by=actors.SYSTEM)
    assert opened(makers.visitor(secret), made)


def test_a_brake_on_the_artist_holds_their_guests_too(artist: Actor):
    secret = makers.lent(artist)
    waiting = ask(secret)
    brake = brakes.pull("artist", artist.user.pk, by=actors.SYSTEM, label="her", reason="x")  # type: ignore[union-attr]
    with pytest.raises(refusals.Braked):
        ask(secret)
    assert scheduling.claim("default", worker="w") is None
    brakes.release(brake, by=actors.SYSTEM)
    assert scheduling.claim("default", worker="w") == waiting


def test_a_brake_stops_what_a_guest_has_running_at_its_next_step(
    artist: Actor, at: dict[int, Callable[[], Any]], draw: Callable[[], Any], settings: Any
):
    settings.LEASE_SECONDS = 3600
    secret = makers.lent(artist)
    generation = ask(secret, steps=6)
    row = row_of(secret)
    at[2] = lambda: brakes.pull("guest_pass", row.pk, by=actors.SYSTEM, label="it", reason="x")
    draw()
    generation.refresh_from_db()
    assert (generation.state, generation.error_code) == ("cancelled", "braked")
    assert Watched.seen == [1, 2]


# ---------------------------------------------------------------- their bytes


def opened(guest: Actor, generation: Generation, purpose: Any = "guest's result", kind: str = "video") -> bool:
    assert guest.guest_pass is not None
    clip = generation.guest_clip or uuid4()
    try:
        media.open_for(
            guest,
            purpose,
            generation.outputs.filter(kind=kind).first(),
            under=Generation.objects.of_guest(guest.guest_pass, clip),
        ).file.close()
    except refusals.NotFound:
        return False
    return True


def test_a_guests_file_opens_for_a_guest_of_the_pass_by_its_own_address_alone(artist: Actor):
    secret, other = makers.lent(artist), makers.lent(artist)
    made, own = makers.drawn(ask(secret)), makers.completed(artist)
    guest, elsewhere = makers.visitor(secret), makers.visitor(other)
    assert opened(guest, made) and opened(guest, made, kind="poster")
    assert not opened(guest, made, kind="sheet")
    assert not opened(elsewhere, made)
    assert not opened(guest, own)
    for purpose in ("own work", "review"):
        assert not opened(guest, made, purpose)
    with pytest.raises(refusals.NotFound):
        media.open_for(guest, "guest's result", made.outputs.get(kind="video"))
    with pytest.raises(refusals.NotFound):
        wrong = Generation.objects.of_guest(row_of(secret), uuid4())
        media.open_for(guest, "guest's result", made.outputs.get(kind="video"), under=wrong)


def test_a_download_is_the_artists_switch_and_an_end_is_an_end(artist: Actor):
    secret = makers.lent(artist)
    made, guest = makers.drawn(ask(secret)), makers.visitor(secret)
    assert not opened(guest, made, "guest's download")
    guest_passes.allow_downloads(row_of(secret), True, by=artist)
    assert opened(makers.visitor(secret), made, "guest's download")
    guests.revoke(row_of(secret), by=artist)
    assert not opened(guest, made)  # who was let in a moment ago
    assert not opened(guest, made, "guest's download")
    media.open_for(artist, "own work", made.outputs.get(kind="video")).file.close()
