"""An admin looks as an artist: to read, for a reason, for half an hour, and the artist sees it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, connection
from django.db.models import Q, QuerySet
from django.db.models.functions import Least, Now
from django.db.transaction import atomic

from gateway import audit, notices, refusals
from gateway.actors import Actor
from gateway.models import Impersonation, User


@dataclass(frozen=True)
class Look:
    """A page that was read, how often, and when first."""

    path: str
    times: int
    first_at: datetime


def begin(artist: User, *, by: Actor, reason: str) -> Impersonation:
    """Look as `artist` for half an hour; they are told at once, with the reason. An earlier look of one's own ends.

    Raises AdminsOnly; ArtistsOnly for anybody who reviews, administers or has no place in a cohort.
    """
    admin = by.must_be_admin()
    with atomic():
        User.objects.select_for_update().get(pk=admin.pk)  # two windows of theirs, one after the other
        _end(Impersonation.objects.filter(admin=admin), by=by)
        if not artists().filter(pk=artist.pk).exists():
            raise refusals.ArtistsOnly
        try:
            with atomic():
                made = Impersonation.objects.create(admin=admin, artist=artist, reason=reason)
        except IntegrityError:  # they have become a reviewer at this very moment
            raise refusals.ArtistsOnly from None
        made.refresh_from_db()
        audit.record("impersonation.begun", by=by, subject=made, facts={"artist": artist.pk}, detail={"reason": reason})
        said = (
            f"{admin} looks at the program as you, until {made.ends_at:%H:%M} UTC at the latest, and changes nothing."
            f"\n\nTheir reason: {reason}"
        )
        notices.tell(artist, f"{admin} looks as you", said, path="/access/visits")
    return made


def end(impersonation: Impersonation, *, by: Actor) -> None:
    """End it before its time. Only who began it can; ending twice is no error."""
    if by.impersonation != impersonation and by.user != impersonation.admin:
        raise refusals.NotFound
    with atomic():
        _end(Impersonation.objects.filter(pk=impersonation.pk), by=by)


def as_artist(visit: str, by: Actor) -> Actor:
    """Who asks: the artist that `by` looks as, while that lasts; else `by` themselves.

    Asked of the row at each request: an end, a lost admin's post or a new reviewer's acts at once.
    """
    found = (
        Impersonation.objects.select_related("admin", "artist")
        .filter(
            pk=UUID(hex=visit),
            admin=by.user,
            admin__is_staff=True,
            artist__is_staff=False,
            artist__is_reviewer=False,
            ended_at__isnull=True,
            ends_at__gt=Now(),
        )
        .first()
    )
    return by if found is None else replace(by, user=found.artist, impersonation=found)


def artists() -> QuerySet[User]:
    """Those as whom an admin can look."""
    has_place = Q(memberships__state__in=["active", "suspended"])
    return User.objects.filter(has_place, is_staff=False, is_reviewer=False).order_by("name").distinct()


def seen(visits: Sequence[Impersonation]) -> dict[UUID, list[Look]]:
    """What was read in each of these visits to one artist, out of the log, in the order of the first look."""
    found: dict[UUID, list[Look]] = defaultdict(list)
    if not visits:
        return found
    with connection.cursor() as cursor:
        cursor.execute(
            """
            with looked as (
                select convert_from(entry.body, 'UTF8')::jsonb as body, entry.at, entry.id
                from audit.entry
                where actor_id = %s and action = 'request.answered' and at >= %s
            )
            select looked.body #>> '{actor,impersonation}',
                   coalesce(convert_from(detail.body, 'UTF8')::jsonb ->> 'path',
                            '/' || (looked.body #>> '{facts,route}')),
                   count(*), min(looked.at)
            from looked left join audit.detail on detail.entry_id = looked.id
            where looked.body #>> '{actor,impersonation}' = any(%s)
                and looked.body #>> '{facts,route}' is distinct from 'impersonation/end'
            group by 1, 2 order by 4 limit 5000
            """,
            [visits[0].artist_id, min(visit.created_at for visit in visits), [str(visit.pk) for visit in visits]],
        )
        for visit, path, times, first_at in cursor.fetchall():
            found[UUID(visit)].append(Look(path or "", times, first_at))
    return found


def _end(rows: QuerySet[Impersonation], *, by: Actor) -> None:
    for row in rows.filter(ended_at__isnull=True).select_for_update():
        Impersonation.objects.filter(pk=row.pk).update(ended_at=Least(Now(), "ends_at"))
        audit.record("impersonation.ended", by=by, subject=row)
