"""What an artist was answered, and that nothing else of what goes on among reviewers reaches them by any door."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from gateway.actors import Actor
from review import appeals, decisions, letters, queue, submissions
from review.models import Decision, ReviewPolicy, Submission
from tests import makers

pytestmark = pytest.mark.django_db
MESSAGE = "The light is slow, and no clause speaks of that."
VERDICTS = ("approve", "reject", "request_changes", "escalate")
FILTERS = ("all", "private", "submitted", "approved", "public", "guests")
# What differs between any two works: ids, hashes, times, and for how long one who let go held it.
OWN = re.compile(
    r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?:[0-9a-f]{32})?|\d{4}-\d\d-\d\dT[\d:.]+|\d+ \w+( \d{4})?, \d\d:\d\d"
    r"|held it for [\w ]+|seed \d+|nonce=\S+|value=\"[0-9A-Za-z]{64}\""
)


@pytest.fixture
def told(artist, browser_of, client_of) -> Callable[..., list[Any]]:
    """All that the artist can learn about each of these: its page, its resource, its place in every list, notices."""

    def everything(*rows: Submission) -> list[Any]:
        browser, client = browser_of(artist), client_of(artist)
        decisions.announce()
        listed = {one["id"]: one for one in client.get("/v1/submissions?limit=100").json()["data"]}
        pages = {show: browser.get(f"/mine?show={show}").context["page"] for show in FILTERS}
        dashboard = browser.get("/dashboard").context
        found = []
        for row in rows:
            page = browser.get(f"/mine/{row.generation_id.hex}").content.decode()
            resource = client.get(f"/v1/submissions/submission_{row.pk.hex}").json()
            assert listed[resource["id"]] == resource
            found.append(
                [
                    OWN.sub("*", page),
                    OWN.sub("*", json.dumps(resource)),
                    {show: [one.status for one in page if one.pk == row.generation_id] for show, page in pages.items()},
                    [waits.shown_state for waits in dashboard["waits"] if waits.pk == row.pk],
                    [letter.appeal_state for about, letter in dashboard["letters"] if about.pk == row.pk],
                    [one.subject for one in dashboard["notices"] if one.path.endswith(row.generation_id.hex)],
                ]
            )
        return found

    return everything


def looked(row: Submission, *, by: Actor) -> Submission:
    """This reviewer has taken it and opened it."""
    queue.take(Submission.objects.get(pk=row.pk), by=by)
    return queue.look(row.pk, by=by)


def answer(row: Submission, verdict: str, *, by: Actor) -> Decision:
    held = looked(row, by=by)
    if verdict in ("reject", "request_changes"):
        return getattr(decisions, verdict)(held, by=by, reasons=makers.reasons())
    return getattr(decisions, verdict)(held, by=by)


def test_an_answer_that_can_be_undone_looks_like_a_work_still_looked_at(artist, reviewer, told):
    held, *answered = (makers.submitted(artist) for _ in range(5))
    for row, verdict in zip(answered, VERDICTS, strict=True):
        answer(row, verdict, by=reviewer)
    looked(held, by=reviewer)
    as_held, *as_answered = told(held, *answered)
    assert as_answered == [as_held] * 4


def test_a_first_look_in_effect_looks_like_one_that_was_let_go(artist, reviewer, told, no_undo):
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, reviewers=2)
    let_go, *answered = (makers.submitted(artist) for _ in range(5))
    queue.release(looked(let_go, by=reviewer), by=reviewer)
    for row, verdict in zip(answered, VERDICTS, strict=True):
        assert answer(row, verdict, by=reviewer).role == "first"
    assert [makers.seen(row).lane for row in answered] == ["second", "second", "second", "escalated"]
    as_let_go, *as_answered = told(let_go, *answered)
    assert as_answered == [as_let_go] * 4


def test_two_who_disagree_look_like_two_who_let_go(artist, told, no_undo):
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, reviewers=2)
    let_go, disputed = makers.submitted(artist), makers.submitted(artist)
    for verdict in ("approve", "reject"):
        by = makers.reviewer()
        queue.release(looked(let_go, by=by), by=by)
        answer(disputed, verdict, by=by)
    assert makers.seen(disputed).state == "escalated"
    one, other = told(let_go, disputed)
    assert one == other


@pytest.mark.parametrize("against", ["reject", "request_changes", "take_down"])
def test_a_hearing_that_can_be_undone_looks_like_an_appeal_still_open(artist, told, settings, against):
    settings.UNDO_SECONDS = 0
    waits, upheld, overturned = (appealed(artist, against) for _ in range(3))
    settings.UNDO_SECONDS = 30
    judge = makers.reviewer()
    appeals.uphold(looked(upheld, by=judge), by=judge, message=MESSAGE)
    appeals.overturn(looked(overturned, by=judge), by=judge, message=MESSAGE)
    looked(waits, by=judge)
    as_open, *as_heard = told(waits, upheld, overturned)
    assert as_heard == [as_open] * 2
    assert MESSAGE not in as_open[0]


@pytest.mark.parametrize("outcome", ["uphold", "overturn"])
def test_trying_to_go_on_tells_nothing_of_a_hearing_that_can_be_undone(
    artist, browser_of, client_of, settings, outcome
):
    """By each act that the page offers while an appeal is open; withdrawing the work itself is never refused."""
    settings.UNDO_SECONDS = 0
    row = appealed(artist, "request_changes")
    settings.UNDO_SECONDS = 30
    judge = makers.reviewer()
    getattr(appeals, outcome)(looked(row, by=judge), by=judge, message=MESSAGE)
    words = {"title": "Kiln", "credit": "An artist", "licence": "CC-BY-4.0"}
    browser, client = browser_of(artist), client_of(artist)
    at = f"/v1/submissions/submission_{row.pk.hex}"
    said = [
        browser.post(f"/submissions/{row.pk.hex}/appeal/withdraw").refusal,
        browser.post(f"/mine/{row.generation_id.hex}/submit", words).refusal,
        client.post(f"{at}/withdraw_appeal").json()["error"]["code"],
        client.post(f"{at}/revise", words, format="json").json()["error"]["code"],
    ]
    assert said == ["answer_coming"] * 4
    assert (
        client.post(f"{at}/sign_off", {"name": "x", "revision": 1}, format="json")
        .json()["detail"]
        .startswith("This submission is changes requested")
    )
    submissions.withdraw(makers.seen(row), by=artist)


def appealed(artist: Actor, against: str) -> Submission:
    """A work about which an appeal is open."""
    if against == "take_down":
        decision = makers.taken_down(makers.published(artist))
    else:
        decision = makers.decided(makers.submitted(artist), against)
    appeals.file(decision, by=artist, words="It is one slow pulse.")
    return Submission.objects.get(pk=decision.revision.submission_id)


# ---------------------------------------------------------------- which letter counts


def test_the_letter_that_stands_is_the_last_word_and_no_other(artist, no_undo):
    submission = makers.submitted(artist)
    first = makers.decided(submission, "request_changes")
    words = {"title": "Kiln", "credit": "An artist", "licence": "CC-BY-4.0"}
    submissions.resubmit(makers.seen(submission), by=artist, **words)
    assert [letter.stands for letter in letters.of(makers.seen(submission))] == [False]
    second = makers.decided(submission, "reject")
    written = letters.of(makers.seen(submission))
    assert [(letter.decision, letter.may_appeal) for letter in written] == [(second, True), (first, False)]
    anew = makers.submitted(artist, submission.generation)
    both = [makers.seen(anew), makers.seen(submission)]
    assert letters.foremost(both[0], letters.of(*both)) is None
    assert not any(letter.may_appeal for letter in letters.of(*both))


def test_all_clauses_of_all_letters_are_one_query(artist, no_undo, django_assert_num_queries):
    rows = []
    for _ in range(3):
        submission = makers.submitted(artist)
        makers.decided(submission, "reject")
        rows.append(makers.seen(submission))
    with django_assert_num_queries(1):
        assert len(letters.of(*rows)) == 3
