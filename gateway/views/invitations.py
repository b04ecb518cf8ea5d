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
from gateway.models import Invitation
from gateway.views.pages import page


@access.admins
@require_http_methods(["GET", "HEAD", "POST"])
def invitations(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Invite people, and see who was invited."""
    form = InvitationForm(request.POST or None)
    refusal: refusals.Refused | None = None
    link = ""
    if request.method == "POST" and form.is_valid():
        try:
            _, path = members.invite(by=actor, **form.cleaned_data)
        except refusals.Refused as refused:
            refusal = refused
        else:
            link, form = f"{settings.BASE_URL}{path}", InvitationForm()
    rows = list(Invitation.objects.select_related("cohort", "invited_by").order_by("-created_at")[:100])
    now = datetime.now(UTC)
    for row in rows:
        row.expired = row.state == "sent" and row.expires_at < now  # type: ignore[attr-defined]
    context = {
        "form": form,
        "invitations": rows,
        "link": link,
        "refusal": refusal,
        "mail_folder": settings.EMAIL_FILE_PATH if hasattr(settings, "EMAIL_FILE_PATH") else "",
    }
    return page(request, "gateway/invitations.html", context)


@access.admins
@require_POST
def revoke_invitation(request: HttpRequest, actor: Actor, invitation: UUID) -> HttpResponseBase:
    found = Invitation.objects.filter(pk=invitation).first()
    if found is None:
        raise refusals.NotFound
    members.revoke(found, by=actor)
    messages.success(request, f"The invitation to {found.email} is revoked.")
    return redirect("/program/invitations")
