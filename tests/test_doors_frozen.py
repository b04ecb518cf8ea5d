"""Every door × who has lost their key: a braked token, a braked session, an ended or a revoked token; and a neighbour."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.models.functions import Now
from django.test import Client

from gateway import actors, brakes, keys
from gateway.actors import Actor
from gateway.models import Token
from tests import makers
from tests.test_doors import DETOUR, DOORS, address, caller, cast, seldom, snapshot
from tests.test_doors_by_method import outside

__all__ = ["cast"]  # the fixture

pytestmark = pytest.mark.django_db
# Those that a door has a use for. Of a key that is no good two are enough: it is looked at before the method.
USED = ("get", "post", *seldom("delete"))
METHODS = ("get", "post", *seldom("head", "put", "patch", "delete", "options"))


def knock(client: Client, method: str, path: str) -> Any:
    """Ask, and leave the world as it was."""
    with transaction.atomic():
        if method in ("post", "put", "patch"):
            answer = getattr(client, method)(path, {}, content_type="application/json")
        else:
            answer = getattr(client, method)(path)
        transaction.set_rollback(True)
    return answer


def inner_doors(api: bool) -> list[str]:
    """Doors behind which one has to be somebody."""
    return [
        door
        for door in DOORS
        if door.startswith("v1/") == api and outside(door, "guest") in (401, DETOUR) and DOORS[door][0] in (401, DETOUR)
    ]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("key", ["braked", "ended", "revoked"])
def test_a_token_that_is_no_good_opens_no_door(cast, artist: Actor, method: str, key: str):
    submission, _ = cast
    client = caller(artist, "v1/")
    token = Token.objects.filter(user=artist.user).latest("id")
    if key == "braked":
        brakes.pull("token", token.pk, by=actors.SYSTEM, label="it", reason="It leaked")
    else:
        column = "expires_at" if key == "ended" else "revoked_at"
        Token.objects.filter(pk=token.pk).update(**{column: Now() - timedelta(seconds=1)})
    before = snapshot()
    doors = [door for door in DOORS if door.startswith("v1/") and door != "v1/leaks"]  # a scanner signs instead
    answers = {door: knock(client, method, address(door, submission)).status_code for door in doors}
    assert set(answers.values()) == {403 if key == "braked" else 401}, answers
    assert snapshot() == before


@pytest.mark.parametrize("method", METHODS)
def test_a_braked_session_opens_no_door(cast, artist: Actor, method: str):
    submission, _ = cast
    client = caller(artist, "")
    brakes.pull("session", keys.alias(client.session.session_key or ""), by=actors.SYSTEM, label="it", reason="Stolen")
    before = snapshot()
    doors = inner_doors(api=False) + inner_doors(api=True)
    answers = {door: knock(client, method, address(door, submission)).status_code for door in doors}
    assert {door: status for door, status in answers.items() if status != 403} == {}
    assert snapshot() == before


@pytest.mark.parametrize("method", USED)
def test_a_neighbour_of_the_same_cohort_is_a_stranger(cast, artist: Actor, stranger: Actor, method: str):
    """Each door answers an artist of the same cohort as it does one of another."""
    submission, _ = cast
    makers.sketch()
    assert artist.membership is not None
    neighbour = makers.artist("Noor Haddad", cohort=artist.membership.cohort)
    before = snapshot()
    clients = {prefix: [caller(somebody, prefix) for somebody in (neighbour, stranger)] for prefix in ("", "v1/")}
    wrong = []
    for door in DOORS:
        asked = clients["v1/" if door.startswith("v1/") else ""]
        told = [knock(client, method, address(door, submission)).status_code for client in asked]
        if told[0] != told[1]:
            wrong.append((door, *told))
    assert wrong == []
    assert snapshot() == before
