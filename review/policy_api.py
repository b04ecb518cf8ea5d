"""/v1/policy: by what works are judged; and the statement of reasons that a judgement owes."""

from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api import Resource, read_id
from gateway.openapi import const, fields, integer, many, moment, nullable, operation, query, shape, text
from review import governing, statements

POLICY = shape(
    "Policy",
    "By what works are judged.",
    object=const("policy"),
    changed_at=nullable(moment()),
    clauses=many(
        fields(
            number=integer(),
            version=integer(),
            title=text(),
            rule=text(),
            meant=many(text(), "Examples of what is meant."),
            not_meant=many(text()),
            category=text("Of the DSA Transparency Database."),
            specification=nullable(text()),
            in_force_since=moment(),
            url=text(),
        )
    ),
)
STATEMENT = {
    "type": "object",
    "description": "In the fields of the DSA Transparency Database; its own schema is at `/schemas/statement.json`.",
}


class Policy(Resource):
    """The policy in force. No token is needed to read it."""

    permission_classes = ()

    @operation("get_policy", "Read what is in force", {200: POLICY})
    def get(self, request: Request) -> Response:
        return Response(governing.document())


class Statement(Resource):
    """The statement of reasons about one's own submission: the latest, or that of `?decision=`."""

    @operation(
        "get_statement",
        "Read the statement of reasons",
        {200: STATEMENT},
        query=[query("decision", text(), "About that decision, else about the latest.")],
        more="Which each refusal, request for changes and take-down owes, once it is in effect.",
    )
    def get(self, request: Request, submission_id: str) -> Response:
        asked = request.query_params.get("decision")
        decision = statements.of(
            read_id("submission", submission_id), by=self.actor, decision=read_id("decision", asked) if asked else None
        )
        return Response(statements.statement(decision))
