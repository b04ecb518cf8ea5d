"""Clips a day and at a time, counted from the generations themselves: a slot is a row under way, so none can leak.

A row that a dead worker held is under way until the sweep returns it to the line, and is drawn, or ends, once.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from gateway import limits, refusals
from gateway.models import Membership


@dataclass(frozen=True)
class Use:
    """How many of what a member may ask for is taken."""

    today: int
    under_way: int


USE = """
select (select count(*) from generation_generation where membership_id = %(member)s and test = %(test)s
           and created_at >= date_trunc('day', statement_timestamp(), 'UTC') and state <> 'failed'),
       (select count(*) from generation_generation where membership_id = %(member)s
           and (state = 'queued' or state = 'in_progress'))
"""


def use(membership: Membership, *, test: bool = False) -> Use:
    """What is taken at this moment. Today is the day in UTC; what failed is not counted, what was cancelled is, and
    test clips are counted by themselves. Tests and others share the clips at a time."""
    with connection.cursor() as cursor:
        cursor.execute(USE, {"member": membership.pk, "test": test})
        return Use(*cursor.fetchone())


def make_room(membership: Membership, *, test: bool = False) -> None:
    """Let one more clip be asked for. Until the transaction ends nobody else counts for this membership.

    Raises TooManyToday, TooManyAtOnce, Suspended.
    """
    limit = limits.hold(membership)
    taken = use(membership, test=test)
    if taken.under_way >= limit.concurrent:
        raise refusals.TooManyAtOnce(used=taken.under_way, limit=limit.concurrent, retry_after=5)
    if taken.today >= limit.daily:
        raise refusals.TooManyToday(used=taken.today, limit=limit.daily, retry_after=_until_midnight())


def resets_at() -> datetime:
    """When the day's clips begin anew: the next midnight in UTC."""
    return timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _until_midnight() -> int:
    return max(1, round((resets_at() - timezone.now()).total_seconds()))
