"""How a REST client says who it is. Apart from gateway.api, because DRF reads its settings while that is imported."""

from typing import Any

from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from gateway import access, addresses, canaries, refusals, tokens
from gateway.actors import Actor
from gateway.models import Token, User


class Bearer(BaseAuthentication):
    """`Authorization: Bearer …` (RFC 6750)."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        secret = access.bearer_of(request._request)
        if secret is None:
            return None
        agent = request.headers.get("User-Agent", "")
        try:
            token = tokens.find(
                secret,
                address=addresses.of(request._request),
                doing=f"{request.method} {request.path} {agent}",
            )
        except refusals.BadToken:
            request._request.canary = canaries.find(secret)  # type: ignore[attr-defined]
            raise
        request._request.actor = Actor("token", user=token.user, token=token)  # type: ignore[attr-defined]
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class Session(SessionAuthentication):
    """The browser's session works too, with CSRF."""


class OnlyJSON(BaseContentNegotiation):
    """JSON whatever Accept says: the openai SDK asks for application/binary where it takes either."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        return next((parser for parser in parsers if request.content_type.startswith(parser.media_type)), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type
