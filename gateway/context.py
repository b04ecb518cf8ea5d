"""What every template knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from gateway import terms
from gateway.access import actor_of


def gateway(request: HttpRequest) -> dict[str, Any]:
    """`actor` (who looks), `program` (its name), `embedded` (one machine, for trying out), `brakes` on who looks and,
    asked only where a page shows it, `terms_due`: the terms that they have still to accept."""
    actor = actor_of(request)
    return {
        "actor": actor,
        "program": settings.PROGRAM_NAME,
        "embedded": settings.EMBEDDED,
        "brakes": getattr(request, "brakes", ()),
        "terms_due": SimpleLazyObject(lambda: terms.due(actor)),
    }
