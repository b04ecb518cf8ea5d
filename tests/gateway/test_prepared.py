"""What every request asks is planned once a connection."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.db.transaction import atomic

from gateway import tokens
from gateway.actors import Actor
from gateway.models import User
from gateway.prepared import prepared
from tests import makers

pytestmark = pytest.mark.django_db


def plans(table: str) -> list[int]:
    """How often each prepared statement about `table` was asked on this connection."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select generic_plans + custom_plans from pg_prepared_statements where statement like %s", [f"%{table}%"]
        )
        return [asked for (asked,) in cursor.fetchall()]


def test_the_statement_that_finds_a_token_is_prepared_once(artist: Actor, stranger: Actor):
    before = sum(plans("gateway_token"))
    for secret in (makers.token(artist), makers.token(stranger)) * 3:
        tokens.find(secret)
    assert len(plans("gateway_token")) == 1
    assert sum(plans("gateway_token")) - before == 6


def test_outside_nothing_is_prepared_also_after_an_error():
    with pytest.raises(DatabaseError), atomic(), prepared():
        User.objects.extra(where=["nothing"]).count()
    assert User.objects.filter(name="somebody else").count() == 0
    assert not [asked for asked in plans("somebody else") if asked]


def test_each_thread_prepares_for_itself(at_once: Callable[..., list[Any]]):
    secret = makers.token(makers.artist())
    found = at_once(*[lambda: tokens.find(secret)] * 8)
    assert len({token.pk for token in found}) == 1
