"""What went wrong in others' approval queues, each with its name: none of it happens here."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin as records
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test import RequestFactory

from gateway import access_requests, actors, allowances, audit, brakes, refusals
from gateway.models import AccessRequest, Entry
from generation import worker
from generation.models import Output
from review import appeals, clock, decisions, publishing, queue, submissions
from review.models import Decision, Phrase, Publication, ReviewPolicy, Revision, SignOff, Submission
from tests import makers

pytestmark = pytest.mark.django_db
WORDS: dict[str, Any] = {"title": "Kiln", "credit": "An artist", "licence": "CC-BY-4.0"}


def fresh(row: Any) -> Any:
    return type(row).objects.get(pk=row.pk)


def undo(decision: Decision, by: actors.Actor) -> None:
    decisions.undo(Decision.objects.select_related("revision__submission").get(pk=decision.pk), by=by)


def held_appeal(decision: Decision, *, by: actors.Actor) -> Submission:
    return queue.take(fresh(decision.revision.submission), by=by)


def test_a_held_item_flagged_again_does_not_fall_back_into_the_first_queue(artist, settings):
    """Whatever happens to a work that waits for its second look: it is in the second line, or in a later one."""
    settings.UNDO_SECONDS = 0
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, reviewers=2)
    submission = makers.submitted(artist)
    makers.decided(submission)
    by = makers.reviewer()
    queue.release(queue.take(fresh(submission), by=by), by=by)
    assert fresh(submission).lane == "second"
    settings.UNDO_SECONDS = 30
    undo(makers.decided(submission, "reject", by=by), by)
    makers.lease_over(submission)
    assert fresh(submission).lane == "second"
    makers.decided(submission, "escalate", by=makers.reviewer())
    assert fresh(submission).lane == "escalated"
    Submission.objects.filter(pk=submission.pk).update(due_at=Now())
    clock.strike()
    assert fresh(submission).lane == "escalated"


@pytest.mark.parametrize("verdict", ["approve", "reject", "request_changes", "escalate", "uphold", "overturn"])
def test_a_held_decision_can_be_cancelled(artist, settings, verdict):
    by = makers.reviewer()
    if verdict in ("uphold", "overturn"):
        settings.UNDO_SECONDS = 0
        refused = makers.decided(makers.submitted(artist), "reject")
        appeal = appeals.file(refused, by=artist, words="It is one slow pulse.")
        settings.UNDO_SECONDS = 30
        decision = getattr(appeals, verdict)(held_appeal(refused, by=by), by=by, message="I looked again.")
    else:
        decision = makers.decided(makers.submitted(artist), verdict, by=by)
    undo(decision, by)
    submission = fresh(decision.revision.submission)
    assert (submission.state, submission.holder) == (decision.state_before, by.user)
    if decision.role == "appeal":
        assert (fresh(appeal).state, submission.lane) == ("open", "appeal")
    makers.in_effect(decision)
    assert not Decision.objects.effective().filter(pk=decision.pk).exists()


def test_no_override_is_without_a_record(artist, admin, no_undo):
    """Who changed what somebody else had answered: a third person, an appeal, a take-down, silence, an undo."""
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, reviewers=2)
    submission = makers.submitted(artist)
    looks = [makers.decided(submission, verdict) for verdict in ("approve", "reject", "reject")]
    appeals.file(looks[2], by=artist, words="It is one slow pulse.")
    judge = makers.reviewer()
    hearing = appeals.overturn(held_appeal(looks[2], by=judge), by=judge, message="I looked again.")
    publication = publishing.sign_off(fresh(submission), by=artist, revision=1, name="Ines")
    down = makers.taken_down(publication, by=admin)
    for decision in (*looks, hearing, down):
        entry = audit.of(decision).get(action=f"decision.{decision.verdict}")
        assert entry.actor_id == decision.reviewer_id
    assert Decision.objects.count() == 5
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.filter(pk=looks[0].pk).update(verdict="reject")
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.filter(pk=looks[0].pk).delete()


def test_expiry_does_not_bypass_the_hold(artist, reviewer, settings):
    """A due date that passes while an answer can be undone, or a second look is due, approves and passes on nothing."""
    policy = ReviewPolicy.objects.create(cohort=artist.membership.cohort, by_default=True)
    refused, held = makers.submitted(artist), makers.submitted(artist)
    makers.decided(refused, "reject", by=reviewer)
    queue.take(held, by=reviewer)
    Submission.objects.update(due_at=Now())
    assert clock.strike() == 0
    makers.lease_over(held)
    with pytest.raises(refusals.NotHeld):
        decisions.approve(fresh(held), by=reviewer)
    policy.reviewers = 2
    policy.save()
    twice = makers.submitted(artist)
    Submission.objects.filter(pk=twice.pk).update(due_at=Now())
    clock.strike()
    assert fresh(twice).state == "escalated" and not Decision.objects.filter(revision__submission=twice).exists()


def test_no_claim_stays_for_ever(artist, reviewer):
    submission = queue.take(makers.submitted(artist), by=reviewer)
    for _ in range(queue.RENEWALS):
        queue.renew(submission, by=reviewer)
    with pytest.raises(refusals.NoMoreRenewals):
        queue.renew(submission, by=reviewer)
    queue.release(submission, by=reviewer)
    with pytest.raises(refusals.NoMoreRenewals):
        queue.take(submission, by=reviewer)
    colleague = makers.reviewer()
    makers.lease_over(queue.take(submission, by=colleague))
    assert queue.take(submission, by=makers.reviewer()).holder != colleague.user
    with pytest.raises(IntegrityError, match="a_lease_has_a_holder_and_an_end"), transaction.atomic():
        Submission.objects.update(lease_until=None)


def test_who_was_rejected_can_apply_again(artist, admin, no_undo):
    """With the work, and for access to the program."""
    first = makers.submitted(artist)
    makers.decided(first, "reject")
    assert makers.submitted(artist, first.generation).state == "submitted"
    access_requests.decline(makers.asked("noor@example.org"), by=admin, reason="The seats are taken.")
    makers.asked("noor@example.org")
    assert set(AccessRequest.objects.values_list("state", flat=True)) == {"declined", "requested"}


def test_the_original_moderator_does_not_hear_the_appeal(artist, reviewer, no_undo):
    refused = makers.decided(makers.submitted(artist), "reject", by=reviewer)
    appeals.file(refused, by=artist, words="It is one slow pulse.")
    with pytest.raises(refusals.NothingWaiting):
        held_appeal(refused, by=reviewer)
    Submission.objects.update(holder=reviewer.user, lease_until=Now() + timedelta(minutes=5))  # however they got it
    with pytest.raises(refusals.HeardByAnother):
        appeals.uphold(fresh(refused.revision.submission), by=reviewer, message="I was right.")


def test_no_appeal_is_missing_from_the_log(artist, no_undo):
    for end in ("uphold", "overturn", "withdraw"):
        refused = makers.decided(makers.submitted(artist), "reject")
        appeal = appeals.file(refused, by=artist, words="It is one slow pulse.")
        judge = makers.reviewer()
        if end == "withdraw":
            appeals.withdraw(appeal, by=artist)
        else:
            getattr(appeals, end)(held_appeal(refused, by=judge), by=judge, message="I looked again.")
        assert [entry.action for entry in audit.of(appeal)] == ["appeal.open", f"appeal.{fresh(appeal).state}"]
    assert Entry.objects.filter(action__in=["decision.uphold", "decision.approve"]).count() == 2


def test_no_credits_are_kept_for_blocked_work(artist, admin, no_undo):
    """What a brake stops is given back; what the reviewers refuse was drawn and delivered, and costs nothing more."""
    token = makers.with_token(artist).token
    makers.queued(actors.Actor("token", user=artist.user, token=token))
    brakes.pull("token", token.pk, by=admin, label="it", reason="It leaked")
    worker.sweep()
    free = allowances.current(artist.membership).free
    assert free == allowances.current(artist.membership).granted
    submission = makers.submitted(artist)
    paid = allowances.current(artist.membership).free
    makers.decided(submission, "reject")
    assert allowances.current(artist.membership).free == paid == free - submission.generation.credits
    assert allowances.differences() == []


def test_there_is_no_bulk_action_and_no_form_that_decides(admin):
    """Of the records of the review: what decides is a button for one work, by a rule, with its undo."""
    request = RequestFactory().get("/admin/")
    request.user = admin.user
    ours = [site for model, site in records.site._registry.items() if model._meta.app_label == "review"]
    ours = [site for site in ours if site.model is not Phrase]  # what a prompt is searched for decides nothing
    assert len(ours) >= 7
    for site in ours:
        assert site.get_actions(request) == {}, site
        assert not (site.has_add_permission(request) or site.has_change_permission(request)), site
        assert not site.has_delete_permission(request) and not site.list_editable, site


# ---------------------------------------------------------------- what was approved is what is published


@pytest.mark.parametrize("column", ["title", "credit", "licence", "description", "sha256", "output"])
def test_text_swapped_after_approval_can_not_be_published(artist, no_undo, column):
    """Not by a row that is changed, nor by a second revision beside the approved one: the database refuses both."""
    submission = makers.submitted(artist)
    makers.decided(submission)
    approved = makers.seen(submission).current
    other = makers.completed(artist, seed=2).output("video")
    swapped = {"output": other, "sha256": "0" * 64}.get(column, "Swapped")
    with pytest.raises(IntegrityError), transaction.atomic():
        Revision.objects.filter(pk=approved.pk).update(**{column: swapped})
    words = {
        name: getattr(approved, name) for name in ("title", "credit", "licence", "description", "output", "sha256")
    }
    words |= {"output": other, "sha256": other.sha256} if column in ("sha256", "output") else {column: swapped}
    second = Revision.objects.create(submission=submission, number=2, **words)
    SignOff.objects.create(revision=second, user=artist.user, name="Ines")
    with pytest.raises(IntegrityError, match="approved and signed"), transaction.atomic():
        Publication.objects.create(submission=submission, revision=second)
    with pytest.raises(IntegrityError, match="new revision"), transaction.atomic():
        Submission.objects.filter(pk=submission.pk).update(current=second)
    with pytest.raises(refusals.OutdatedRevision):
        publishing.sign_off(fresh(submission), by=artist, revision=2, name="Ines")
    with pytest.raises(refusals.WrongState):
        submissions.resubmit(fresh(submission), by=artist, **WORDS)


def test_a_file_swapped_under_an_approved_revision_is_not_published(artist, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission)
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Output.objects.update(sha256="0" * 64)
    with connection.cursor() as cursor:  # even by somebody who owns the table
        cursor.execute("set constraints all immediate")
        cursor.execute("alter table generation_output disable trigger user")
        Output.objects.filter(kind="video").update(sha256="0" * 64)
        cursor.execute("alter table generation_output enable trigger user")
    with pytest.raises(refusals.NotApproved):
        publishing.sign_off(fresh(submission), by=artist, revision=1, name="Ines")
