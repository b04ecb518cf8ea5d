"""Who is kept away from whose works: one's own, a colleague's of the same studio, and whoever was named."""

from typing import Any

from django.db import IntegrityError
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Lower, Now
from django.db.transaction import atomic

from gateway import audit, members, refusals
from gateway.actors import Actor
from gateway.models import User
from review.models import Conflict, Submission

MOST = 100


def none_for(reviewer: User) -> Any:
    """Of submissions: those that this reviewer may judge, as far as interests go."""
    live = Conflict.objects.filter(lifted_at__isnull=True)
    theirs = OuterRef("membership__user")
    address = Lower(OuterRef("membership__user__email"))
    free: Any = ~Q(membership__user=reviewer)
    free &= ~Exists(live.filter(reviewer=reviewer, artist=theirs))
    free &= ~Exists(live.filter(reviewer__isnull=True, email=reviewer.email.lower(), artist=theirs))
    free &= ~Exists(live.filter(artist__isnull=True, email=address, reviewer=reviewer))
    if studio := _plain(reviewer.studio):
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
            _let_go(Q(holder=reviewer, membership__user=artist))
    except IntegrityError:
        raise refusals.AlreadyNamed from None
    return conflict


def name_address(email: str, *, by: Actor, as_reviewer: bool = False) -> Conflict:
    """Keep whoever has this address, now or later, away from one's works; `as_reviewer` oneself from theirs.

    Whether somebody has it is told by nothing: the row is kept either way, and naming it twice is naming it once.
    Raises SignInFirst, MissingScope, ReviewersOnly, OwnAddress, TooManyNamed.
    """
    if by.user is None:
        raise refusals.SignInFirst
    by.must_have("review" if as_reviewer else "submit")
    if as_reviewer:
        by.must_be_reviewer()
    email = email.strip().lower()
    if email == by.user.email.lower():
        raise refusals.OwnAddress(param="email")
    with atomic():
        User.objects.select_for_update(no_key=True).get(pk=by.user.pk)  # their own, one after the other
        mine = addresses(by.user, as_reviewer=as_reviewer)
        if (known := mine.filter(email=email).first()) is not None:
            return known
        if mine.count() >= MOST:
            raise refusals.TooManyNamed(limit=MOST)
        there = User.objects.filter(email__iexact=email).first()
        reviewer, artist = (by.user, there) if as_reviewer else (there, by.user)
        conflict = Conflict.objects.create(reviewer=reviewer, artist=artist, email=email, named_by=by.user)
        # Their own entries are theirs to read: whether somebody was found is not among the facts.
        side = "reviewer" if as_reviewer else "artist"
        audit.record("conflict.named", by=by, subject=conflict, facts={"side": side}, detail={"email": email})
        if there is not None:
            _let_go(Q(holder=reviewer, membership__user=artist))
    return conflict


def addresses(user: User, *, as_reviewer: bool = False) -> QuerySet[Conflict]:
    """What this person has named by address and not lifted, as an artist or as a reviewer; the latest first."""
    rows = Conflict.objects.filter(named_by=user, lifted_at__isnull=True).exclude(email="").order_by("-id")
    return rows.filter(reviewer=user) if as_reviewer else rows.filter(artist=user)


def named_by(user: User) -> QuerySet[Conflict]:
    """The conflicts that this person named themselves, not by address, and that hold."""
    rows = Conflict.objects.filter(named_by=user, lifted_at__isnull=True, email="")
    return rows.select_related("artist", "reviewer").order_by("-id")


def lift(conflict: Conflict, *, by: Actor) -> None:
    """Take it back: who named it may, or an admin. Raises NotFound for anybody else, and when it is lifted already."""
    if by.user is None or not (by.is_admin or by.user.pk == conflict.named_by_id):
        raise refusals.NotFound
    if not by.is_admin:
        by.must_have("review" if conflict.reviewer_id == by.user.pk else "submit")
    with atomic():
        if not Conflict.objects.filter(pk=conflict.pk, lifted_at__isnull=True).update(lifted_at=Now(), email=""):
            raise refusals.NotFound
        audit.record("conflict.lifted", by=by, subject=conflict)


def set_studio(studio: str, *, by: Actor) -> None:
    """Say to which studio or collective one belongs: nobody of the same judges one's works, nor one theirs.

    What is held against that is let go. Raises SignInFirst, MissingScope.
    """
    with atomic():
        user = members.set_studio(studio, by=by)
        if name := user.studio:
            _let_go(Q(membership__user=user, holder__studio__iexact=name))
            _let_go(Q(holder=user, membership__user__studio__iexact=name))


def _let_go(held: Q) -> None:
    Submission.objects.filter(held).update(holder=None, lease_until=None, renewals=0)


def _plain(studio: str) -> str:
    return " ".join(studio.split())
