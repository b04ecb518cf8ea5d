"""What all REST resources share: who asks, how a "no" reads, how a page of rows is cut, what is not sent twice."""

import hashlib
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn
from uuid import UUID

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase
from django.utils.crypto import salted_hmac
from django.utils.http import parse_etags
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gateway import addresses, limits, refusals, retries
from gateway.access import actor_of, must_be_open, watch
from gateway.actors import Actor
from gateway.middleware import problem
from gateway.models.base import new_id

log = logging.getLogger(__name__)
PATIENCE = 60  # seconds: what takes longer is for the client's person to decide


class Invalid(refusals.Refused):
    """{what}"""

    status = 400


class Resource(APIView):
    """A view whose `self.actor` is who asks; each request is counted against their limits before the view runs.

    A POST with an `Idempotency-Key` is done once (gateway.retries). What GET answers has an ETag; who has it already is
    answered 304.
    """

    paces: Sequence[limits.Pace] = ()
    held: retries.Held | None = None

    @property
    def actor(self) -> Actor:
        return actor_of(self.request._request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.actor.session is not None:  # a token's brakes were asked for with the token
            must_be_open(request._request, self.actor)
        else:
            watch(request._request, self.actor)
        if request.method == "POST" and (key := request.headers.get("Idempotency-Key")) is not None:
            key = retries.read_key(key)
            asked = _fingerprint(request)
            self.held = retries.take(key, holder=self._holder(), user=self.actor.user, asked=asked)

    def repeats(self, request: Request) -> dict[str, Any]:
        """By what a rule knows a request that was sent before: `once`, of its key, `attempt`, of the SDK's, or {}."""
        if self.held is not None:
            return {"once": self.held.once}
        count = request.headers.get("x-stainless-retry-count", "")
        if not (count.isascii() and count.isdecimal() and len(count) < 5):
            return {}
        came = getattr(request._request, "request_id", None) or new_id()
        return {"attempt": retries.Attempt(_fingerprint(request), int(count), came)}

    def _holder(self) -> UUID:
        if self.actor.token is not None:
            return self.actor.token.family
        if self.actor.user is not None:
            return self.actor.user.pk
        where = salted_hmac("gateway.api.holder", addresses.of(self.request._request), algorithm="sha256")
        return UUID(bytes=where.digest()[:16])

    def raise_uncaught_exception(self, exc: Exception) -> NoReturn:
        if self.held is not None:
            with suppress(DatabaseError):  # then it frees itself
                retries.release(self.held)
        super().raise_uncaught_exception(exc)

    def check_throttles(self, request: Request) -> None:
        self.paces = limits.count_request(self.actor)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.paces:  # draft-ietf-httpapi-ratelimit-headers
            response["RateLimit-Policy"] = ", ".join(f'"{pace.name}";q={pace.quota};w=60' for pace in self.paces)
            response["RateLimit"] = ", ".join(f'"{pace.name}";r={pace.left};t={pace.full_in}' for pace in self.paces)
        if self.held is not None:
            _when_whole(response, self._keep)
        elif request.method in ("GET", "HEAD") and response.status_code == 200 and not response.has_header("ETag"):
            _when_whole(response, lambda whole: _conditional(request, whole))
        return response

    def _keep(self, response: HttpResponseBase) -> None:
        assert self.held is not None
        body = response.content if isinstance(response, HttpResponse) else None  # what is streamed is kept nowhere
        try:
            retries.keep(self.held, response.status_code, body)
        except DatabaseError:  # it is done: a 503 would have the client ask a second time
            log.exception("the answer to a request with a key was not kept")


def _when_whole(response: Any, act: Callable[[Any], None]) -> None:
    """Act when the answer is rendered, which DRF's is later."""
    if isinstance(response, Response):
        response.add_post_render_callback(act)
    else:
        act(response)


def _fingerprint(request: Request) -> bytes:
    plain = request._request
    if not request.content_type.startswith("multipart/"):
        _ = plain.body  # kept for a view that wants it as it came
    try:
        data: Any = request.data
    except exceptions.UnsupportedMediaType:  # perhaps no view wants it
        data = b"" if request.content_type.startswith("multipart/") else plain.body
    return retries.fingerprint(plain.method or "", plain.get_full_path(), data)


def known(request: Request, etag: str) -> bool:
    """Whether the client has what this ETag names (RFC 9110, section 13.1.2)."""
    told = parse_etags(request.headers.get("If-None-Match", ""))
    return told == ["*"] or etag.removeprefix("W/") in {tag.removeprefix("W/") for tag in told}


def _conditional(request: Request, response: Any) -> None:
    """Give the answer an ETag made from its body; leave the body away when the client has it."""
    if response.streaming:
        return
    response["ETag"] = etag = f'W/"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    if known(request, etag):
        response.status_code = 304
        response.content = b""
        del response["Content-Type"]


def error(exception: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Every "no" in the one body, also DRF's own; and the answer to a request that was answered before."""
    if isinstance(exception, retries.Answered):
        return _again(exception.answer)
    return _no(exception)


def _again(first: retries.Answer) -> HttpResponse:
    again = {"Idempotent-Replayed": "true"}
    return HttpResponse(first.body, status=first.status, content_type="application/json", headers=again)


def _no(exception: Exception) -> HttpResponse | None:
    if isinstance(exception, RequestDataTooBig):
        exception = refusals.RequestTooLarge(limit=round(settings.DATA_UPLOAD_MAX_MEMORY_SIZE / 1e6, 1))
    if isinstance(exception, refusals.Refused):
        return _answer(exception, exception.status)
    if isinstance(exception, (Http404, exceptions.NotFound)):
        return _answer(refusals.NotFound(), 404)
    if isinstance(exception, exceptions.ValidationError):
        param, what = _first(exception.detail)
        return _answer(Invalid(what=f"{param}: {what}" if param else what, param=param), 400)
    if isinstance(exception, (exceptions.NotAuthenticated, exceptions.AuthenticationFailed)):
        return _answer(refusals.SignInFirst(), 401)
    if isinstance(exception, exceptions.APIException):
        return _answer(Invalid(what=str(exception.detail)), exception.status_code)
    return None


def _answer(refusal: refusals.Refused, status: int) -> Response:
    body = problem(refusal, status)
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    final = status in {402, 403, 404, 409, 410, 501} and refusal.retry_after is None
    if final or (refusal.retry_after or 0) > PATIENCE:
        headers["x-should-retry"] = "false"
    response = Response(body, status=status, headers=headers)
    response.refusal = refusal.code  # type: ignore[attr-defined]
    return response


def _first(detail: Any, param: str | None = None) -> tuple[str | None, str]:
    """The first of DRF's nested messages, and the field that it is about."""
    if isinstance(detail, dict):
        name, inner = next(iter(detail.items()))
        if isinstance(name, int):  # a place in a list: its field's name says more
            return _first(inner, param)
        return _first(inner, None if name == "non_field_errors" else name)
    if isinstance(detail, list):
        return _first(detail[0], param)
    return param, str(detail)


def read_id(noun: str, text: str) -> UUID:
    """The row's id out of `video_…`. Raises NotFound for anything else."""
    prefix, _, hexadecimal = text.rpartition("_")
    try:
        if prefix != noun:
            raise ValueError
        return UUID(hex=hexadecimal)
    except ValueError:
        raise refusals.NotFound from None


def show_id(noun: str, pk: UUID) -> str:
    """How a row's id is written: what it is, then the UUID without hyphens."""
    return f"{noun}_{pk.hex}"


def page(request: Request, rows: QuerySet[Any], noun: str, show: Any) -> dict[str, Any]:
    """A page by cursor, stable under inserts: `after` (an id), `limit` (0 to 100, else 20), `order` (desc or asc).

    With a limit of 0 it says no more than whether there is anything.
    """
    query = request.query_params
    limit_text, order = query.get("limit", "20"), query.get("order", "desc")
    if not limit_text.isdecimal() or len(limit_text) > 20 or int(limit_text) > 100:
        raise Invalid(what=f"limit: “{limit_text}” is not a number from 0 to 100.", param="limit")
    if order not in {"asc", "desc"}:
        raise Invalid(what=f"order: “{order}” is neither asc nor desc.", param="order")
    if after := query.get("after"):
        rows = rows.filter(**{"id__lt" if order == "desc" else "id__gt": read_id(noun, after)})
    limit = int(limit_text)
    found = list(rows.order_by("-id" if order == "desc" else "id")[: limit + 1])
    data = [show(row) for row in found[:limit]]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(found) > limit,
    }
