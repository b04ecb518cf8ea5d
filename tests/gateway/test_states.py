"""The only writer of states, and the triggers behind it."""

import json
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection
from django.db.models import Q
from django.db.transaction import atomic

from gateway import actors, audit, refusals, states
from gateway.actors import Actor
from gateway.models import Membership
from gateway.models.base import Living
from tests import makers

pytestmark = pytest.mark.django_db

LIVING = [model for model in apps.get_models() if issubclass(model, Living)]


def sql(statement: str, *values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def behind(model: type[Living]) -> tuple[str, dict[str, list[str]]]:
    """What the trigger of a table was told: the first state, and where one may go."""
    found = sql(
        "select pg_get_triggerdef(oid) from pg_trigger where tgname = 'obey_moves' and tgrelid = %s::regclass",
        model._meta.db_table,
    )
    assert found, f"{model.__name__} has a state and no trigger behind it"
    match = re.search(r"obey_moves\('(\w+)', '(.*)'\)$", found[0][0])
    assert match
    return match[1], json.loads(match[2])


def members() -> Iterator[Membership]:
    while True:
        membership = makers.artist().membership
        assert membership is not None
        yield membership


# ---------------------------------------------------------------- the database's word


def test_there_are_lives_to_test():
    assert {"Membership", "Invitation", "Generation"} <= {model.__name__ for model in LIVING}


@pytest.mark.parametrize("model", LIVING, ids=lambda model: model.__name__)
def test_the_trigger_behind_a_table_knows_the_same_life(model: type[Living]):
    first, moves = behind(model)
    assert first == model._meta.get_field("state").default
    assert {state: set(targets) for state, targets in moves.items()} == model.MOVES
    choices = {value for value, _ in model._meta.get_field("state").choices}
    assert choices == set(model.MOVES), "each state has a name"
    assert {target for targets in model.MOVES.values() for target in targets} | {first} == set(model.MOVES), (
        "each can be reached"
    )


@pytest.mark.parametrize("model", LIVING, ids=lambda model: model.__name__)
def test_from_sql_too_a_row_goes_only_where_its_life_allows(model: type[Living]):
    """Every pair of states, on a table that has the trigger and nothing else."""
    first, moves = behind(model)
    sql("create temporary table life (state text)")
    argument = json.dumps(moves)
    sql(
        "create trigger obey_moves before insert or update of state on life "
        f"for each row execute function obey_moves('{first}', '{argument}')"
    )
    for state in [*moves, "nonsense"]:
        if state != first:
            with pytest.raises(DatabaseError, match="begins as"), atomic():
                sql("insert into life values (%s)", state)
    for state in moves:
        for to in [*moves, "nonsense"]:
            sql("truncate life")
            sql("alter table life disable trigger obey_moves")
            sql("insert into life values (%s)", state)
            sql("alter table life enable trigger obey_moves")
            if to in {state, *moves[state]}:
                sql("update life set state = %s", to)
            else:
                with pytest.raises(DatabaseError, match="can't go from"), atomic():
                    sql("update life set state = %s", to)


def test_a_left_membership_stays_left_also_from_sql(artist: Actor, admin: Actor):
    assert artist.membership is not None
    states.move(artist.membership, "left", by=admin)
    with pytest.raises(DatabaseError, match="can't go from left to active"), atomic():
        sql("update gateway_membership set state = 'active'")


# ---------------------------------------------------------------- move


def test_a_move_is_recorded_with_who_made_it(artist: Actor, admin: Actor):
    membership = artist.membership
    assert membership is not None
    assert admin.user is not None
    states.move(membership, "suspended", by=admin, facts={"why": 7})
    assert membership.state == "suspended"
    (entry,) = audit.of(membership)
    assert entry.actor_id == admin.user.pk
    assert json.loads(bytes(entry.body))["facts"] == {"why": 7}


def test_a_wrong_move_changes_nothing_leaves_no_entry_and_says_where_the_row_is(artist: Actor, admin: Actor):
    membership = artist.membership
    assert membership is not None
    states.move(membership, "left", by=admin)
    stale = Membership(pk=membership.pk, state="active", credits=0)
    with pytest.raises(refusals.WrongState, match="This membership is left, so it can't become suspended."):
        states.move(stale, "suspended", by=admin)
    assert stale.state == "left", "the caller sees the row as it is"
    assert audit.of(membership).count() == 1


def test_a_state_that_nobody_knows_is_refused(artist: Actor, admin: Actor):
    assert artist.membership is not None
    with pytest.raises(refusals.WrongState):
        states.move(artist.membership, "promoted", by=admin)


def test_a_condition_is_asked_in_the_same_breath(artist: Actor, admin: Actor):
    membership = artist.membership
    assert membership is not None
    with pytest.raises(refusals.WrongState):
        states.move(membership, "suspended", by=admin, when=Q(credits=999), credits=1)
    states.move(membership, "suspended", by=admin, when=Q(credits=20), credits=1)
    assert (membership.state, membership.credits) == ("suspended", 1)


def test_twenty_move_one_row_and_one_wins(at_once: Callable[..., list[Any]]):
    membership, admin = next(members()), makers.admin()
    rows = [Membership.objects.get(pk=membership.pk) for _ in range(20)]
    answers = at_once(*[partial(states.move, row, "suspended", by=admin) for row in rows])
    assert answers.count(None) == 1
    assert sum(isinstance(answer, refusals.WrongState) for answer in answers) == 19
    assert audit.of(membership).count() == 1


# ---------------------------------------------------------------- move_all


def test_all_that_may_go_go_each_with_its_entry(admin: Actor):
    made = members()
    active, suspended, left = next(made), next(made), next(made)
    states.move(suspended, "suspended", by=admin)
    states.move(left, "left", by=admin)
    untouched = next(made)
    asked = Membership.objects.exclude(pk=untouched.pk)
    moved = states.move_all(asked, "suspended", by=actors.SYSTEM, credits=3)
    assert [(row.pk, row.state) for row in moved] == [(active.pk, "suspended")]
    active.refresh_from_db()
    assert (active.state, active.credits) == ("suspended", 3)
    found = dict(Membership.objects.values_list("pk", "state"))
    assert (found[suspended.pk], found[left.pk], found[untouched.pk]) == ("suspended", "left", "active")
    assert [entry.action for entry in audit.of(active)] == ["membership.suspended"]
    assert states.move_all(asked, "suspended", by=actors.SYSTEM) == []


def test_two_who_move_all_never_move_one_row_twice(at_once: Callable[..., list[Any]]):
    made = members()
    rows = [next(made) for _ in range(6)]
    answers = at_once(*[partial(states.move_all, Membership.objects.all(), "suspended", by=actors.SYSTEM)] * 6)
    moved = [row.pk for answer in answers for row in answer]
    assert sorted(moved) == sorted(row.pk for row in rows)
    assert [audit.of(row).count() for row in rows] == [1] * 6
