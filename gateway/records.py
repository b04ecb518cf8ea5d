"""The admin's site. Apart from gateway.admin: made while that is imported, it would lose what is registered there."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect


class Site(admin.AdminSite):
    """Signing in is allauth's business, also here."""

    site_header = "Bon à Tirer: records"
    site_title = "Records"
    site_url = "/"

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:  # type: ignore[override]
        return redirect(f"/accounts/login/?next={request.get_full_path()}")
