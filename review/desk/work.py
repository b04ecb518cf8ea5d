"""One work under a lease: what one looks at, and how one answers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from gateway import access, refusals
from gateway.actors import Actor
from gateway.views import page
from generation import media
from review import appeals, decisions, policies, precedents, queue, reasons, screening
from review.desk import shown
from review.desk.line import find, queue_page
from review.forms import DecisionForm, HearingForm
from review.models import Appeal, Clause, Decision, Revision, Submission
from review.screening import phrases

MARK = "\N{OBJECT REPLACEMENT CHARACTER}"  # where in a letter the reviewer's words will stand
COUNTED = {"approve": "approved", "request_changes": "changes", "reject": "refused", "take_down": "taken down"}
WHY = {
    "first": "It waits for its first look.",
    "second": (
        "Two look at this work, and you are the second. Nothing of the first look is shown: if you agree, that is the "
        "answer."
    ),
    "appeal": "The artist appeals against the answer. You have decided nothing about this work, so you hear it.",
}
Form = DecisionForm | HearingForm


@dataclass(frozen=True)
class Draft:
    """A letter as far as it is known before a word is typed: how it opens, and how it ends."""

    verdict: str
    name: str
    opens: str
    ends: str


@access.reviewers
@require_safe
def desk(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponse:
    """One work, held. Each look is recorded, and the artist can read that there was one."""
    try:
        found = queue.look(submission, by=actor)
    except refusals.NotHeld as refusal:
        return queue_page(request, actor, refusal)
    return _desk(request, actor, found)


@access.reviewers
@require_POST
def decide(request: HttpRequest, actor: Actor, submission: UUID, verdict: str) -> HttpResponseBase:
    """Approve, ask for changes, reject or escalate. What was typed is never lost to a refusal."""
    form = DecisionForm(request.POST)

    def act(found: Submission) -> None:
        note = form.cleaned_data["note"]
        if verdict == "approve":
            decisions.approve(found, by=actor, note=note, considered=form.reasons().clauses)
        elif verdict == "escalate":
            decisions.escalate(found, by=actor, note=note)
        elif verdict == "reject":
            decisions.reject(found, by=actor, reasons=form.reasons(), note=note)
        else:
            decisions.request_changes(found, by=actor, reasons=form.reasons(), note=note)

    return _answer(request, actor, submission, form, verdict=verdict, act=act)


@access.reviewers
@require_POST
def hear(request: HttpRequest, actor: Actor, submission: UUID, outcome: str) -> HttpResponseBase:
    """Answer an appeal: the refusal stands, or it does not. The artist reads why."""
    form = HearingForm(request.POST)
    rule = appeals.overturn if outcome == "overturn" else appeals.uphold
    return _answer(
        request,
        actor,
        submission,
        form,
        verdict=outcome,
        act=lambda found: rule(found, by=actor, **form.cleaned_data),
    )


@access.reviewers
@require_POST
def renew(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponseBase:
    """Keep it longer. A script asks for JSON and keeps the page; without one the typed text comes back in the form."""
    found = find(submission)
    form = _form(found, request)
    try:
        queue.renew(found, by=actor)
    except refusals.Refused as refusal:
        return _desk(request, actor, found, form, refusal)
    if _by_script(request):
        return JsonResponse({"lease_until": found.lease_until, "kept": found.renewals})
    return _desk(request, actor, find(submission), form)


@access.reviewers
@require_POST
def release(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponseBase:
    """Let it go, without a reason."""
    found = find(submission)
    try:
        queue.release(found, by=actor)
    except refusals.NotHeld as refusal:
        return _desk(request, actor, found, _form(found, request), refusal)
    return _on(request, shown.to_queue(shown.chosen(request)))


@access.reviewers
@require_POST
def skip(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponseBase:
    """Let it go, without a reason, and take the next."""
    found, lane = find(submission), shown.chosen(request)
    try:
        another = queue.skip(found, by=actor, lane=lane or None)
    except refusals.NotHeld as refusal:
        return _desk(request, actor, found, _form(found, request), refusal)
    if another is None:
        messages.info(request, "You let it go, and nothing else waits for you.")
        return _on(request, shown.to_queue(lane))
    return _on(request, shown.to_desk(another, lane))


@access.reviewers
@require_POST
def name_conflict(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponseBase:
    """I know this artist: the work is let go, and none of theirs comes to this reviewer again."""
    found = find(submission)
    try:
        queue.decline(found, by=actor)
    except refusals.NotHeld as refusal:
        return queue_page(request, actor, refusal)
    artist = found.membership.user
    messages.success(request, f"The works of {artist} go to others from now on. You can take that back in your record.")
    return _on(request, shown.to_queue(shown.chosen(request)))


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
    output = found.must_have_revision().output.generation.outputs.filter(kind=kind).first()
    return media.open_for(actor, "review", output, under=held)


def _answer(
    request: HttpRequest,
    actor: Actor,
    submission: UUID,
    form: Form,
    *,
    verdict: str,
    act: Callable[[Submission], object],
) -> HttpResponseBase:
    found = find(submission)
    if not form.is_valid():
        return _desk(request, actor, found, form)
    told = f"{shown.SAID[verdict.replace('-', '_')]}: “{found.must_have_revision().title}”."
    try:
        act(found)
    except refusals.Refused as refusal:
        if not isinstance(refusal, refusals.NotHeld) or not _arrived(found, actor, verdict):
            return _desk(request, actor, found, form, refusal)
        told = f"Your answer had arrived already. {told}"
    messages.success(request, told)
    return _on(request, shown.to_queue(shown.chosen(request)))


def _arrived(submission: Submission, actor: Actor, verdict: str) -> bool:
    """Whether this very answer was written a moment ago: its own confirmation got lost on the way back."""
    written = "approve" if verdict == "overturn" else verdict.replace("-", "_")
    since = timezone.now() - queue.lease()
    mine = Decision.objects.filter(revision=submission.current, reviewer=actor.user, created_at__gt=since)
    return mine.filter(verdict=written, undone_at__isnull=True).exists()


def _on(request: HttpRequest, where: str) -> HttpResponseBase:
    """To the next page: a script is told where it is, and knows by that that the answer is written."""
    return JsonResponse({"next": where}) if _by_script(request) else redirect(where)


def _by_script(request: HttpRequest) -> bool:
    return request.headers.get("Accept", "").startswith("application/json")


def _form(submission: Submission, request: HttpRequest) -> Form:
    return HearingForm(request.POST) if submission.lane == "appeal" else DecisionForm(request.POST)


def _empty(submission: Submission, actor: Actor) -> Form:
    """The form for it, with what its reviewer had written when they have just undone that."""
    mine = Decision.objects.filter(revision=submission.current, reviewer=actor.user)
    last = mine.order_by("-id").first()
    undone = last is not None and last.undone_at is not None
    if submission.lane == "appeal":
        return HearingForm(initial={"message": last.facts, "note": last.note} if undone and last else None)
    if not undone or last is None:
        return DecisionForm()
    return DecisionForm(
        initial={
            "clauses": [str(pk) for pk in last.clauses],
            "facts": last.facts,
            "from_seconds": last.from_seconds,
            "to_seconds": last.to_seconds,
            "whole": bool(last.region),
            "note": last.note,
        }
    )


def _desk(
    request: HttpRequest,
    actor: Actor,
    submission: Submission,
    form: Form | None = None,
    refusal: refusals.Refused | None = None,
) -> HttpResponse:
    held = queue.held_by(actor).filter(pk=submission.pk).exists()
    revision = submission.must_have_revision()
    context: dict[str, Any] = {
        **shown.around(request, actor),
        "submission": submission,
        "revision": revision,
        "lane": submission.lane,
        "late": submission.due_at < timezone.now(),
        "form": form or _empty(submission, actor),
        "hearing": isinstance(form, HearingForm) or (form is None and submission.lane == "appeal"),
        "held_by_me": held,
        "lease_until": submission.lease_until,
        "renewals_most": queue.RENEWALS,
        "letter_name": submission.membership.user.name,
        "clauses": reasons.in_force(),
        "refusal": refusal,
        "return_to": shown.to_desk(submission, shown.chosen(request)),
    }
    if held:
        context |= _work(submission, revision, context["clauses"]) | {
            "others": queue.held_beside(actor).exclude(holder=actor.user).count(),
            "undoable": next((decision for decision in shown.lately(actor, 1) if decision.can_undo), None),  # type: ignore[attr-defined]
        }
    return page(request, "review/desk.html", context)


def _work(submission: Submission, revision: Revision, clauses: list[Clause]) -> dict[str, Any]:
    """What only who holds it sees."""
    read = precedents.counts()
    appeal = appeals.open_about(submission) if submission.lane == "appeal" else None
    previous = list(decisions.earlier(submission))
    for decision in previous:
        decision.said = shown.said(decision)  # type: ignore[attr-defined]
    return {
        "generation": revision.output.generation,
        "precedents": [
            (reading, [(verdict, n, COUNTED[verdict]) for verdict, n in reading.verdicts.items()])
            for clause in clauses
            if (reading := read.get(clause.number)) is not None
        ],
        "precedent_days": precedents.DAYS,
        "policy": policies.sentence(policies.of(submission.membership.cohort)),
        **_signals(revision),
        "why": _why(submission, previous),
        "previous": [decision for decision in previous if appeal is None or decision.pk != appeal.decision_id],
        "appeal": appeal,
        "appealed": reasons.letter(appeal.decision)[1] if appeal else "",
        "drafts": hearing_drafts(appeal) if appeal else drafts(revision),
    }


def _signals(revision: Revision) -> dict[str, Any]:
    """What the program saw, the frames on which it saw it, and the words of the prompt that are phrases."""
    output = revision.output
    screened = screening.of(output)
    named = {frame for signal in screened.raised for frame in signal.frames}
    return {
        "screened": screened,
        "signals": [
            (signal, [frame * output.seconds / output.frames for frame in signal.frames] if signal.raised else [])
            for signal in screened.signals
        ],
        "flashes": any(signal.kind in ("flashes", "red_flashes") for signal in screened.raised),
        "timecodes": _sheet(output.frames, output.seconds, named),
        "prompt": phrases.marked(output.generation.prompt, screened.spans),
    }


def _why(submission: Submission, previous: list[Decision]) -> str:
    """Why it waits in this lane, in a sentence or two."""
    if submission.lane != "escalated":
        return WHY[submission.lane or "first"]
    looks = {decision.role for decision in previous if decision.revision_id == submission.current_id}
    if "second" in looks:
        return "Two looked at it and did not say the same. Your answer decides."
    if submission.overdue_at is not None:
        return "The answer is late, so it comes before all others. Yours decides."
    return "Somebody wants another pair of eyes. Your answer decides."


def drafts(revision: Revision) -> list[Draft]:
    """The two letters that owe reasons, as `reasons.letter` will write them."""
    effective_at = timezone.now() + timedelta(seconds=shown.undo_seconds())
    found = []
    for verdict, name in (("request_changes", "a change"), ("reject", "a refusal")):
        unsaid = Decision(revision=revision, role="sole", verdict=verdict, facts=MARK, effective_at=effective_at)
        ends = reasons.letter(unsaid, [])[1].rpartition(MARK)[2].strip()
        found.append(Draft(verdict, name, reasons.ASKS[verdict], ends))
    return found


def hearing_drafts(appeal: Appeal) -> list[Draft]:
    """The two letters that may answer an appeal."""
    overturns = {"verdict": "approve", "decides": appeal.decision.role != "take_down"}
    found = []
    for name, said, told in (("uphold", "it stands", {"verdict": "uphold"}), ("overturn", "overturned", overturns)):
        unsaid = Decision(revision=appeal.decision.revision, role="appeal", facts=MARK, **told)
        opens, _, ends = reasons.letter(unsaid, [])[1].partition(MARK)
        found.append(Draft(name, said, opens.strip(), ends.strip()))
    return found


def _sheet(frames: int, seconds: float, named: set[int], cells: int = 12) -> list[tuple[float, bool]]:
    """The contact sheet's pictures, evenly spaced from the first frame to the last: when, and whether a signal names
    a frame of which this one is the nearest."""
    cells = min(cells, frames)
    shown_frames = [round(cell * (frames - 1) / max(1, cells - 1)) for cell in range(cells)]
    nearest = {min(shown_frames, key=lambda frame: abs(frame - other)) for other in named}
    return [(round(frame * seconds / frames, 2), frame in nearest) for frame in shown_frames]
