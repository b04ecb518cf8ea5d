"""How a clause was read before: what counts, and what is not told."""

import pytest
from django.db import connection

from review import appeals, decisions, precedents, publishing, queue
from review.models import Clause, Decision
from tests import makers
from tests.review.test_desk import PROMPT, appealed

pytestmark = pytest.mark.django_db


def weighed(artist) -> Decision:
    """An approval that names clause 4."""
    by = makers.reviewer()
    held = queue.take(makers.submitted(artist, makers.completed(artist, prompt=PROMPT)), by=by)
    return decisions.approve(held, by=by, considered=makers.reasons().clauses)


def test_answers_in_effect_count_by_the_clauses_number(artist, admin, settings, no_undo):
    weighed(artist)
    makers.decided(makers.submitted(artist), "request_changes")
    makers.decided(makers.submitted(artist))  # names none
    makers.amended(4, by=admin, title="Light that flashes")
    makers.taken_down(makers.published(artist), by=admin)
    settings.UNDO_SECONDS = 30
    makers.decided(makers.submitted(artist), "reject")  # can still be undone
    (reading,) = precedents.counts().values()
    assert (reading.number, reading.verdicts) == (4, {"approve": 1, "request_changes": 1, "take_down": 1})
    assert len(precedents.of(4)) == 3


def test_what_an_appeal_overturned_says_so(artist, no_undo):
    submission, by = appealed(artist), makers.reviewer()
    queue.take(submission, by=by)
    appeals.overturn(submission, by=by, message="One a second.")
    assert precedents.counts()[4].overturned == 1
    assert precedents.of(4).get().overturned


def test_a_look_that_settled_nothing_and_a_self_test_are_no_precedents(artist, no_undo):
    makers.policy()
    first = makers.submitted(artist)
    type(first).objects.filter(pk=first.pk).update(second="policy")
    makers.decided(first, "reject")
    makers.decided(makers.submitted(makers.artist(cohort=makers.cohort(smoke=True))), "reject")
    assert precedents.counts() == {} and not precedents.of(4).exists()


def test_the_page_tells_no_name_title_or_prompt_and_leads_to_what_is_public(artist, reviewer, browser_of, no_undo):
    decision = weighed(artist)
    browser = browser_of(reviewer)
    page = browser.get("/review/precedents/4?show=approve").content.decode()
    assert "The clause was weighed" in page and "/works/" not in page
    for private in ("Ines", "Kiln", PROMPT):
        assert private not in page
    submission = makers.seen(decision.revision.submission)
    made = publishing.sign_off(submission, by=artist, revision=1, name="Ines")
    assert f"/works/{made.pk.hex}" in browser.get("/review/precedents/4").content.decode()
    assert "None." in browser.get("/review/precedents/4?show=reject").content.decode()


def test_they_stand_in_a_line_of_their_own(artist, no_undo):
    weighed(artist)
    with connection.cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
    clause = Clause.objects.get(number=4)
    assert "decision_as_precedent" in precedents.of(clause.number)[:24].explain()
