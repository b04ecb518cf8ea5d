"""/v1/reports: reports of published works by programs. Nobody needs a token; who has the secret reads the answer."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import addresses, refusals
from gateway.api import Resource, read_id, show_id
from gateway.openapi import (
    MADE_UP,
    Operation,
    const,
    id_of,
    integer,
    many,
    moment,
    more_than,
    nullable,
    one_of,
    operation,
    operations,
    shape,
    text,
)
from review import reasons, reports
from review.models import Clause, Publication, Report
from review.public import answers


class NewReport(serializers.Serializer[Any]):
    """`clause` is a number of the policy in force."""

    publication = serializers.CharField(help_text="The id of the public work.")
    words = serializers.CharField(max_length=5000, help_text="What is wrong with it.")
    good_faith = serializers.BooleanField(help_text="That what you say is true as far as you know. It has to be true.")
    clause = serializers.IntegerField(
        required=False,
        allow_null=True,
        default=None,
        help_text="The number of a clause of the policy in force that it breaks.",
    )
    name = serializers.CharField(
        max_length=120, required=False, allow_blank=True, default="", help_text="Your name, if you give it."
    )
    email = serializers.EmailField(
        required=False, allow_blank=True, help_text="Where the answer goes, if you want one."
    )


class ReportDispute(serializers.Serializer[Any]):
    words = serializers.CharField(max_length=5000, help_text="Why the answer should be another one.")


REPORT = shape(
    "Report",
    "What somebody says against a public work, as who made it may know it.",
    id=id_of("report"),
    object=const("report"),
    publication=id_of("publication"),
    status=one_of(*Report.MOVES),
    created_at=moment(),
    due_at=nullable(moment()),
    clause=nullable(integer()),
    words=text(),
    reason=nullable(text("Why it was declined.")),
    dispute=nullable(text()),
    finding=nullable(text()),
    clauses=many(integer(), "Under which the work was taken down."),
    work=one_of(*Publication.MOVES),
    actions=many(text()),
)
NEW_REPORT = more_than(
    REPORT, "NewReport", "A report with the secret that opens it, shown this once.", secret=text(), url=text()
)


def show_report(row: Report) -> dict[str, Any]:
    """A report as who made it may know it."""
    waits = row.state in row.WAITING
    return {
        "id": show_id("report", row.pk),
        "object": "report",
        "publication": show_id("publication", row.publication_id),
        "status": row.state,
        "created_at": row.created_at,
        "due_at": row.due_at if waits else None,
        "clause": row.clause.number if row.clause else None,
        "words": row.words,
        "reason": row.reason or None,
        "dispute": row.dispute or None,
        "finding": row.finding or None,
        "clauses": [clause.number for clause in reasons.clauses_of(row.decision)] if row.decision else [],
        "work": row.publication.state,
        "actions": reports.open_to(row),
    }


class Reports(Resource):
    """Report a published work. The answer carries the secret with which its answer is read: it is shown once."""

    permission_classes = ()

    @operation(
        "report_publication",
        "Report a published work",
        {201: NEW_REPORT},
        body=NewReport,
        example={"publication": f"publication_{MADE_UP}", "words": "It shows my house.", "good_faith": True},
        no=[
            refusals.NotFound,
            refusals.WordsMissing,
            refusals.GoodFaithMissing,
            refusals.UnknownClause,
            refusals.ReportedTooOften,
            refusals.ReportedAlready,
            refusals.NotShownNow,
            refusals.GoneByItsArtist,
            refusals.TakenDown,
        ],
    )
    def post(self, request: Request) -> Response:
        asked = NewReport(data=request.data)
        asked.is_valid(raise_exception=True)
        told = {**asked.validated_data}
        publication = answers.must_be_on_view(read_id("publication", told.pop("publication")))
        if (number := told.pop("clause")) is not None:
            told["clause"] = Clause.objects.filter(number=number, retired_at__isnull=True).first()
            if told["clause"] is None:
                raise refusals.UnknownClause(param="clause")
        made, secret = reports.file(publication, by=self.actor, sender=addresses.of(request._request), **told)
        return Response({**show_report(made), "secret": secret, "url": f"/reports/{secret}"}, status=201)


class OneReport(Resource):
    """Where a report stands, for who holds its secret."""

    permission_classes = ()

    @operation("get_report", "Read where it stands", {200: REPORT})
    def get(self, request: Request, secret: str) -> Response:
        return Response(show_report(reports.find(secret)))


class ReportAct(Resource):
    """withdraw, dispute."""

    permission_classes = ()
    act: str = ""

    @operations(
        {
            "withdraw": Operation("withdraw_report", "Take it back", {200: REPORT}, no=[refusals.WrongState]),
            "dispute": Operation(
                "dispute_report",
                "Ask for another look",
                {200: REPORT},
                body=ReportDispute,
                example={"words": "The house is in the picture from second 1 on."},
                no=[refusals.WordsMissing, refusals.TooLateToDispute, refusals.WrongState],
            ),
        }
    )
    def post(self, request: Request, secret: str) -> Response:
        found = reports.find(secret)
        if self.act == "withdraw":
            reports.withdraw(found, by=self.actor)
        else:
            asked = ReportDispute(data=request.data)
            asked.is_valid(raise_exception=True)
            reports.dispute(found, by=self.actor, **asked.validated_data)
        return Response(show_report(reports.find(secret)))
