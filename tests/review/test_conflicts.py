"""Who is kept away from whose works."""

import json
import re

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gateway import actors, refusals
from gateway.models import Entry, User
from review import conflicts, decisions, queue
from review.models import Conflict, Decision, Submission
from tests import makers

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("side", ["artist", "reviewer"])
def test_either_side_names_it_and_the_work_is_let_go(artist, reviewer, side):
    submission = makers.submitted(artist)
    queue.take(submission, by=reviewer)
    conflict = conflicts.name(reviewer.user, artist.user, by=artist if side == "artist" else reviewer)
    assert makers.seen(submission).holder is None
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=reviewer)
    with pytest.raises(IntegrityError, match="conflict of interest"), transaction.atomic():
        Decision.objects.create(
            revision_id=submission.current_id, reviewer=reviewer.user, role="sole", verdict="approve", decides=True,
            state_before="submitted", state_after="approved", effective_at=Now(),
        )  # fmt: skip
    conflicts.lift(conflict, by=artist if side == "artist" else reviewer)
    assert queue.take_next(by=reviewer) == submission


def test_the_same_studio_is_a_conflict(artist, reviewer):
    makers.submitted(artist)
    artist.user.studio, reviewer.user.studio = "Atelier Nord", "atelier nord"
    artist.user.save()
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=reviewer)
    reviewer.user.studio = "Another"
    assert queue.take_next(by=reviewer) == Submission.objects.get()


def test_who_undoes_an_answer_after_a_conflict_was_named_does_not_hold_the_work_again(artist, reviewer):
    submission = makers.submitted(artist)
    decision = makers.decided(submission, by=reviewer)
    conflicts.name(reviewer.user, artist.user, by=artist)
    decisions.undo(Decision.objects.select_related("revision__submission").get(pk=decision.pk), by=reviewer)
    assert (makers.seen(submission).state, makers.seen(submission).holder) == ("submitted", None)


def test_who_joins_a_studio_while_they_hold_its_work_decides_nothing(artist, reviewer):
    submission = makers.submitted(artist)
    queue.take(submission, by=reviewer)
    for user in (artist.user, reviewer.user):
        user.studio = "Atelier Nord"
        user.save()
    with pytest.raises(refusals.NotHeld):
        decisions.approve(makers.seen(submission), by=reviewer)


def test_nobody_reviews_what_a_guest_made_with_their_pass(artist):
    generation = makers.drawn(makers.queued(artist))
    makers.submitted(artist, generation)
    artist.user.is_reviewer = True
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=artist)


def test_a_stranger_names_nothing_and_each_side_lifts_only_its_own(artist, reviewer, stranger, admin):
    with pytest.raises(refusals.NotFound):
        conflicts.name(reviewer.user, artist.user, by=stranger)
    conflict = conflicts.name(reviewer.user, artist.user, by=admin)
    with pytest.raises(refusals.AlreadyNamed):
        conflicts.name(reviewer.user, artist.user, by=admin)
    with pytest.raises(refusals.NotFound):
        conflicts.lift(conflict, by=artist)
    conflicts.lift(conflicts.name_address(reviewer.user.email, by=artist), by=artist)
    makers.submitted(artist)
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=reviewer)


# ---------------------------------------------------------------- named by address


def judge(submission, reviewer):
    """Decide about it, however one got it."""
    return Decision.objects.create(
        revision_id=submission.current_id, reviewer=reviewer.user, role="sole", verdict="approve", decides=True,
        state_before="submitted", state_after="approved", effective_at=Now(),
    )  # fmt: skip


