"""The two things that every request passes: the log, and the place where a "no" becomes an answer."""

import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse

from gateway import access, addresses, audit, keys, refusals, second_factors, sessions, sightings
from gateway.access import actor_of, must_be_open, watched
from gateway.actors import NOBODY
from gateway.models import Canary
from gateway.models.base import new_id

log = logging.getLogger(__name__)
Next = Callable[[HttpRequest], HttpResponseBase]
PROBES = {"/healthz", "/readyz"}
# What a reviewer or an admin reaches without a second factor: to set one up; to prove the one that they have.
SETTING_UP = ("/accounts/",)
PROVING = ("/accounts/2fa/reauthenticate/", "/accounts/2fa/webauthn/reauthenticate/", "/accounts/logout/")
OWN_PAGES, END_VISIT = ("/admin/", "/accounts/", "/program/"), "/impersonation/end"
SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}


class Audited:
    """Records every request, outside the view's transaction so that a rollback can't erase it.

    1. Static files and health probes pass unrecorded.
    2. A request that may change something is recorded as `request.received` before the view runs: no entry, no view.
    3. After the view, `request.answered` says who it was, the route, the status and the milliseconds. A missing answer
       shows as a gap.
    4. A safe request is one entry, `request.answered`, before its answer leaves.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path in PROBES or request.path.startswith(settings.STATIC_URL):
            return self.get_response(request)
        request_id = new_id()
        request.request_id = request_id  # type: ignore[attr-defined]
        began = time.monotonic()
        token = audit.request_id.set(request_id)
        try:
            if request.method not in SAFE:
                audit.record("request.received", by=NOBODY, facts={"method": request.method}, detail=_detail(request))
            response = self.get_response(request)
            watched(request, response)
            self._answered(request, response, began)
        except DatabaseError:
            log.exception("the audit log could not be written")
            response = _unavailable(request)
        finally:
            audit.request_id.reset(token)
        response["X-Request-ID"] = str(request_id)
        if (canary := getattr(request, "canary", None)) is not None:
            _when_sent(response, lambda: _sing(canary, request))
        # Nothing is shown from a cache after it was withdrawn, nor refused after its cause has gone.
        response.headers.setdefault("Cache-Control", "private, no-cache" if actor_of(request).user else "no-cache")
        if response.streaming and not connection.in_atomic_block:
            connection.close()  # back to the pool: a long download holds none
        return response

    def _answered(self, request: HttpRequest, response: HttpResponseBase, began: float) -> None:
        match = request.resolver_match
        try:
            audit.record(
                "request.answered",
                by=actor_of(request),
                facts={
                    "method": request.method,
                    "route": match.route if match else None,
                    "status": response.status_code,
                    "ms": round((time.monotonic() - began) * 1000),
                    **({"refused": code} if (code := getattr(response, "refusal", None)) else {}),
                },
                detail=_detail(request) if request.method in SAFE else None,
            )
        except DatabaseError:
            if request.method in SAFE:
                raise
            # The change is made: a 503 would have the client ask, and pay, a second time.
            log.exception("an answer is missing in the audit log")


class Refusals:
    """Turns a Refused that a view lets through into an answer: a page for people, JSON for clients."""

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *args: Any) -> HttpResponse | None:
        """allauth's pages wear no guard of ours, so a braked session is stopped here; signing out it may."""
        if request.path.startswith("/accounts/") and request.path != "/accounts/logout/":
            try:
                must_be_open(request, actor_of(request))
            except refusals.Refused as refusal:
                return refuse(request, refusal)
        return None

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return refuse(request, exception) if isinstance(exception, refusals.Refused) else None


