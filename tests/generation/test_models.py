"""Rules behind the tables: a generation goes its way, its file stays, and credits follow its end."""

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import actors, allowances, states
from gateway.actors import Actor
from gateway.models import LedgerEntry
from gateway.models.base import new_id
from generation import generations
from generation.models import Generation, ModelProfile, Output
from tests import makers

pytestmark = pytest.mark.django_db


def sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def commit() -> None:
    """What the database asks at the end of a transaction, asked now."""
    sql("set constraints all immediate")
    sql("set constraints all deferred")


def begun(by: Actor, **asked: Any) -> Generation:
    generation = makers.queued(by, **asked)
    states.move(generation, "in_progress", by=actors.worker("w"), fence=1, lease_until=Now(), started_at=Now())
    commit()
    return generation


# ---------------------------------------------------------------- what a model knows


@pytest.mark.parametrize(
    "wrong", [{"red": 1}, ["red"], [{"kind": "colour"}], [{"kind": "colour", "words": [1]}], "red"]
)
def test_a_vocabulary_of_another_shape_is_refused_where_an_admin_types_it(wrong: Any):
    profile = makers.sketch()
    profile.vocabulary = wrong
    with pytest.raises(ValidationError, match="a list of kinds, each with its words"):
        profile.full_clean()


def test_a_model_without_a_vocabulary_knows_every_word():
    profile = makers.sketch()
    assert profile.strange("a red Kiln, a kiln and an orange") == ["Kiln", "kiln", "and"]
    profile.vocabulary = []
    profile.full_clean()
    assert profile.strange("a kiln") == []


def test_a_gateway_founded_with_the_untrained_model_tells_what_it_draws_with_now():
    learned = import_module("generation.migrations.0004_sketch_trained").learned
    profile = makers.sketch()
    ModelProfile.objects.update(revision="untrained-1", note="It draws noise.", vocabulary=[], credits_per_second=7)
    learned(apps, None)
    found = ModelProfile.objects.get(slug="sketch")
    assert (found.revision, found.note, found.vocabulary) == (profile.revision, profile.note, profile.vocabulary)
    assert found.credits_per_second == 7, "the admin's own"
    ModelProfile.objects.update(revision="an admin's", note="")
    learned(apps, None)
    assert ModelProfile.objects.get(slug="sketch").note == ""


# ---------------------------------------------------------------- credits follow the end


def test_a_generation_is_not_completed_without_its_charge(artist: Actor):
    generation = begun(artist)
    with pytest.raises(IntegrityError, match="completed but not charged"), atomic():
        states.move(generation, "completed", by=actors.SYSTEM, ended_at=Now(), lease_until=None)
        Output.objects.bulk_create(makers.media.keep(generation, makers._files()))
        commit()
    assert Generation.objects.get().state == "in_progress"


def test_a_generation_is_not_completed_without_its_video(artist: Actor):
    generation = begun(artist)
    with pytest.raises(IntegrityError, match="completed without a video"), atomic():
        states.move(generation, "completed", by=actors.SYSTEM, ended_at=Now(), lease_until=None)
        allowances.settle(generation.pk)
        commit()


@pytest.mark.parametrize("end", ["failed", "cancelled"])
@pytest.mark.parametrize("charged", [False, True])
def test_a_generation_does_not_end_in_vain_and_keep_its_credits(artist: Actor, end: str, charged: bool):
    generation = begun(artist)
    with pytest.raises(IntegrityError, match="has ended but keeps its credits"), atomic():
        states.move(generation, end, by=actors.SYSTEM, ended_at=Now(), lease_until=None, error_code="x")
        if charged:
            allowances.settle(generation.pk)
        commit()
    with atomic():
        states.move(generation, end, by=actors.SYSTEM, ended_at=Now(), lease_until=None, error_code="x")
        allowances.give_back(generation.pk)
        commit()
    assert allowances.current(generation.membership).free == 20


