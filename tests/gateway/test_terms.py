"""The program's terms, by version, with their rate cards; who accepted them, and who has still to."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from gateway import actors, audit, guest_passes, members, refusals, terms, tokens
from gateway.actors import Actor
from gateway.models import Notice, Rate, Terms, TermsAcceptance, Token
from gateway.terms import Price
from generation import generations
from review import publishing, submissions
from review.models import Submission
from tests import makers

pytestmark = pytest.mark.django_db

CARD = [Price("test_hour", "Testing, by the hour", 4800), Price("bug_report", "A fault", 4000)]
publish = partial(terms.publish, rates=CARD)


def versions(*numbers: int) -> list[Terms]:
    return [Terms.objects.create(version=number, body=f"Terms, version {number}.") for number in numbers]


def announced(version: int = 2, body: str = "Later.") -> Terms:
    return Terms.objects.create(version=version, body=body, in_force_at=Now() + timedelta(days=3))


# ---------------------------------------------------------------- which version holds


def test_the_latest_version_is_in_force():
    assert terms.current() is None
    versions(1, 3, 2)
    current = terms.current()
    assert current is not None
    assert current.version == 3


def test_a_version_that_is_announced_does_not_hold_yet(artist: Actor):
    first, later = *versions(1), announced()
    makers.accepting(artist.user)
    assert (terms.current(), terms.announced()) == (first, later)
    assert terms.due(artist) is None
    terms.accept(later, artist.user, by=artist)
    assert terms.accepted(artist.user) == first, "its rates do not hold before its day"


# ---------------------------------------------------------------- accepting


def test_accepting_is_recorded_once(artist: Actor):
    (first,) = versions(1)
    assert artist.user is not None
    for _ in range(2):
        terms.accept(first, artist.user, by=artist)
    assert TermsAcceptance.objects.count() == 1
    (entry,) = audit.of(first)
    assert (entry.action, entry.actor_id) == ("terms.accepted", artist.user.pk)
    assert json.loads(bytes(entry.body))["facts"] == {"version": 1}


def test_nobody_accepts_for_somebody_else_and_no_token_for_its_owner(artist: Actor, admin: Actor):
    (first,) = versions(1)
    token = Token(user=artist.user, scopes=[])
    for by in (admin, actors.SYSTEM, actors.NOBODY, Actor("token", user=artist.user, token=token)):
        with pytest.raises(refusals.OnlyInPerson):
            terms.accept(first, artist.user, by=by)
    assert not TermsAcceptance.objects.exists()


def test_what_is_not_in_force_any_more_is_not_accepted(artist: Actor):
    first, _ = versions(1, 2)
    with pytest.raises(refusals.OutdatedTerms, match="Version 1 of the terms is not in force any more. Read version 2"):
        terms.accept(first, artist.user, by=artist)
    assert terms.due(artist) == terms.current()


@pytest.mark.parametrize(
    "statement", ["update gateway_termsacceptance set terms_id = terms_id", "delete from gateway_termsacceptance"]
)
def test_an_acceptance_is_never_rewritten(artist: Actor, statement: str):
    (first,) = versions(1)
    assert artist.user is not None
    terms.accept(first, artist.user, by=artist)
    with pytest.raises(DatabaseError, match="append-only"), atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


# ---------------------------------------------------------------- before making something new


def test_an_artist_accepts_new_terms_before_making_something_new_and_keeps_the_rest(
    artist: Actor, admin: Actor, no_undo: None
):
    approved, private = makers.submitted(artist), makers.completed(artist)
    changed = makers.submitted(artist)
    makers.decided(approved)
    makers.decided(changed, "request_changes")
    approved, changed = (Submission.objects.get(pk=row.pk) for row in (approved, changed))
    public = makers.published(artist)
    new = publish(by=admin, after=1, body="Other terms.")
    words = {"title": "x", "credit": "y", "licence": "CC0-1.0"}
    made: list[Callable[[], Any]] = [
        partial(generations.submit, by=artist, prompt="a red circle"),
        partial(submissions.submit, private, by=artist, **words),
        partial(submissions.resubmit, changed, by=artist, **words),
        partial(publishing.sign_off, approved, by=artist, revision=1, name="x"),
        partial(tokens.issue, by=artist, label="x", scopes=[]),
        partial(guest_passes.issue, by=artist, label="x", generations=1, credits=1, days=1),
    ]
    for act in made:
        with pytest.raises(refusals.TermsNotAccepted, match=r"\(version 2\) first, in a browser, at /terms/accept"):
            act()
    publishing.withdraw(public, by=artist)
    submissions.withdraw(approved, by=artist)
    made.pop(3)
    terms.accept(new, artist.user, by=artist)
    for act in made:
        act()


def test_a_suspension_is_named_before_terms(artist: Actor, admin: Actor):
    versions(1)
    makers.sketch()
    members.suspend(artist.membership, by=admin, reason="x")
    with pytest.raises(refusals.Suspended):
        generations.submit(by=actors.person(artist.user), prompt="a red circle")


def test_reviewers_and_admins_go_on_and_so_does_everybody_while_there_are_no_terms(
    artist: Actor, reviewer: Actor, admin: Actor
):
    terms.must_have_accepted(artist)
    versions(1)
    for actor in (reviewer, admin, actors.SYSTEM, actors.NOBODY):
        terms.must_have_accepted(actor)
    with pytest.raises(refusals.TermsNotAccepted):
        terms.must_have_accepted(artist)


def test_whether_terms_are_due_is_one_question(artist: Actor):
    versions(1, 2, 3)
    assert artist.membership
    with CaptureQueriesContext(connection) as queries:
        terms.due(artist)
    assert len(queries) == 1


def test_a_client_reads_where_to_accept(artist: Actor, client_of: Callable[..., APIClient]):
    client = client_of(artist)
    makers.sketch()
    versions(1)
    answer = client.post("/v1/videos", {"prompt": "a red circle"}, format="json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "terms_not_accepted")
    assert "/terms/accept" in answer.json()["detail"]
    assert answer["x-should-retry"] == "false"
    answer = client.post("/v1/terms/accept", {"version": 1}, format="json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "only_in_person")
    read = client.get("/v1/terms").json()
    assert (read["version"], read["accepted_at"], read["accept_at"]) == (1, None, "/terms/accept")


def test_a_person_accepts_by_rest_with_their_session(artist: Actor, admin: Actor):
    publish(by=admin, after=0, body="Terms.")
    client = APIClient()
    client.force_login(artist.user)
    assert client.post("/v1/terms/accept", {"version": 7}, format="json").status_code == 404
    assert client.post("/v1/terms/accept", {}, format="json").status_code == 400
    answer = client.post("/v1/terms/accept", {"version": 1}, format="json")
    assert answer.status_code == 200
    assert answer.json()["accepted_at"]
    assert answer.json()["rates"][0] == {
        "kind": "test_hour", "words": "Testing, by the hour", "cents": 4800, "unit": "hour",
    }  # fmt: skip


# ---------------------------------------------------------------- publishing


def test_publishing_is_recorded_and_the_members_are_told(artist: Actor, stranger: Actor, reviewer: Actor, admin: Actor):
    left, gone = makers.artist(), makers.artist()
    type(left.membership).objects.filter(pk=left.membership.pk).update(state="left")
    type(gone.user).objects.filter(pk=gone.user.pk).update(is_active=False)
    made = publish(by=admin, after=0, body=" Terms. ")
    assert (made.version, made.body, made.currency) == (1, "Terms.", "EUR")
    assert [(rate.kind, rate.amount, rate.unit) for rate in made.card()] == [
        ("test_hour", "48.00 €", "hour"),
        ("bug_report", "40.00 €", "piece"),
    ]
    assert set(Notice.objects.values_list("user", flat=True)) == {artist.user.pk, stranger.user.pk}
    assert set(Notice.objects.values_list("path", flat=True)) == {"/terms/accept"}
    (entry,) = audit.of(made)
    facts = json.loads(bytes(entry.body))["facts"]
    assert facts == {"version": 1, "currency": "EUR", "rates": {"test_hour": 4800, "bug_report": 4000}}


def test_only_an_admin_publishes(artist: Actor, reviewer: Actor, admin: Actor):
    token = Token(user=admin.user, scopes=[])
    for by in (artist, reviewer, actors.NOBODY, Actor("token", user=admin.user, token=token)):
        with pytest.raises(refusals.AdminsOnly):
            publish(by=by, after=0, body="x")


def test_terms_never_begin_in_the_past(admin: Actor):
    with pytest.raises(refusals.TermsBackdated):
        publish(by=admin, after=0, body="x", in_force_at=datetime.now(UTC) - timedelta(hours=1))
    assert not Terms.objects.exists()
    assert not Notice.objects.exists()


def test_who_drafts_on_an_old_version_publishes_nothing(admin: Actor):
    publish(by=admin, after=0, body="One.")
    with pytest.raises(refusals.TermsChanged, match="Version 1 of the terms was published meanwhile"):
        publish(by=admin, after=0, body="Another one.")
    assert [row.body for row in Terms.objects.all()] == ["One."]


def test_two_admins_publish_at_once_and_one_version_comes_of_it(at_once: Callable[..., list[Any]]):
    admins = [makers.admin() for _ in range(5)]
    makers.artist()
    answers = at_once(*[partial(publish, by=admin, after=0, body=f"By {i}") for i, admin in enumerate(admins)])
    assert sum(isinstance(answer, Terms) for answer in answers) == 1
    assert sum(isinstance(answer, refusals.TermsChanged) for answer in answers) == 4
    assert Terms.objects.count() == Notice.objects.count() == 1
    assert Rate.objects.count() == 2


# ---------------------------------------------------------------- the database's word


@pytest.mark.parametrize("change", ["body = 'Everything is ours.'", "version = 9", "in_force_at = now()"])
def test_terms_that_somebody_accepted_are_never_edited(artist: Actor, change: str):
    """The database's word: an artist agreed to this text, and to no other."""
    (first,) = versions(1)
    assert artist.user is not None
    terms.accept(first, artist.user, by=artist)
    with pytest.raises(DatabaseError), atomic(), connection.cursor() as cursor:
        cursor.execute(f"update gateway_terms set {change}")


