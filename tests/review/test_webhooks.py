"""What an artist's programs hear of their works: when the artist is told, never sooner, and with the change itself."""

import pytest
from django.db.transaction import atomic

from gateway import webhooks
from gateway.models import WebhookEvent
from review import appeals, decisions, publishing, queue, submissions
from review.models import Publication, Submission
from tests import makers

pytestmark = pytest.mark.django_db


@pytest.fixture
def heard(artist):
    """What was said since it was asked last: (what, about what)."""
    webhooks.create(by=artist, url="https://example.org/hooks")
    seen: set = set()

    def news():
        found = [row for row in WebhookEvent.objects.order_by("id") if row.pk not in seen]
        seen.update(row.pk for row in found)
        return [(row.type, row.subject) for row in found]

    return news


def named(submission: Submission) -> str:
    return f"submission_{submission.pk.hex}"


def test_an_answer_is_told_when_it_takes_effect_and_not_while_it_can_be_undone(artist, heard):
    submission = makers.submitted(artist)
    decision = makers.decided(submission, "approve")
    decisions.announce()
    assert heard() == []
    makers.in_effect(decision)
    decisions.announce()
    decisions.announce()
    assert heard() == [("submission.approved", named(submission))]
    undone = makers.decided(makers.submitted(artist), "reject", by=(by := makers.reviewer()))
    decisions.undo(undone, by=by)
    makers.windows_over(seconds=1)
    decisions.announce()
    assert heard() == []


def test_every_end_of_a_work_is_told(artist, reviewer, admin, no_undo, heard):
    for verdict, what in {"reject": "rejected", "request_changes": "changes_requested"}.items():
        submission = makers.submitted(artist)
        makers.decided(submission, verdict)
        decisions.announce()
        assert heard() == [(f"submission.{what}", named(submission))]
        submissions.withdraw(submission, by=artist)
        assert heard() == [("submission.withdrawn", named(submission))]
    makers.decided(makers.submitted(artist), "escalate")
    decisions.announce()
    assert heard() == []
    publication = makers.published(artist)
    decisions.announce()
    public, of = f"publication_{publication.pk.hex}", named(publication.submission)
    assert heard() == [("publication.published", public), ("submission.approved", of)]
    down = makers.taken_down(publication)
    decisions.announce()
    assert heard() == [("publication.taken_down", public)]
    appeals.file(down, by=artist, words="It is not so.")
    appeals.overturn(queue.take_next(by=reviewer, lane="appeal"), by=reviewer, message="You are right.")
    decisions.announce()
    assert heard() == [("publication.published", public)]
    publishing.withdraw(Publication.objects.get(pk=publication.pk), by=artist)
    assert heard() == [("publication.withdrawn", public), ("submission.withdrawn", of)]
    refused = makers.decided(makers.submitted(artist), "reject")
    decisions.announce()
    appeals.file(refused, by=artist, words="It is not so.")
    appeals.uphold(queue.take_next(by=reviewer, lane="appeal"), by=reviewer, message="It is.")
    decisions.announce()
    about = named(refused.revision.submission)
    assert heard() == [("submission.rejected", about), ("submission.appeal_upheld", about)]
    refused = makers.decided(makers.submitted(artist), "reject")
    decisions.announce()
    appeals.file(refused, by=artist, words="It is not so.")
    appeals.overturn(queue.take_next(by=reviewer, lane="appeal"), by=reviewer, message="You are right.")
    decisions.announce()
    assert [what for what, _ in heard()] == ["submission.rejected", "submission.approved"]


def test_what_is_rolled_back_is_not_told(artist, heard):
    submission = makers.submitted(artist)
    with pytest.raises(ZeroDivisionError), atomic():
        submissions.withdraw(submission, by=artist)
        raise ZeroDivisionError
    assert heard() == []
