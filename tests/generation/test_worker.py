"""Claim, draw, keep, finish; and what happens when something dies. The engine and the model are real."""

import hashlib
import json
import logging
import threading
import time
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.db import OperationalError, connection
from django.db.models.functions import Now
from django.db.transaction import on_commit

from gateway import allowances, audit, logs, members, refusals, webhooks
from gateway.models import LedgerEntry, WebhookEvent
from generation import engines, generations, keeping, worker
from generation.models import Generation, ModelProfile, Output
from tests import makers
from tests.generation.places import positions
from tests.generation.watched import Watched

pytestmark = pytest.mark.django_db


def stored() -> list[str]:
    try:
        return default_storage.listdir("outputs")[0]
    except FileNotFoundError:
        return []


def kept_files() -> int:
    return sum(
        len(default_storage.listdir(f"outputs/{generation}/{attempt}")[1])
        for generation in stored()
        for attempt in default_storage.listdir(f"outputs/{generation}")[0]
    )


def test_a_prompt_becomes_an_mp4_and_is_charged_once(transactional_db, artist, draw):
    generation = makers.queued(artist, seconds=1, steps=4, seed=5)
    assert draw() == generation
    generation.refresh_from_db()
    assert (generation.state, generation.step, generation.percent) == ("completed", 4, 100)
    outputs = {output.kind: output for output in generation.outputs.all()}
    assert set(outputs) == set(Output.KINDS)
    for output in outputs.values():
        data = default_storage.open(output.path).read()
        assert hashlib.sha256(data).hexdigest() == output.sha256 and len(data) == output.size
    assert (outputs["video"].width, outputs["video"].frames) == (256, 9)
    allowance = allowances.current(artist.membership)
    assert (allowance.held, allowance.spent) == (0, 1)


def test_programs_hear_of_a_clip_that_is_ready_and_of_one_that_will_not_be(transactional_db, artist, draw):
    webhooks.create(by=artist, url="https://example.org/hooks")
    ready, cancelled = makers.queued(artist, steps=1), makers.queued(artist)
    generations.cancel(cancelled, by=artist)
    draw()
    heard = list(WebhookEvent.objects.order_by("id").values_list("type", "subject", "user"))
    assert heard == [
        ("video.failed", f"video_{cancelled.pk.hex}", artist.user.pk),
        ("video.completed", f"video_{ready.pk.hex}", artist.user.pk),
    ]


def test_what_the_engine_noticed_is_kept_beside_what_was_known_before(transactional_db, artist, draw):
    """Twenty-two words pass, but with their commas they are more signs than the model reads."""
    generation = makers.queued(artist, "a kiln, " * 11, steps=1)
    draw()
    generation.refresh_from_db()
    assert generation.notes == [
        "This model does not know: kiln.",
        "This model reads the first 23 tokens of a prompt, so it did not read: “, a kiln, a kiln, a kiln,”.",
    ]


def test_the_same_seed_draws_the_same_clip(transactional_db, artist, draw):
    for seed in (5, 5, 6):
        makers.queued(artist, seconds=1, steps=2, seed=seed)
        draw()
    first, second, other = Output.objects.filter(kind="video").order_by("id").values_list("sha256", flat=True)
    assert first == second != other


def test_a_failure_says_why_and_gives_the_credits_back(artist, draw, settings, tmp_path):
    generation = makers.queued(artist)
    makers.damaged(tmp_path)
    settings.SHIPPED_MODELS_DIR = settings.MODELS_DIR = tmp_path
    draw()
    generation.refresh_from_db()
    assert (generation.state, generation.error_code) == ("failed", "model_missing")
    assert generation.error_message.endswith("Your credits are back.")
    assert allowances.current(artist.membership).free == 20
    assert not stored()


