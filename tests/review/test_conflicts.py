"""Who is kept away from whose works."""

import pytest
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gateway import refusals
from review import conflicts, queue
from review.models import Decision, Submission
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


def test_nobody_reviews_what_a_guest_made_with_their_pass(artist):
    generation = makers.drawn(makers.queued(artist))
    makers.submitted(artist, generation)
    artist.user.is_reviewer = True
    with pytest.raises(refusals.NothingWaiting):
        queue.take_next(by=artist)


def test_a_stranger_names_nothing_and_nobody_twice(artist, reviewer, stranger, admin):
    with pytest.raises(refusals.NotFound):
        conflicts.name(reviewer.user, artist.user, by=stranger)
    conflict = conflicts.name(reviewer.user, artist.user, by=admin)
    with pytest.raises(refusals.AlreadyNamed):
        conflicts.name(reviewer.user, artist.user, by=artist)
    with pytest.raises(refusals.NotFound):
        conflicts.lift(conflict, by=artist)
