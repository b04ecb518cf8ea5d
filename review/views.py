"""The artist's works and their way to the public. The reviewer's pages are in desk.py, the public's in public/."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from gateway import access, allowances, notices, refusals
from gateway.actors import Actor
from gateway.views import page
from generation import generations
from generation.models import Generation
from generation.views import mark, own, with_places
from review import appeals, history, letters, looks, policies, publishing, submissions
from review.consenting import lines
from review.forms import AppealForm, SignatureForm, SubmissionForm
from review.models import Publication, Submission

FILTERS = ("all", "private", "submitted", "approved", "public", "guests")
SHOWN = {"submitted": ("submitted", "changes_requested"), "approved": ("approved",)}


@access.signed_in
@require_safe
def dashboard(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What waits for the artist's hand, what they have, what they made lately."""
    works = with_status(_mine(actor).order_by("-id")[:6])
    assert actor.user is not None
    waiting = Submission.objects.listed().filter(membership__user=actor.user, publication__isnull=True)
    waits = list(waiting.shown_as("approved", "changes_requested").order_by("-id")[:20])
    context = {
        "allowance": allowances.current(actor.membership) if actor.membership else None,
        "waits": waits,
        "letters": [pair for pair in letters.lately(actor.user) if pair[0] not in waits],
        "works": works,
        "notices": notices.unread(actor)[:10],
    }
    return render(request, "review/dashboard.html", context)


