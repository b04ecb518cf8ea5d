"""Who looked at a work: by role, why, how often and for how long."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from gateway import impersonations
from review import appeals, decisions, looks, queue, submissions
from tests import makers

pytestmark = pytest.mark.django_db


def told(generation) -> list[tuple[str, str, int, bool]]:
    """Oldest first, with whether it is said for how long."""
    return [(look.who, look.why, look.times, bool(look.held_for)) for look in reversed(looks.at_work(generation))]


def test_each_hold_is_a_look_for_review_or_for_the_appeal_and_none_has_a_name(artist, reviewer, settings):
    submission = makers.submitted(artist)
    queue.release(queue.look(queue.take(submission, by=reviewer).pk, by=reviewer), by=reviewer)
    judge = makers.reviewer()
    queue.look(queue.take(makers.seen(submission), by=judge).pk, by=judge)
    queue.look(submission.pk, by=judge)  # within the same minute
    assert told(submission.generation) == [
        ("A reviewer", "to review it", 1, True),
        ("A reviewer", "to review it", 1, False),
    ]
    decision = decisions.request_changes(makers.seen(submission), by=judge, reasons=makers.reasons())
    assert told(submission.generation)[1][3] is False, "it could still be undone"
    makers.in_effect(decision)
    assert told(submission.generation)[1][3] is True
    appeals.file(decision, by=artist, words="It is one slow pulse.")
    third = makers.reviewer()
    queue.take(makers.seen(submission), by=third)
    assert told(submission.generation)[2][:2] == ("A reviewer", "to hear your appeal")
    submissions.resubmit(makers.seen(submission), by=artist, title="x", credit="x", licence="CC0-1.0")
    queue.take(makers.seen(submission), by=third)
    assert told(submission.generation)[3][:2] == ("A reviewer", "to review it")


def test_a_hold_that_was_undone_and_went_on_is_one(artist, reviewer):
    submission = makers.submitted(artist)
    decision = makers.decided(submission, "reject", by=reviewer)
    decisions.undo(type(decision).objects.select_related("revision__submission").get(pk=decision.pk), by=reviewer)
    queue.look(submission.pk, by=reviewer)
    assert told(submission.generation) == [("A reviewer", "to review it", 1, False)]


def test_an_admin_who_looked_as_the_artist_is_named_with_their_reason(artist, admin, browser_of):
    generation, other = makers.completed(artist), makers.completed(artist)
    visit = impersonations.begin(artist.user, by=admin, reason="The page stays empty for you.")
    browser = browser_of(admin)
    session = browser.session
    session["impersonation"] = visit.pk.hex
    session.save()
    for _ in range(2):
        browser.get(f"/mine/{generation.pk.hex}")
    assert told(generation) == [("Ada Lindqvist, an admin, looking as you", "The page stays empty for you.", 2, False)]
    assert told(other) == []
    assert "The page stays empty for you." in browser_of(artist).get(f"/mine/{generation.pk.hex}").content.decode()


def test_how_long_is_said_in_minutes_and_seconds():
    look = looks.Look(Now(), "A reviewer", looks.REVIEW, held=timedelta(seconds=130.2))
    assert look.held_for == "2 min 10 s"
