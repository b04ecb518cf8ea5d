"""The admin's site. Apart from gateway.admin: made while that is imported, it would lose what is registered there."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any
from urllib.parse import urlencode

from csp.constants import SELF, UNSAFE_EVAL
from csp.decorators import csp_update
from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, URLResolver, get_resolver
from unfold.sites import UnfoldAdminSite

from gateway import access, refusals

# The theme's scripts evaluate what stands in attributes. That is allowed here and nowhere else.
POLICY = {"script-src": [SELF, UNSAFE_EVAL]}


class Site(UnfoldAdminSite):
    """Signing in, and what belongs to it, is allauth's business, also here."""

    index_title = "Records"

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        actor = access.actor_of(request)
        if actor.is_admin:
            return redirect("/admin/")
        if actor.user is not None:
            raise refusals.AdminsOnly
        return redirect("/accounts/login/?" + urlencode({"next": request.GET.get("next", "/admin/")}))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponseBase:
        return redirect("account_change_password")

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., HttpResponseBase]:
        return csp_update(POLICY)(super().admin_view(view, cacheable))

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        # The colours stand in records.css: the theme would write them into the page, which the policy forbids.
        return {**super().each_context(request), "colors": None}


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """The sidebar: the pages on which the program is run, then the records of each room."""
    rooms = [
        {
            "title": room["name"],
            "separator": True,
            "items": [{"title": model["name"], "link": model["admin_url"]} for model in room["models"]],
        }
        for room in admin.site.get_app_list(request)
    ]
    pages = [{"title": _title(path), "link": f"/{path}"} for path in operation_pages()]
    return [{"title": "Running the program", "separator": False, "items": pages}, *rooms]


@cache
def operation_pages() -> tuple[str, ...]:
    """Every page `program/…` of the first rank, whichever room it stands in, so that none is forgotten here."""
    return tuple(
        route
        for route in _routes(get_resolver().url_patterns)
        if route.startswith("program/") and route.count("/") == 1 and "<" not in route
    )


def _routes(patterns: Iterable[URLPattern | URLResolver], before: str = "") -> Iterable[str]:
    for pattern in patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route
        else:
            yield from _routes(pattern.url_patterns, route)


def _title(path: str) -> str:
    return path.rpartition("/")[2].replace("-", " ").capitalize()
