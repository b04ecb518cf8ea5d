"""/v1/guest_passes, for the artist who lends. Guests have a page, not an interface."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import guest_passes
from gateway.api import Resource, page, read_id, show_id
from generation import guests
from generation.lending.artist import link_of, own


class GuestPassRequest(serializers.Serializer[Any]):
    """What POST /v1/guest_passes takes."""

    label = serializers.CharField(max_length=80)  # type: ignore[assignment]
    generations = serializers.IntegerField(min_value=1, max_value=10_000)
    credits = serializers.IntegerField(min_value=1, max_value=1_000_000)
    days = serializers.IntegerField(min_value=1, max_value=90, default=7)
    per_address = serializers.IntegerField(min_value=1, max_value=1000, default=3)
    models = serializers.ListField(child=serializers.CharField(max_length=60), required=False, max_length=100)
    may_download = serializers.BooleanField(default=False)


class Switch(serializers.Serializer[Any]):
    may_download = serializers.BooleanField()


class GuestPasses(Resource):
    """Lend a part of one's allowance; list what one has lent."""

    def post(self, request: Request) -> Response:
        asked = GuestPassRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        made, secret = guests.lend(by=self.actor, **asked.validated_data)
        shown = guest_pass(own(self.actor, made.pk))
        return Response({**shown, "link": link_of(secret)}, status=201, headers={"Cache-Control": "no-store"})

    def get(self, request: Request) -> Response:
        rows = guests.with_use(guest_passes.visible_to(self.actor))
        return Response(page(request, rows, "guest_pass", guest_pass))


class OneGuestPass(Resource):
    """One pass of one's own, and what was used of it."""

    def get(self, request: Request, pass_id: str) -> Response:
        return Response(guest_pass(own(self.actor, read_id("guest_pass", pass_id))))


class GuestPassAct(Resource):
    """Take it back, or turn its switch."""

    act = ""

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
