"""The reviewer's pages: the queue, and one work under a lease."""

import pytest
from django.test import Client

from gateway.models import Entry
from review import queue, reasons, submissions
from review.desk import _timecodes
from review.models import Clause, Decision, Submission
from tests import makers

pytestmark = pytest.mark.django_db
PROMPT = "a harbour nobody has seen"
ACTS = ["approve", "request-changes", "reject", "escalate"]


def address(submission: Submission, act: str = "") -> str:
    return f"/review/{submission.pk.hex}" + (f"/{act}" if act else "")


def typed(**told) -> dict[str, object]:
    makers.policy()
    clause = Clause.objects.get(number=4)
    return {"clauses": [str(clause.pk)], "facts": "It blinks hard.", "from_seconds": "0.5", **told}


@pytest.fixture
def submission(artist) -> Submission:
    return makers.submitted(artist, makers.completed(artist, prompt=PROMPT))


@pytest.fixture
def browser(reviewer, browser_of) -> Client:
    return browser_of(reviewer)


def test_the_next_work_is_taken_by_one_button(submission, browser):
    answer = browser.post("/review/next")
    assert (answer.status_code, answer["Location"]) == (302, address(submission))
    page = browser.get(address(submission))
    assert PROMPT in page.content.decode()
    assert page.context["held_by_me"]


def test_an_empty_queue_says_so(browser):
    answer = browser.post("/review/next")
    assert answer.status_code == 404
    assert "Nothing waits for you at the moment." in answer.content.decode()


def test_what_a_colleague_holds_is_refused_in_its_own_sentence(submission, browser):
    queue.take(submission, by=makers.reviewer())
    answer = browser.post(address(submission, "take"))
    assert answer.status_code == 409
    assert "Somebody else holds this submission at the moment." in answer.content.decode()


@pytest.mark.parametrize("act", ["approve", "escalate"])
def test_a_verdict_that_needs_no_reasons(submission, browser, act):
    browser.post("/review/next")
    assert browser.post(address(submission, act)).status_code == 302
    assert Decision.objects.get().verdict == act


@pytest.mark.parametrize("act", ["reject", "request-changes"])
def test_a_verdict_that_owes_reasons(submission, browser, act):
    browser.post("/review/next")
    answer = browser.post(address(submission, act), {"facts": "It blinks hard.", "note": "See the third second."})
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "owes the artist a clause of the policy and the place in the clip" in page
    assert "It blinks hard." in page and "See the third second." in page  # what was typed is not lost
    assert browser.post(address(submission, act), typed()).status_code == 302
    assert Decision.objects.get().facts == "It blinks hard."


def test_the_whole_clip_is_a_place(submission, browser):
    browser.post("/review/next")
    browser.post(address(submission, "reject"), typed(from_seconds="", whole="on"))
    assert reasons.place(Decision.objects.get()) == "the whole clip"


@pytest.mark.parametrize("told", [{"from_seconds": "soon"}, {"facts": "x" * 5001}, {"clauses": ["7"]}])
def test_a_field_that_can_not_be_read_is_named(submission, browser, told):
    browser.post("/review/next")
    answer = browser.post(address(submission, "reject"), typed(**told))
    assert answer.status_code == 422
    assert next(iter(told)) in answer.context["form"].errors
    assert not Decision.objects.exists()


def test_the_verdict_can_be_taken_back_from_the_queue(submission, browser):
    browser.post("/review/next")
    browser.post(address(submission, "reject"), typed())
    decision = Decision.objects.get()
    assert browser.get("/review").context["decided"][0].can_undo
    answer = browser.post(f"/review/decisions/{decision.pk.hex}/undo")
    assert answer["Location"] == address(submission)
    assert browser.get(address(submission)).status_code == 200


def test_too_late_to_take_it_back_is_said_on_the_page(submission, browser, no_undo):
    browser.post("/review/next")
    browser.post(address(submission, "approve"))
    answer = browser.post(f"/review/decisions/{Decision.objects.get().pk.hex}/undo")
    assert answer.status_code == 409
    assert "The decision has taken effect" in answer.content.decode()


def test_nobody_takes_back_a_colleagues_verdict(submission, browser):
    decision = makers.decided(submission)
    assert browser.post(f"/review/decisions/{decision.pk.hex}/undo").status_code == 404


