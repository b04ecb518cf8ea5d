"""Who is kept away from whose works: one's own, a colleague's of the same studio, and whoever was named."""

from typing import Any

from django.db import IntegrityError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import audit, refusals
from gateway.actors import Actor
from gateway.models import User
from review.models import Conflict, Submission


def none_for(reviewer: User) -> Any:
    """Of submissions: those that this reviewer may judge, as far as interests go."""
    named = Conflict.objects.filter(reviewer=reviewer, artist=OuterRef("membership__user"), lifted_at__isnull=True)
    free: Any = ~Q(membership__user=reviewer) & ~Exists(named)
    if studio := " ".join(reviewer.studio.split()):
        free &= ~Q(membership__user__studio__iexact=studio)
    return free


def name(reviewer: User, artist: User, *, by: Actor) -> Conflict:
    """Keep `reviewer` away from `artist`'s works from now on; what they hold of them is let go.

    Either of the two may say so, or an admin. Raises NotFound for anybody else, AlreadyNamed, OwnWork for one person.
    """
    if by.user is None or not (by.is_admin or by.user in (reviewer, artist)):
        raise refusals.NotFound
    if reviewer == artist:
        raise refusals.OwnWork
    try:
        with atomic():
            conflict = Conflict.objects.create(reviewer=reviewer, artist=artist, named_by=by.user)
            both = {"reviewer": reviewer.pk, "artist": artist.pk}
            audit.record("conflict.named", by=by, subject=conflict, facts=both)
            Submission.objects.filter(holder=reviewer, membership__user=artist).update(
                holder=None, lease_until=None, renewals=0
            )
    except IntegrityError:
        raise refusals.AlreadyNamed from None
    return conflict


def named_by(user: User) -> QuerySet[Conflict]:
    """The conflicts that this person named themselves and that hold."""
    rows = Conflict.objects.filter(named_by=user, lifted_at__isnull=True)
    return rows.select_related("artist", "reviewer").order_by("-id")


def lift(conflict: Conflict, *, by: Actor) -> None:
    """Take it back: who named it may, or an admin. Raises NotFound for anybody else, and when it is lifted already."""
    if by.user is None or not (by.is_admin or by.user.pk == conflict.named_by_id):
        raise refusals.NotFound
    with atomic():
        if not Conflict.objects.filter(pk=conflict.pk, lifted_at__isnull=True).update(lifted_at=Now()):
            raise refusals.NotFound
        audit.record("conflict.lifted", by=by, subject=conflict)