class SecondFactor:
    """Reviewers and admins pass with a second factor only, in every session and at every door.

    1. A token is not asked: one that may review was issued to somebody who had a second factor.
    2. Who has none is led to set one up, and reaches nothing but the pages of their own account.
    3. Who has one and did not use it in this session (which is older, say) reaches nothing but the page that asks it.
    4. A second factor that was removed has proven nothing.

    It also notes when each session was last used.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path not in PROBES and request.user.is_authenticated and request.session.session_key:
            agent = request.META.get("HTTP_USER_AGENT", "")
            sessions.seen(request.session.session_key, address=addresses.of(request), agent=agent)
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        if request.path in PROBES or (_is_rest(request) and access.bearer_of(request) is not None):
            return None
        if not request.user.is_authenticated or not second_factors.required(request.user):
            return None
        held = second_factors.held(request.user)
        if access.proven_by(request, request.user) & held.keys():
            return None
        return _lead_to_second_factor(request, set(held.values()) & set(second_factors.KINDS))


class OnlyLooking:
    """An admin who looks as an artist reads, at every door, and changes nothing but to end it.

    Their own pages are shut meanwhile, so that nobody mistakes whose they are: records, program, sign-in.
    """

    def __init__(self, get_response: Next) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if request.path in PROBES or actor_of(request).impersonation is None or request.path == END_VISIT:
            return None
        if request.method in SAFE and not request.path.startswith(OWN_PAGES):
            return None
        return refuse(request, refusals.ReadOnlyWhileImpersonating())


def _lead_to_second_factor(request: HttpRequest, usable: set[str]) -> HttpResponseBase | None:
    if request.path.startswith(PROVING if usable else SETTING_UP):
        request.second_factor_missing = True  # type: ignore[attr-defined]
        return None
    if request.method not in SAFE or _is_rest(request):
        return refuse(request, refusals.SecondFactorFirst())
    if not usable:
        return redirect("mfa_index")
    page = "mfa_reauthenticate" if "totp" in usable else "mfa_reauthenticate_webauthn"
    return redirect(reverse(page) + "?" + urlencode({"next": request.get_full_path()}, safe="/"))


def refuse(request: HttpRequest, refusal: refusals.Refused) -> HttpResponse:
    """The answer that says no in the refusal's own sentence."""
    if _is_rest(request):
        response: HttpResponse = JsonResponse(problem(refusal), status=refusal.status)
    else:
        response = render(request, "refused.html", {"refusal": refusal}, status=refusal.status)
    response.refusal = refusal.code  # type: ignore[attr-defined]
    if refusal.retry_after is not None:
        response["Retry-After"] = str(refusal.retry_after)
    return response


def _is_rest(request: HttpRequest) -> bool:
    return request.path == "/v1" or request.path.startswith("/v1/")


def _when_sent(response: HttpResponseBase, act: Callable[[], None]) -> None:
    """Act when the answer has left: nobody can tell by the time that it took."""
    close = response.close

    def acting() -> None:
        try:
            act()
        finally:
            close()

    response.close = acting  # type: ignore[method-assign]


def _sing(canary: Canary, request: HttpRequest) -> None:
    try:
        sightings.canary_used(canary, address=addresses.of(request), agent=request.META.get("HTTP_USER_AGENT", ""))
    except DatabaseError:
        log.exception("canary %s was used, and could not say so", canary.pk)


def _unavailable(request: HttpRequest) -> HttpResponse:
    # Who asks stands in the database, which may be what is away.
    request.actor = NOBODY  # type: ignore[attr-defined]
    request.user = AnonymousUser()
    return refuse(request, refusals.LogUnavailable())


KINDS = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


def problem(refusal: refusals.Refused, status: int | None = None) -> dict[str, object]:
    """One body for both families of clients: RFC 9457 members at the top, OpenAI's `error` inside."""
    status = status or refusal.status
    kind = "conflict_error" if status in {402, 409, 410} else "invalid_request_error"
    title = type(refusal).__name__
    return {
        "type": f"{settings.BASE_URL}/docs/refusals#{refusal.code}",
        "title": title,
        "status": status,
        "detail": refusal.sentence,
        "error": {
            "message": refusal.sentence,
            "type": "server_error" if status >= 500 else KINDS.get(status, kind),
            "param": refusal.param,
            "code": refusal.code,
        },
    }


def _detail(request: HttpRequest) -> dict[str, object]:
    return {
        "path": keys.redacted(request.path),
        "address": addresses.of(request),
        "agent": request.META.get("HTTP_USER_AGENT", "")[:300],
    }
