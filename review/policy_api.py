"""/v1/policy: by what works are judged."""

from rest_framework.request import Request
from rest_framework.response import Response

from gateway.api import Resource
from review import governing


class Policy(Resource):
    """The policy in force. No token is needed to read it."""

    permission_classes = ()

    def get(self, request: Request) -> Response:
        return Response(governing.document())
