"""/v1/policy: by what works are judged; and the statement of reasons that a judgement owes."""

from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api import Resource, read_id
from review import governing, statements


class Policy(Resource):
    """The policy in force. No token is needed to read it."""

    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response(governing.document())


class Statement(Resource):
    """The statement of reasons about one's own submission: the latest, or that of `?decision=`."""

    def get(self, request: Request, submission_id: str) -> Response:
        asked = request.query_params.get("decision")
        decision = statements.of(
            read_id("submission", submission_id), by=self.actor, decision=read_id("decision", asked) if asked else None
        )
        return Response(statements.statement(decision))