def test_what_this_machine_has_no_files_for_waits_for_one_that_has(transactional_db, artist, draw, settings, tmp_path):
    generation = makers.queued(artist, seconds=1, steps=2)
    shipped, settings.SHIPPED_MODELS_DIR, settings.MODELS_DIR = settings.SHIPPED_MODELS_DIR, tmp_path, tmp_path
    assert draw() is None
    settings.SHIPPED_MODELS_DIR = shipped
    ModelProfile.objects.filter(slug="sketch").update(revision="0123456789ab")
    assert draw() is None, "of another revision"
    generation.refresh_from_db()
    assert (generation.state, generation.fence) == ("queued", 0)
    ModelProfile.objects.filter(slug="sketch").update(revision="")
    assert draw() == generation
    generation.refresh_from_db()
    assert generation.state == "completed"


def test_a_late_finisher_writes_and_charges_nothing(transactional_db, artist, draw, monkeypatch):
    generation = makers.queued(artist, seconds=1, steps=3)
    real = keeping._finish

    def overtaken(*args):
        Generation.objects.filter(pk=generation.pk).update(fence=7)  # another worker has begun it
        real(*args)

    monkeypatch.setattr(keeping, "_finish", overtaken)
    draw()
    generation.refresh_from_db()
    assert generation.state == "in_progress"
    assert not Output.objects.exists() and kept_files() == 0
    assert not LedgerEntry.objects.filter(kind="settle").exists()


def test_cancelling_stops_the_run_within_a_step(transactional_db, draw):
    artist = makers.artist()
    makers.queued(artist, seconds=1, steps=1)
    draw()  # the model is warm
    generation = makers.queued(artist, seconds=2, steps=50)
    thread = threading.Thread(target=lambda: (draw(), connection.close()))
    thread.start()
    until = time.monotonic() + 60
    while Generation.objects.get(pk=generation.pk).step < 3 and time.monotonic() < until:
        time.sleep(0.02)
    found = Generation.objects.get(pk=generation.pk)
    generations.cancel(found, by=artist)
    thread.join(timeout=60)
    assert not thread.is_alive()
    found.refresh_from_db()
    assert found.state == "cancelled" and found.step < 49
    assert not found.outputs.exists()
    assert allowances.current(artist.membership).free == 19


def test_what_a_dead_worker_held_is_begun_again_and_fails_in_the_end(artist, settings):
    generation = makers.queued(artist)
    for attempt in range(1, settings.ATTEMPTS + 1):
        assert worker.scheduling.claim("default", worker="gpu@dead").fence == attempt
        assert worker.sweep() == set()  # the lease is good
        Generation.objects.update(lease_until=Now())
        worker.sweep()
    generation.refresh_from_db()
    assert (generation.state, generation.error_code) == ("failed", "worker_lost")
    assert allowances.current(artist.membership).free == 20
    assert worker.sweep() == set()


def test_two_sweeps_return_it_once(at_once, transactional_db):
    makers.queued(makers.artist())
    worker.scheduling.claim("default", worker="gpu@dead")
    Generation.objects.update(lease_until=Now())
    assert at_once(worker.sweep, worker.sweep) == [{"default"}, {"default"}]
    assert Generation.objects.get().state == "queued"
    assert LedgerEntry.objects.filter(kind="give_back").count() == 0


def closings(generation) -> list[str]:
    """How its credits ended, each time that they did."""
    return list(
        LedgerEntry.objects.filter(subject=generation.pk, kind__in=["settle", "give_back"]).values_list(
            "kind", flat=True
        )
    )


def raising(error: Exception):
    def act() -> None:
        raise error

    return act


@pytest.fixture
def long_lease(settings):
    """So long that no heartbeat falls into the test's one transaction, which another connection can't see."""
    settings.LEASE_SECONDS = 600


# ---------------------------------------------------------------- what happens beside a run


def test_every_step_of_a_run_is_recorded_from_claim_to_end(long_lease, artist, draw, at):
    generation = makers.queued(artist, seconds=1, steps=3)
    written = []
    for step in (1, 2, 3):
        at[step] = lambda: written.append(Generation.objects.get().step)
    draw()
    generation.refresh_from_db()
    assert Watched.seen == [1, 2, 3]
    assert written == sorted(written)
    assert (generation.state, generation.step, generation.lease_until, generation.fence) == ("completed", 3, None, 1)
    actions = [entry.action for entry in audit.of(generation)]
    assert actions == ["generation.queued", "generation.in_progress", "generation.completed"]


