"""Chores of the ground floor."""

from celery import shared_task
from django.db import connection

from gateway import (
    access_requests,
    allowances,
    audit,
    deliveries,
    notices,
    retries,
    sessions,
    sightings,
    tokens,
    webhooks,
)


@shared_task(name="gateway.mail")
def mail() -> None:
    """Send the mails that wait."""
    notices.send_waiting()


@shared_task(name="gateway.deliver")
def deliver() -> None:
    """Have the webhooks sent that are due."""
    deliveries.begin()


@shared_task(name="gateway.tidy")
def tidy() -> None:
    """Make next months' partitions of the audit log, so that none is ever missing; end what is left of last month;
    remind admins of requests that are due; erase from where and by what credentials were used long ago, and what people
    left who are nobody here, and what webhooks told a month ago; forget the keys of yesterday's requests."""
    with connection.cursor() as cursor:
        cursor.execute("select audit.ensure_partitions()")
    allowances.expire()
    access_requests.remind()
    sightings.forget_old()
    tokens.forget_old()
    sessions.forget_old()
    access_requests.forget_old()
    webhooks.forget_old()
    audit.forget_old()
    retries.forget_old()
