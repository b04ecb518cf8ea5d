"""Keys for clients: issue, find, rotate, revoke. A revoked one is dead on the next request: no cache stands before
the row.

1. A token does what its person may do, less what its scopes, networks, limits and end say.
2. A token makes no token, or one that leaked would breed. It may rotate itself, for as long a life, under the same
   limits; its person is told.
3. Revoking one ends what it made of itself too, and stops the webhook endpoints that it set up. What its person made of
   it in the browser goes on.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import F, OuterRef, Q, QuerySet
from django.db.models.functions import Least, Now
from django.db.transaction import atomic
from django.utils import timezone

from gateway import actors, audit, brakes, keys, networks, notices, refusals, second_factors, terms, webhooks
from gateway.actors import Actor
from gateway.models import Token, User
from gateway.prepared import Statement

KIND = "artist", "service", "test"
MAX_DAYS = 3650
MAX_OVERLAP = 168  # hours: a week


def issue(
    *,
    by: Actor,
    label: str,
    scopes: list[str],
    days: int | None = 90,
    expires_at: datetime | None = None,
    mode: str = "live",
    networks: Iterable[str] = (),
    requests_a_minute: int | None = None,
    credits_limit: int | None = None,
) -> tuple[Token, str]:
    """Give `by` a token with `scopes`, until `expires_at`, for `days`, or without an end; return the row and the
    secret, shown this once.

    `networks` is from where it works (empty: anywhere), `requests_a_minute` and `credits_limit` (a month) what it may
    use of its member's. In mode "test" it draws with the small model, for nothing. Raises SignInFirst for nobody,
    TokensMakeNoTokens, Braked, TermsNotAccepted, ReviewersOnly, SecondFactorFirst, TestsOnlyGenerate, BadEnd,
    BadNetwork, TooManyNetworks.
    """
    if by.user is None:
        raise refusals.SignInFirst
    if by.token is not None:
        raise refusals.TokensMakeNoTokens
    brakes.must_be_free(by)
    if "review" in scopes:
        _must_have_second_factor(by.must_be_reviewer())
    terms.must_have_accepted(by)
    if mode == "test" and (by.membership is None or not {"generate"}.issuperset(scopes)):
        raise refusals.TestsOnlyGenerate(param="scopes")
    return _make(
        by=by,
        action="token.issued",
        user=by.user,
        membership=by.membership,
        mode=mode,
        label=label,
        scopes=scopes,
        networks=_read(networks),
        requests_a_minute=requests_a_minute,
        credits_limit=credits_limit,
        expires_at=_end(expires_at, days),
    )


def find(secret: str, *, address: str = "", doing: str = "") -> Token:
    """The token in force with this secret, with its person, membership and cohort; notes where and for what it is
    used, once a minute. Raises BadToken, NotFromHere, Braked when a brake is on it.

    One statement. The networks are compared here and not by the database: who holds the right secret in the wrong
    place is told so, and the row is read anyway.
    """
    if not keys.well_formed(secret, *KIND):
        raise refusals.BadToken
    token = BY_DIGEST.first(keys.digest(secret))
    if token is None:
        raise refusals.BadToken
    if token.networks and not networks.hold(token.networks, address):
        raise refusals.NotFromHere
    if token.brake is not None:  # type: ignore[attr-defined]
        raise brakes.why(token.brake)  # type: ignore[attr-defined]
    _note(token, address, doing)
    return token


def visible_to(by: Actor) -> QuerySet[Token]:
    """A person's own, ended ones too; to a token itself alone."""
    if by.user is None:
        return Token.objects.none()
    mine = Token.objects.filter(user=by.user)
    return mine if by.token is None else mine.filter(pk=by.token.pk)


def in_force() -> QuerySet[Token]:
    """Every token that has not ended, with all that a door asks about it: also whether a brake shuts it."""
    return (
        Token.objects.live()
        .select_related("user", "membership__cohort")
        .annotate(
            asked_at=Now(),
            brake=brakes.at_the_door(
                token=OuterRef("pk"), artist=OuterRef("user_id"), cohort=OuterRef("membership__cohort_id")
            ),
        )
        .filter(Q(membership__isnull=True) | ~Q(membership__state="left"), user__is_active=True)
    )


BY_DIGEST = Statement(lambda digest: in_force().filter(digest=digest), bytes)


