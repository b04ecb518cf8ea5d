"""What people are told: a row now, a mail as soon as the chores worker comes by. A mail that fails is tried again."""

import logging
from collections.abc import Iterable
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway.actors import Actor
from gateway.models import Membership, Notice, User

log = logging.getLogger(__name__)
ATTEMPTS = 8


def tell(user: User, subject: str, body: str, *, path: str = "") -> Notice:
    """Tell a person, in the application and by mail; `path` is where to go about it."""
    return Notice.objects.create(user=user, email=user.email, subject=subject, body=body, path=path)


def tell_all(users: Iterable[User], subject: str, body: str, *, path: str = "") -> None:
    """Tell many people the same, in one statement."""
    Notice.objects.bulk_create(
        [
            Notice(user=user, email=user.email, subject=subject[:200], body=body, path=path)
            for user in users
            if user.is_active
        ],
        batch_size=1000,
    )


def tell_members(subject: str, body: str, *, path: str = "", reviewers: bool = False) -> None:
    """Tell everybody who has a place in a cohort the same; with `reviewers` those who judge the works too."""
    asked = Q(Exists(Membership.objects.filter(user=OuterRef("pk")).exclude(state="left")))
    if reviewers:
        asked |= Q(is_reviewer=True)
    tell_all(User.objects.filter(asked, is_active=True), subject, body, path=path)


def tell_admins(subject: str, body: str, *, path: str = "") -> None:
    """Tell every admin the same."""
    tell_all(User.objects.filter(is_staff=True, is_active=True), subject, body, path=path)


def write_to(email: str, subject: str, body: str, *, path: str = "") -> Notice:
    """Write to an address that is nobody here yet."""
    return Notice.objects.create(email=email, subject=subject, body=body, path=path)


def unread(actor: Actor) -> QuerySet[Notice]:
    """What a person has not read yet, latest first."""
    return Notice.objects.filter(user=actor.user, read_at__isnull=True).order_by("-created_at")


def mark_read(actor: Actor) -> None:
    """The person has seen their notices."""
    unread(actor).update(read_at=Now())


def send_waiting(limit: int = 50) -> int:
    """Mail what waits, each row under a lock so that two workers never send one twice; return how many went out."""
    sent = 0
    for _ in range(limit):
        with atomic():
            notice = (
                Notice.objects.select_for_update(skip_locked=True)
                .filter(
                    mailed_at__isnull=True,
                    attempts__lt=ATTEMPTS,
                    created_at__lte=Now() - F("attempts") * F("attempts") * timedelta(seconds=30),
                )
                .order_by("created_at")
                .first()
            )
            if notice is None:
                break
            try:
                _mail(notice)
            except (OSError, ValueError):
                log.exception("notice %s could not be mailed, attempt %s", notice.pk, notice.attempts + 1)
                Notice.objects.filter(pk=notice.pk).update(attempts=F("attempts") + 1)
            else:
                # The link to somebody who is nobody here yet lets its holder in: it is not kept.
                path = notice.path if notice.user_id else ""
                Notice.objects.filter(pk=notice.pk).update(mailed_at=Now(), path=path)
                sent += 1
    return sent


def _mail(notice: Notice) -> None:
    link = f"\n\n{settings.BASE_URL}{notice.path}" if notice.path else ""
    EmailMessage(
        subject=f"[{settings.PROGRAM_NAME}] {' '.join(notice.subject.split())}",
        body=f"{notice.body}{link}\n",
        to=[notice.email],
    ).send()