def test_a_generation_is_not_queued_without_credits_set_aside(artist: Actor):
    generation = makers.queued(artist)
    commit()
    generation.pk = new_id()
    generation._state.adding = True
    with pytest.raises(IntegrityError, match="was queued without credits"), atomic():
        generation.save(force_insert=True)
        commit()


# ---------------------------------------------------------------- what was asked for stays what was asked for


@pytest.mark.parametrize(
    "change",
    [
        "prompt = 'something else'", "seed = 1", "credits = 0", "steps = 1", "frames = 1", "width = 1", "height = 1",
        "seconds = 9", "fps = 1", "guidance = 0", "model_id = gen_random_uuid()", "membership_id = gen_random_uuid()",
    ],
)  # fmt: skip
def test_what_was_asked_for_is_never_rewritten(artist: Actor, change: str):
    makers.queued(artist)
    with pytest.raises(DatabaseError, match="append-only"), atomic():
        sql(f"update generation_generation set {change}")


def test_no_generation_is_deleted(artist: Actor):
    makers.queued(artist)
    with pytest.raises(DatabaseError, match="append-only"), atomic():
        sql("delete from generation_generation")


@pytest.mark.parametrize(
    "statement", ["update {} set path = 'else'", "update {} set sha256 = sha256", "delete from {}"]
)
def test_a_file_is_never_swapped(artist: Actor, statement: str):
    makers.completed(artist)
    with pytest.raises(DatabaseError, match="append-only"), atomic():
        sql(statement.format("generation_output"))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("state = 'in_progress'", "who_draws_holds_a_lease"),
        ("state = 'in_progress', lease_until = now(), started_at = now(), fence = 0", "who_draws_holds_a_lease"),
        ("state = 'cancelled'", "an_ended_generation_says_when"),
        ("ended_at = now()", "an_ended_generation_says_when"),
        ("state = 'failed', ended_at = now()", "a_failure_has_a_reason"),
        ("step = steps + 1", "no_step_after_the_last"),
    ],
)
def test_the_database_refuses_half_a_state(artist: Actor, change: str, rule: str):
    makers.queued(artist)
    with pytest.raises(IntegrityError, match=rule), atomic():
        sql(f"update generation_generation set {change}")


def test_a_generation_has_one_output_of_a_kind_and_no_path_is_used_twice(artist: Actor):
    generation = makers.completed(artist)
    output = generation.outputs.get(kind="video")
    for change in ({"path": "elsewhere"}, {"kind": "preview"}):
        copy = Output(**{field.attname: getattr(output, field.attname) for field in Output._meta.fields} | change)
        copy.pk = new_id()
        with pytest.raises(IntegrityError), atomic():
            copy.save(force_insert=True)


# ---------------------------------------------------------------- who sees what


def test_an_artist_sees_their_own_and_nobody_elses(artist: Actor, stranger: Actor, reviewer: Actor, admin: Actor):
    mine = makers.queued(artist)
    seen = {
        actor: list(Generation.objects.visible_to(actor))
        for actor in (artist, stranger, reviewer, admin, actors.NOBODY)
    }
    assert seen.pop(artist) == [mine]
    assert list(seen.values()) == [[], [], [], []]


def test_progress_is_not_whole_before_the_file_is_there(artist: Actor):
    generation = begun(artist)
    generation.step = generation.steps
    assert generation.percent == 99
    assert makers.completed(artist).percent == 100


def test_an_actual_end_moves_every_credit_once(artist: Actor):
    makers.completed(artist)
    generations.cancel(makers.queued(artist), by=artist)
    assert artist.membership is not None
    allowance = allowances.current(artist.membership)
    assert (allowance.held, allowance.spent, allowance.free) == (0, 1, 19)
    assert sorted(LedgerEntry.objects.values_list("kind", flat=True)) == [
        "give_back",
        "grant",
        "reserve",
        "reserve",
        "settle",
    ]
