"""/v1/me: who asks, and what is theirs to use. Mounted downstream, which adds what it knows."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from gateway import allowances, consents, contributions, limits, terms
from gateway.api import Resource, show_id
from gateway.models import Membership, Token
from gateway.openapi import const, fields, id_of, integer, many, moment, nullable, one_of, operation, shape, text
from gateway.resources.contributions import FIGURES, figures_of
from gateway.resources.tokens import TOKEN
from gateway.resources.tokens import show as show_token

ME = shape(
    "Me",
    "Who asks, and what is theirs to use.",
    object=const("me"),
    id=id_of("user"),
    name=text(),
    roles=many(one_of("artist", "reviewer", "admin")),
    membership=nullable(fields(id=id_of("membership"), state=one_of(*Membership.MOVES), cohort=text())),
    token=nullable(TOKEN),
    allowance=nullable(
        fields(
            "Credits of this month.",
            granted=integer(),
            held=integer("Set aside for what is under way."),
            spent=integer(),
            free=integer(),
            resets_at=moment(),
            of_this_token=nullable(fields(limit=integer(), used=integer(), free=integer())),
        )
    ),
    limits=nullable(
        fields(
            requests_a_minute=integer(),
            daily=fields("Clips a day.", limit=integer(), used=integer(), left=integer(), resets_at=moment()),
            concurrent=fields("Clips at a time.", limit=integer(), used=integer(), left=integer()),
        )
    ),
    terms=fields(accepted=nullable(integer()), in_force=nullable(integer())),
    consents=many(text(), "What is allowed for all works."),
    contributions=FIGURES,
    actions=many(one_of(*Token.SCOPES), "The scopes that can be used now."),
)


class Me(Resource):
    """The caller: person, membership, credits and terms; `actions` are the scopes that can be used now."""

    @operation("get_me", "Read who you are here, and what is left", {200: ME})
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
