"""By an invitation, or by a one-time link."""

from datetime import UTC, datetime

from allauth.account.utils import perform_login
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_http_methods

from gateway import keys, members, refusals, sign_in_links, terms
from gateway.forms.members import AdmissionForm
from gateway.models import SignInLink, User
from gateway.views.pages import page


@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, secret: str) -> HttpResponseBase:
    """Accept an invitation: name, password, terms; then one is inside."""
    found = members.open_invitation(secret)
    in_force = terms.current()
    initial = {"version": in_force.version if in_force else None}
    form = AdmissionForm(request.POST or None, initial=initial)
    refusal: refusals.Refused | None = None
    if request.method == "POST" and form.is_valid():
        try:
            user = members.admit(
                found,
                name=form.cleaned_data["name"],
                password=form.cleaned_data["password"],
                accepts=form.cleaned_data["version"],
            )
        except refusals.Refused as refused:
            refusal = refused
        else:
            return _sign_in(request, user)
    context = {"invitation": found, "terms": in_force, "form": form, "refusal": refusal}
    return page(request, "gateway/invitation.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, secret: str) -> HttpResponseBase:
    """A GET only asks, so that a browser that looks ahead does not use the link up."""
    if request.method == "POST":
        return _sign_in(request, sign_in_links.use(secret))
    link = SignInLink.objects.filter(digest=keys.digest(secret), used_at__isnull=True).select_related("user").first()
    if not settings.EMBEDDED or link is None or link.expires_at < datetime.now(UTC):
        raise refusals.BadSignInLink
    return render(request, "gateway/sign_in_link.html", {"person": link.user})


def _sign_in(request: HttpRequest, user: User) -> HttpResponseBase:
    # "none": the address was verified by the link that led here.
    response: HttpResponseBase = perform_login(request, user, email_verification="none", redirect_url="/home")
    return response