def rotate(token: Token, *, by: Actor, overlap_hours: int = 24) -> tuple[Token, str]:
    """Make the token that takes this one's place, with all that it had and as long a life; this one ends when the
    overlap does. Return the new row and its secret, shown this once.

    Raises NotFound for somebody else's, TokensMakeNoTokens when a token asks for another than itself, Braked, BadToken
    when it has ended, AlreadyRotated.
    """
    _must_be_own(token, by)
    brakes.must_be_free(by)
    overlap = timedelta(hours=min(max(overlap_hours, 0), MAX_OVERLAP))
    with atomic():
        old = Token.objects.select_for_update().live().filter(pk=token.pk).first()
        if old is None:
            raise refusals.BadToken
        if old.replaced_by is not None:
            raise refusals.AlreadyRotated(last_four=old.replaced_by.last_four)
        life = old.expires_at - old.created_at if old.expires_at else None
        new, secret = _make(
            by=by,
            action="token.issued",
            user=old.user,
            membership=old.membership,
            mode=old.mode,
            label=old.label,
            scopes=old.scopes,
            networks=old.networks,
            requests_a_minute=old.requests_a_minute,
            credits_limit=old.credits_limit,
            expires_at=timezone.now() + life if life else None,
            family=old.family,
            self_made=by.token is not None,
        )
        # Least ignores a null: one without an end gets one now.
        Token.objects.filter(pk=old.pk).update(replaced_by=new, expires_at=Least(F("expires_at"), Now() + overlap))
        audit.record("token.rotated", by=by, subject=old, facts={"into": new.pk, "overlap_hours": overlap_hours})
        if by.token is not None:
            notices.tell(
                old.user,
                f"The token “{old.label}” has rotated itself",
                f"The one that ends in {old.last_four} was replaced by one that ends in {new.last_four}, by a program "
                "that holds it. If that was not yours, revoke it: that ends both.",
                path="/access",
            )
    token.refresh_from_db()
    return new, secret


def revoke(token: Token, *, by: Actor) -> None:
    """End a token of one's own (an admin, or the program itself: anybody's), now, and what it has made of itself.

    Revoking twice is no error. Raises AdminsOnly for somebody else's, TokensMakeNoTokens when a token asks for another
    than itself.
    """
    if by != actors.SYSTEM and by.user != token.user:
        by.must_be_admin()
    elif by.token is not None and by.token.pk != token.pk:
        raise refusals.TokensMakeNoTokens
    with atomic():
        ends: Token | None = token
        while ends is not None:
            if Token.objects.filter(pk=ends.pk, revoked_at__isnull=True).update(revoked_at=Now()):
                audit.record("token.revoked", by=by, subject=ends)
                webhooks.stop_made_by(ends)
            # Asked after the UPDATE, which has waited for a rotation at this moment.
            ends = Token.objects.filter(replaces=ends.pk, self_made=True).first()


def forget_old() -> int:
    """Erase from where and for what tokens were used that nobody used for ADDRESS_DAYS; return of how many."""
    if not settings.ADDRESS_DAYS:
        return 0
    long_ago = Now() - timedelta(days=settings.ADDRESS_DAYS)
    old = Token.objects.filter(~Q(last_use="") | Q(last_address__isnull=False), last_used_at__lt=long_ago)
    return old.update(last_address=None, last_use="")


def _make(*, by: Actor, action: str, scopes: list[str], **facts: Any) -> tuple[Token, str]:
    kind = "test" if facts["mode"] == "test" else "artist" if facts["membership"] else "service"
    secret = keys.make(kind)
    with atomic():
        token = Token.objects.create(
            digest=keys.digest(secret), last_four=secret[-4:], scopes=list(dict.fromkeys(scopes)), **facts
        )
        audit.record(
            action,
            by=by,
            subject=token,
            facts={"scopes": token.scopes, "mode": token.mode},
            detail={"networks": token.networks} if token.networks else None,
        )
    return token, secret


def _read(texts: Iterable[str]) -> list[str]:
    return networks.read(texts)


def _end(at: datetime | None, days: int | None) -> datetime | None:
    now = timezone.now()
    if at is None:
        at = now + timedelta(days=days) if days else None
    if at is not None and not now < at <= now + timedelta(days=MAX_DAYS):
        raise refusals.BadEnd(days=MAX_DAYS, param="expires_at")
    return at


def _must_be_own(token: Token, by: Actor) -> None:
    if by.user is None or by.user != token.user:
        raise refusals.NotFound
    if by.token is not None and by.token.pk != token.pk:
        raise refusals.TokensMakeNoTokens


def _printable(text: str) -> str:
    """`text` without what a client may send and the database does not keep."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _note(token: Token, address: str, doing: str) -> None:
    """Most requests come within the minute, and cost no second question: the SELECT has told the time."""
    asked_at: datetime = token.asked_at  # type: ignore[attr-defined]
    if token.last_used_at is not None and asked_at - token.last_used_at < timedelta(minutes=1):
        return
    minute_ago = Now() - timedelta(minutes=1)
    Token.objects.filter(Q(last_used_at__isnull=True) | Q(last_used_at__lt=minute_ago), pk=token.pk).update(
        last_used_at=Now(), last_address=address or None, last_use=_printable(keys.redacted(doing))[:200]
    )


def _must_have_second_factor(user: User) -> None:
    if second_factors.required(user) and not second_factors.has(user):
        raise refusals.SecondFactorFirst