def test_a_lost_lease_keeps_what_was_typed(submission, browser):
    browser.post("/review/next")
    makers.lease_over(submission)
    answer = browser.post(address(submission, "reject"), typed())
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "You do not hold this submission (any more)" in page and "It blinks hard." in page
    assert not Decision.objects.exists()


@pytest.mark.parametrize("act", ACTS)
def test_a_work_that_one_does_not_hold_is_not_shown_by_trying_to_judge_it(submission, browser, act):
    """A lease is the reason for which a reviewer reads a private prompt; a refused verdict is none."""
    page = browser.post(address(submission, act), typed()).content.decode()
    assert PROMPT not in page
    assert str(submission.generation.seed) not in page


@pytest.mark.parametrize("act", ["approve", "reject"])
def test_a_work_that_was_taken_back_is_private_again_also_for_reviewers(artist, submission, browser, act):
    browser.post("/review/next")
    submissions.withdraw(makers.seen(submission), by=artist)
    page = browser.post(address(submission, act), typed()).content.decode()
    assert PROMPT not in page
    for name in ("video.mp4", "poster.webp", "sheet.webp"):
        assert browser.get(address(submission, name)).status_code == 404


def test_a_form_that_can_not_be_read_shows_no_work_either(submission, browser):
    page = browser.post(address(submission, "reject"), typed(from_seconds="soon")).content.decode()
    assert PROMPT not in page


def test_the_files_are_open_while_one_holds_the_work(submission, browser):
    browser.post("/review/next")
    for name in ("video.mp4", "poster.webp", "sheet.webp"):
        answer = browser.get(address(submission, name))
        assert answer.status_code == 200
        assert answer["Cache-Control"] == "private, no-store"
    makers.lease_over(submission)
    for name in ("video.mp4", "poster.webp", "sheet.webp"):
        assert browser.get(address(submission, name)).status_code == 404


def test_keeping_it_longer_answers_a_script_and_a_page(submission, browser):
    browser.post("/review/next")
    before = makers.seen(submission).lease_until
    answer = browser.post(address(submission, "renew"), headers={"accept": "application/json"})
    assert answer.json()["lease_until"] > before.isoformat()
    page = browser.post(address(submission, "renew"), {"facts": "Half a sentence"})
    assert page.status_code == 200 and "Half a sentence" in page.content.decode()


def test_the_tenth_renewal_is_the_last_and_says_so_without_losing_what_was_typed(submission, browser):
    browser.post("/review/next")
    Submission.objects.update(renewals=queue.RENEWALS)
    answer = browser.post(address(submission, "renew"), {"facts": "Half a sentence"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "You have extended this lease ten times." in page
    assert "Half a sentence" in page


def test_skipping_owes_no_reason(submission, browser):
    browser.post("/review/next")
    assert browser.post(address(submission, "release")).status_code == 302
    assert makers.seen(submission).holder_id is None


def test_a_hostile_title_is_only_text(artist, browser):
    hostile = makers.submitted(
        artist, title="<script>alert(1)</script>", credit='"><img src=x>', description="</textarea><b>"
    )
    browser.post("/review/next")
    for path in ("/review", address(hostile)):
        page = browser.get(path).content.decode()
        for raw in ("<script>alert(1)", "<img src=x>", "</textarea><b>"):
            assert raw not in page


def test_each_look_at_the_desk_is_recorded(submission, reviewer, browser):
    browser.post("/review/next")
    browser.get(address(submission))
    entry = Entry.objects.get(action="submission.viewed")
    assert (entry.subject_id, entry.actor_id) == (submission.pk, reviewer.user.pk)


def test_earlier_answers_are_shown_to_the_next_reviewer(submission, browser, no_undo):
    makers.decided(submission, "escalate")
    browser.post("/review/next")
    assert [decision.verdict for decision in browser.get(address(submission)).context["previous"]] == ["escalate"]


@pytest.mark.parametrize(("frames", "seconds"), [(17, 2.125), (9, 1.125), (1, 0.125), (49, 6.125)])
def test_timecodes_run_from_the_first_frame_to_the_last(frames, seconds):
    codes = _timecodes(frames, seconds)
    assert len(codes) == min(12, frames)
    assert codes == sorted(codes)
    assert codes[0] == 0
    assert codes[-1] == pytest.approx((frames - 1) * seconds / frames, abs=0.01)
