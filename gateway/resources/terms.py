"""/v1/terms: what holds, and a person's acceptance of it."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import refusals, terms
from gateway.api import Resource
from gateway.models import Rate, Terms, TermsAcceptance, User
from gateway.openapi import const, fields, integer, many, moment, nullable, one_of, operation, shape, text


class Acceptance(serializers.Serializer[Any]):
    version = serializers.IntegerField(min_value=1, help_text="Which version you accept.")


TERMS = shape(
    "Terms",
    "A version of the terms, with its rate card.",
    object=const("terms"),
    version=integer(),
    in_force_at=moment(),
    body=text(),
    currency=text(),
    rates=many(fields(kind=one_of(*Rate.KINDS), words=text(), cents=integer(), unit=one_of("hour", "piece"))),
    accepted_at=nullable(moment("When you accepted this version.")),
    accept_at=text("The page on which a person does that."),
)


class InForce(Resource):
    """The version in force, with its rate card, and whether the caller has accepted it."""

    @operation("get_terms", "Read what is in force", {200: TERMS}, no=[refusals.NotFound])
    def get(self, request: Request) -> Response:
        in_force = terms.current()
        if in_force is None:
            raise refusals.NotFound
        return Response(_show(in_force, self.actor.user))


class Accept(Resource):
    """A person accepts a version: with the browser's session, never with a token."""

    @operation(
        "accept_terms",
        "Accept a version",
        {200: TERMS},
        body=Acceptance,
        example={"version": 1},
        no=[refusals.NotFound, refusals.OnlyInPerson, refusals.OutdatedTerms],
        more="In a browser's session: a token can't agree for its owner.",
    )
    def post(self, request: Request) -> Response:
        assert self.actor.user is not None
        if self.actor.token is not None:
            raise refusals.OnlyInPerson
        asked = Acceptance(data=request.data)
        asked.is_valid(raise_exception=True)
        found = terms.read(asked.validated_data["version"])
        terms.accept(found, self.actor.user, by=self.actor)
        return Response(_show(found, self.actor.user))


def _show(row: Terms, user: User | None) -> dict[str, Any]:
    accepted = TermsAcceptance.objects.filter(terms=row, user=user).first()
    return {
        "object": "terms",
        "version": row.version,
        "in_force_at": row.in_force_at,
        "body": row.body,
        "currency": row.currency,
        "rates": [
            {"kind": rate.kind, "words": rate.words, "cents": rate.cents, "unit": rate.unit} for rate in row.card()
        ],
        "accepted_at": accepted.created_at if accepted else None,
        "accept_at": "/terms/accept",
    }