def test_who_lost_the_lease_stops_at_that_step_and_leaves_nothing(long_lease, artist, draw, at):
    generation = makers.queued(artist, seconds=1, steps=5)
    at[2] = lambda: Generation.objects.update(fence=7, worker="gpu@other")  # another has begun it
    draw()
    generation.refresh_from_db()
    assert Watched.seen == [1, 2], "not one step more"
    assert (generation.state, generation.fence, generation.worker) == ("in_progress", 7, "gpu@other")
    assert (closings(generation), Output.objects.count(), kept_files()) == ([], 0, 0)


def test_a_cancelled_run_stops_at_that_step_and_gives_back_once(long_lease, artist, draw, at):
    generation = makers.queued(artist, seconds=1, steps=5)
    at[3] = lambda: generations.cancel(Generation.objects.get(), by=artist)
    draw()
    generation.refresh_from_db()
    assert Watched.seen == [1, 2, 3]
    assert generation.state == "cancelled"
    assert (closings(generation), Output.objects.count(), kept_files()) == (["give_back"], 0, 0)
    makers.queued(artist, seconds=1, steps=2, seed=5)
    assert draw().model.slug == "sketch", "and the worker goes on"
    assert Generation.objects.filter(state="completed").count() == 1


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (
            engines.OutOfMemory("This clip does not fit."),
            "out_of_memory",
            "This clip does not fit. Your credits are back.",
        ),
        (engines.WrongOutput("It broke down."), "wrong_output", "It broke down. Your credits are back."),
        (RuntimeError("secret path /srv/x"), "internal_error", "Something broke here while drawing."),
    ],
)
def test_what_goes_wrong_is_told_in_a_sentence_and_costs_nothing(long_lease, artist, draw, at, error, code, words):
    generation = makers.queued(artist, seconds=1, steps=3)
    at[2] = raising(error)
    draw()
    generation.refresh_from_db()
    assert (generation.state, generation.error_code) == ("failed", code)
    assert generation.error_message.startswith(words)
    assert "secret" not in generation.error_message
    assert (closings(generation), kept_files()) == (["give_back"], 0)
    assert [entry.action for entry in audit.of(generation)][-1] == "generation.failed"


def test_what_a_worker_logs_names_the_generation_that_it_is_about(long_lease, artist, draw, at):
    generation, lines = makers.queued(artist, seconds=1, steps=2), []
    handler = logging.StreamHandler()
    handler.emit = lambda record: lines.append(json.loads(logs.Lines().format(record)))
    at[1] = raising(RuntimeError("x"))
    logging.getLogger().addHandler(handler)
    try:
        draw()
    finally:
        logging.getLogger().removeHandler(handler)
    ours = [line for line in lines if line["logger"] == "generation.worker"]
    assert [line["generation"] for line in ours] == [str(generation.pk)]
    assert logs.subject.get() is None


def test_who_fails_too_late_does_not_take_the_next_attempt_along(long_lease, artist, draw, at):
    """Its lease ran out and the sweep has put the row back in line: that it failed then is nobody's business any more."""
    generation = makers.queued(artist, seconds=1, steps=3)

    def too_late() -> None:
        Generation.objects.update(lease_until=Now())
        worker.sweep()
        raise engines.OutOfMemory("This clip does not fit.")

    at[2] = too_late
    draw()
    generation.refresh_from_db()
    assert generation.state == "queued"
    assert (closings(generation), generation.error_code) == ([], "")


def test_who_finishes_after_the_sweep_publishes_and_charges_nothing(long_lease, artist, draw, at):
    generation = makers.queued(artist, seconds=1, steps=2)

    def slept() -> None:
        Generation.objects.update(lease_until=Now())
        worker.sweep()

    at[2] = slept
    draw()
    generation.refresh_from_db()
    assert generation.state == "queued"
    assert (closings(generation), Output.objects.count(), kept_files()) == ([], 0, 0)


