"""Two who want something of the same work at the same moment: one of them gets it, and nobody an error."""

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
from django.db.models.functions import Now

from benchmarks import review as benchmark
from gateway import refusals
from gateway.actors import Actor
from gateway.models import Entry, Notice
from gateway.models.base import Row
from review import appeals, clock, conflicts, decisions, publishing, queue, submissions
from review.models import Appeal, Decision, Publication, ReviewPolicy, Submission
from tests import makers

WORDS = {"title": "Kiln", "credit": "An artist", "licence": "CC-BY-4.0"}
AtOnce = Callable[..., list[Any]]


def some_rounds(test: Callable[..., None]) -> Callable[..., None]:
    """A race is run three times: who wins is chance."""

    @wraps(test)
    def repeated(*args: Any, **fixtures: Any) -> None:
        for _ in range(3):
            test(*args, **fixtures)

    return repeated


def entries(action: str, *subjects: Row) -> int:
    """How often the log tells this of them."""
    return Entry.objects.filter(action=action, subject_id__in=[subject.pk for subject in subjects]).count()


def done(answer: Any) -> bool:
    """Whether a call was done. It may have been refused, but nothing else: a deadlock is an OperationalError."""
    assert not isinstance(answer, Exception) or isinstance(answer, refusals.Refused), repr(answer)
    return not isinstance(answer, Exception)


def fresh(decision: Decision) -> Decision:
    return Decision.objects.select_related("revision__submission__membership__cohort").get(pk=decision.pk)


def appealed(artist: Actor, verdict: str = "reject") -> Appeal:
    refused = makers.decided(makers.submitted(artist), verdict)
    return appeals.file(fresh(refused), by=artist, words="It is one slow pulse.")


def work_of(appeal: Appeal) -> Submission:
    return makers.seen(appeal.decision.revision.submission)


@pytest.fixture
def at_hand(at_once: AtOnce, no_undo: None) -> AtOnce:
    """All at once, with the policy there and answers in effect at once."""
    makers.policy()
    return at_once


def test_two_hearings_at_once_are_one(at_hand):
    appeal, judge = appealed(makers.artist()), makers.reviewer()
    queue.take(work_of(appeal), by=judge)
    row = work_of(appeal)
    answers = at_hand(
        *[lambda: appeals.uphold(row, by=judge, message="It blinks.")] * 2,
        *[lambda: appeals.overturn(row, by=judge, message="It does not.")] * 2,
    )
    assert sum(done(answer) for answer in answers) == 1
    assert Decision.objects.filter(role="appeal").count() == 1
    assert not Appeal.objects.filter(state="open").exists()
    assert work_of(appeal).lane is None


@some_rounds
def test_a_hearing_and_a_new_version_at_once(at_hand):
    artist, judge = makers.artist(), makers.reviewer()
    appeal = appealed(artist, "request_changes")
    queue.take(work_of(appeal), by=judge)
    row = work_of(appeal)
    heard, sent = at_hand(
        lambda: appeals.overturn(row, by=judge, message="It does not blink."),
        lambda: submissions.resubmit(row, by=artist, **WORDS),
    )
    assert done(heard) + done(sent) >= 1
    appeal.refresh_from_db()
    row = work_of(appeal)
    if done(sent) and not done(heard):
        assert (appeal.state, row.state, row.current.number) == ("withdrawn", "submitted", 2)
    else:
        assert done(heard) != done(sent), "an overturned work is approved, and needs no new version"
        assert (appeal.state, row.state, row.current.number) == ("overturned", "approved", 1)
    assert not row.hearing


@some_rounds
def test_an_appeal_and_a_new_version_at_once(at_hand):
    artist = makers.artist()
    refused = makers.decided(makers.submitted(artist), "request_changes")
    filed, sent = at_hand(
        lambda: appeals.file(fresh(refused), by=artist, words="It is one slow pulse."),
        lambda: submissions.resubmit(makers.seen(refused.revision.submission), by=artist, **WORDS),
    )
    assert done(sent)
    row = makers.seen(refused.revision.submission)
    assert (row.state, row.lane, row.current.number) == ("submitted", "first", 2)
    assert not Appeal.objects.filter(state="open").exists(), "it ended with the new version, or came too late"
    done(filed)


