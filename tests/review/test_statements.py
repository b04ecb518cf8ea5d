"""Statements of reasons: what a refusal owes, in the words of the DSA Transparency Database."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from rest_framework.test import APIClient

import review
from gateway import actors, refusals
from gateway.actors import Actor
from gateway.models import Entry
from generation.models import Generation, Output
from review import appeals, dsa, publishing, queue, reports, statements
from review.models import Clause, Decision, Revision, Submission
from tests import makers

pytestmark = pytest.mark.django_db
SCHEMA = json.loads((Path(review.__file__).parent / "schemas/statement.json").read_text())
ACCEPTS = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)
LONG_AGO, FAR_OFF = datetime(2020, 1, 1, tzinfo=UTC), datetime(2037, 12, 31, tzinfo=UTC)


def must_be_valid(told: dict[str, Any]) -> None:
    assert [error.message for error in ACCEPTS.iter_errors(told)] == []


def refused(artist: Actor, verdict: str = "reject") -> Decision:
    """In effect, with UNDO_SECONDS = 0."""
    return makers.decided(makers.submitted(artist, title="Kiln at night"), verdict)


# ---------------------------------------------------------------- the schema


def test_the_schema_is_one_and_knows_the_values_and_limits():
    Draft202012Validator.check_schema(SCHEMA)
    fields = SCHEMA["properties"]
    assert fields["category"]["enum"] == fields["category_addition"]["items"]["enum"] == list(dsa.CATEGORIES)
    assert fields["category_specification"]["items"]["enum"] == list(dsa.SPECIFICATIONS)
    assert fields["source_type"]["enum"] == list(dsa.SOURCES)
    assert fields["territorial_scope"]["items"]["enum"] == list(dsa.EVERYWHERE)
    assert fields["decision_facts"]["maxLength"] == dsa.FACTS == 5000
    assert fields["incompatible_content_explanation"]["maxLength"] == dsa.EXPLANATION == 2000
    assert fields["incompatible_content_ground"]["maxLength"] == dsa.GROUND == 500
    assert (len(dsa.CATEGORIES), len(set(dsa.SPECIFICATIONS)), len(dsa.EVERYWHERE)) == (16, 69, 30)
    assert set(statements.FIELDS) < set(fields)


@pytest.mark.parametrize(
    "change",
    [
        {"decision_facts": "x" * 5001},
        {"decision_facts": ""},
        {"category": "STATEMENT_CATEGORY_CRITICISM"},
        {"puid": "a puid"},
        {"content_date": "2026-13-01"},
        {"content_date": "26-01-01"},
        {"territorial_scope": ["US"]},
        {"decision_visibility": []},
        {"decision_visibility": ["DECISION_VISIBILITY_OTHER"]},
        {"decision_visibility_other": "said without need"},
        {"category_specification_other": "said without need"},
        {"decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT"},
        {"incompatible_content_explanation": None},
        {"source_identity": "somebody"},
        {"automated_detection": True},
        {"name": "Ines Marchetti"},
    ],
    ids=str,
)
def test_the_schema_refuses_what_the_database_would(change: dict[str, Any]):
    told = statements.in_full(made("take_down"), [clause(4)], source="SOURCE_VOLUNTARY", detected=False)
    must_be_valid(told)
    assert list(ACCEPTS.iter_errors({**told, **change}))


def clause(number: int = 4, **words: str) -> Clause:
    return Clause(
        **{"number": number, "title": "Flashing light", "body": "It flashes.", "example": "A strobe.", **words}
    )


def made(verdict: str, **told: Any) -> Decision:
    """Nowhere but here."""
    at = told.pop("at", datetime(2026, 5, 1, tzinfo=UTC))
    output = Output(created_at=at, generation=Generation())
    revision = Revision(output=output, submission=Submission(generation_id=uuid4()))
    reasons = {"facts": "It blinks.", "from_seconds": 0.5, "region": "", **told}
    return Decision(revision=revision, verdict=verdict, effective_at=at, **reasons)


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
clauses = st.builds(
    clause,
    st.integers(1, 32_767),
    title=words.map(lambda text: text[:120]),
    body=st.one_of(words, st.just("Ünsäglich 🎞️ " * 400)),
    category=st.sampled_from(dsa.CATEGORIES),
    specification=st.sampled_from(["", *dsa.SPECIFICATIONS]),
)
decisions = st.builds(
    made,
    st.sampled_from(Decision.REFUSALS),
    facts=words.map(lambda text: text[:5000]),
    from_seconds=st.one_of(st.none(), st.floats(0, 86_399)),
    to_seconds=st.one_of(st.none(), st.floats(0, 86_399)),
    region=words.map(lambda text: text[:200]),
    at=st.datetimes(datetime(2020, 1, 1), datetime(2037, 6, 30), timezones=st.just(UTC)),
)


@given(decisions, st.lists(clauses, min_size=1, max_size=9), st.sampled_from(dsa.SOURCES), st.booleans())
@example(
    made("reject", facts="ü" * 5000),
    [clause(n, title="Größe 🎞️ " * 12) for n in range(1, 10)],
    "SOURCE_ARTICLE_16",
    True,
)
@example(made("request_changes", facts="👩‍🎨" * 1666 + "é!"), [clause(body="x" * 5000)], "SOURCE_VOLUNTARY", False)
def test_every_refusal_gives_a_statement_that_the_schema_accepts(
    decision: Decision, named: list[Clause], source: str, detected: bool
):
    told = statements.in_full(decision, named, source=source, detected=detected)
    must_be_valid(told)
    assert told["decision_facts"] == decision.facts, "whole, whatever is in it"
    assert json.loads(json.dumps(told)) == told


# ---------------------------------------------------------------- what one says


def test_a_refusal_says_what_why_where_and_how_to_object(artist: Actor, no_undo: None, settings: Any):
    settings.BASE_URL = "https://gateway.example.org"
    decision = refused(artist)
    told = statements.statement(decision)
    must_be_valid(told)
    generation = decision.revision.submission.generation_id
    assert told["puid"] == f"decision_{decision.pk.hex}"
    assert told["decision_visibility"] == ["DECISION_VISIBILITY_OTHER"]
    assert told["decision_visibility_other"].startswith("Not published: the work stays private.")
    assert told["decision_ground_reference_url"] == "https://gateway.example.org/policy/4#version-1"
    assert told["incompatible_content_ground"] == "The program's policy: clause 4, Flashing light (version 1)"
    assert told["incompatible_content_explanation"].startswith(
        "Where in the clip: from 0.5 s.\n\nClause 4 says: More than"
    )
    assert (told["category"], told["category_specification"]) == (dsa.OTHER_VIOLATION, ["KEYWORD_OTHER"])
    assert told["category_specification_other"] == "Flashing light"
    assert told["decision_facts"] == "It blinks."
    assert told["application_date"] == decision.effective_at.date().isoformat()
    assert (told["automated_detection"], told["automated_decision"]) == ("No", "AUTOMATED_DECISION_NOT_AUTOMATED")
    assert told["redress"]["internal_complaint_url"] == f"https://gateway.example.org/mine/{generation.hex}"
    assert told["redress"]["internal_complaint_until"] > told["application_date"]


def test_several_clauses_are_all_told(artist: Actor, reviewer: Actor, no_undo: None):
    submission = queue.take(makers.submitted(artist), by=reviewer)
    makers.policy()
    named = [Clause.objects.get(number=number).pk for number in (5, 2, 4)]
    decision = review.decisions.reject(submission, by=reviewer, reasons=makers.reasons(clauses=named))
    told = statements.statement(decision)
    must_be_valid(told)
    assert told["category"] == "STATEMENT_CATEGORY_VIOLENCE"
    assert told["category_addition"] == [
        "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
        "STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS",
    ]
    assert told["category_specification"] == ["KEYWORD_OTHER", "KEYWORD_COPYRIGHT_INFRINGEMENT"]


def test_only_what_speaks_against_a_work_and_is_in_effect_owes_one(artist: Actor, reviewer: Actor, settings: Any):
    settings.UNDO_SECONDS = 30
    pending = refused(artist)
    with pytest.raises(refusals.NotFound):
        statements.statement(pending)
    with pytest.raises(refusals.NotFound):
        statements.of(pending.revision.submission_id, by=artist)
    makers.in_effect(pending)
    must_be_valid(statements.statement(pending))
    for verdict in ("approve", "escalate"):
        other = makers.in_effect(makers.decided(makers.submitted(artist), verdict))
        with pytest.raises(refusals.NotFound):
            statements.statement(other)
    undone = makers.decided(makers.submitted(artist), "reject", by=reviewer)
    review.decisions.undo(undone, by=reviewer)
    with pytest.raises(refusals.NotFound):
        statements.statement(undone)
    assert list(statements.owed()) == [pending]


def test_a_take_down_owes_one_and_an_appeal_that_is_won_ends_it(artist: Actor, admin: Actor, no_undo: None):
    publication = makers.published(artist)
    decision = publishing.take_down(publication, by=admin, reasons=makers.reasons())
    told = statements.statement(decision)
    must_be_valid(told)
    assert told["decision_visibility"] == ["DECISION_VISIBILITY_CONTENT_DISABLED"]
    assert "end_date_visibility_restriction" not in told
    appeals.file(decision, by=artist, words="It is a pulse.")
    judge = makers.reviewer()
    submission = queue.take_next(by=judge)
    hearing = appeals.overturn(submission, by=judge, message="It is a slow pulse.")
    told = statements.statement(Decision.objects.get(pk=decision.pk))
    must_be_valid(told)
    assert told["end_date_visibility_restriction"] == hearing.effective_at.date().isoformat()


def test_a_take_down_after_a_report_says_so_and_never_by_whom(artist: Actor, admin: Actor, no_undo: None):
    publication = makers.published(artist)
    sender = {"name": "Noor Haddad", "email": "noor@example.org", "sender": "192.0.2.1"}
    report, _ = reports.file(publication, by=actors.NOBODY, words="It blinks.", good_faith=True, **sender)
    decision = reports.uphold(report, by=admin, reasons=makers.reasons())
    told = statements.statement(decision)
    must_be_valid(told)
    assert told["source_type"] == "SOURCE_ARTICLE_16"
    assert "source_identity" not in told
    (row,) = statements.export(LONG_AGO, FAR_OFF, by=admin)
    assert (row["source_type"], row["puid"]) == ("SOURCE_ARTICLE_16", told["puid"])
    assert "Noor" not in json.dumps([told, row])


# ---------------------------------------------------------------- the doors


def test_an_artist_keeps_their_own_and_nobody_else_has_it(
    artist: Actor, stranger: Actor, reviewer: Actor, admin: Actor, no_undo: None,
    browser_of: Callable[..., Client], client_of: Callable[..., APIClient],
):  # fmt: skip
    first = refused(artist, "request_changes")
    submission = first.revision.submission
    page, rest = (
        f"/submissions/{submission.pk.hex}/statement.json",
        f"/v1/submissions/submission_{submission.pk.hex}/statement",
    )
    answer = browser_of(artist).get(page)
    must_be_valid(answer.json())
    assert f'filename="statement-{first.pk.hex}.json"' in answer["Content-Disposition"]
    assert answer["Cache-Control"] == "private, no-store"
    assert client_of(artist).get(rest).json() == answer.json()
    assert page in browser_of(artist).get(f"/mine/{submission.generation_id.hex}").content.decode()
    for other in (stranger, reviewer, admin):
        assert browser_of(other).get(page).status_code == 404
        assert client_of(other).get(rest).status_code == 404
    review.submissions.resubmit(
        Submission.objects.get(pk=submission.pk), by=artist, title="Kiln", credit="x", licence="CC0-1.0"
    )
    second = makers.decided(submission, "reject")
    client = client_of(artist)
    assert client.get(rest).json()["puid"] == f"decision_{second.pk.hex}"
    assert client.get(rest, {"decision": f"decision_{first.pk.hex}"}).json() == answer.json()
    assert client.get(rest, {"decision": f"decision_{uuid4().hex}"}).status_code == 404
    assert client.get(rest, {"decision": "x"}).status_code == 404


def test_an_export_of_a_period_names_nobody(
    artist: Actor, admin: Actor, no_undo: None, browser_of: Callable[..., Client]
):
    submission = makers.submitted(artist, title="Kiln at night", credit="Ines Marchetti")
    holder = makers.reviewer()
    queue.take(submission, by=holder)
    review.decisions.reject(submission, by=holder, reasons=naming_somebody())
    refused(artist, "request_changes")
    refused(makers.artist(cohort=makers.cohort(smoke=True)))
    browser = browser_of(admin)
    answer = browser.get("/program/statements/export.jsonl")
    body = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    rows = [json.loads(line) for line in body.splitlines()]
    assert len(rows) == 2
    for row in rows:
        must_be_valid(row)
        assert set(row) <= set(statements.FIELDS)
    for word in ("Ines", "Marchetti", "Kiln", "It blinks", "Chancellor", "left of the picture", artist.user.email):
        assert word not in body, word
    assert "clause 1 (a real person, without their word)" in rows[0]["decision_facts"]
    sheet = b"".join(browser.get("/program/statements/export.csv").streaming_content).decode()  # type: ignore[attr-defined]
    cells = list(csv.DictReader(io.StringIO(sheet)))
    assert [row["puid"] for row in cells] == [row["puid"] for row in rows]
    assert json.loads(cells[0]["territorial_scope"]) == list(dsa.EVERYWHERE)
    entry = Entry.objects.filter(action="statements.exported").latest("id")
    assert json.loads(bytes(entry.body))["facts"]["statements"] == 2
    page = browser.get("/program/statements").content.decode()
    assert "<strong>2</strong> statements: 1 for refusals, 1 for requests for changes" in page


def naming_somebody() -> Any:
    makers.policy()
    return makers.reasons(
        clauses=[Clause.objects.get(number=1).pk],
        facts="The Chancellor, whom anybody knows.",
        from_seconds=None,
        region="left of the picture",
    )


def test_a_period_has_whole_days(
    artist: Actor, admin: Actor, reviewer: Actor, no_undo: None, browser_of: Callable[..., Client]
):
    decision = refused(artist)
    day = decision.effective_at.date()
    browser = browser_of(admin)
    asked = "/program/statements/export.jsonl?first={}&last={}".format
    for first, last, lines in (
        (day, day, 1),
        (day - timedelta(1), day - timedelta(1), 0),
        (day + timedelta(1), day + timedelta(9), 0),
    ):
        assert len(b"".join(browser.get(asked(first, last)).streaming_content).splitlines()) == lines  # type: ignore[attr-defined]
    for first, last in ((day, day - timedelta(1)), ("x", day), ("", "")):
        assert browser.get(asked(first, last)).status_code == 422
    with pytest.raises(refusals.AdminsOnly):
        statements.export(LONG_AGO, FAR_OFF, by=reviewer)
    assert [row["puid"] for row in statements.export(LONG_AGO, FAR_OFF, by=admin)] == [f"decision_{decision.pk.hex}"]


def test_the_schema_is_served_to_anybody(guest: Client):
    answer = guest.get("/schemas/statement.json")
    assert answer["Content-Type"] == "application/schema+json"
    assert json.loads(answer.content) == SCHEMA


@pytest.mark.parametrize("raised", [True, False])
def test_a_signal_raised_before_a_person_decided_is_automated_detection(artist, no_undo, raised):
    submission = makers.submitted(artist)
    makers.screened(submission, *(["flashes"] if raised else []))
    decision = makers.decided(submission, "reject")
    wanted = "Yes" if raised else "No"
    assert statements.statement(decision)["automated_detection"] == wanted
    (told,) = statements.without_names(statements.owed())
    assert told["automated_detection"] == wanted
