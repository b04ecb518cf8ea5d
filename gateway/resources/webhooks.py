"""/v1/webhook_endpoints: where a person's programs are told of what happens; in the words of OpenAI's interface.

Beside what its SDK reads (`client.webhooks`), each says how it stands, and what was sent there.
"""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import deliveries, refusals, webhooks
from gateway.api import Resource, page, read_id, show_id
from gateway.models import WebhookDelivery, WebhookEndpoint
from gateway.resources.tokens import ONCE

NOUN, DELIVERY = WebhookEndpoint.NOUN, WebhookDelivery.NOUN
DAY = 24


class Changes(serializers.Serializer[Any]):
    """What is left out stays as it is. `status` enables it, or stops it."""

    url = serializers.CharField(max_length=600, required=False)
    event_types = serializers.ListField(child=serializers.CharField(max_length=60), required=False, allow_empty=False)
    name = serializers.CharField(max_length=80, required=False, allow_blank=True)
    status = serializers.ChoiceField(choices=("active", "disabled"), required=False)


class NewEndpoint(serializers.Serializer[Any]):
    """Without `event_types` it hears of everything."""

    url = serializers.CharField(max_length=600)
    event_types = serializers.ListField(child=serializers.CharField(max_length=60), required=False, allow_empty=False)
    name = serializers.CharField(max_length=80, required=False, allow_blank=True)


class Rotation(serializers.Serializer[Any]):
    """How long the old secret signs beside the new one; with neither, it ends at once."""

    overlap_hours = serializers.IntegerField(min_value=0, max_value=webhooks.MAX_OVERLAP, required=False)
    keep_old_secret_active_for_24_hours = serializers.BooleanField(required=False, default=False)


class Test(serializers.Serializer[Any]):
    event_type = serializers.CharField(max_length=60, required=False, default=webhooks.TEST)


class Endpoints(Resource):
    """The caller's own; another one."""

    def get(self, request: Request) -> Response:
        return Response(page(request, webhooks.visible_to(self.actor), NOUN, show))

    def post(self, request: Request) -> Response:
        asked = NewEndpoint(data=request.data)
        asked.is_valid(raise_exception=True)
        made, secret = webhooks.create(by=self.actor, **asked.validated_data)
        return Response({**show(made), "signing_secret": secret}, status=201, headers=ONCE)


class OneEndpoint(Resource):
    """One of them. The SDK changes it by POST."""

    def get(self, request: Request, endpoint_id: str) -> Response:
        return Response(show(_own(self, endpoint_id)))

    def patch(self, request: Request, endpoint_id: str) -> Response:
        found = _own(self, endpoint_id)
        asked = Changes(data=request.data)
        asked.is_valid(raise_exception=True)
        told = dict(asked.validated_data)
        status = told.pop("status", found.state)
        webhooks.change(found, by=self.actor, status=status, **told)
        return Response(show(found))

    post = patch

    def delete(self, request: Request, endpoint_id: str) -> Response:
        found = _own(self, endpoint_id)
        webhooks.remove(found, by=self.actor)
        return Response({"id": show_id(NOUN, found.pk), "object": f"{NOUN}.deleted", "deleted": True})


class RotateSecret(Resource):
    """Another secret, shown this once."""

    def post(self, request: Request, endpoint_id: str) -> Response:
        found = _own(self, endpoint_id)
        asked = Rotation(data=request.data)
        asked.is_valid(raise_exception=True)
        told = asked.validated_data
        hours = told.get("overlap_hours", DAY if told["keep_old_secret_active_for_24_hours"] else 0)
        secret = webhooks.rotate(found, by=self.actor, overlap_hours=hours)
        return Response({**show(found), "signing_secret": secret}, headers=ONCE)


class SendTest(Resource):
    """A test, by the way that everything goes: what came of it stands in the delivery a moment later."""

    def post(self, request: Request, endpoint_id: str) -> Response:
        found = _own(self, endpoint_id)
        asked = Test(data=request.data)
        asked.is_valid(raise_exception=True)
        sent = webhooks.test(found, by=self.actor, **asked.validated_data)
        told = {
            "object": f"{NOUN}.test",
            "webhook_endpoint_id": show_id(NOUN, found.pk),
            "event_type": sent.event.type,
            "status_code": sent.status,
            "delivery": show_delivery(sent),
        }
        return Response(told, status=202)


class Deliveries(Resource):
    """What was sent there in the last thirty days, or waits to be."""

    def get(self, request: Request, endpoint_id: str) -> Response:
        rows = webhooks.deliveries(_own(self, endpoint_id))
        return Response(page(request, rows, DELIVERY, show_delivery))


class Replay(Resource):
    """The same event again, under the same id."""

    def post(self, request: Request, endpoint_id: str, delivery_id: str) -> Response:
        rows = webhooks.deliveries(_own(self, endpoint_id)).select_related("endpoint__user")
        found = rows.filter(pk=read_id(DELIVERY, delivery_id)).first()
        if found is None:
            raise refusals.NotFound
        return Response(show_delivery(webhooks.replay(found, by=self.actor)), status=202)


class EventTypes(Resource):
    """What can be listened for."""

    def get(self, request: Request) -> Response:
        return Response({"object": "list", "data": list(webhooks.EVENTS)})


def show(row: WebhookEndpoint) -> dict[str, Any]:
    """An endpoint as its owner sees it, without its secrets."""
    two_until = row.old_secret_until if webhooks.in_rotation(row) else None
    return {
        "id": show_id(NOUN, row.pk),
        "object": NOUN,
        "created_at": int(row.created_at.timestamp()),
        "updated_at": int(row.changed_at.timestamp()),
        "name": row.name,
        "url": row.url,
        "event_types": row.event_types,
        "signing_secret_hint": f"whsec_…{row.hint}",
        "old_secret_until": int(two_until.timestamp()) if two_until else None,
        "status": row.state,
        "reason": row.reason or None,
        "token": show_id("token", row.token_id) if row.token_id else None,
        "actions": ["disable", "rotate_secret", "test", "delete"]
        if row.state == "active"
        else ["enable", "rotate_secret", "delete"],
    }


def show_delivery(row: WebhookDelivery) -> dict[str, Any]:
    """One event on its way to one endpoint, as its owner sees it."""
    waits = row.state == "waiting"
    return {
        "id": show_id(DELIVERY, row.pk),
        "object": DELIVERY,
        "created_at": int(row.created_at.timestamp()),
        "event": {"id": deliveries.id_of(row.event), "type": row.event.type, "data": {"id": row.event.subject}},
        "status": row.state,
        "replay": row.again,
        "test": row.test,
        "attempts": row.attempts,
        "next_attempt_at": int(row.next_at.timestamp()) if waits else None,
        "last_attempt": {
            "at": int(row.tried_at.timestamp()),
            "status_code": row.status,
            "ms": row.ms,
            "error": row.error or None,
            "answer": row.answer,
        }
        if row.tried_at
        else None,
        "actions": [] if waits else ["replay"],
    }


def _own(resource: Resource, endpoint_id: str) -> WebhookEndpoint:
    rows = webhooks.visible_to(resource.actor).select_related("user")
    found = rows.filter(pk=read_id(NOUN, endpoint_id)).first()
    if found is None:
        raise refusals.NotFound
    return found