@some_rounds
def test_an_appeal_and_a_withdrawal_at_once(at_hand):
    artist = makers.artist()
    refused = makers.decided(makers.submitted(artist), "reject")
    filed, gone = at_hand(
        lambda: appeals.file(fresh(refused), by=artist, words="It is one slow pulse."),
        lambda: submissions.withdraw(makers.seen(refused.revision.submission), by=artist),
    )
    assert done(gone)
    done(filed)
    row = makers.seen(refused.revision.submission)
    assert (row.state, row.hearing, row.lane) == ("withdrawn", False, None)
    assert not Appeal.objects.filter(state="open").exists()


def test_two_appeals_at_once_are_one(at_hand):
    artist = makers.artist()
    refused = makers.decided(makers.submitted(artist), "reject")
    answers = at_hand(*[lambda: appeals.file(fresh(refused), by=artist, words="It is one slow pulse.")] * 4)
    assert sum(done(answer) for answer in answers) == 1
    assert {type(answer) for answer in answers if not done(answer)} == {refusals.AlreadyAppealed}
    assert entries("appeal.open", *Appeal.objects.all()) == 1


@some_rounds
def test_an_undo_and_the_second_reviewer_at_once(at_once):
    artist, one, two = makers.artist(), makers.reviewer(), makers.reviewer()
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, reviewers=2)
    makers.policy()
    submission = makers.submitted(artist)
    first = fresh(makers.decided(submission, by=one))
    undone, taken = at_once(lambda: decisions.undo(first, by=one), lambda: queue.take_next(by=two))
    assert done(undone)
    assert isinstance(taken, refusals.NothingWaiting), "what can be undone waits for nobody"
    row = makers.seen(submission)
    assert (row.state, row.holder) == ("submitted", one.user)


@some_rounds
def test_a_signature_and_a_take_down_at_once(at_hand):
    artist, admin = makers.artist(), makers.admin()
    work = makers.published(artist)
    row = makers.seen(work.submission)
    found = Publication.objects.listed().get(pk=work.pk)
    signed, down, again = at_hand(
        lambda: publishing.sign_off(row, by=artist, revision=1, name="An artist"),
        lambda: publishing.take_down(found, by=admin, reasons=makers.reasons()),
        lambda: publishing.take_down(found, by=admin, reasons=makers.reasons()),
    )
    assert done(down) + done(again) == 1
    done(signed)
    work.refresh_from_db()
    assert work.state == "taken_down"
    assert Decision.objects.filter(role="take_down", revision=work.revision).count() == 1


@some_rounds
def test_a_take_down_and_two_withdrawals_at_once(at_hand):
    artist, admin = makers.artist(), makers.admin()
    work = Publication.objects.listed().get(pk=makers.published(artist).pk)
    row = makers.seen(work.submission)
    down, unpublished, gone = at_hand(
        lambda: publishing.take_down(work, by=admin, reasons=makers.reasons()),
        lambda: publishing.withdraw(Publication.objects.listed().get(pk=work.pk), by=artist),
        lambda: submissions.withdraw(row, by=artist),
    )
    assert done(unpublished) + done(gone) == 1
    work.refresh_from_db()
    assert (work.state, makers.seen(row).state) == ("withdrawn", "withdrawn")
    assert Decision.objects.filter(role="take_down", revision=work.revision).count() == done(down)


@some_rounds
def test_the_clock_and_a_reviewer_at_once(at_hand):
    artist, reviewer = makers.artist(), makers.reviewer()
    submission = makers.submitted(artist)
    Submission.objects.filter(pk=submission.pk).update(due_at=Now())
    struck, again, taken = at_hand(clock.strike, clock.strike, lambda: queue.take(submission, by=reviewer))
    assert struck + again <= 1, "each work once"
    row = makers.seen(submission)
    if done(taken) and not struck + again:
        assert (row.state, row.holder) == ("submitted", reviewer.user)
    else:
        assert row.state == "escalated"
        assert entries("submission.overdue", submission) == 1
    assert (row.holder == reviewer.user) == done(taken)


