"""/v1/export: everything that is one's own, in one ZIP."""

from typing import Any

from django.conf import settings
from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import refusals
from gateway.api import Resource, page, show_id
from gateway.models import Export
from gateway.openapi import PAGE, File, const, fields, id_of, integer, moment, nullable, operation, page_of, shape, text
from review import dossier, leaving

EXPORT = shape(
    "Export",
    "One that was made.",
    id=id_of("export"),
    object=const("export"),
    created_at=moment(),
    ended_at=nullable(moment()),
    files=nullable(integer()),
    bytes=nullable(integer()),
    sha256=nullable(text("Of its manifest; null for one that is under way or broke off.")),
)


def show(row: Export) -> dict[str, Any]:
    """One that was made; `sha256` is its manifest's, null for one that is under way or broke off."""
    return {
        "id": show_id("export", row.pk),
        "object": "export",
        "created_at": row.created_at,
        "ended_at": row.ended_at,
        "files": row.files,
        "bytes": row.size,
        "sha256": row.sha256 or None,
    }


class Exports(Resource):
    """GET: how large it would be, and those that were made. POST: the ZIP itself, streamed."""

    @operation(
        "list_exports",
        "List your exports, with how large the next one would be",
        {
            200: page_of(
                EXPORT,
                estimate=fields(works=integer(), files=integer(), bytes=integer()),
                limit=fields(exports=integer(), hours=integer()),
            )
        },
        query=PAGE,
    )
    def get(self, request: Request) -> Response:
        size = dossier.size(self.actor)
        rows = Export.objects.filter(user=self.actor.user)
        return Response(
            {
                **page(request, rows, "export", show),
                "estimate": {"works": size.works, "files": size.files, "bytes": size.bytes},
                "limit": {"exports": settings.EXPORTS_A_DAY, "hours": 24},
            }
        )

    @operation(
        "create_export",
        "Download everything that is yours",
        {200: File(("application/zip",))},
        no=[refusals.MissingScope, refusals.ExportUnderWay, refusals.TooManyExports, refusals.ExportsFull],
        more="One ZIP, made while it is downloaded.",
    )
    def post(self, request: Request) -> HttpResponseBase:
        return leaving.answer(dossier.begin(by=self.actor), self.actor)