# ---------------------------------------------------------------- when the database has the last word


def test_a_lease_is_held_however_long_a_step_takes(transactional_db, settings, draw, at):
    settings.LEASE_SECONDS = 1
    generation = makers.queued(makers.artist(), seconds=1, steps=2)
    swept = []

    def long_step() -> None:
        time.sleep(1.6)
        swept.append(worker.sweep())

    at[1] = long_step
    draw()
    generation.refresh_from_db()
    assert (swept, generation.state, generation.fence) == ([set()], "completed", 1)


def test_a_finish_whose_answer_got_lost_is_a_finish(transactional_db, draw, at):
    """The database committed, and then the connection broke: tried again, the worker finds its own work done."""
    artist = makers.artist()
    generation = makers.queued(artist, seconds=1, steps=1)
    broken = []

    def break_after_commit(execute, sql, params, many, context):
        if sql.startswith('INSERT INTO "generation_output"') and not broken:
            broken.append(sql)
            on_commit(raising(OperationalError("server closed the connection unexpectedly")))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(break_after_commit):
        draw()
    generation.refresh_from_db()
    assert broken
    assert generation.state == "completed"
    assert closings(generation) == ["settle"]
    for output in generation.outputs.all():
        assert default_storage.exists(output.path), "the artist paid for a clip that is gone"
    assert generation.outputs.count() == 3


def test_what_the_database_will_never_take_fails_and_does_not_hold_the_worker(transactional_db, draw):
    artist = makers.artist()
    generation = makers.queued(artist, seconds=1, steps=1)
    Output.objects.create(
        generation=generation, kind="sheet", path="outputs/in-the-way", media_type="image/webp",
        sha256="0" * 64, size=1, width=1, height=1,
    )  # fmt: skip
    thread = threading.Thread(target=lambda: (draw(), connection.close()))
    thread.start()
    thread.join(timeout=12)
    held = thread.is_alive()
    if held:
        Generation.objects.update(fence=9)  # lets go of it, so that the tests after this one are left alone
        thread.join(timeout=20)
    assert not held
    generation.refresh_from_db()
    assert (generation.state, generation.error_code) == ("failed", "internal_error")
    assert (closings(generation), kept_files()) == (["give_back"], 0)


def test_one_cancels_while_the_worker_finishes_and_one_of_both_happens(transactional_db, at_once, draw):
    artist = makers.artist()

    def cancel() -> str:
        while (found := Generation.objects.get(pk=generation.pk)).step < 1:
            time.sleep(0.01)
        try:
            generations.cancel(found, by=artist)
        except refusals.WrongState:
            return "too late"
        return "cancelled"

    for _ in range(3):
        generation = makers.queued(artist, seconds=1, steps=1)
        _, said = at_once(draw, cancel)
        generation.refresh_from_db()
        assert generation.state == ("cancelled" if said == "cancelled" else "completed")
        assert closings(generation) == [{"cancelled": "give_back", "completed": "settle"}[generation.state]]
        assert generation.outputs.count() == (3 if generation.state == "completed" else 0)
    assert kept_files() == Output.objects.count()
    assert allowances.current(artist.membership).held == 0


# ---------------------------------------------------------------- the sweep


def test_the_sweep_says_which_pools_wait_and_leaves_good_leases_alone(artist, stranger):
    drawn, waiting = makers.queued(artist), makers.queued(stranger)
    assert worker.scheduling.claim("default", worker="gpu@test") == drawn
    assert worker.sweep() == {"default"}
    drawn.refresh_from_db()
    waiting.refresh_from_db()
    assert (drawn.state, waiting.state) == ("in_progress", "queued")


def test_a_generation_that_is_begun_again_keeps_its_place_and_its_credits(artist):
    generation = makers.queued(artist)
    worker.scheduling.claim("default", worker="gpu@dead")
    Generation.objects.update(lease_until=Now())
    worker.sweep()
    generation.refresh_from_db()
    assert (generation.state, generation.step, generation.worker, generation.lease_until) == ("queued", 0, "", None)
    assert allowances.current(artist.membership).held == generation.credits
    again = worker.scheduling.claim("default", worker="gpu@alive")
    assert (again, again.fence) == (generation, 2)