@some_rounds
def test_a_conflict_that_is_named_and_a_decision_at_once(at_hand):
    artist, reviewer = makers.artist(), makers.reviewer()
    submission = makers.submitted(artist)
    queue.take(submission, by=reviewer)
    row = makers.seen(submission)
    named, decided = at_hand(
        lambda: conflicts.name(reviewer.user, artist.user, by=artist), lambda: decisions.approve(row, by=reviewer)
    )
    assert done(named)
    row = makers.seen(submission)
    assert row.holder is None
    if done(decided):
        assert row.state == "approved"
    else:
        assert isinstance(decided, refusals.NotHeld) and row.state == "submitted"


@some_rounds
def test_a_conflict_that_is_named_and_a_take_at_once(at_hand):
    """Whoever holds the work now, a conflict keeps them from deciding on it."""
    artist, reviewer = makers.artist(), makers.reviewer()
    submission = makers.submitted(artist)
    named, taken = at_hand(
        lambda: conflicts.name(reviewer.user, artist.user, by=artist), lambda: queue.take(submission, by=reviewer)
    )
    assert done(named)
    done(taken)
    with pytest.raises(refusals.NotHeld):
        decisions.approve(makers.seen(submission), by=reviewer)


@some_rounds
def test_the_policy_changes_while_somebody_decides(at_hand):
    """What the cohort's policy is while the work is decided holds; a second look that it asks for is had."""
    artist, reviewer = makers.artist(), makers.reviewer()
    policy = ReviewPolicy.objects.create(cohort=artist.membership.cohort)
    submission = makers.submitted(artist)
    queue.take(submission, by=reviewer)
    row, reasons = makers.seen(submission), makers.reasons()

    def change() -> None:
        ReviewPolicy.objects.filter(pk=policy.pk).update(reviewers=2, second_clauses=[4])

    changed, decided = at_hand(change, lambda: decisions.reject(row, by=reviewer, reasons=reasons))
    assert done(changed) and done(decided)
    row = makers.seen(submission)
    assert (decided.role, row.state, row.second) in {("sole", "rejected", ""), ("first", "awaiting_second", "clause")}


@some_rounds
def test_four_who_announce_at_once_send_one_letter(at_hand):
    artist = makers.artist()
    rows = [makers.submitted(artist) for _ in range(3)]
    made = [makers.decided(row) for row in rows]
    answers = at_hand(*[decisions.announce] * 4)
    assert sum(answers) == 3
    assert Notice.objects.filter(user=artist.user).count() == 3
    assert entries("decision.in_effect", *made) == 3


@some_rounds
def test_an_overturned_take_down_and_a_withdrawal_at_once(at_hand):
    """The work is restored and withdrawn, or withdrawn and not restored; it never stays public."""
    artist, judge = makers.artist(), makers.reviewer()
    work = makers.published(artist)
    appeal = appeals.file(fresh(makers.taken_down(work)), by=artist, words="It is one slow pulse.")
    queue.take(work_of(appeal), by=judge)
    appeals.overturn(work_of(appeal), by=judge, message="It does not blink.")
    found = Publication.objects.listed().get(pk=work.pk)
    said, gone = at_hand(decisions.announce, lambda: publishing.withdraw(found, by=artist))
    assert done(gone) and done(said)
    work.refresh_from_db()
    assert (work.state, work_of(appeal).state) == ("withdrawn", "withdrawn")
    assert not Publication.objects.public().exists()


def test_twenty_reviewers_clear_a_line_at_once(transactional_db, no_undo):
    """Nobody's work is decided twice, and nobody's is forgotten."""
    benchmark.fill(150, artists=8)
    done: Counter[str] = Counter()
    benchmark.clear(benchmark.reviewers(), done)
    assert benchmark.scalar(benchmark.DOUBLE) == benchmark.scalar(benchmark.FORGOTTEN) == 0
    assert set(queue.lanes().values()) == {0}
    assert min(done[role] for role in ("sole", "first", "second", "final")) > 0, done
