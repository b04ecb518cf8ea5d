"""/v1/guest_passes, for the artist who lends. Guests have a page, not an interface."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import guest_passes, refusals
from gateway.api import Resource, page, read_id, show_id
from gateway.openapi import (
    PAGE,
    Operation,
    boolean,
    const,
    fields,
    id_of,
    integer,
    many,
    more_than,
    nullable,
    one_of,
    operation,
    operations,
    page_of,
    shape,
    text,
    unix,
)
from generation import guests
from generation.lending.artist import link_of, own


class GuestPassRequest(serializers.Serializer[Any]):
    """What POST /v1/guest_passes takes."""

    label = serializers.CharField(max_length=80, help_text="For whom it is; you alone read it.")  # type: ignore[assignment]
    generations = serializers.IntegerField(min_value=1, max_value=10_000, help_text="How many clips it is good for.")
    credits = serializers.IntegerField(
        min_value=1, max_value=1_000_000, help_text="How many of your credits it may use."
    )
    days = serializers.IntegerField(min_value=1, max_value=90, default=7, help_text="For how long it is good.")
    per_address = serializers.IntegerField(
        min_value=1, max_value=1000, default=3, help_text="How many clips a day from one address."
    )
    models = serializers.ListField(
        child=serializers.CharField(max_length=60),
        required=False,
        max_length=100,
        help_text="Short names of models; without it all that can be lent.",
    )
    may_download = serializers.BooleanField(default=False, help_text="Whether guests may download their clips.")


class Switch(serializers.Serializer[Any]):
    may_download = serializers.BooleanField(help_text="Whether guests may download their clips.")


GUEST_PASS = shape(
    "GuestPass",
    "A part of an artist's allowance, lent by a link.",
    id=id_of("guest_pass"),
    object=const("guest_pass"),
    label=text(),
    last_four=text(),
    status=text("open, or why it is not."),
    models=many(text()),
    generations=fields(limit=integer(), used=integer()),
    credits=fields(limit=integer(), used=integer()),
    per_address=integer("Clips a day for one network address."),
    may_download=boolean(),
    guests=integer("How many have used it."),
    created_at=unix(),
    ends_at=unix(),
    last_used_at=nullable(unix()),
    actions=many(one_of("revoke", "downloads")),
)
NEW_GUEST_PASS = more_than(GUEST_PASS, "NewGuestPass", "A guest pass with its link, shown this once.", link=text())


class GuestPasses(Resource):
    """Lend a part of one's allowance; list what one has lent."""

    @operation(
        "create_guest_pass",
        "Lend a part of your allowance",
        {201: NEW_GUEST_PASS},
        body=GuestPassRequest,
        example={"label": "Workshop", "generations": 5, "credits": 10, "days": 7},
        no=[
            refusals.MissingScope,
            refusals.TestsOnlyGenerate,
            refusals.NotAMember,
            refusals.Suspended,
            refusals.TermsNotAccepted,
            refusals.UnknownModel,
        ],
    )
    def post(self, request: Request) -> Response:
        asked = GuestPassRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        made, secret = guests.lend(by=self.actor, **asked.validated_data)
        shown = guest_pass(own(self.actor, made.pk))
        return Response({**shown, "link": link_of(secret)}, status=201, headers={"Cache-Control": "no-store"})

    @operation("list_guest_passes", "List what you have lent", {200: page_of(GUEST_PASS)}, query=PAGE)
    def get(self, request: Request) -> Response:
        rows = guests.with_use(guest_passes.visible_to(self.actor))
        return Response(page(request, rows, "guest_pass", guest_pass))


class OneGuestPass(Resource):
    """One pass of one's own, and what was used of it."""

    @operation("get_guest_pass", "Read one, and what was used of it", {200: GUEST_PASS})
    def get(self, request: Request, pass_id: str) -> Response:
        return Response(guest_pass(own(self.actor, read_id("guest_pass", pass_id))))


class GuestPassAct(Resource):
    """Take it back, or turn its switch."""

    act = ""

    @operations(
        {
            "revoke": Operation(
                "revoke_guest_pass", "Take it back", {200: GUEST_PASS}, no=[refusals.MissingScope, refusals.AdminsOnly]
            ),
            "downloads": Operation(
                "allow_guest_downloads",
                "Say whether guests may download",
                {200: GUEST_PASS},
                body=Switch,
                example={"may_download": True},
                no=[refusals.MissingScope, refusals.AdminsOnly],
            ),
        }
    )
    def post(self, request: Request, pass_id: str) -> Response:
        found = own(self.actor, read_id("guest_pass", pass_id))
        if self.act == "revoke":
            guests.revoke(found, by=self.actor)
        else:
            asked = Switch(data=request.data)
            asked.is_valid(raise_exception=True)
            guest_passes.allow_downloads(found, asked.validated_data["may_download"], by=self.actor)
        return Response(guest_pass(own(self.actor, found.pk)))


def guest_pass(row: Any) -> dict[str, Any]:
    """A pass as its artist reads it; `actions` are open to them now."""
    standing = guests.standing(row)
    return {
        "id": show_id("guest_pass", row.pk),
        "object": "guest_pass",
        "label": row.label,
        "last_four": row.last_four,
        "status": standing,
        "models": row.slugs,
        "generations": {"limit": row.generations, "used": row.used},
        "credits": {"limit": row.credits, "used": row.used_credits},
        "per_address": row.per_address,
        "may_download": row.may_download,
        "guests": row.guests,
        "created_at": int(row.created_at.timestamp()),
        "ends_at": int(row.ends_at.timestamp()),
        "last_used_at": int(row.last_used_at.timestamp()) if row.last_used_at else None,
        "actions": ["revoke", "downloads"] if standing in ("open", "used_up") else [],
    }
