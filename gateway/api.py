"""What all REST resources share: who asks, how a "no" reads, how a page of rows is cut."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from gateway import limits, refusals
from gateway.access import actor_of, must_be_open, watch
from gateway.actors import Actor
from gateway.middleware import problem

PATIENCE = 60  # seconds: what takes longer is for the client's person to decide


class Invalid(refusals.Refused):
    """{what}"""

    status = 400


class Resource(APIView):
    """A view whose `self.actor` is who asks; each request is counted against their limits before the view runs."""

    paces: Sequence[limits.Pace] = ()

    @property
    def actor(self) -> Actor:
        return actor_of(self.request._request)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if self.actor.session is not None:  # a token's brakes were asked for with the token
            must_be_open(request._request, self.actor)
        else:
            watch(request._request, self.actor)

    def check_throttles(self, request: Request) -> None:
        self.paces = limits.count_request(self.actor)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if self.paces:  # draft-ietf-httpapi-ratelimit-headers
            response["RateLimit-Policy"] = ", ".join(f'"{pace.name}";q={pace.quota};w=60' for pace in self.paces)
            response["RateLimit"] = ", ".join(f'"{pace.name}";r={pace.left};t={pace.full_in}' for pace in self.paces)
        return response


def error(exception: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Every "no" in the one body, also DRF's own."""
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
    if status in {402, 403, 404, 409, 410} or (refusal.retry_after or 0) > PATIENCE:
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
    """A page by cursor, stable under inserts: `after` (an id), `limit` (1 to 100, else 20), `order` (desc or asc)."""
    query = request.query_params
    limit_text, order = query.get("limit", "20"), query.get("order", "desc")
    if not limit_text.isdecimal() or len(limit_text) > 20 or not 1 <= int(limit_text) <= 100:
        raise Invalid(what=f"limit: “{limit_text}” is not a number from 1 to 100.", param="limit")
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
