"""The program's terms, by version, and who accepted them."""

import json

import pytest
from django.db import DatabaseError, connection
from django.db.transaction import atomic
from django.test import Client

from gateway import audit, terms
from gateway.actors import Actor
from gateway.models import Terms, TermsAcceptance
from tests import makers

pytestmark = pytest.mark.django_db


def versions(*numbers: int) -> list[Terms]:
    return [Terms.objects.create(version=number, body=f"Terms, version {number}.") for number in numbers]


def test_the_latest_version_is_in_force():
    assert terms.current() is None
    versions(1, 3, 2)
    current = terms.current()
    assert current is not None
    assert current.version == 3


def test_accepting_is_recorded_once(artist: Actor):
    (first,) = versions(1)
    assert artist.user is not None
    for _ in range(2):
        terms.accept(first, artist.user, by=artist)
    assert TermsAcceptance.objects.count() == 1
    (entry,) = audit.of(first)
    assert (entry.action, entry.actor_id) == ("terms.accepted", artist.user.pk)
    assert json.loads(bytes(entry.body))["facts"] == {"version": 1}


@pytest.mark.parametrize(
    "statement", ["update gateway_termsacceptance set terms_id = terms_id", "delete from gateway_termsacceptance"]
)
def test_an_acceptance_is_never_rewritten(artist: Actor, statement: str):
    (first,) = versions(1)
    assert artist.user is not None
    terms.accept(first, artist.user, by=artist)
    with pytest.raises(DatabaseError, match="append-only"), atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.parametrize("change", ["body = 'Everything is ours.'", "version = 9"])
def test_terms_that_somebody_accepted_are_never_edited(artist: Actor, change: str):
    """The database's word: an artist agreed to this text, and to no other."""
    (first,) = versions(1)
    assert artist.user is not None
    terms.accept(first, artist.user, by=artist)
    with pytest.raises(DatabaseError), atomic(), connection.cursor() as cursor:
        cursor.execute(f"update gateway_terms set {change}")


def test_anybody_can_read_the_terms(guest: Client):
    assert guest.get("/terms").status_code == 200
    versions(1, 2)
    assert "Terms, version 2." in guest.get("/terms").content.decode()
    makers.user()
