"""What all pages with a form share."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render


def page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A page with a form: its status is the refusal's, 422 when a field is wrong, else 200. Typed text stays in it."""
    refusal, form = context.get("refusal"), context.get("form")
    status = 200
    if refusal is not None:
        status = refusal.status
    elif form is not None and form.is_bound and form.errors:
        status = 422
    response = render(request, template, context, status=status)
    if refusal is not None:
        response.refusal = refusal.code  # type: ignore[attr-defined]
        if refusal.retry_after is not None:
            response["Retry-After"] = str(refusal.retry_after)
    return response
