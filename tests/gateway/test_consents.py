"""What artists allow their works to be used for: nothing unless they say so, and no row is ever changed."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.db.models import F
from django.db.models.functions import Now
from django.db.transaction import atomic
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway import audit, consents, refusals
from gateway.actors import NOBODY, Actor
from gateway.models import Consent, Token
from gateway.models.base import new_id
from tests import makers

pytestmark = pytest.mark.django_db


def over(row: Consent) -> None:
    """It ran out a moment ago. A test moves the row, not the clock, so the trigger that fixes it rests."""
    with atomic(), connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute("alter table gateway_consent disable trigger append_only")
        Consent.objects.update(created_at=F("created_at") - timedelta(days=2))  # all, so that their order stays
        Consent.objects.filter(pk=row.pk).update(expires_at=Now() - timedelta(seconds=1))
        cursor.execute("alter table gateway_consent enable trigger append_only")
        cursor.execute("set constraints all deferred")


def test_nothing_is_allowed_unless_somebody_says_so(artist: Actor):
    assert consents.given(artist.user) == consents.given(artist.user, new_id()) == frozenset()


def test_a_yes_holds_for_all_works_and_ends_with_a_no(artist: Actor, stranger: Actor):
    row = consents.grant("train", by=artist)
    assert consents.given(artist.user) == consents.given(artist.user, new_id()) == {"train"}
    assert consents.given(stranger.user) == frozenset()
    assert consents.grant("train", by=artist) == row, "the same again is no new row"
    receipt = consents.revoke("train", by=artist, reach={"stopped": 2})
    assert consents.given(artist.user) == frozenset()
    assert consents.revoke("train", by=artist) == receipt, "nor is a second revocation"
    assert Consent.objects.count() == 2
    (given_entry,), (revoked,) = audit.of(row), audit.of(receipt)
    assert (given_entry.action, revoked.action) == ("consent.given", "consent.revoked")
    assert json.loads(bytes(revoked.body))["facts"] == {"purpose": "train", "text": 1, "stopped": 2}


@pytest.mark.parametrize("for_all", [None, "given", "revoked"])
@pytest.mark.parametrize("own", [None, "given", "revoked"])
def test_a_work_s_own_answer_beats_the_answer_for_all(artist: Actor, for_all: str | None, own: str | None):
    work, other = new_id(), new_id()
    if for_all:
        consents.grant("study", by=artist)
    if own:
        (consents.grant if own == "given" else consents.revoke)("study", by=artist, work=work)
    if for_all == "revoked":
        consents.revoke("study", by=artist)
    assert ("study" in consents.given(artist.user, work)) == ((own or for_all) == "given")
    assert ("study" in consents.given(artist.user, other)) == (for_all == "given")
    both = consents.given(artist.user, work, other)
    assert both == consents.given(artist.user, work) & consents.given(artist.user, other)


def test_an_answer_that_ran_out_is_none(artist: Actor):
    work = new_id()
    in_a_day = datetime.now(UTC) + timedelta(days=1)
    consents.grant("exhibit", by=artist)
    over(consents.grant("exhibit", by=artist, work=work, expires_at=in_a_day))
    assert consents.given(artist.user, work) == {"exhibit"}, "it follows the answer for all again"
    over(consents.grant("exhibit", by=artist, expires_at=in_a_day))
    assert consents.given(artist.user, work) == frozenset()


def test_what_can_t_be_said_is_refused(artist: Actor):
    with pytest.raises(refusals.EndsInThePast):
        consents.grant("train", by=artist, expires_at=datetime.now(UTC) - timedelta(hours=1))
    with pytest.raises(refusals.NothingToTakeBack):
        consents.revoke("train", by=artist)
    token = Actor("token", user=artist.user, token=Token(user=artist.user, scopes=["generate", "submit"]))
    for rule in (consents.grant, consents.revoke):
        with pytest.raises(refusals.UnknownPurpose, match="promote, train, exhibit, study"):
            rule("resell", by=artist)
        with pytest.raises(refusals.SignInFirst):
            rule("train", by=NOBODY)
        with pytest.raises(refusals.MissingScope):
            rule("train", by=token)
    assert not Consent.objects.exists()


@pytest.mark.parametrize("statement", ["update gateway_consent set answer = 'given'", "delete from gateway_consent"])
def test_an_answer_is_never_rewritten(artist: Actor, statement: str):
    consents.grant("train", by=artist)
    with pytest.raises(DatabaseError, match="append-only"), atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize(
    "wrong",
    [
        {"purpose": "resell"},
        {"answer": "maybe"},
        {"text_version": 0},
        {"answer": "revoked", "expires_at": datetime(2999, 1, 1, tzinfo=UTC)},
    ],
)
def test_the_database_knows_the_answers(artist: Actor, wrong: dict[str, Any]):
    with pytest.raises(IntegrityError), atomic():
        Consent.objects.create(
            **{"user": artist.user, "purpose": "train", "answer": "given", "text_version": 1, **wrong}
        )


def test_every_purpose_has_its_words():
    assert set(consents.PURPOSES) == set(Consent.PURPOSES)
    assert all(purpose.text and purpose.stops and purpose.version >= 1 for purpose in consents.PURPOSES.values())


works = st.sampled_from([None, 0, 1])
said = st.lists(st.tuples(st.sampled_from(["grant", "revoke"]), st.sampled_from(Consent.PURPOSES), works), max_size=12)


@settings(max_examples=30, deadline=None)
@given(said)
def test_the_last_word_holds_in_any_order_of_things(words: list[tuple[str, str, int | None]]):
    artist, ids = makers.artist(), [new_id(), new_id()]
    last: dict[tuple[int | None, str], bool] = {}
    for verb, purpose, work in words:
        try:
            getattr(consents, verb)(purpose, by=artist, work=None if work is None else ids[work])
        except refusals.NothingToTakeBack:
            assert verb == "revoke" and (None, purpose) not in last and work is None
            continue
        last[work, purpose] = verb == "grant"
    for n, pk in enumerate(ids):
        expected = {p for p in Consent.PURPOSES if last.get((n, p), last.get((None, p), False))}
        assert consents.given(artist.user, pk) == expected


def test_of_many_words_at_once_the_latest_row_is_what_holds(at_once: Callable[..., list[Any]]):
    artist = makers.artist()
    consents.grant("train", by=artist)
    verbs = [consents.revoke, consents.grant] * 4
    assert all(isinstance(row, Consent) for row in at_once(*[partial(verb, "train", by=artist) for verb in verbs]))
    rows = list(Consent.objects.order_by("created_at", "id"))
    answers = [row.answer for row in rows]
    assert all(one != two for one, two in pairwise(answers)), "each changed something"
    assert ("train" in consents.given(artist.user)) == (answers[-1] == "given")