def test_what_an_artist_who_left_was_waiting_for_is_cancelled_and_given_back_once(artist, stranger, admin):
    membership = artist.membership
    waits, runs, other = makers.queued(artist), makers.queued(artist), makers.queued(stranger)
    Generation.objects.filter(pk=runs.pk).update(
        state="in_progress", fence=1, started_at=Now(), lease_until=Now() + timedelta(minutes=1)
    )
    members.suspend(membership, by=admin, reason="A question.")
    worker.sweep()
    waits.refresh_from_db()
    assert waits.state == "queued", "whoever is suspended may be back soon"
    members.end(membership, by=admin, reason="The year is over.")
    assert worker.sweep() == {"default"}
    worker.sweep()
    states = dict(Generation.objects.values_list("pk", "state"))
    assert states == {waits.pk: "cancelled", runs.pk: "cancelled", other.pk: "queued"}
    assert closings(waits) == closings(runs) == ["give_back"]
    assert allowances.current(membership).held == 0


def test_who_leaves_while_it_is_drawn_stops_it_at_that_step(long_lease, artist, draw, at):
    generation = makers.queued(artist, seconds=1, steps=4)

    def go() -> None:
        members.leave(by=artist)
        worker.sweep()

    at[2] = go
    draw()
    generation.refresh_from_db()
    assert Watched.seen == [1, 2]
    assert (generation.state, closings(generation), kept_files()) == ("cancelled", ["give_back"], 0)


# ---------------------------------------------------------------- not begun in time


def late(generation) -> None:
    """The moment that its artist set has come."""
    Generation.objects.filter(pk=generation.pk).update(cancel_after=Now())


def test_what_has_not_begun_in_time_is_cancelled_with_a_reason_and_gives_back(artist):
    generation = makers.queued(artist, cancel_after=timedelta(hours=1))
    other = makers.queued(artist)
    worker.sweep()
    assert Generation.objects.get(pk=generation.pk).state == "queued"
    late(generation)
    worker.sweep()
    generation.refresh_from_db()
    assert (generation.state, generation.error_code) == ("cancelled", "expired")
    assert generation.error_message.startswith("No machine was free for it by ")
    assert generation.error_message.endswith("as you had asked. Your credits are back.")
    assert closings(generation) == ["give_back"]
    assert allowances.current(artist.membership).held == other.credits
    assert audit.of(generation).last().action == "generation.cancelled"


def test_a_worker_does_not_begin_what_is_late_before_the_sweep_comes_by(artist):
    generation = makers.queued(artist, cancel_after=timedelta(hours=1))
    late(generation)
    assert positions("default", Generation.objects.all()) == {}
    assert worker.scheduling.claim("default", worker="gpu@test") is None


def test_what_was_begun_in_time_is_drawn_to_its_end(artist):
    generation = makers.queued(artist, cancel_after=timedelta(hours=1))
    assert worker.scheduling.claim("default", worker="gpu@test") == generation
    late(generation)
    worker.sweep()
    assert Generation.objects.get().state == "in_progress"


def test_a_sweep_and_a_claim_at_the_moment_itself_and_one_of_them_has_it(at_once, transactional_db):
    artist = makers.artist()
    for _ in range(5):
        generation = makers.queued(artist, cancel_after=timedelta(hours=1))
        Generation.objects.filter(pk=generation.pk).update(cancel_after=Now() + timedelta(milliseconds=5))
        answers = at_once(worker.sweep, lambda: worker.scheduling.claim("default", worker="gpu@test"))
        assert not [answer for answer in answers if isinstance(answer, Exception)]
        worker.sweep()
        generation.refresh_from_db()
        begun = answers[1] is not None
        assert (generation.state, closings(generation)) == (
            ("in_progress", []) if begun else ("cancelled", ["give_back"])
        )
        Generation.objects.filter(pk=generation.pk, state="in_progress").update(lease_until=Now() + timedelta(hours=1))
