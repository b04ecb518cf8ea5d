"""A work's whole life, played at random: whatever people try in whatever order, the promises hold."""

import datetime
from contextlib import ExitStack

import pytest
from django.conf import settings as gateway_settings
from django.db import connection, transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway import refusals
from gateway.models import Entry, Notice
from review import decisions, publishing, queue, submissions
from review.models import Decision, Publication, Submission
from tests import makers

WORDS = {"title": "Kiln", "credit": "An artist", "licence": "CC-BY-4.0"}
WHO = st.sampled_from(["rosa", "rui"])


class Life(RuleBasedStateMachine):
    """One artist with two clips, two reviewers, a stranger, and time. A step is done or refused, and never an error."""

    def __init__(self) -> None:
        super().__init__()
        self.rolled_back = ExitStack()
        self.rolled_back.enter_context(transaction.atomic())
        self.artist, self.stranger = makers.artist("Ines"), makers.artist("Tomás")
        self.people = {"rosa": makers.reviewer("Rosa"), "rui": makers.reviewer("Rui")}
        self.clips = [makers.completed(self.artist, seed=1), makers.completed(self.artist, seed=2)]
        makers.policy()
        self.withdrawn: set[object] = set()

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.rolled_back.close()

    def latest(self) -> Submission | None:
        return Submission.objects.listed().order_by("-id").first()

    def state(self) -> str:
        """Of the latest submission. Most steps wait for a state in which something may come of them."""
        row = self.latest()
        return row.state if row else ""

    def decided(self) -> Decision | None:
        return Decision.objects.select_related("revision__submission").order_by("-id").first()

    def attempt(self, call) -> bool:
        """Whether it was done. Anything but a Refused fails the test."""
        try:
            with transaction.atomic():
                call()
        except refusals.Refused:
            return False
        return True

    # ------------------------------------------------------------ the artist

    @precondition(lambda self: self.state() != "submitted")
    @rule(clip=st.sampled_from([0, 0, 1]))
    def submit(self, clip: int) -> None:
        self.attempt(lambda: submissions.submit(self.clips[clip], by=self.artist, **WORDS))

    @precondition(lambda self: self.state() not in ("", "submitted", "withdrawn"))
    @rule(clip=st.sampled_from([0, 1]))
    def send_new_version(self, clip: int) -> None:
        row = self.latest()
        self.attempt(lambda: submissions.resubmit(row, by=self.artist, generation=self.clips[clip], **WORDS))

    @precondition(lambda self: self.state() not in ("", "submitted", "withdrawn"))
    @rule(revision=st.sampled_from([0, 0, 1]), by=st.sampled_from(["artist", "artist", "stranger"]))
    def sign(self, revision: int, by: str) -> None:
        row = self.latest()
        asked = row.current.number + revision
        done = self.attempt(lambda: publishing.sign_off(row, by=getattr(self, by), revision=asked, name="An artist"))
        assert not done or by == "artist"

    @precondition(lambda self: self.state() not in ("", "submitted", "withdrawn"))
    @rule(door=st.sampled_from(["submission", "publication"]))
    def take_back(self, door: str) -> None:
        row = self.latest()
        published = Publication.objects.listed().filter(submission=row).first()
        if door == "submission" or published is None:
            done = self.attempt(lambda: submissions.withdraw(row, by=self.artist))
        else:
            done = self.attempt(lambda: publishing.withdraw(published, by=self.artist))
        if done:
            self.withdrawn.add(row.pk)

    # ------------------------------------------------------------ the reviewers

    @precondition(lambda self: self.state() in Submission.WAITING)
    @rule(who=WHO, act=st.sampled_from(["take_next", "release", "leases_end"]))
    def hold(self, who: str, act: str) -> None:
        by, row = self.people[who], self.latest()
        if act == "take_next":
            self.attempt(lambda: queue.take_next(by=by))
        elif act == "release":
            self.attempt(lambda: queue.release(row, by=by))
        elif row.holder_id:
            makers.lease_over(row)

    @precondition(lambda self: self.state() in Submission.WAITING)
    @rule(who=WHO, verdict=st.sampled_from(["approve", "approve", "reject", "request_changes", "escalate"]))
    def decide(self, who: str, verdict: str) -> None:
        """Takes it first, when it waits."""
        row, by = self.latest(), self.people[who]
        self.attempt(lambda: queue.take(row, by=by))
        told = {"reasons": makers.reasons()} if verdict in ("reject", "request_changes") else {}
        self.attempt(lambda: getattr(decisions, verdict)(row, by=by, **told))

    @precondition(lambda self: self.decided() and self.decided().effective_at > _now())
    @rule(own=st.sampled_from([True, True, False]))
    def undo(self, own: bool) -> None:
        decision = self.decided()
        by = next(who for who in self.people.values() if (who.user.pk == decision.reviewer_id) is own)
        assert not self.attempt(lambda: decisions.undo(decision, by=by)) or own

    # ------------------------------------------------------------ time, and who tells

    @precondition(lambda self: self.decided() and self.decided().effective_at > _now())
    @rule()
    def windows_end(self) -> None:
        for decision in Decision.objects.filter(effective_at__gt=_now()):
            makers.in_effect(decision)

    @precondition(lambda self: self.decided())
    @rule()
    def announce(self) -> None:
        decisions.announce()

    # ------------------------------------------------------------ what always holds

    @invariant()
    def only_what_was_approved_and_signed_is_public(self) -> None:
        for found in Publication.objects.public().select_related("revision__sign_off", "submission"):
            assert found.revision.sign_off.user_id == self.artist.user.pk
            assert found.submission.state == "approved"
            assert found.submission.current_id == found.revision_id
            assert Decision.objects.effective().filter(revision=found.revision, verdict="approve").exists()

    @invariant()
    def what_was_withdrawn_stays_withdrawn(self) -> None:
        assert not Publication.objects.public().filter(submission__in=self.withdrawn).exists()
        assert not Submission.objects.filter(pk__in=self.withdrawn).exclude(state="withdrawn").exists()

    @invariant()
    def one_verdict_a_revision(self) -> None:
        rows = Decision.objects.filter(undone_at__isnull=True).exclude(verdict="escalate").values_list("revision")
        assert len(set(rows)) == len(rows)

    @invariant()
    def the_artist_knows_no_verdict_before_its_time(self) -> None:
        for row in Submission.objects.listed():
            if row.pending and row.state != "withdrawn":
                assert row.shown_state == "submitted"
        told = Notice.objects.filter(user=self.artist.user).count()
        assert told <= Decision.objects.effective().exclude(verdict="escalate").count()

    @invariant()
    def who_holds_a_work_waits_for_nothing_else_than_their_own_verdict(self) -> None:
        for row in Submission.objects.filter(holder__isnull=False, lease_until__gt=_now()):
            assert row.state in Submission.WAITING
            judged = Decision.objects.filter(revision__submission=row, reviewer=row.holder, undone_at__isnull=True)
            assert not judged.filter(verdict="escalate").exists()

    @invariant()
    def each_change_of_state_has_its_entry(self) -> None:
        for row in Submission.objects.all():
            last = (
                Entry.objects.filter(subject_id=row.pk, action__regex=r"^submission\.(?!taken|released|viewed)")
                .order_by("id")
                .last()
            )
            assert last is not None and last.action == f"submission.{row.state}"


def _now() -> datetime.datetime:
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        return cursor.fetchone()[0]


@pytest.mark.django_db
def test_whatever_is_tried_in_whatever_order_the_promises_hold():
    assert gateway_settings.UNDO_SECONDS >= 30
    run_state_machine_as_test(
        Life,
        settings=settings(
            max_examples=12, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
