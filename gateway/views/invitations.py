"""Whom an admin invites."""

from datetime import UTC, datetime
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods, require_POST

from gateway import access, members, refusals
from gateway.actors import Actor
from gateway.forms.members import InvitationForm
from gateway.models import Cohort, Invitation
from gateway.views.pages import page


@access.admins
@require_http_methods(["GET", "HEAD", "POST"])
def invitations(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Invite people, and see who was invited."""
    form = InvitationForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            sent = members.invite(by=actor, **form.cleaned_data)
        except refusals.Refused as refused:
            return _invitations(request, form, refusal=refused)
        return _invitations(request, InvitationForm(), sent=sent)
    return _invitations(request, form)


@access.admins
@require_POST
def invite_anew(request: HttpRequest, actor: Actor, invitation: UUID) -> HttpResponse:
    """Revoke it and send the same with a new link."""
    found = Invitation.objects.select_related("cohort").filter(pk=invitation).first()
    if found is None:
        raise refusals.NotFound
    return _invitations(request, InvitationForm(), sent=members.invite_anew(found, by=actor))


@access.admins
@require_POST
def revoke_invitation(request: HttpRequest, actor: Actor, invitation: UUID) -> HttpResponseBase:
    found = Invitation.objects.filter(pk=invitation).first()
    if found is None:
        raise refusals.NotFound
    members.revoke(found, by=actor)
    messages.success(request, f"The invitation to {found.email} is revoked.")
    return redirect("/program/invitations")


def _invitations(
    request: HttpRequest,
    form: InvitationForm,
    *,
    sent: tuple[Invitation, str] | None = None,
    refusal: refusals.Refused | None = None,
) -> HttpResponse:
    rows = list(Invitation.objects.select_related("cohort", "invited_by").order_by("-created_at")[:100])
    now = datetime.now(UTC)
    for row in rows:
        row.expired = row.state == "sent" and row.expires_at < now  # type: ignore[attr-defined]
    context = {
        "form": form,
        "invitations": rows,
        "cohorts": Cohort.objects.seated().filter(seats__isnull=False).order_by("name"),
        "sent": sent[0] if sent else None,
        "link": f"{settings.BASE_URL}{sent[1]}" if sent else "",
        "refusal": refusal,
        "mail_folder": settings.EMAIL_FILE_PATH if hasattr(settings, "EMAIL_FILE_PATH") else "",
    }
    response = page(request, "gateway/invitations.html", context)
    response["Cache-Control"] = "no-store"
    return response
