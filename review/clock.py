"""The clock works for the artist: silence past the due date escalates, or approves where the program says so."""

from uuid import UUID

from django.db.models import Q
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import actors, audit, notices, states
from review import policies, publishing, screening
from review.models import Decision, Submission


def strike() -> int:
    """Pass on every work whose answer is late and that nobody holds, each once; return how many. Admins are told."""
    late = Submission.objects.waiting().filter(due_at__lte=Now(), overdue_at__isnull=True)
    struck = sum(_strike(pk) for pk in late.order_by("due_at").values_list("pk", flat=True)[:1000])
    if struck:
        works = f"{struck} work{'s' if struck != 1 else ''}"
        notices.tell_admins(
            f"{works} past the time by which an answer was promised",
            f"The answer to {works} is late by now. What nobody had looked at was passed on as escalated.",
            path="/review",
        )
    return struck


def _strike(pk: UUID) -> bool:
    with atomic():
        rows = Submission.objects.waiting().select_for_update(skip_locked=True, of=("self",))
        submission = (
            rows.select_related("membership__user", "membership__cohort", "current", "generation")
            .filter(pk=pk, due_at__lte=Now(), overdue_at__isnull=True)
            .first()
        )
        if submission is None:
            return False
        Submission.objects.filter(pk=pk).update(overdue_at=Now())
        audit.record("submission.overdue", by=actors.SYSTEM, subject=submission, facts={"lane": submission.lane})
        if submission.lane == "first" and _low_risk(submission):
            _approve_by_default(submission)
        elif submission.lane == "appeal":
            _tell(
                submission,
                f"The answer to your appeal about “{submission.must_have_revision().title}” is late",
                "It is the first of those that reviewers get now, whoever of them may hear it.",
            )
        elif submission.lane in ("first", "second"):
            states.move(submission, "escalated", by=actors.SYSTEM)
            _tell(
                submission,
                f"The answer to “{submission.must_have_revision().title}” is late",
                "It has been passed on to every reviewer, before all others.",
            )
    return True


def _tell(submission: Submission, subject: str, body: str) -> None:
    notices.tell(
        submission.membership.user,
        subject,
        f"{body} The delay counts against the program and stands in its transparency report. You can withdraw it at "
        "any time.",
        path=f"/mine/{submission.generation_id.hex}",
    )


def _low_risk(submission: Submission) -> bool:
    """Whether its cohort's silence approves, and nothing speaks against this work: it was screened to the end, too."""
    refused = Decision.objects.filter(
        Q(revision__submission__generation=submission.generation_id) | Q(revision=submission.current_id),
        undone_at__isnull=True,
    ).exclude(verdict="approve")
    calm = Submission.objects.filter(screening.calm(), pk=submission.pk)
    by_default = policies.of(submission.membership.cohort).by_default
    return by_default and not submission.second and not refused.exists() and calm.exists()


def _approve_by_default(submission: Submission) -> None:
    decision = Decision(
        revision=submission.must_have_revision(),
        verdict="approve",
        role="default",
        decides=True,
        state_before=submission.state,
        state_after="approved",
        due_at=submission.due_at,
        effective_at=Now(),
    )
    decision.save(force_insert=True)
    states.move(submission, "approved", by=actors.SYSTEM)
    publishing.record(decision, by=actors.SYSTEM)
