"""A work's life in sentences, and where it stands now."""

import pytest

from gateway import members
from generation import generations, worker
from review import decisions, history, publishing, queue, submissions
from review.models import Publication
from tests import makers

pytestmark = pytest.mark.django_db
WORDS = {"title": "Kiln, softer", "credit": "An artist", "licence": "CC-BY-4.0"}


def told(generation, submission=None) -> list[str]:
    return [event.sentence for event in history.events(generation, submission and makers.seen(submission))]


def test_a_work_that_was_never_shown_has_a_life_of_three_lines(artist):
    generation = makers.completed(artist)
    assert told(generation) == ["You asked for it. 1 credit set aside.", "Drawn. 1 credit charged."]


def test_one_credit_is_one_and_two_are_two(artist):
    assert told(makers.queued(artist, seconds=1)) == ["You asked for it. 1 credit set aside."]
    assert told(makers.queued(artist, seconds=2)) == ["You asked for it. 2 credits set aside."]


def test_what_was_cancelled_says_that_the_credits_came_back(artist):
    generation = makers.queued(artist)
    generations.cancel(generation, by=artist)
    assert told(generation)[-1] == "You cancelled it; the credits came back."


def test_what_was_cancelled_because_its_artist_left_says_so(artist):
    generation = makers.queued(artist)
    members.leave(by=artist)
    worker.sweep()
    assert told(generation)[-1] == "It was cancelled, because your membership had ended; the credits came back."


def test_the_whole_life_is_told_in_its_order(artist, reviewer, no_undo):
    submission = makers.submitted(artist)
    generation = submission.generation
    makers.decided(submission, "request_changes", by=reviewer)
    decisions.announce()
    submissions.resubmit(makers.seen(submission), by=artist, **WORDS)
    makers.decided(submission, by=reviewer)
    decisions.announce()
    publication = publishing.sign_off(makers.seen(submission), by=artist, revision=2, name="An artist")
    publishing.withdraw(Publication.objects.listed().get(pk=publication.pk), by=artist)
    assert told(generation, submission)[2:] == [
        "You submitted revision 1.",
        "A change was asked for.",
        "You submitted revision 2.",
        "Approved.",
        "You signed it: bon à tirer.",
        "It went public.",
        "You withdrew it from the public.",
        "You took the submission back.",
    ]


def test_an_escalation_and_an_undo_leave_no_line(artist, reviewer):
    submission = makers.submitted(artist)
    before = told(submission.generation, submission)
    decision = makers.decided(submission, "reject", by=reviewer)
    assert told(submission.generation, submission) == before
    decisions.undo(type(decision).objects.select_related("revision__submission").get(), by=reviewer)
    assert told(submission.generation, submission) == before
    decisions.escalate(makers.seen(submission), by=reviewer)
    assert told(submission.generation, submission) == before


def test_a_rejected_work_that_is_submitted_again_keeps_its_first_life(artist, no_undo):
    first = makers.submitted(artist)
    makers.decided(first, "reject")
    decisions.announce()
    second = makers.submitted(artist, first.generation)
    assert told(first.generation, second)[2:] == [
        "You submitted revision 1.",
        "Not approved.",
        "You submitted revision 1.",
        "A reviewer will look at it.",
    ]


def test_a_look_by_a_reviewer_is_told_by_each_door(artist, reviewer, browser_of, client_of, no_undo):
    """Who saw the work is the artist's to know, whichever way they came to it."""
    doors = {
        "page": lambda row: browser_of(reviewer).get(f"/review/{row.pk.hex}"),
        "file": lambda row: browser_of(reviewer).get(f"/review/{row.pk.hex}/video.mp4"),
        "resource": lambda row: client_of(reviewer).get(f"/v1/reviews/submission_{row.pk.hex}"),
        "content": lambda row: client_of(reviewer).get(f"/v1/reviews/submission_{row.pk.hex}/content"),
    }
    unseen = []
    for name, door in doors.items():
        submission = makers.submitted(artist)
        queue.take(submission, by=reviewer)
        assert door(makers.seen(submission)).status_code == 200
        if "A reviewer looked at it." not in told(submission.generation, submission):
            unseen.append(name)
        queue.release(makers.seen(submission), by=reviewer)
        submissions.withdraw(makers.seen(submission), by=artist)
    assert unseen == []


STANDS = {
    "": "Private",
    "submitted": "With the reviewers",
    "escalate": "With the reviewers",
    "request_changes": "A change is asked for",
    "approve": "Approved: waits for your signature",
    "reject": "Not approved",
    "withdrawn": "Withdrawn: private",
}


@pytest.mark.parametrize(("step", "words"), STANDS.items())
def test_where_it_stands(artist, step, words, no_undo):
    generation = makers.completed(artist)
    submission = None
    if step:
        submission = makers.submitted(artist, generation)
        if step == "withdrawn":
            submissions.withdraw(submission, by=artist)
        elif step != "submitted":
            makers.decided(submission, step)
    assert history.status(generation, submission and makers.seen(submission))[0] == words


def test_what_was_taken_down_does_not_wait_for_a_signature(artist, admin, no_undo):
    publication = makers.published(artist)
    makers.taken_down(publication, by=admin)
    words, _ = history.status(publication.submission.generation, makers.seen(publication.submission))
    assert "signature" not in words and "Public" not in words


def test_a_clip_shown_as_another_works_new_version_is_not_called_private(artist, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission, "request_changes")
    other = makers.completed(artist, seed=9)
    submissions.resubmit(makers.seen(submission), by=artist, generation=other, **WORDS)
    makers.decided(submission)
    publishing.sign_off(makers.seen(submission), by=artist, revision=2, name="An artist")
    latest = other.submissions.order_by("-id").first()
    assert history.status(other, latest and makers.seen(latest))[0] != "Private"
