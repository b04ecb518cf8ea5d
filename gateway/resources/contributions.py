"""/v1/contributions: report what one did, see what became of it, dispute a decline."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import contributions, refusals
from gateway.api import Resource, page, read_id, show_id
from gateway.models import Contribution, Rate, User


class Report(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=Rate.KINDS)
    title = serializers.CharField(max_length=120)
    body = serializers.CharField(max_length=5000)
    minutes = serializers.IntegerField(min_value=1, max_value=1440, required=False, allow_null=True, default=None)


class Dispute(serializers.Serializer[Any]):
    why = serializers.CharField(max_length=5000)


def show(row: Contribution) -> dict[str, Any]:
    """A contribution as its artist sees it."""
    return {
        "id": show_id("contribution", row.pk),
        "object": "contribution",
        "status": row.state,
        "created_at": row.created_at,
        "kind": row.kind,
        "title": row.title,
        "body": row.body,
        "minutes": row.minutes,
        "cents": row.cents,
        "currency": row.currency,
        "rate_card": row.rate.terms.version,
        "reason": row.reason,
        "dispute": row.dispute,
        "answer": row.answer,
        "paid_at": row.paid_at,
        "reference": row.reference,
        "actions": ["dispute"] if row.state == "declined" else [],
    }


def figures_of(rows: QuerySet[Contribution]) -> dict[str, Any]:
    """What is undecided, owed and paid, in cents by currency; and the minutes that were not paid."""
    minutes = contributions.minutes(rows)
    sums = [
        {"currency": each.currency, "undecided": each.undecided, "owed": each.owed, "paid": each.paid}
        for each in contributions.figures(rows)
    ]
    return {"cents": sums, "minutes": {"unpaid": minutes.unpaid, "undecided": minutes.undecided}}


class Contributions(Resource):
    """Report one; list one's own, with the sums."""

    def post(self, request: Request) -> Response:
        asked = Report(data=request.data)
        asked.is_valid(raise_exception=True)
        made = contributions.report(by=self.actor, **asked.validated_data)
        return Response(show(made), status=201)

    def get(self, request: Request) -> Response:
        rows = contributions.of(_user(self))
        return Response({**page(request, rows, "contribution", show), "figures": figures_of(rows)})


class OneContribution(Resource):
    """One of one's own."""

    def get(self, request: Request, contribution_id: str) -> Response:
        return Response(show(_own(self, contribution_id)))


class DisputeContribution(Resource):
    """A decline is not accepted: somebody else decides."""

    def post(self, request: Request, contribution_id: str) -> Response:
        found = _own(self, contribution_id)
        asked = Dispute(data=request.data)
        asked.is_valid(raise_exception=True)
        contributions.dispute(found, by=self.actor, **asked.validated_data)
        return Response(show(found))


def _user(resource: Resource) -> User:
    assert resource.actor.user is not None
    return resource.actor.user


def _own(resource: Resource, contribution_id: str) -> Contribution:
    found = contributions.of(_user(resource)).filter(pk=read_id("contribution", contribution_id)).first()
    if found is None:
        raise refusals.NotFound
    return found
