"""/v1/me, with the clips that a member may still ask for."""

from typing import Any

from gateway import limits as gateway_limits
from gateway.resources.me import Me as Base
from generation import limits


class Me(Base):
    """The caller, and how many clips are theirs today and at this moment."""

    def show(self) -> dict[str, Any]:
        shown = super().show()
        membership = self.actor.membership
        if membership is not None:
            limit = gateway_limits.of(membership)
            taken = limits.use(membership, test=self.actor.is_test)
            shown["limits"] |= {
                "daily": {**_figures(limit.daily, taken.today), "resets_at": limits.resets_at()},
                "concurrent": _figures(limit.concurrent, taken.under_way),
            }
        return shown


def _figures(limit: int, used: int) -> dict[str, int]:
    return {"limit": limit, "used": used, "left": max(0, limit - used)}