@pytest.mark.parametrize("side", ["artist", "reviewer"])
@pytest.mark.parametrize("comes_later", [False, True])
def test_an_address_is_kept_away_also_when_somebody_comes_with_it_later(artist, side, comes_later):
    """By the queue and by the database, whichever of the two named it."""
    here = makers.reviewer()
    if side == "artist":
        one, other = artist, makers.user("Later", is_reviewer=True)
    else:
        one, other = makers.reviewer(), makers.artist("Later").user
    address = other.email.upper()
    if comes_later:
        type(other).objects.filter(pk=other.pk).update(email="elsewhere@example.org")
    conflict = conflicts.name_address(address, by=one, as_reviewer=side == "reviewer")
    type(other).objects.filter(pk=other.pk).update(email=address.lower())
    other = actors.person(type(other).objects.get(pk=other.pk))
    work, reviewer = (makers.submitted(artist), other) if side == "artist" else (makers.submitted(other), one)
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=reviewer)
    with pytest.raises(IntegrityError, match="conflict of interest"), transaction.atomic():
        judge(work, reviewer)
    assert queue.waiting_for(here).count() == 1
    conflicts.lift(conflict, by=one)
    conflict.refresh_from_db()
    assert (conflict.email, queue.take_next(by=reviewer)) == ("", work)


def test_nothing_tells_whether_somebody_has_the_address(artist, reviewer, browser_of, client_of):
    """A reviewer, an artist, an admin and nobody: the same page, the same resource, the same entries of one's own."""
    browser, client = browser_of(artist), client_of(artist)
    seen = []
    for address in (reviewer.user.email, makers.artist().user.email, makers.admin().user.email, "no@example.org"):
        browser.post("/access/conflicts/name", {"email": address, "side": "artist"})
        page = browser.get("/access/conflicts").content.decode()
        again = client.post("/v1/conflicts", {"email": address}, format="json")
        assert client.get("/v1/conflicts").json()["data"] == [again.json()]
        entries = [json.loads(bytes(entry.body)) for entry in Entry.objects.filter(action="conflict.named")]
        told = json.dumps([page, again.json(), [entry["facts"] for entry in entries[-1:]]])
        seen.append(re.sub(r"[0-9a-f]{32}|nonce-?=\S+|value=\S+|[\w:.-]+Z", "*", told.replace(address, "*")))
        assert client.delete(f"/v1/conflicts/{again.json()['id']}").json()["deleted"] is True
    assert seen == seen[:1] * 4


def test_naming_again_is_naming_once_and_nobody_names_themselves_or_hundreds(artist, settings, monkeypatch):
    assert conflicts.name_address("a@example.org", by=artist) == conflicts.name_address("A@example.org ", by=artist)
    with pytest.raises(refusals.OwnAddress):
        conflicts.name_address(artist.user.email, by=artist)
    monkeypatch.setattr(conflicts, "MOST", 1)
    with pytest.raises(refusals.TooManyNamed):
        conflicts.name_address("b@example.org", by=artist)
    with pytest.raises(refusals.ReviewersOnly):
        conflicts.name_address("b@example.org", by=artist, as_reviewer=True)


def test_the_database_knows_a_conflict_without_two_only_by_an_address(artist, reviewer):
    for sides in ({}, {"artist": artist.user}, {"email": "a@example.org"}, {"reviewer": reviewer.user, "email": "a@x"}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Conflict.objects.create(named_by=artist.user, **sides)


def test_who_names_a_studio_lets_go_of_its_works(artist, reviewer, browser_of):
    makers.submitted(artist)
    conflicts.set_studio("Atelier  Nord", by=artist)
    queue.take_next(by=reviewer)
    answer = browser_of(reviewer).post("/access/conflicts/studio", {"studio": " atelier nord "})
    assert answer.status_code == 302
    submission = Submission.objects.get()
    assert submission.holder is None and not queue.waiting_for(actors.person(User.objects.get(pk=reviewer.user.pk)))
    assert Entry.objects.filter(action="user.studio_set").count() == 2


def test_what_one_has_named_is_ones_own_to_lift(artist, stranger, browser_of, client_of):
    conflict = conflicts.name_address("a@example.org", by=artist)
    assert browser_of(stranger).post(f"/access/conflicts/{conflict.pk.hex}/lift").status_code == 404
    assert client_of(stranger).delete(f"/v1/conflicts/conflict_{conflict.pk.hex}").status_code == 404
    assert "a@example.org" in browser_of(artist).get("/access/conflicts").content.decode()
    browser_of(artist).post(f"/access/conflicts/{conflict.pk.hex}/lift")
    assert "a@example.org" not in browser_of(artist).get("/access/conflicts").content.decode()
