"""/v1/consents: what one allows, for all one's works or for one video; a revocation answers with its receipt."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import refusals
from gateway.api import Resource, page, read_id, show_id
from gateway.consents import PURPOSES, given
from gateway.models import Consent
from gateway.openapi import (
    PAGE,
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
from generation.models import Generation
from generation.views import own
from review import consents


class Asked(serializers.Serializer[Any]):
    purpose = serializers.CharField(max_length=40, help_text="What for.")
    video = serializers.CharField(
        required=False, allow_null=True, help_text="The id of one clip; without it all of them."
    )


class Given(Asked):
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, default=None, help_text="Until when; without it until it is revoked."
    )


CONSENT = shape(
    "Consent",
    "An answer; a revocation with what it stopped.",
    maybe=["stops", "public_works"],
    id=id_of("consent"),
    object=const("consent"),
    purpose=one_of(*PURPOSES),
    video=nullable(id_of("video")),
    answer=one_of("given", "revoked"),
    text=text("What was agreed to, word for word."),
    text_version=integer(),
    created_at=moment(),
    expires_at=nullable(moment()),
    stops=many(text()),
    public_works=fields("How many it touches.", maybe=["stopped", "kept"], stopped=integer(), kept=integer()),
)
OF_ONE = query("video", text(), "Those about one work.")


def show(row: Consent) -> dict[str, Any]:
    """One answer; a revocation with what it stopped."""
    purpose = PURPOSES[row.purpose]
    shown: dict[str, Any] = {
        "id": show_id("consent", row.pk),
        "object": "consent",
        "purpose": row.purpose,
        "video": show_id("video", row.work) if row.work else None,
        "answer": row.answer,
        "text": purpose.texts[row.text_version - 1],
        "text_version": row.text_version,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
    }
    if row.receipt:
        shown |= {"stops": purpose.stops, "public_works": row.reach}
    return shown


class Consents(Resource):
    """Allow a use; list every answer so far, with what is in force for all works."""

    @operation(
        "give_consent",
        "Allow a use",
        {201: CONSENT},
        body=Given,
        example={"purpose": "exhibit"},
        no=[refusals.NotFound, refusals.MissingScope, refusals.UnknownPurpose, refusals.EndsInThePast],
    )
    def post(self, request: Request) -> Response:
        asked = Given(data=request.data)
        asked.is_valid(raise_exception=True)
        words = {**asked.validated_data}
        work = _work(self, words.pop("video", None))
        return Response(show(consents.give(by=self.actor, work=work, **words)), status=201)

    @operation(
        "list_consents",
        "List your answers so far",
        {200: page_of(CONSENT, in_force=many(one_of(*PURPOSES)))},
        query=[*PAGE, OF_ONE],
    )
    def get(self, request: Request) -> Response:
        assert self.actor.user is not None
        rows = Consent.objects.filter(user=self.actor.user)
        work = _work(self, request.query_params.get("video"))
        if work is not None:
            rows = rows.filter(work=work.pk)
        in_force = sorted(given(self.actor.user, *([work.pk] if work else [])))
        return Response({**page(request, rows, "consent", show), "in_force": in_force})


class Revoke(Resource):
    """Take it back: the answer is the receipt."""

    @operation(
        "revoke_consent",
        "Take it back",
        {200: CONSENT},
        body=Asked,
        example={"purpose": "exhibit"},
        no=[refusals.NotFound, refusals.MissingScope, refusals.UnknownPurpose, refusals.NothingToTakeBack],
        more="It holds from the next request on; the answer is the receipt.",
    )
    def post(self, request: Request) -> Response:
        asked = Asked(data=request.data)
        asked.is_valid(raise_exception=True)
        work = _work(self, asked.validated_data.get("video"))
        return Response(show(consents.take_back(asked.validated_data["purpose"], by=self.actor, work=work)))


class OneConsent(Resource):
    """An answer of one's own, or a receipt."""

    @operation("get_consent", "Read one", {200: CONSENT})
    def get(self, request: Request, consent_id: str) -> Response:
        found = Consent.objects.filter(pk=read_id("consent", consent_id), user=self.actor.user).first()
        if found is None:
            raise refusals.NotFound
        return Response(show(found))


def _work(resource: Resource, video: str | None) -> Generation | None:
    return own(resource.actor, read_id("video", video)) if video else None
