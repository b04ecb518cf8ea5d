"""The admin's site. Apart from gateway.admin: made while that is imported, it would lose what is registered there."""

from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from gateway import access, refusals


class Site(admin.AdminSite):
    """Signing in is allauth's business, also here."""

    site_header = "Bon à Tirer: records"
    site_title = "Records"
    site_url = "/"

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:  # type: ignore[override]
        actor = access.actor_of(request)
        if actor.is_admin:
            return redirect("/admin/")
        if actor.user is not None:
            raise refusals.AdminsOnly
        return redirect("/accounts/login/?" + urlencode({"next": request.GET.get("next", "/admin/")}))
