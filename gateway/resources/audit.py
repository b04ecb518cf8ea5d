"""/v1/audit: what one did here, as the log has it."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from gateway import refusals
from gateway.api import Resource, page, show_id
from gateway.models import Entry
from gateway.openapi import PAGE, const, id_of, moment, operation, page_of, shape, text

ENTRY = shape(
    "AuditEntry",
    "Something that you did here, or that was asked in your name.",
    id=id_of("entry"),
    object=const("audit.entry"),
    at=moment(),
    action=text("What was done, such as `token.issued`."),
    body=text("The entry as it was written, byte for byte: JSON of ids, numbers and plain words."),
)


def show(row: Entry) -> dict[str, Any]:
    """An entry; its detail (an address, a prompt) is in the export."""
    return {
        "id": show_id("entry", row.pk),
        "object": "audit.entry",
        "at": row.at,
        "action": row.action,
        "body": bytes(row.body).decode(),
    }


class Audit(Resource):
    """One's own entries: those of one's export."""

    @operation(
        "list_audit_entries",
        "List what you did here",
        {200: page_of(ENTRY)},
        query=PAGE,
        no=[refusals.MissingScope],
        more="A token may that may publish, as it may export. Their details, and what machines did to your works, are "
        "in the export.",
    )
    def get(self, request: Request) -> Response:
        self.actor.must_have("publish")
        assert self.actor.user is not None
        return Response(page(request, Entry.objects.filter(actor_id=self.actor.user.pk), "entry", show))