@pytest.mark.parametrize("statement", ["update gateway_rate set cents = 1", "delete from gateway_rate"])
def test_a_rate_is_never_rewritten(admin: Actor, statement: str):
    publish(by=admin, after=0, body="x")
    with pytest.raises(DatabaseError, match="append-only"), atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_no_rate_joins_a_card_that_was_accepted(artist: Actor, admin: Actor):
    made = publish(by=admin, after=0, body="x")
    Rate.objects.create(terms=made, kind="feedback", words="Words", cents=1)
    terms.accept(made, artist.user, by=artist)
    with pytest.raises(IntegrityError, match="complete before anybody accepts it"), atomic():
        Rate.objects.create(terms=made, kind="showcase", words="Works", cents=1)
    with pytest.raises(IntegrityError, match="one_rate_a_kind"), atomic():
        Rate.objects.create(terms=versions(2)[0], kind="showcase", words="Works", cents=1)
        Rate.objects.create(terms=terms.read(2), kind="showcase", words="Works", cents=1)


# ---------------------------------------------------------------- the pages


def test_anybody_can_read_the_terms_and_their_rates(guest: Client, admin: Actor):
    assert guest.get("/terms").status_code == 200
    publish(by=admin, after=0, body="The first.")
    publish(by=admin, after=1, body="The second.", rates=[])
    page = guest.get("/terms").content.decode()
    assert "The second." in page
    assert "48.00 €" not in page
    page = guest.get("/terms/1").content.decode()
    assert "The first." in page
    assert "48.00 € an hour" in page
    assert "an earlier version" in page
    for none in ("/terms/3", "/terms/99999999999999999999"):
        assert guest.get(none).status_code == 404


