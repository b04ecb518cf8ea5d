"""What is forgotten by itself: from where people came, and what is left of those who did not come in."""

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import DatabaseError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client

from gateway import access_requests, actors, audit, tasks
from gateway.actors import Actor
from gateway.models import AccessRequest, Detail, Entry, Notice, Token
from tests import makers

pytestmark = pytest.mark.django_db

AGED = """
create table audit.entry_aged partition of audit.entry for values from ('2001-01-01') to ('2002-01-01');
alter table audit.entry disable trigger append_only;
alter table audit.entry disable trigger read_off_body;
update audit.entry set at = '2001-06-01' where id = any(%s);
alter table audit.entry enable always trigger append_only;
alter table audit.entry enable always trigger read_off_body;
"""


def aged(*entries: Entry) -> None:
    """They were written long ago; the triggers that know better rest."""
    with connection.cursor() as cursor:
        for statement in AGED.strip().split(";\n"):
            cursor.execute(statement, [[entry.pk for entry in entries]] if "%s" in statement else None)


def test_addresses_of_nobody_are_erased_after_some_time_and_others_are_not(artist: Actor, guest: Client):
    guest.get("/", REMOTE_ADDR="203.0.113.5")
    makers.asked("noor@example.org")
    audit.record("program.checked", by=actors.SYSTEM, detail={"note": "x"})
    makers.with_token(artist, networks=["203.0.113.0/24"])
    with_details = Entry.objects.filter(pk__in=Detail.objects.values("entry_id"))
    old = list(with_details.order_by("id"))
    assert {entry.action for entry in old} >= {"request.answered", "access_request.requested", "token.issued"}
    aged(*old)
    guest.get("/terms", REMOTE_ADDR="203.0.113.6")
    tasks.tidy()
    left = [bytes(detail.body) for detail in Detail.objects.all()]
    assert not any(b"203.0.113.5" in body or b"noor@" in body for body in left)
    assert any(b"203.0.113.6" in body for body in left), "that was just now"
    assert {entry.action for entry in with_details} >= {"program.checked", "token.issued"}
    assert Entry.objects.count() >= len(old), "the entries stay"
    with connection.cursor() as cursor:
        cursor.execute("select count(*), sum(details) from audit.erasure")
        times, details = cursor.fetchone()
        assert (times, details) == (1, 2)
        tasks.tidy()
        cursor.execute("select count(*) from audit.erasure")
        assert cursor.fetchone() == (1,), "it goes on where it was left"


def test_nobody_lets_the_log_forget_the_last_days(application: psycopg.Connection[Any]):
    with pytest.raises(psycopg.errors.CheckViolation, match="a week ago"):
        application.execute("select audit.forget(now(), 10)")
    application.rollback()
    assert application.execute("select audit.forget(now() - interval '8 days', 10)").fetchone() == (0,)
    with pytest.raises(DatabaseError, match="append-only"), atomic(), connection.cursor() as cursor:
        cursor.execute("insert into audit.erasure (details) values (1)")
        cursor.execute("delete from audit.erasure")


def test_a_token_forgets_from_where_it_was_used(artist: Actor, settings: Any):
    tokens = [makers.with_token(artist).token for _ in range(2)]
    Token.objects.update(last_address="203.0.113.5", last_use="GET /v1/me", last_used_at=Now())
    Token.objects.filter(pk=tokens[0].pk).update(last_used_at=Now() - timedelta(days=91))
    settings.ADDRESS_DAYS = 0
    tasks.tidy()
    assert Token.objects.filter(last_address__isnull=True).count() == 0
    settings.ADDRESS_DAYS = 90
    tasks.tidy()
    assert [Token.objects.get(pk=token.pk).last_address for token in tokens] == [None, "203.0.113.5"]


def test_a_session_that_has_ended_is_forgotten(artist: Actor, browser_of: Any):
    browser, over = browser_of(artist), browser_of(artist)
    for client in (browser, over):
        UserSession.objects.get_or_create(
            session_key=client.session.session_key, defaults={"user": artist.user, "ip": "203.0.113.5"}
        )
    Session.objects.filter(session_key=over.session.session_key).update(expire_date=Now() - timedelta(days=1))
    tasks.tidy()
    assert [row.session_key for row in UserSession.objects.all()] == [browser.session.session_key]


def test_who_did_not_come_in_is_forgotten(admin: Actor):
    no, withdrawn, waits, lately = (makers.asked() for _ in range(4))
    for asked in (no, lately):
        access_requests.decline(asked, by=admin, reason="The seats are taken.")
    access_requests.withdraw(withdrawn, by=actors.NOBODY)
    long_ago = Now() - timedelta(days=181)
    AccessRequest.objects.filter(pk__in=[no.pk, withdrawn.pk]).update(answered_at=long_ago)
    Notice.objects.filter(email__in=[no.email, withdrawn.email]).update(created_at=long_ago)
    tasks.tidy()
    assert set(AccessRequest.objects.all()) == {waits, lately}
    assert set(Notice.objects.filter(user__isnull=True).values_list("email", flat=True)) == {waits.email, lately.email}
