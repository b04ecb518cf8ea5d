"""Tokens that open nothing, planted where only somebody who searches would find them."""

from django.db.transaction import atomic

from gateway import audit, keys, refusals
from gateway.actors import Actor
from gateway.models import Canary

KIND = "artist"  # it looks like what it is not


def plant(label: str, *, by: Actor) -> tuple[Canary, str]:
    """Make a canary; `label` says where it will lie. Return the row and what to plant, shown this once.

    Raises AdminsOnly, ExplanationMissing.
    """
    admin = by.must_be_admin()
    if not label.strip():
        raise refusals.ExplanationMissing(param="label")
    secret = keys.make(KIND)
    with atomic():
        canary = Canary.objects.create(
            label=label.strip()[:200], digest=keys.digest(secret), last_four=secret[-4:], planted_by=admin
        )
        audit.record("canary.planted", by=by, subject=canary, detail={"label": canary.label})
    return canary, secret


def find(secret: str) -> Canary | None:
    """The canary with this secret. Asked only of what is no token: a good one costs nothing more."""
    if not keys.well_formed(secret, KIND):
        return None
    return Canary.objects.filter(digest=keys.digest(secret)).first()