def test_every_page_leads_an_artist_to_new_terms(
    artist: Actor, admin: Actor, reviewer: Actor, browser_of: Callable[..., Client]
):
    publish(by=admin, after=0, body="We pay by the hour.")
    makers.accepting(artist.user)
    browser = browser_of(artist)
    publish(by=admin, after=1, body="We pay by the minute.", rates=[Price("bug_report", "A fault", 5000)])
    for path in ("/dashboard", "/mine", "/studio", "/access", "/terms", "/"):
        assert 'href="/terms/accept"' in browser.get(path).content.decode(), path
    assert 'href="/terms/accept"' not in browser_of(reviewer).get("/review").content.decode()
    page = browser.get("/terms/accept").content.decode()
    for part in ("hour.", "minute.", "40.00 €", "<ins>50.00 €</ins>", "<del>no longer paid</del>"):
        assert part in page, part
    assert browser.post("/terms/accept", {"version": 2}).status_code == 422
    assert browser.post("/terms/accept", {"version": 1, "accept": "on"}).status_code == 409
    assert browser.post("/terms/accept", {"version": 2, "accept": "on"}).status_code == 302
    assert 'href="/terms/accept"' not in browser.get("/mine").content.decode()
    assert "You accepted this version" in browser.get("/terms/accept").content.decode()


def test_an_admin_looks_and_then_publishes(admin: Actor, artist: Actor, browser_of: Callable[..., Client]):
    publish(by=admin, after=0, body="It is yours.")
    browser = browser_of(admin)
    draft = {
        "after": 1, "body": "It is all yours.", "currency": "EUR", "from_day": "",
        "test_hour_words": "Testing", "test_hour_amount": "52.50",
    }  # fmt: skip
    page = browser.post("/program/terms", draft).content.decode()
    assert "<ins>52.50 €</ins>" in page
    assert '<input type="hidden" name="body" value="It is all yours.">' in page, "what was looked at is sent on"
    assert "1 member is told" in page
    assert Terms.objects.count() == 1
    assert browser.post("/program/terms", {**draft, "bug_report_amount": "1"}).status_code == 422
    assert browser.post("/program/terms/publish", {**draft, "currency": "euro"}).status_code == 422
    assert browser.post("/program/terms/publish", {**draft, "from_day": "2020-01-01"}).status_code == 400
    assert browser.post("/program/terms/publish", draft).status_code == 302
    assert browser.post("/program/terms/publish", draft).status_code == 409
    made = terms.current()
    assert made is not None
    assert (made.version, made.body, [rate.cents for rate in made.card()]) == (2, "It is all yours.", [5250])
    assert "Version 2" in browser.get("/program/terms").content.decode()
