"""One-time sign-in links, for the embedded gateway alone: `up` prints them at each start, and never otherwise."""

from datetime import timedelta

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils import timezone

from gateway import actors, audit, keys, refusals
from gateway.models import SignInLink, User

HOURS = 12


def issue(user: User) -> str:
    """An address that signs `user` in once, within 12 hours; earlier unused ones end. For the embedded gateway only."""
    if not settings.EMBEDDED:
        raise ImproperlyConfigured("Sign-in links exist on the embedded gateway only.")
    secret = keys.make("signin")
    with atomic():
        SignInLink.objects.filter(user=user, used_at__isnull=True).delete()
        link = SignInLink.objects.create(
            user=user, digest=keys.digest(secret), expires_at=timezone.now() + timedelta(hours=HOURS)
        )
        audit.record("sign_in_link.issued", by=actors.SYSTEM, subject=link)
    return f"{settings.BASE_URL}/sign-in/{secret}"


def use(secret: str) -> User:
    """Whom the link signs in; it is used up by this. Raises BadSignInLink."""
    if not settings.EMBEDDED or not keys.well_formed(secret, "signin"):
        raise refusals.BadSignInLink
    # No join here: Django would ask all of it in a subquery, before the row is locked, and ten could use one link.
    unused = SignInLink.objects.filter(
        digest=keys.digest(secret),
        used_at__isnull=True,
        expires_at__gt=Now(),
        user__in=User.objects.filter(is_active=True),
    )
    with atomic():
        if not unused.update(used_at=Now()):
            raise refusals.BadSignInLink
        link = SignInLink.objects.select_related("user").get(digest=keys.digest(secret))
        audit.record("sign_in_link.used", by=actors.person(link.user), subject=link)
    return link.user
