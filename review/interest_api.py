"""/v1/conflicts: who must not judge whose works, named by address; no answer tells whether somebody has it."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import refusals
from gateway.api import Resource, page, read_id, show_id
from gateway.openapi import PAGE, boolean, const, id_of, moment, operation, page_of, query, shape, text
from review import conflicts
from review.models import Conflict


class Named(serializers.Serializer[Any]):
    """`as_reviewer`: whoever has this address is the artist, and the caller does not judge their works."""

    email = serializers.EmailField(max_length=254, help_text="Whose address.")
    as_reviewer = serializers.BooleanField(
        required=False,
        default=False,
        help_text="True: that person is the artist, and you do not judge their works. False: they do not judge yours.",
    )


CONFLICT = shape(
    "Conflict",
    "An address that its caller has named.",
    id=id_of("conflict"),
    object=const("conflict"),
    email=text(),
    as_reviewer=boolean("The caller does not judge the works of whoever has it."),
    created_at=moment(),
)
LIFTED = shape("ConflictDeleted", "It is lifted.", id=text(), object=const("conflict.deleted"), deleted=boolean())
SCOPED = (refusals.MissingScope, refusals.ReviewersOnly)


def show(row: Conflict) -> dict[str, Any]:
    """One address that its caller has named."""
    return {
        "id": show_id("conflict", row.pk),
        "object": "conflict",
        "email": row.email,
        "as_reviewer": row.reviewer_id == row.named_by_id,
        "created_at": row.created_at,
    }


class Conflicts(Resource):
    """Name an address; list those that one has named."""

    @operation(
        "name_conflict",
        "Name an address",
        {201: CONFLICT},
        body=Named,
        example={"email": "somebody@example.org"},
        no=[*SCOPED, refusals.OwnAddress, refusals.TooManyNamed],
        more="No answer tells whether somebody has it.",
    )
    def post(self, request: Request) -> Response:
        asked = Named(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(show(conflicts.name_address(by=self.actor, **asked.validated_data)), status=201)

    @operation(
        "list_conflicts",
        "List whom you named",
        {200: page_of(CONFLICT)},
        query=[*PAGE, query("as_reviewer", boolean(), "Those whom you named as a reviewer.")],
        no=SCOPED,
    )
    def get(self, request: Request) -> Response:
        as_reviewer = request.query_params.get("as_reviewer") == "true"
        self.actor.must_have("review" if as_reviewer else "submit")
        assert self.actor.user is not None
        rows = conflicts.addresses(self.actor.user, as_reviewer=as_reviewer)
        return Response(page(request, rows, "conflict", show))


class OneConflict(Resource):
    """Lift it: the address is forgotten."""

    @operation("lift_conflict", "Lift it: the address is forgotten", {200: LIFTED}, no=SCOPED)
    def delete(self, request: Request, conflict_id: str) -> Response:
        found = Conflict.objects.filter(pk=read_id("conflict", conflict_id), named_by=self.actor.user).first()
        if found is None:
            raise refusals.NotFound
        conflicts.lift(found, by=self.actor)
        return Response({"id": conflict_id, "object": "conflict.deleted", "deleted": True})
