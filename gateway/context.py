"""What every template knows."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from gateway.access import actor_of


def gateway(request: HttpRequest) -> dict[str, Any]:
    """`actor` (who looks), `program` (its name), `embedded` (one machine, for trying out), `brakes` on who looks."""
    return {
        "actor": actor_of(request),
        "program": settings.PROGRAM_NAME,
        "embedded": settings.EMBEDDED,
        "brakes": getattr(request, "brakes", ()),
    }
