"""The policy: clauses in versions, what admins publish, and who is told."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.transaction import atomic
from django.test import Client

from gateway import actors, audit, refusals
from gateway.actors import Actor
from gateway.models import Notice, Token
from review import founding, policy
from review.models import Clause, Decision
from tests import makers

pytestmark = pytest.mark.django_db
WORDS = {"title": "Noise", "body": "Nothing but noise.", "example": "Static.", "why": "It came up."}
CATEGORY = "STATEMENT_CATEGORY_OTHER_VIOLATION_TC"
TYPED = {
    "title": "Flashing light",
    "body": "More than three flashes within any second: it can cause a seizure.",
    "meant": "A strobe.\r\n\r\n  A lightning storm. ",
    "not_meant": "A single flash.",
    "category": CATEGORY,
    "specification": "KEYWORD_OTHER",
    "why": "Red ones count like others.",
}


@pytest.fixture
def flashing(db: None) -> Clause:
    makers.policy()
    return Clause.objects.get(number=4)


# ---------------------------------------------------------------- a clause


def test_examples_are_told_apart_in_whatever_way_they_were_written(flashing: Clause):
    assert flashing.meant == ["A strobe over the whole frame."]
    assert flashing.not_meant == ["a single flash, a slow pulse."]
    written = policy.examples(" One.\r\n\r\nTwo. ", "Three.\n")
    assert written == "One.\nTwo.\nNot meant: Three."
    clause = Clause(example=written)
    assert (clause.meant, clause.not_meant) == (["One.", "Two."], ["Three."])


def test_a_new_clause_gets_a_number_that_none_has_had(flashing: Clause, admin: Actor):
    policy.retire(Clause.objects.get(number=5), by=admin, reason="Too vague.")
    made = policy.add(by=admin, **WORDS)
    assert (made.number, made.version) == (6, 1)
    assert [clause.number for clause in policy.in_force()] == [1, 2, 3, 4, 6]
    (entry,) = audit.of(made)
    assert (entry.action, json.loads(bytes(entry.body))["facts"]) == ("clause.added", {"number": 6, "version": 1})


def test_an_amendment_is_a_new_version_and_what_was_decided_stays_with_the_old(
    flashing: Clause, artist: Actor, admin: Actor, no_undo: None
):
    decision = makers.decided(makers.submitted(artist), "reject")
    made = makers.amended(4, by=admin, title=" Flashing  light ")
    assert (made.version, made.title, made.why) == (2, "Flashing light", "It was unclear.")
    assert [(clause.pk, clause.retired_at is None) for clause in policy.versions(4)] == [
        (made.pk, True),
        (flashing.pk, False),
    ]
    assert policy.of(decision) == [flashing]
    assert makers.reasons().clauses == [made.pk]
    (entry,) = audit.of(made)
    assert json.loads(bytes(entry.body))["facts"] == {"number": 4, "version": 2, "instead_of": str(flashing.pk)}
    with pytest.raises(refusals.NotFound):
        policy.versions(9)


def test_who_changes_an_old_version_changes_nothing(flashing: Clause, admin: Actor):
    makers.amended(4, by=admin)
    acts = [
        partial(policy.amend, flashing, by=admin, category=CATEGORY, **WORDS),
        partial(policy.retire, flashing, by=admin, reason="x"),
    ]
    for act in acts:
        with pytest.raises(refusals.ClauseChanged, match="Clause 4 was changed or retired meanwhile"):
            act()
    assert [clause.version for clause in policy.versions(4)] == [2, 1]


def test_five_admins_amend_one_clause_at_once_and_one_version_comes_of_it(at_once: Callable[..., list[Any]]):
    makers.policy()
    admins = [makers.admin() for _ in range(5)]
    clause = Clause.objects.get(number=4)
    calls = [partial(policy.amend, clause, by=admin, category=CATEGORY, **WORDS) for admin in admins]
    answers = at_once(*calls, *[partial(policy.add, by=admin, **WORDS) for admin in admins])
    assert sum(isinstance(answer, Clause) for answer in answers[:5]) == 1
    assert sum(isinstance(answer, refusals.ClauseChanged) for answer in answers[:5]) == 4
    assert sorted(answer.number for answer in answers[5:]) == [6, 7, 8, 9, 10]


def test_only_an_admin_writes_the_policy_and_says_why(flashing: Clause, artist: Actor, reviewer: Actor, admin: Actor):
    for by in (artist, reviewer, actors.NOBODY, Actor("token", user=admin.user, token=Token(user=admin.user))):
        for act in (
            partial(policy.add, by=by, **WORDS),
            partial(policy.amend, flashing, by=by, category=CATEGORY, **WORDS),
            partial(policy.retire, flashing, by=by, reason="x"),
        ):
            with pytest.raises(refusals.AdminsOnly):
                act()
    change = partial(policy.amend, flashing, by=admin, category=CATEGORY)
    with pytest.raises(refusals.ReasonNeeded):
        change(**{**WORDS, "why": " "})
    with pytest.raises(refusals.ReasonNeeded):
        policy.retire(flashing, by=admin, reason="")
    with pytest.raises(refusals.WordsMissing, match="a title, the rule and an example"):
        change(**{**WORDS, "example": "\n"})
    with pytest.raises(refusals.UnknownCategory):
        change(**WORDS, specification="KEYWORD_CRITICISM")
    with pytest.raises(refusals.NothingChanged):
        makers.amended(4, by=admin, body=flashing.body)
    assert not Notice.objects.filter(path__startswith="/policy").exists()


def test_members_and_reviewers_are_told_of_each_change_once(
    flashing: Clause, artist: Actor, reviewer: Actor, admin: Actor
):
    left = makers.artist()
    type(left.membership).objects.filter(pk=left.membership.pk).update(state="left")
    told = Notice.objects.filter(path__startswith="/policy/")
    makers.amended(4, by=admin, why="Red ones count too.")
    assert set(told.values_list("user", "path")) == {(who.user.pk, "/policy/4") for who in (artist, reviewer)}
    assert "Red ones count too." in told[0].body
    makers.amended(
        4, by=admin, body=Clause.objects.get(number=4, version=2).body, category="STATEMENT_CATEGORY_SELF_HARM"
    )
    assert told.count() == 2, "another category changes no word"
    policy.add(by=admin, **WORDS)
    policy.retire(Clause.objects.get(number=5), by=admin, reason="Too vague.")
    assert list(told.filter(user=artist.user).order_by("created_at").values_list("subject", flat=True)) == [
        "The policy has changed: clause 4, Flashing light",
        "The policy has a new clause: 6, Noise",
        "The policy has one clause less: 5, Somebody else's work, as one's own",
    ]


def test_how_often_a_clause_was_named_is_counted_over_its_versions(
    flashing: Clause, artist: Actor, admin: Actor, no_undo: None
):
    makers.decided(makers.submitted(artist), "reject")
    makers.amended(4, by=admin)
    makers.decided(makers.submitted(artist), "request_changes")
    makers.decided(makers.submitted(artist))
    smoke = makers.artist(cohort=makers.cohort(smoke=True))
    makers.decided(makers.submitted(smoke), "reject")
    assert policy.named() == {4: 2}
    assert policy.named(days=0) == {}
    assert Decision.objects.count() == 4


# ---------------------------------------------------------------- the database's word


@pytest.mark.parametrize(
    "statement",
    ["update review_clause set body = 'x'", "update review_clause set number = 9", "delete from review_clause"],
)
def test_a_wording_is_never_rewritten(flashing: Clause, statement: str):
    with pytest.raises(DatabaseError, match="append-only"), atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_clause_is_said_in_full_and_ends_once(flashing: Clause, admin: Actor):
    with pytest.raises(IntegrityError, match="a_clause_is_said_in_full"), atomic():
        Clause.objects.create(number=9, title="x", body=" ", example="x")
    with pytest.raises(IntegrityError, match="one_wording_in_force"), atomic():
        Clause.objects.create(number=4, version=2, title="x", body="x", example="x")
    policy.retire(flashing, by=admin, reason="x")
    with pytest.raises(IntegrityError, match="a clause is retired once"), atomic():
        Clause.objects.filter(pk=flashing.pk).update(retired_at=None, retired_because="")


def test_the_founding_clauses_and_their_migration_agree(flashing: Clause):
    migration = MigrationExecutor(connection).loader.get_migration_by_prefix("review", "0007")
    known = __import__(type(migration).__module__, fromlist=["FOUNDING"]).FOUNDING
    assert list(known) == [(title, *called) for title, _, _, *called in founding.CLAUSES]
    assert list(known) == list(Clause.objects.values_list("title", "category", "specification"))


# ---------------------------------------------------------------- the pages


def test_anybody_reads_the_policy_and_what_it_was(guest: Client, flashing: Clause, admin: Actor, client_of: Any):
    makers.amended(4, by=admin, body="More than two flashes within any second.", why="Two are enough.")
    policy.retire(Clause.objects.get(number=5), by=admin, reason="Too vague.")
    page = guest.get("/policy").content.decode()
    assert "More than two flashes" in page
    assert "as one&#x27;s own" not in page
    page = guest.get("/policy/4").content.decode()
    for part in ("Version 1", "Version 2", "Two are enough.", "<del>", "<ins>", "A strobe over the whole frame."):
        assert part in page, part
    page = guest.get("/policy/5").content.decode()
    assert "does not hold any more" in page
    assert "Too vague." in page
    assert guest.get("/policy/99999999999999999999").status_code == 404
    told = guest.get("/policy.json").json()
    assert told == guest.get("/v1/policy").json() == client_of(admin).get("/v1/policy").json()
    assert [clause["number"] for clause in told["clauses"]] == [1, 2, 3, 4]
    assert told["clauses"][3]["version"] == 2
    assert told["clauses"][3]["not_meant"] == ["a single flash, a slow pulse."]


def test_an_admin_looks_and_then_publishes(flashing: Clause, artist: Actor, admin: Actor, browser_of: Any):
    browser = browser_of(admin)
    assert 'value="Flashing light"' in browser.get("/program/policy/4").content.decode()
    page = browser.post("/program/policy/4", {**TYPED, "after": 1}).content.decode()
    assert "Publish version 2" in page
    assert "<del>" in page
    assert "1 member and all reviewers are told" in page
    assert policy.versions(4)[0].version == 1
    assert browser.post("/program/policy/4/publish", {**TYPED, "after": 1, "why": ""}).status_code == 422
    assert browser.post("/program/policy/4/publish", {**TYPED, "after": 7}).status_code == 404
    assert browser.post("/program/policy/4/publish", {**TYPED, "after": 1}).status_code == 302
    made = policy.versions(4)[0]
    assert (made.version, made.example) == (2, "A strobe.\nA lightning storm.\nNot meant: A single flash.")
    new = {**TYPED, "title": "Noise", "after": 0}
    assert "Publish the clause" in browser.post("/program/policy/new", new).content.decode()
    assert browser.post("/program/policy/new/publish", new)["Location"] == "/program/policy/6"
    assert browser.post("/program/policy/6/retire", {"reason": ""}).status_code == 422
    assert browser.post("/program/policy/6/retire", {"reason": "A mistake."}).status_code == 302
    assert browser.post("/program/policy/6/retire", {"reason": "A mistake."}).status_code == 409
    assert "not named in 90 days" in browser.get("/program/policy").content.decode()


def test_a_stale_page_loses_no_word(flashing: Clause, admin: Actor, browser_of: Any):
    browser = browser_of(admin)
    makers.amended(4, by=makers.admin(), body="Somebody else's words.")
    for at in ("/program/policy/4", "/program/policy/4/publish"):
        answer = browser.post(at, {**TYPED, "after": 1})
        page = answer.content.decode()
        assert (answer.status_code, answer.refusal) == (409, "clause_changed"), at
        assert page.count(TYPED["body"]) >= 2, "in the form, and in what would be sent"
        assert "Somebody else&#x27;s words." in page, "compared with what is in force now"
        assert 'name="after" value="2"' in page
    policy.retire(policy.versions(4)[0], by=admin, reason="x")
    answer = browser.post("/program/policy/4/publish", {**TYPED, "after": 2})
    assert (answer.status_code, answer.refusal) == (409, "clause_changed")
    page = answer.content.decode()
    assert 'action="/program/policy/new/publish"' in page, "what was typed can become a clause of its own"
    assert TYPED["body"] in page