@access.signed_in
@require_POST
def read_notices(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    notices.mark_read(actor)
    return redirect("/dashboard")


@access.signed_in
@require_safe
def works(request: HttpRequest, actor: Actor) -> HttpResponse:
    """All of an artist's works, latest first."""
    chosen = request.GET.get("show", "all")
    rows = _mine(actor).order_by("-id")
    if chosen in SHOWN:
        rows = rows.filter(submissions__in=Submission.objects.shown_as(*SHOWN[chosen])).distinct()
    elif chosen == "private":
        rows = rows.filter(state="completed", submissions__isnull=True)
    elif chosen == "public":
        rows = rows.filter(submissions__publication__state="published").distinct()
    elif chosen == "guests":
        rows = rows.filter(guest_pass__isnull=False)
    found = Paginator(rows, 24).get_page(request.GET.get("page"))
    found.object_list = with_status(found.object_list)
    return render(request, "review/works.html", {"page": found, "filter": chosen, "filters": FILTERS})


@access.signed_in
@require_safe
def work(request: HttpRequest, actor: Actor, generation: UUID) -> HttpResponse:
    return _work(request, actor, generation)


@access.signed_in
@require_safe
def work_live(request: HttpRequest, actor: Actor, generation: UUID) -> HttpResponse:
    """The part of a work's page that moves while it is drawn; the page itself when it has ended."""
    found = with_places([own(actor, generation)])[0]
    now = mark([found])
    if request.GET.get("seen") == now:
        return HttpResponse(status=204)
    response = render(request, "review/parts/progress.html", {"generation": found, "mark": now})
    if found.ended:
        response["HX-Refresh"] = "true"
    return response


@access.signed_in
@require_POST
def submit(request: HttpRequest, actor: Actor, generation: UUID) -> HttpResponseBase:
    """Submit a work for approval, or send the new version that was asked for."""
    form = SubmissionForm(request.POST)
    found = own(actor, generation)

    def act() -> None:
        existing = _submission(actor, found)
        if existing is not None and existing.shown_state == "changes_requested":
            submissions.resubmit(existing, by=actor, **form.cleaned_data)
        else:
            submissions.submit(found, by=actor, **form.cleaned_data)
        messages.success(request, "It is with the reviewers. You can take it back at any time.")

    return _act(request, actor, found.pk, form, act)


@access.signed_in
@require_POST
def withdraw_submission(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponseBase:
    found = _of(actor, submission)
    submissions.withdraw(found, by=actor)
    messages.success(request, "You took it back. It is private.")
    return redirect(f"/mine/{found.generation_id.hex}")


@access.signed_in
@require_POST
def sign_off(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponseBase:
    """Bon à tirer."""
    found = _of(actor, submission)
    form = SignatureForm(request.POST)

    def act() -> None:
        publishing.sign_off(found, by=actor, revision=form.cleaned_data["revision"], name=form.cleaned_data["name"])
        messages.success(request, "Signed. It is public now; you can withdraw it at any time.")

    return _act(request, actor, found.generation_id, form, act)


@access.signed_in
@require_POST
def appeal(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponseBase:
    """Ask somebody else to look at an answer again."""
    found = _of(actor, submission)
    form = AppealForm(request.POST)

    def act() -> None:
        decision = letters.at_issue(found, form.cleaned_data["decision"])
        made = appeals.file(decision, by=actor, words=form.cleaned_data["words"])
        messages.success(request, f"Your appeal is open. An answer is due by {made.due_at:%-d %B, %H:%M} UTC.")

    return _act(request, actor, found.generation_id, form, act)


@access.signed_in
@require_POST
def withdraw_appeal(request: HttpRequest, actor: Actor, submission: UUID) -> HttpResponseBase:
    found = _of(actor, submission)
    about = letters.appeal_about(found)

    def act() -> None:
        appeals.withdraw(about, by=actor)
        messages.success(request, "You took your appeal back. The answer stays as it is.")

    return _act(request, actor, found.generation_id, None, act)


@access.signed_in
@require_POST
def withdraw_publication(request: HttpRequest, actor: Actor, publication: UUID) -> HttpResponseBase:
    found = Publication.objects.listed().filter(pk=publication, submission__membership__user=actor.user).first()
    if found is None:
        raise refusals.NotFound
    publishing.withdraw(found, by=actor)
    messages.success(request, "Withdrawn. Its public page is a tombstone from now on.")
    return redirect(f"/mine/{found.submission.generation_id.hex}")


def with_status(generations: Any) -> list[Any]:
    """Give each its `submission` (the latest) and its `status`."""
    rows = list(generations)
    for row in rows:
        row.submission = next(iter(row.submissions.all()), None)
        row.status = history.status(row, row.submission)
    return rows


def _mine(actor: Actor) -> Any:
    latest_first = Prefetch("submissions", Submission.objects.told().order_by("-id"))
    shown = Generation.objects.visible_to(actor).listed().annotate(elsewhere=history.elsewhere())
    return shown.prefetch_related(latest_first)


def _submission(actor: Actor, generation: Generation) -> Submission | None:
    return next(iter(_submissions(actor, generation)), None)


def _submissions(actor: Actor, generation: Generation) -> list[Submission]:
    """All that was asked for this work, the latest first."""
    return list(Submission.objects.visible_to(actor).told().filter(generation=generation).order_by("-id"))


def _of(actor: Actor, submission: UUID) -> Submission:
    found = Submission.objects.told().filter(pk=submission, membership__user=actor.user).first()
    if found is None:
        raise refusals.NotFound
    return found


def _act(request: HttpRequest, actor: Actor, generation: UUID, form: Any, act: Callable[[], None]) -> HttpResponseBase:
    """Do it and show the work; when it is refused, show the work with the sentence and what was typed."""
    if form is not None and not form.is_valid():
        return _work(request, actor, generation, form=form)
    try:
        act()
    except refusals.Refused as refusal:
        return _work(request, actor, generation, form=form, refusal=refusal)
    return redirect(f"/mine/{generation.hex}")


def _work(
    request: HttpRequest,
    actor: Actor,
    pk: UUID,
    *,
    form: Any = None,
    refusal: refusals.Refused | None = None,
) -> HttpResponse:
    generation = with_places([own(actor, pk)])[0]
    asked = _submissions(actor, generation)
    submission = next(iter(asked), None)
    revision = submission.current if submission else None
    shown = submission.shown_state if submission else ""
    publication = submission.public if submission else None
    written = letters.of(*asked)
    letter = letters.foremost(submission, written) if submission else None
    active = actor.membership is not None and actor.membership.state == "active"  # the rules ask again
    can = {
        "cancel": not generation.ended,
        "submit": active
        and generation.state == "completed"
        and shown in ("", "withdrawn", "rejected")
        and not (letter and letter.appeal_state == "open")
        and not generation.test,
        "resubmit": active and shown == "changes_requested",
        "withdraw": shown in ("submitted", "changes_requested", "approved") and publication is None,
        "sign": active and shown == "approved" and publication is None,
        "later": not active and shown in ("approved", "changes_requested") and publication is None,
        "unpublish": publication is not None and publication.state in ("published", "taken_down"),
        "delete": generations.can_be_deleted(generation),
    }
    signature = form if isinstance(form, SignatureForm) else None
    appealing = form if isinstance(form, AppealForm) else None
    if not isinstance(form, SubmissionForm):
        form = SubmissionForm(initial=_initial(actor, revision))
    context = {
        "generation": generation,
        "output": generation.output("video"),
        "submission": submission,
        "revision": revision,
        "shown_state": shown,
        "status": history.status(generation, submission),
        "verdict": submission.verdict if submission and shown == "approved" else None,
        "late": submission is not None and shown == "submitted" and submission.due_at <= timezone.now(),
        "letter": letter,
        "earlier": [other for other in written if other != letter],
        "publication": publication,
        "form": form,
        "signature": signature,
        "appealing": appealing,
        "can": can,
        "events": history.events(generation, submission),
        "looks": looks.at_work(generation),
        "refusal": refusal,
        "mark": mark([generation]),
        "consents": lines(actor, generation.pk),
        "reviewed": policies.sentence(policies.of(actor.membership.cohort)) if active and actor.membership else "",
    }
    response = page(request, "review/work.html", context)
    if refusal is None and any(typed and typed.errors for typed in (signature, appealing)):
        response.status_code = 422
    return response


def _initial(actor: Actor, revision: Any) -> dict[str, Any]:
    if revision is None:
        return {"credit": actor.user.name if actor.user else ""}
    return {name: getattr(revision, name) for name in ("title", "credit", "licence", "description")}
