"""A work's whole life, played at random: whatever people try in whatever order, the promises hold."""

import random
from collections.abc import Callable

import pytest
from django.db import transaction
from django.db.models.functions import Now

from gateway import refusals
from gateway.models import Entry, Notice
from review import decisions, publishing, queue, submissions
from review.models import Decision, Publication, Submission
from tests import makers

pytestmark = pytest.mark.django_db
WORDS = {"title": "Kiln", "credit": "An artist", "licence": "CC-BY-4.0"}
SEEDS, STEPS = (5, 0, 1, 2), 40


class Life:
    """One artist with two clips, two reviewers, a stranger, and time. A step is done or refused, and never an error."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.artist, self.stranger = makers.artist("Ines"), makers.artist("Tomás")
        self.reviewers = [makers.reviewer("Rosa"), makers.reviewer("Rui")]
        self.clips = [makers.completed(self.artist, seed=1), makers.completed(self.artist, seed=2)]
        self.reasons = makers.reasons()
        self.withdrawn: set[object] = set()
        self.said: list[str] = []

    def attempt(self, what: str, call: Callable[[], object]) -> bool:
        """Whether it was done. Anything but a Refused ends the test."""
        try:
            with transaction.atomic():
                call()
        except refusals.Refused as refusal:
            self.said.append(f"{what}: {refusal.code}")
            return False
        self.said.append(f"{what}: done")
        return True

    def step(self) -> None:
        """Something that somebody may want in this state; now and then something that nobody should."""
        row = Submission.objects.listed().order_by("-id").first()
        latest = Decision.objects.select_related("revision__submission").order_by("-id").first()
        pending = latest is not None and Decision.objects.filter(pk=latest.pk, effective_at__gt=Now()).exists()
        wanted: list[Callable[[], None]] = []
        if row is None or row.state != "submitted":
            wanted += [self.submit]
        if row is not None:
            wanted += [lambda: self.sign(row), lambda: self.take_back(row)]
            if row.state in Submission.WAITING:
                wanted += [lambda: self.hold(row)] + [lambda: self.decide(row)] * 3
            else:
                wanted += [lambda: self.new_version(row)]
        if pending:
            wanted += [lambda: self.undo(latest)] * 2 + [self.windows_end] * 2
        self.chance.choice(wanted)()
        decisions.announce()

    def submit(self) -> None:
        clip = self.chance.choice([0, 0, 0, 1])
        self.attempt("submit", lambda: submissions.submit(self.clips[clip], by=self.artist, **WORDS))

    def new_version(self, row: Submission) -> None:
        clip = self.chance.choice(self.clips)
        self.attempt("revise", lambda: submissions.resubmit(row, by=self.artist, generation=clip, **WORDS))

    def sign(self, row: Submission) -> None:
        by = self.chance.choice([self.artist, self.artist, self.artist, self.stranger])
        revision = row.current.number + self.chance.choice([0, 0, 0, -1, 1])
        done = self.attempt("sign", lambda: publishing.sign_off(row, by=by, revision=revision, name="An artist"))
        assert not done or by is self.artist

    def take_back(self, row: Submission) -> None:
        if self.chance.random() < 0.8:
            return
        published = Publication.objects.listed().filter(submission=row).first()
        if published is None or self.chance.random() < 0.5:
            done = self.attempt("withdraw", lambda: submissions.withdraw(row, by=self.artist))
        else:
            done = self.attempt("unpublish", lambda: publishing.withdraw(published, by=self.artist))
        if done:
            self.withdrawn.add(row.pk)

    def hold(self, row: Submission) -> None:
        by = self.chance.choice(self.reviewers)
        act = self.chance.choice(["take", "release", "lease over"])
        if act == "take":
            self.attempt(act, lambda: queue.take_next(by=by))
        elif act == "release":
            self.attempt(act, lambda: queue.release(row, by=by))
        elif row.holder_id:
            makers.lease_over(row)

    def decide(self, row: Submission) -> None:
        by = self.chance.choice(self.reviewers)
        verdict = self.chance.choice(["approve", "approve", "reject", "request_changes", "escalate"])
        told = {"reasons": self.reasons} if verdict in ("reject", "request_changes") else {}
        self.attempt("take", lambda: queue.take(row, by=by))
        self.attempt(verdict, lambda: getattr(decisions, verdict)(row, by=by, **told))

    def undo(self, decision: Decision) -> None:
        own = self.chance.random() < 0.8
        by = next(who for who in self.reviewers if (who.user.pk == decision.reviewer_id) is own)
        assert not self.attempt("undo", lambda: decisions.undo(decision, by=by)) or own

    def windows_end(self) -> None:
        self.said.append("the window ends")
        for decision in Decision.objects.filter(effective_at__gt=Now()):
            makers.in_effect(decision)

    # ---------------------------------------------------------------- what always holds

    def promises(self) -> None:
        for found in Publication.objects.public().select_related("revision__sign_off", "submission"):
            assert found.revision.sign_off.user_id == self.artist.user.pk
            assert found.submission.state == "approved"
            assert found.submission.current_id == found.revision_id
            assert Decision.objects.effective().filter(revision=found.revision, verdict="approve").exists()
            assert found.submission_id not in self.withdrawn
        verdicts = Decision.objects.filter(undone_at__isnull=True).exclude(verdict="escalate")
        assert len(verdicts) == len({verdict.revision_id for verdict in verdicts})
        for row in Submission.objects.listed().order_by("-id")[:1]:
            if row.state != "withdrawn" and (row.before or row.state == "escalated"):
                assert row.shown_state == "submitted"
            if row.holder_id is not None:
                assert row.state in Submission.WAITING
                judged = Decision.objects.filter(revision__submission=row, reviewer=row.holder, undone_at__isnull=True)
                assert not judged.filter(verdict="escalate").exists()
            moved = Entry.objects.filter(subject_id=row.pk, action__in=[f"submission.{state}" for state in row.MOVES])
            assert moved.order_by("id").last().action == f"submission.{row.state}"
        assert not Submission.objects.filter(pk__in=self.withdrawn).exclude(state="withdrawn").exists()
        effective = Decision.objects.effective().exclude(verdict="escalate").count()
        assert Notice.objects.filter(user=self.artist.user).count() <= effective


def test_whatever_is_tried_in_whatever_order_the_promises_hold():
    came_to = set()
    for seed in SEEDS:
        with transaction.atomic():
            life = Life(seed)
            try:
                for _ in range(STEPS):
                    life.step()
                    life.promises()
            except Exception:
                print(f"seed {seed}:", *life.said, sep="\n")  # the way that led there
                raise
            came_to |= set(life.said)
            transaction.set_rollback(True)
    wanted = "submit revise sign withdraw undo approve reject request_changes escalate take"
    assert {f"{what}: done" for what in wanted.split()} <= came_to  # else all of this would say nothing
