"""/v1/webhook_endpoints: where a person's programs are told of what happens; in the words of OpenAI's interface.

Beside what its SDK reads (`client.webhooks`), each says how it stands, and what was sent there.
"""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import deliveries, openapi, refusals, webhooks
from gateway.api import Resource, page, read_id, show_id
from gateway.models import WebhookDelivery, WebhookEndpoint
from gateway.openapi import (
    PAGE,
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
    page_of,
    shape,
    text,
    unix,
)
from gateway.resources.tokens import ONCE

NOUN, DELIVERY = WebhookEndpoint.NOUN, WebhookDelivery.NOUN
DAY = 24
EVENTS_AND_TEST = {**webhooks.EVENTS, webhooks.TEST: "You asked for a test"}


class EndpointChanges(serializers.Serializer[Any]):
    """What is left out stays as it is. `status` enables it, or stops it."""

    url = serializers.CharField(
        max_length=600,
        required=False,
        help_text="Where you are told: https, and an address that the whole internet can reach.",
    )
    event_types = serializers.ListField(
        child=serializers.CharField(max_length=60), required=False, allow_empty=False, help_text="What you hear of."
    )
    name = serializers.CharField(max_length=80, required=False, allow_blank=True, help_text="What it is for.")
    status = serializers.ChoiceField(
        choices=("active", "disabled"), required=False, help_text="Whether anything is sent there."
    )


class NewEndpoint(serializers.Serializer[Any]):
    """Without `event_types` it hears of everything."""

    url = serializers.CharField(
        max_length=600, help_text="Where you are told: https, and an address that the whole internet can reach."
    )
    event_types = serializers.ListField(
        child=serializers.CharField(max_length=60),
        required=False,
        allow_empty=False,
        help_text="What you hear of; without it of everything.",
    )
    name = serializers.CharField(max_length=80, required=False, allow_blank=True, help_text="What it is for.")


class SecretRotation(serializers.Serializer[Any]):
    """How long the old secret signs beside the new one; with neither, it ends at once."""

    overlap_hours = serializers.IntegerField(
        min_value=0, max_value=webhooks.MAX_OVERLAP, required=False, help_text="For how long the old one signs too."
    )
    keep_old_secret_active_for_24_hours = serializers.BooleanField(
        required=False, default=False, help_text="The same, in the SDK’s words."
    )


class EndpointTest(serializers.Serializer[Any]):
    event_type = serializers.CharField(
        max_length=60,
        required=False,
        default=webhooks.TEST,
        help_text="A sample of which event; without it `webhook.test`.",
    )


ENDPOINT = shape(
    "WebhookEndpoint",
    "Where a person's programs are told, without its secrets.",
    id=id_of(NOUN),
    object=const(NOUN),
    created_at=unix(),
    updated_at=unix(),
    name=text(),
    url=text(),
    event_types=many(text()),
    signing_secret_hint=text(),
    old_secret_until=nullable(unix("Until then two secrets sign.")),
    status=one_of("active", "disabled"),
    reason=nullable(text("Why it is disabled.")),
    token=nullable(id_of("token", "That it was made with.")),
    actions=many(one_of("enable", "disable", "rotate_secret", "test", "delete")),
)
WITH_SECRET = more_than(
    ENDPOINT, "NewWebhookEndpoint", "An endpoint with its secret, shown this once.", signing_secret=text()
)
SENT = shape(
    "WebhookDelivery",
    "One event on its way to one endpoint.",
    id=id_of(DELIVERY),
    object=const(DELIVERY),
    created_at=unix(),
    event=fields(id=id_of("evt"), type=text(), data=fields(id=text())),
    status=one_of("waiting", "delivered", "failed"),
    replay=boolean(),
    test=boolean(),
    attempts=integer(),
    next_attempt_at=nullable(unix()),
    last_attempt=nullable(
        fields(
            at=unix(), status_code=nullable(integer()), ms=nullable(integer()), error=nullable(text()), answer=text()
        )
    ),
    actions=many(one_of("replay")),
)
# What each change of an endpoint may be refused by, since it needs somebody who may be told.
LISTENING = (refusals.MissingScope, refusals.NotAMember, refusals.Suspended, refusals.TermsNotAccepted)
for event, when in EVENTS_AND_TEST.items():
    openapi.WEBHOOKS[event] = {
        "post": {
            "summary": when,
            "tags": ["webhook_endpoints"],
            "parameters": [
                {
                    "name": name,
                    "in": "header",
                    "required": True,
                    "schema": text(),
                    "description": "Standard Webhooks 1.0.",
                }
                for name in ("webhook-id", "webhook-timestamp", "webhook-signature")
            ],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": fields(
                            id=id_of("evt"),
                            object=const("event"),
                            created_at=unix(),
                            type=const(event),
                            data=fields(id=text("The id of what it happened to.")),
                        )
                    }
                },
            },
            "responses": {"2XX": {"description": "Taken. Anything else is tried again, for three days; 410 ends it."}},
        }
    }


CHANGING = (*LISTENING, refusals.BadWebhookUrl, refusals.UnknownEventType, refusals.WrongState)


