"""What benchmarks.api asks: the gateway and, beside it on the same server, a floor that does as little as one can.

The floor has no middleware and asks nobody who they are: it reads one row where something is read, writes one, answers
JSON.
"""

import json
from typing import Any
from uuid import UUID, uuid4

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path

django.setup()

from gateway.urls import urlpatterns as ours  # noqa: E402
from generation.models import Generation  # noqa: E402

INSERT = "insert into bench_floor (id, told) values (%s, %s)"


def _write(told: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(INSERT, [uuid4(), json.dumps(told)])


def submit(request: HttpRequest) -> JsonResponse:
    """Reads JSON, writes a row."""
    told = json.loads(request.body)
    _write(told)
    return JsonResponse({"id": "video_0", "object": "video", "status": "queued", **told})


def poll(request: HttpRequest, pk: UUID) -> JsonResponse:
    """Reads a row, writes another."""
    found = Generation.objects.get(pk=pk)
    _write({"path": request.path})
    return JsonResponse({"id": f"video_{found.pk.hex}", "object": "video", "status": found.state, "seed": found.seed})


urlpatterns = [path("floor", submit), path("floor/<uuid:pk>", poll), *ours]
settings.ROOT_URLCONF = __name__
gateway = WSGIHandler()
settings.MIDDLEWARE = []
floor = WSGIHandler()


def application(environ: dict[str, Any], start_response: Any) -> Any:
    """The floor under /floor, the gateway everywhere else."""
    asked = floor if environ["PATH_INFO"].startswith("/floor") else gateway
    return asked(environ, start_response)
