"""What waits for a reviewer, in its lanes, and what they answered lately."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from gateway import access, refusals
from gateway.actors import Actor
from gateway.views import page
from review import decisions, queue
from review.desk.shown import around, chosen, counted, lately, to_desk, to_queue
from review.models import Decision, Submission

ROWS = 50


@access.reviewers
@require_safe
def show_queue(request: HttpRequest, actor: Actor) -> HttpResponse:
    return queue_page(request, actor)


@access.reviewers
@require_POST
def take_next(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    lane = chosen(request)
    try:
        submission = queue.take_next(by=actor, lane=lane or None)
    except refusals.NothingWaiting as refusal:
        return queue_page(request, actor, refusal)
    return redirect(to_desk(submission, lane))


@access.reviewers
@require_POST
def take(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponseBase:
    found = find(submission)
    try:
        queue.take(found, by=actor)
    except (
        refusals.HeldByAnother,
        refusals.NothingWaiting,
        refusals.OwnWork,
        refusals.NoMoreRenewals,
    ) as refusal:
        return queue_page(request, actor, refusal)
    return redirect(to_desk(found, chosen(request)))


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
        return queue_page(request, actor, refusal)
    return redirect(to_desk(found.revision.submission, chosen(request)))


def find(pk: UUID) -> Submission:
    """Any submission. Raises NotFound."""
    found = Submission.objects.listed().filter(pk=pk).first()
    if found is None:
        raise refusals.NotFound
    return found


def queue_page(request: HttpRequest, actor: Actor, refusal: refusals.Refused | None = None) -> HttpResponse:
    """The line, the lanes, who holds what, and one's own latest answers."""
    now = timezone.now()
    shared = around(request, actor)
    lane = shared["chosen"] or None
    rows = list(queue.waiting_for(actor, lane).listed()[:ROWS])
    skipped = queue.skipped_by(actor, rows)
    for row in rows:
        row.overdue = row.due_at < now  # type: ignore[attr-defined]
        row.skipped_until = skipped.get(row.pk)  # type: ignore[attr-defined]
    held = list(queue.held_beside(actor).listed()[:ROWS])
    me = actor.must_be_reviewer().pk
    context = {
        **shared,
        "waiting": rows,
        "more": shared["count"] != len(rows),
        "overdue": counted([queue.waiting_for(actor, lane).filter(due_at__lt=now)[: queue.MANY].count()]),
        "held": [row for row in held if row.holder_id == me],
        "others": [row for row in held if row.holder_id != me],
        "decided": lately(actor, 10),
        "return_to": to_queue(shared["chosen"]),
        "refusal": refusal,
    }
    return page(request, "review/queue.html", context)