class Endpoints(Resource):
    """The caller's own; another one."""

    @operation(
        "list_webhook_endpoints",
        "List your endpoints",
        {200: page_of(ENDPOINT)},
        query=PAGE,
        no=[refusals.MissingScope],
    )
    def get(self, request: Request) -> Response:
        return Response(page(request, webhooks.visible_to(self.actor), NOUN, show))

    @operation(
        "create_webhook_endpoint",
        "Be told at an address",
        {201: WITH_SECRET},
        body=NewEndpoint,
        example={"url": "https://example.org/hooks", "event_types": ["video.completed"]},
        no=[*LISTENING, refusals.BadWebhookUrl, refusals.UnknownEventType, refusals.TooManyWebhooks],
    )
    def post(self, request: Request) -> Response:
        asked = NewEndpoint(data=request.data)
        asked.is_valid(raise_exception=True)
        made, secret = webhooks.create(by=self.actor, **asked.validated_data)
        return Response({**show(made), "signing_secret": secret}, status=201, headers=ONCE)


class OneEndpoint(Resource):
    """One of them. The SDK changes it by POST."""

    @operation("get_webhook_endpoint", "Read one", {200: ENDPOINT}, no=[refusals.MissingScope])
    def get(self, request: Request, endpoint_id: str) -> Response:
        return Response(show(_own(self, endpoint_id)))

    def _change(self, request: Request, endpoint_id: str) -> Response:
        found = _own(self, endpoint_id)
        asked = EndpointChanges(data=request.data)
        asked.is_valid(raise_exception=True)
        told = dict(asked.validated_data)
        status = told.pop("status", found.state)
        webhooks.change(found, by=self.actor, status=status, **told)
        return Response(show(found))

    @operation(
        "update_webhook_endpoint",
        "Change it",
        {200: ENDPOINT},
        body=EndpointChanges,
        example={"name": "x"},
        no=CHANGING,
    )
    def patch(self, request: Request, endpoint_id: str) -> Response:
        return self._change(request, endpoint_id)

    @operation(
        "change_webhook_endpoint",
        "Change it, as the SDK does",
        {200: ENDPOINT},
        body=EndpointChanges,
        example={"status": "disabled"},
        no=CHANGING,
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        return self._change(request, endpoint_id)

    @operation(
        "delete_webhook_endpoint",
        "Remove it",
        {200: fields(id=id_of(NOUN), object=const(f"{NOUN}.deleted"), deleted=boolean())},
        no=[refusals.MissingScope, refusals.WrongState],
    )
    def delete(self, request: Request, endpoint_id: str) -> Response:
        found = _own(self, endpoint_id)
        webhooks.remove(found, by=self.actor)
        return Response({"id": show_id(NOUN, found.pk), "object": f"{NOUN}.deleted", "deleted": True})


class RotateSecret(Resource):
    """Another secret, shown this once."""

    @operation(
        "rotate_webhook_secret",
        "Take another secret",
        {200: WITH_SECRET},
        body=SecretRotation,
        example={"overlap_hours": 24},
        no=[*LISTENING, refusals.WrongState],
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        found = _own(self, endpoint_id)
        asked = SecretRotation(data=request.data)
        asked.is_valid(raise_exception=True)
        told = asked.validated_data
        hours = told.get("overlap_hours", DAY if told["keep_old_secret_active_for_24_hours"] else 0)
        secret = webhooks.rotate(found, by=self.actor, overlap_hours=hours)
        return Response({**show(found), "signing_secret": secret}, headers=ONCE)


class SendTest(Resource):
    """A test, by the way that everything goes: what came of it stands in the delivery a moment later."""

    @operation(
        "test_webhook_endpoint",
        "Send a test there",
        {
            202: fields(
                object=const(f"{NOUN}.test"),
                webhook_endpoint_id=id_of(NOUN),
                event_type=text(),
                status_code=nullable(integer()),
                delivery=SENT,
            )
        },
        body=EndpointTest,
        example={"event_type": "webhook.test"},
        no=[*LISTENING, refusals.UnknownEventType, refusals.WebhookDisabled],
    )
    def post(self, request: Request, endpoint_id: str) -> Response:
        found = _own(self, endpoint_id)
        asked = EndpointTest(data=request.data)
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

    @operation(
        "list_webhook_deliveries",
        "List what was sent there",
        {200: page_of(SENT)},
        query=PAGE,
        no=[refusals.MissingScope],
    )
    def get(self, request: Request, endpoint_id: str) -> Response:
        rows = webhooks.deliveries(_own(self, endpoint_id))
        return Response(page(request, rows, DELIVERY, show_delivery))


class Replay(Resource):
    """The same event again, under the same id."""

    @operation("replay_webhook_delivery", "Send it again", {202: SENT}, no=[*LISTENING, refusals.WebhookDisabled])
    def post(self, request: Request, endpoint_id: str, delivery_id: str) -> Response:
        rows = webhooks.deliveries(_own(self, endpoint_id)).select_related("endpoint__user")
        found = rows.filter(pk=read_id(DELIVERY, delivery_id)).first()
        if found is None:
            raise refusals.NotFound
        return Response(show_delivery(webhooks.replay(found, by=self.actor)), status=202)


class EventTypes(Resource):
    """What can be listened for."""

    @operation(
        "list_webhook_event_types",
        "List what can be listened for",
        {200: fields(object=const("list"), data=many(text()))},
    )
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
