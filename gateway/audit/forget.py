"""What the log forgets by itself: from where people came who were nobody here."""

from datetime import timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

AT_ONCE, ROUNDS = 5000, 40


def forget_old() -> int:
    """Erase details of requests by nobody, and of requests for access, after ADDRESS_DAYS; return how many were seen.

    A function of the log's owner does it, writes down that it did, and goes on where it was left.
    """
    if not settings.ADDRESS_DAYS:
        return 0
    seen = 0
    for _ in range(ROUNDS):  # what is left over is for the next hour
        with connection.cursor() as cursor:
            older = timezone.now() - timedelta(days=settings.ADDRESS_DAYS)
            cursor.execute("select audit.forget(%s, %s)", [older, AT_ONCE])
            number: int = cursor.fetchone()[0]
        seen += number
        if number < AT_ONCE:
            break
    return seen
