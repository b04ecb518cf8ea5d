"""The reviewer's pages: the queue, and one work under a lease."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from gateway import access, refusals
from gateway.actors import Actor
from gateway.views import page
from generation import media
from review import decisions, policies, queue, reasons
from review.forms import DecisionForm
from review.models import Decision, Submission

SAID = {
    "approve": "Approved",
    "request-changes": "Changes requested",
    "reject": "Rejected",
    "escalate": "Escalated",
}


@access.reviewers
@require_safe
def show_queue(request: HttpRequest, actor: Actor) -> HttpResponse:
    return _queue(request, actor)


@access.reviewers
@require_POST
def take_next(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    try:
        submission = queue.take_next(by=actor)
    except refusals.NothingWaiting as refusal:
        return _queue(request, actor, refusal)
    return redirect(f"/review/{submission.pk.hex}")


@access.reviewers
@require_POST
def take(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponseBase:
    try:
        queue.take(_find(submission), by=actor)
    except (refusals.HeldByAnother, refusals.NothingWaiting, refusals.OwnWork) as refusal:
        return _queue(request, actor, refusal)
    return redirect(f"/review/{submission.hex}")


@access.reviewers
@require_safe
def desk(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponse:
    """One work, held. Each look is recorded, and the artist can read that there was one."""
    return _desk(request, actor, queue.look(submission, by=actor), DecisionForm())


@access.reviewers
@require_POST
def decide(request: HttpRequest, actor: Actor, submission: UUID, verdict: str) -> HttpResponseBase:
    """Approve, ask for changes, reject or escalate. What was typed is never lost to a refusal."""
    found = _find(submission)
    form = DecisionForm(request.POST)
    if not form.is_valid():
        return _desk(request, actor, found, form)
    note = form.cleaned_data["note"]
    try:
        if verdict == "approve":
            decisions.approve(found, by=actor, note=note)
        elif verdict == "escalate":
            decisions.escalate(found, by=actor, note=note)
        elif verdict == "reject":
            decisions.reject(found, by=actor, reasons=form.reasons(), note=note)
        else:
            decisions.request_changes(found, by=actor, reasons=form.reasons(), note=note)
    except refusals.Refused as refusal:
        return _desk(request, actor, found, form, refusal)
    messages.success(request, f"{SAID[verdict]}: “{found.current.title}”.")  # type: ignore[union-attr]
    return redirect("/review")


@access.reviewers
@require_POST
def renew(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponseBase:
    """Keep it longer. A script asks for JSON and keeps the page; without one the typed text comes back in the form."""
    found = _find(submission)
    try:
        queue.renew(found, by=actor)
    except refusals.Refused as refusal:
        return _desk(request, actor, found, DecisionForm(request.POST), refusal)
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"lease_until": found.lease_until})
    return _desk(request, actor, _find(submission), DecisionForm(request.POST))


@access.reviewers
@require_POST
def release(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponseBase:
    """Skip it, without a reason."""
    queue.release(_find(submission), by=actor)
    return redirect("/review")


@access.reviewers
@require_POST
def undo(request: HttpRequest, actor: Actor, decision: UUID) -> HttpResponseBase:
    """Take a decision back while its window is open; the work is on the desk again."""
    found = Decision.objects.select_related("revision__submission").filter(pk=decision, reviewer=actor.user).first()
    if found is None:
        raise refusals.NotFound
    try:
        decisions.undo(found, by=actor)
    except refusals.Refused as refusal:
        return _queue(request, actor, refusal)
    return redirect(f"/review/{found.revision.submission_id.hex}")


@access.reviewers
@require_safe
def file(request: HttpRequest, actor: Actor, submission: UUID, kind: str) -> HttpResponseBase:
    """The file on the desk: for the one who holds it, as long as they hold it."""
    return media.respond(request, open_held(actor, submission, kind))


def open_held(actor: Actor, submission: UUID, kind: str) -> media.Opened:
    """The file of a submission that `actor` holds. Raises NotFound."""
    try:
        found = queue.look(submission, by=actor)
    except refusals.NotHeld:
        raise refusals.NotFound from None
    held = queue.held_by(actor).filter(pk=submission)
    assert found.current is not None
    output = found.current.output.generation.outputs.filter(kind=kind).first()
    return media.open_for(actor, "review", output, under=held)


def _find(pk: UUID) -> Submission:
    found = Submission.objects.listed().filter(pk=pk).first()
    if found is None:
        raise refusals.NotFound
    return found


def _queue(request: HttpRequest, actor: Actor, refusal: refusals.Refused | None = None) -> HttpResponse:
    now = datetime.now(UTC)
    waiting = queue.waiting_for(actor)
    rows = list(waiting.listed()[:50])
    for row in rows:
        row.overdue = row.due_at < now  # type: ignore[attr-defined]
    decided = list(
        Decision.objects.filter(reviewer=actor.user).select_related("revision__submission").order_by("-id")[:10]
    )
    for decision in decided:
        decision.can_undo = decision.undone_at is None and decision.effective_at > now  # type: ignore[attr-defined]
    held = list(queue.held_by(actor).listed())
    context = {
        "waiting": rows,
        "held": held,
        "decided": decided,
        "counts": {
            "waiting": waiting.count(),
            "overdue": waiting.filter(due_at__lt=now).count(),
            "mine": len(held),
        },
        "refusal": refusal,
    }
    return page(request, "review/queue.html", context)


def _desk(
    request: HttpRequest,
    actor: Actor,
    submission: Submission,
    form: DecisionForm,
    refusal: refusals.Refused | None = None,
) -> HttpResponse:
    held = queue.held_by(actor).filter(pk=submission.pk).exists()
    if not held and not form.is_bound:
        raise refusals.NotHeld
    revision = submission.current
    assert revision is not None
    context: dict[str, Any] = {
        "submission": submission,
        "revision": revision,
        "generation": revision.output.generation,
        "clauses": reasons.in_force(),
        "reviewed": policies.sentence(policies.of(submission.membership.cohort)),
        "form": form,
        "held_by_me": held,
        "lease_until": submission.lease_until,
        "timecodes": _timecodes(revision.output.frames, revision.output.seconds),
        "letter_name": submission.membership.user.name,
        "previous": _before(submission),
        "refusal": refusal,
    }
    return page(request, "review/desk.html", context)


def _before(submission: Submission) -> QuerySet[Decision]:
    """The answers to it so far. A second look is blind to the first."""
    known = Decision.objects.effective().filter(revision__submission=submission)
    if submission.lane == "second":
        known = known.exclude(revision=submission.current, role="first")
    return known.select_related("reviewer", "revision")


def _timecodes(frames: int, seconds: float, cells: int = 12) -> list[float]:
    """When the contact sheet's pictures were, in seconds: evenly spaced, the first and the last frame among them."""
    cells = min(cells, frames)
    return [round(round(cell * (frames - 1) / max(1, cells - 1)) * seconds / frames, 2) for cell in range(cells)]
