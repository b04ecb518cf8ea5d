"""/v1/me: who asks, and what is theirs to use. Mounted downstream, which adds what it knows."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from gateway import allowances, consents, contributions, limits, terms
from gateway.api import Resource, show_id
from gateway.models import Token
from gateway.resources.contributions import figures_of
from gateway.resources.tokens import show as show_token


class Me(Resource):
    """The caller: person, membership, credits and terms; `actions` are the scopes that can be used now."""

    def get(self, request: Request) -> Response:
        return Response(self.show())

    def show(self) -> dict[str, Any]:
        actor, user, membership = self.actor, self.actor.user, self.actor.membership
        assert user is not None  # the door asks for that
        in_force, accepted = terms.current(), terms.accepted(user)
        return {
            "object": "me",
            "id": show_id("user", user.pk),
            "name": user.name,
            "roles": [
                role
                for role, has in (
                    ("artist", membership is not None),
                    ("reviewer", actor.is_reviewer),
                    ("admin", user.is_staff),
                )
                if has
            ],
            "membership": membership
            and {
                "id": show_id("membership", membership.pk),
                "state": membership.state,
                "cohort": membership.cohort.name,
            },
            "token": show_token(actor.token) if actor.token is not None else None,
            "allowance": self._allowance(),
            "limits": {"requests_a_minute": limits.of(membership).requests_a_minute} if membership else None,
            "terms": {
                "accepted": accepted.version if accepted else None,
                "in_force": in_force.version if in_force else None,
            },
            "consents": sorted(consents.given(user)),
            "contributions": figures_of(contributions.of(user)),
            "actions": self._actions(),
        }

    def _allowance(self) -> dict[str, Any] | None:
        membership, token = self.actor.membership, self.actor.token
        if membership is None:
            return None
        allowance = allowances.current(membership)
        of_token = None
        if token is not None and token.credits_limit is not None:
            used = allowances.used_by(token, allowance)
            of_token = {"limit": token.credits_limit, "used": used, "free": max(0, token.credits_limit - used)}
        return {
            "granted": allowance.granted,
            "held": allowance.held,
            "spent": allowance.spent,
            "free": allowance.free,
            "resets_at": allowance.ends_at,
            "of_this_token": of_token,
        }

    def _actions(self) -> list[str]:
        actor = self.actor
        active = actor.membership is not None and actor.membership.state == "active" and terms.due(actor) is None
        may = {"review": actor.is_reviewer, **dict.fromkeys(("generate", "submit", "publish", "webhooks"), active)}
        return [scope for scope in Token.SCOPES if may[scope] and (actor.token is None or scope in actor.token.scopes)]
