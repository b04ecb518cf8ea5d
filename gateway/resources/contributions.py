"""/v1/contributions: report what one did, see what became of it, dispute a decline."""

from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import contributions, refusals
from gateway.api import Resource, page, read_id, show_id
from gateway.models import Contribution, Rate, User
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
    shape,
    text,
)


class Report(serializers.Serializer[Any]):
    kind = serializers.ChoiceField(choices=Rate.KINDS, help_text="What was done: one of the rate card.")
    title = serializers.CharField(max_length=120, help_text="What it was, in a line.")
    body = serializers.CharField(max_length=5000, help_text="What you did, and what came of it.")
    minutes = serializers.IntegerField(
        min_value=1,
        max_value=1440,
        required=False,
        allow_null=True,
        default=None,
        help_text="How long it took, where that is what is paid.",
    )


class Dispute(serializers.Serializer[Any]):
    why = serializers.CharField(max_length=5000, help_text="Why the answer should be another one.")


CONTRIBUTION = shape(
    "Contribution",
    "Something that an artist did for the program.",
    id=id_of("contribution"),
    object=const("contribution"),
    status=one_of(*Contribution.MOVES),
    created_at=moment(),
    kind=one_of(*Rate.KINDS),
    title=text(),
    body=text(),
    minutes=nullable(integer()),
    cents=integer("What it is worth at the rate that was accepted."),
    currency=text(),
    rate_card=integer("Of which version of the terms."),
    reason=text("Why it was declined."),
    dispute=text(),
    answer=text("To the dispute."),
    paid_at=nullable(moment()),
    reference=text("By which the payment can be found."),
    actions=many(one_of("dispute")),
)
FIGURES = shape(
    "ContributionFigures",
    "What is undecided, owed and paid, by currency; and the minutes that were not paid.",
    cents=many(fields(currency=text(), undecided=integer(), owed=integer(), paid=integer())),
    minutes=fields(unpaid=integer(), undecided=integer()),
)


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

    @operation(
        "report_contribution",
        "Report what you did",
        {201: CONTRIBUTION},
        body=Report,
        example={"kind": "bug_report", "title": "The queue stood still", "body": "For an hour, on Monday."},
        no=[
            refusals.MissingScope,
            refusals.NotAMember,
            refusals.TermsNotAccepted,
            refusals.NotOnTheRateCard,
            refusals.MinutesMissing,
            refusals.WordsMissing,
        ],
    )
    def post(self, request: Request) -> Response:
        asked = Report(data=request.data)
        asked.is_valid(raise_exception=True)
        made = contributions.report(by=self.actor, **asked.validated_data)
        return Response(show(made), status=201)

    @operation(
        "list_contributions",
        "List your contributions, with the sums",
        {200: page_of(CONTRIBUTION, figures=FIGURES)},
        query=PAGE,
    )
    def get(self, request: Request) -> Response:
        rows = contributions.of(_user(self))
        return Response({**page(request, rows, "contribution", show), "figures": figures_of(rows)})


class OneContribution(Resource):
    """One of one's own."""

    @operation("get_contribution", "Read one", {200: CONTRIBUTION})
    def get(self, request: Request, contribution_id: str) -> Response:
        return Response(show(_own(self, contribution_id)))


class DisputeContribution(Resource):
    """A decline is not accepted: somebody else decides."""

    @operation(
        "dispute_contribution",
        "Dispute a decline",
        {200: CONTRIBUTION},
        body=Dispute,
        example={"why": "It was the third report, but the first with the cause."},
        no=[refusals.MissingScope, refusals.WordsMissing, refusals.WrongState],
    )
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
