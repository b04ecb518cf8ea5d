"""Keys for clients: issue, find, revoke. A revoked one is dead on the next request: no cache stands before the row."""

from datetime import timedelta

from django.db.models import OuterRef, Q
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils import timezone

from gateway import audit, brakes, keys, refusals, terms
from gateway.actors import Actor
from gateway.models import Token

KIND = "artist", "service"


def issue(*, by: Actor, label: str, scopes: list[str], days: int | None = 90) -> tuple[Token, str]:
    """Give `by` a token with `scopes`, for `days` or without an end; return the row and the secret, shown this once.

    Raises SignInFirst for nobody, TermsNotAccepted, Braked, MissingScope when a token asks for more than it has itself.
    """
    if by.user is None:
        raise refusals.SignInFirst
    brakes.must_be_free(by)
    for scope in scopes:
        by.must_have(scope)
        if scope == "review":
            by.must_be_reviewer()
    terms.must_have_accepted(by)
    secret = keys.make("artist" if by.membership else "service")
    with atomic():
        token = Token.objects.create(
            user=by.user,
            membership=by.membership,
            label=label,
            digest=keys.digest(secret),
            last_four=secret[-4:],
            scopes=scopes,
            expires_at=timezone.now() + timedelta(days=days) if days else None,
        )
        audit.record("token.issued", by=by, subject=token, facts={"scopes": scopes})
    return token, secret


def find(secret: str) -> Token:
    """The token in force with this secret, by one statement. Raises BadToken, Braked when a brake is on it."""
    if not keys.well_formed(secret, *KIND):
        raise refusals.BadToken
    token = (
        Token.objects.live()
        .select_related("user", "membership__cohort")
        .annotate(
            brake=brakes.at_the_door(
                token=OuterRef("pk"), artist=OuterRef("user_id"), cohort=OuterRef("membership__cohort_id")
            )
        )
        .filter(digest=keys.digest(secret), user__is_active=True)
        .first()
    )
    if token is None:
        raise refusals.BadToken
    if token.brake is not None:
        raise brakes.why(token.brake)
    minute_ago = Now() - timedelta(minutes=1)
    Token.objects.filter(Q(last_used_at__isnull=True) | Q(last_used_at__lt=minute_ago), pk=token.pk).update(
        last_used_at=Now()
    )
    return token


def revoke(token: Token, *, by: Actor) -> None:
    """End a token of one's own (an admin: anybody's), now. Revoking twice is no error."""
    if by.user != token.user:
        by.must_be_admin()
    with atomic():
        if Token.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=Now()):
            audit.record("token.revoked", by=by, subject=token)
