"""/v1/brakes: for admins, in a browser's session; a token is never an admin."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import refusals
from gateway.api import Resource, page, read_id, show_id
from gateway.models import Brake
from gateway.models.brakes import SCOPES
from gateway.openapi import (
    PAGE,
    boolean,
    const,
    fields,
    id_of,
    integer,
    many,
    moment,
    nullable,
    one_of,
    operation,
    page_of,
    query,
    shape,
    text,
)
from review import radius


class NewBrake(serializers.Serializer[Any]):
    """`which` names it: a token by its last four characters, an artist by address, a model by its short name, …"""

    scope = serializers.ChoiceField(choices=SCOPES, help_text="What kind of thing is stopped.")
    which = serializers.CharField(
        max_length=300,
        required=False,
        allow_blank=True,
        default="",
        help_text="Which one: a token by its last four characters, an artist by address, a model by its short name.",
    )
    reason = serializers.CharField(max_length=2000, allow_blank=True, help_text="Why, for those whom it touches.")
    minutes = serializers.IntegerField(
        min_value=1,
        max_value=60 * 24 * 365,
        required=False,
        allow_null=True,
        help_text="For how long; without it until it is released.",
    )
    closes = serializers.BooleanField(
        required=False, default=False, help_text="Whether pages, downloads and public works are shut too."
    )


class Parting(serializers.Serializer[Any]):
    why = serializers.CharField(
        max_length=2000,
        required=False,
        allow_blank=True,
        default="",
        help_text="Why it is released, for those whom it touched.",
    )


BRAKE = shape(
    "Brake",
    "A stop, in force or released.",
    id=id_of("brake"),
    object=const("brake"),
    status=one_of(*Brake.MOVES),
    scope=one_of(*SCOPES),
    target=nullable(text()),
    label=text(),
    reason=text(),
    closes=boolean("Pages, downloads and public works too."),
    source=text(),
    created_at=moment(),
    ends_at=nullable(moment()),
    released_at=nullable(moment()),
    actions=many(one_of("release")),
)
PREVIEW = shape(
    "BrakePreview",
    "What a brake would touch.",
    object=const("brake.preview"),
    scope=one_of(*SCOPES),
    label=text(),
    touches=fields(
        people=integer(),
        tokens=integer(),
        guest_passes=integer(),
        waiting=integer(),
        running=integer(),
        public=integer(),
    ),
    people=many(text(), "The first twenty, by name."),
)
WHICH = "What it is on: a token by its last four characters, an artist by address, a model by its short name, …"


def show_brake(row: Brake) -> dict[str, Any]:
    """A brake, in force or released."""
    return {
        "id": show_id("brake", row.pk),
        "object": "brake",
        "status": row.state,
        "scope": row.scope,
        "target": row.target.hex if row.target else None,
        "label": row.label,
        "reason": row.reason,
        "closes": row.closes,
        "source": row.source,
        "created_at": row.created_at,
        "ends_at": row.ends_at,
        "released_at": row.released_at,
        "actions": ["release"] if row.state == "pulled" else [],
    }


class Brakes(Resource):
    """What is stopped, latest first; pull one."""

    @operation(
        "list_brakes", "List what is stopped, and was", {200: page_of(BRAKE)}, query=PAGE, no=[refusals.AdminsOnly]
    )
    def get(self, request: Request) -> Response:
        self.actor.must_be_admin()
        return Response(page(request, Brake.objects.all(), "brake", show_brake))

    @operation(
        "pull_brake",
        "Stop something",
        {201: BRAKE},
        body=NewBrake,
        example={"scope": "model", "which": "sketch", "reason": "It is being taught anew.", "minutes": 60},
        no=[refusals.AdminsOnly, refusals.NothingToStop, refusals.BrakeNeedsReason],
    )
    def post(self, request: Request) -> Response:
        self.actor.must_be_admin()
        asked = NewBrake(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(show_brake(radius.pull(by=self.actor, **asked.validated_data)), status=201)


class BrakePreview(Resource):
    """What a brake would touch: `?scope=…&which=…`."""

    @operation(
        "preview_brake",
        "Read what a brake would touch",
        {200: PREVIEW},
        query=[query("scope", one_of(*SCOPES), "What kind of thing.", required=True), query("which", text(), WHICH)],
        no=[refusals.AdminsOnly, refusals.NothingToStop],
    )
    def get(self, request: Request) -> Response:
        self.actor.must_be_admin()
        scope = request.query_params.get("scope", "")
        target, label = radius.find(scope, request.query_params.get("which", ""))
        found = radius.of(scope, target, label)
        shown = {"object": "brake.preview", "scope": scope, "label": label, "touches": found.counts}
        return Response(shown | {"people": found.names})


class ReleaseBrake(Resource):
    """Let go; `why` is told to those whom it touched."""

    @operation(
        "release_brake",
        "Let go",
        {200: BRAKE},
        body=Parting,
        example={"why": "It was a false alarm."},
        no=[refusals.AdminsOnly, refusals.WrongState],
    )
    def post(self, request: Request, brake_id: str) -> Response:
        self.actor.must_be_admin()
        found = Brake.objects.filter(pk=read_id("brake", brake_id)).first()
        if found is None:
            raise refusals.NotFound
        words = Parting(data=request.data)
        words.is_valid(raise_exception=True)
        radius.release(found, by=self.actor, **words.validated_data)
        return Response(show_brake(found))
