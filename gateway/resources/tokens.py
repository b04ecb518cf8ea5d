"""/v1/tokens: a person's own; to a token, itself."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import refusals, tokens
from gateway.api import Resource, page, read_id, show_id
from gateway.models import Token
from gateway.openapi import (
    PAGE,
    const,
    fields,
    id_of,
    integer,
    many,
    moment,
    more_than,
    nullable,
    one_of,
    operation,
    page_of,
    shape,
    text,
)

ITSELF = "self"
ONCE = {"Cache-Control": "no-store"}  # a secret is shown once


class NewToken(serializers.Serializer[Any]):
    """`expires_at` wins over `days`; with `days` null the token has no end."""

    label = serializers.CharField(max_length=80, help_text="What it is for.")  # type: ignore[assignment]
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=Token.SCOPES), help_text="What may be done with it."
    )
    mode = serializers.ChoiceField(
        choices=Token.MODES, required=False, help_text="“test”: it draws with the small model, for nothing."
    )
    days = serializers.IntegerField(
        min_value=1,
        max_value=tokens.MAX_DAYS,
        required=False,
        allow_null=True,
        help_text="For how long it is good; null: without an end.",
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Until when; it wins over “days”."
    )
    networks = serializers.ListField(
        child=serializers.CharField(max_length=60),
        required=False,
        help_text="From where it works, such as 192.0.2.0/24; without it from anywhere.",
    )
    requests_a_minute = serializers.IntegerField(
        min_value=1,
        max_value=100_000,
        required=False,
        allow_null=True,
        help_text="How many requests a minute, of its member’s.",
    )
    credits_limit = serializers.IntegerField(
        min_value=0,
        max_value=1_000_000,
        required=False,
        allow_null=True,
        help_text="How many credits a month, of its member’s.",
    )


class Rotation(serializers.Serializer[Any]):
    overlap_hours = serializers.IntegerField(
        min_value=0,
        max_value=tokens.MAX_OVERLAP,
        required=False,
        default=24,
        help_text="For how long the old one holds beside the new one.",
    )


TOKEN = shape(
    "Token",
    "A token as its owner may know it, without its secret.",
    id=id_of("token"),
    object=const("token"),
    label=text(),
    mode=one_of(*Token.MODES),
    scopes=many(one_of(*Token.SCOPES)),
    last_four=text(),
    networks=many(text(), "From which it works; none: from everywhere."),
    requests_a_minute=nullable(integer()),
    credits_limit=nullable(integer()),
    created_at=moment(),
    expires_at=nullable(moment()),
    revoked_at=nullable(moment()),
    replaced_by=nullable(id_of("token")),
    last_used=nullable(fields(at=moment(), address=nullable(text()), what=text())),
    actions=many(one_of("rotate", "revoke")),
)
NEW_TOKEN = more_than(TOKEN, "NewToken", "A token with its secret, shown this once.", secret=text())
ROTATED = more_than(NEW_TOKEN, "RotatedToken", "The token that takes the place of another.", replaces=TOKEN)


class Tokens(Resource):
    """Those of the caller; a person in a browser makes new ones."""

    @operation("list_tokens", "List your tokens", {200: page_of(TOKEN)}, query=PAGE)
    def get(self, request: Request) -> Response:
        rows = tokens.visible_to(self.actor).select_related("replaced_by")
        return Response(page(request, rows, "token", show))

    @operation(
        "create_token",
        "Make a token",
        {201: NEW_TOKEN},
        body=NewToken,
        example={"label": "notebook", "scopes": ["generate"], "days": 90},
        no=[
            refusals.TokensMakeNoTokens,
            refusals.TermsNotAccepted,
            refusals.ReviewersOnly,
            refusals.NotAMember,
            refusals.Suspended,
            refusals.TestsOnlyGenerate,
            refusals.BadEnd,
            refusals.BadNetwork,
            refusals.TooManyNetworks,
        ],
        more="A person does that, in a browser's session: a token makes no tokens.",
    )
    def post(self, request: Request) -> Response:
        asked = NewToken(data=request.data)
        asked.is_valid(raise_exception=True)
        made, secret = tokens.issue(by=self.actor, **asked.validated_data)
        return Response({**show(made), "secret": secret}, status=201, headers=ONCE)


class OneToken(Resource):
    """One of them; `self` is the one that asks."""

    @operation("get_token", "Read one", {200: TOKEN})
    def get(self, request: Request, token_id: str) -> Response:
        return Response(show(_own(self, token_id)))

    @operation(
        "revoke_token", "Revoke it, now", {200: TOKEN}, no=[refusals.TokensMakeNoTokens], more="Twice is no error."
    )
    def delete(self, request: Request, token_id: str) -> Response:
        found = _own(self, token_id)
        tokens.revoke(found, by=self.actor)
        found.refresh_from_db()
        return Response(show(found))


class Rotate(Resource):
    """The token that takes its place, with its secret, shown this once."""

    @operation(
        "rotate_token",
        "Replace it, with an overlap",
        {201: ROTATED},
        body=Rotation,
        example={"overlap_hours": 24},
        no=[refusals.TokensMakeNoTokens, refusals.TermsNotAccepted, refusals.AlreadyRotated],
    )
    def post(self, request: Request, token_id: str) -> Response:
        found = _own(self, token_id)
        asked = Rotation(data=request.data)
        asked.is_valid(raise_exception=True)
        made, secret = tokens.rotate(found, by=self.actor, **asked.validated_data)
        return Response({**show(made), "secret": secret, "replaces": show(found)}, status=201, headers=ONCE)


def show(token: Token) -> dict[str, Any]:
    """A token as its owner may know it, without its secret."""
    live = token.revoked_at is None
    return {
        "id": show_id("token", token.pk),
        "object": "token",
        "label": token.label,
        "mode": token.mode,
        "scopes": token.scopes,
        "last_four": token.last_four,
        "networks": token.networks,
        "requests_a_minute": token.requests_a_minute,
        "credits_limit": token.credits_limit,
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
        "replaced_by": show_id("token", token.replaced_by_id) if token.replaced_by_id else None,
        "last_used": {"at": token.last_used_at, "address": token.last_address, "what": token.last_use}
        if token.last_used_at
        else None,
        "actions": [*(["rotate"] if live and not token.replaced_by_id else []), *(["revoke"] if live else [])],
    }


def _own(resource: Resource, token_id: str) -> Token:
    if token_id == ITSELF:
        if resource.actor.token is None:
            raise refusals.NotFound
        pk = resource.actor.token.pk
    else:
        pk = read_id("token", token_id)
    found = tokens.visible_to(resource.actor).filter(pk=pk).first()
    if found is None:
        raise refusals.NotFound
    return found
