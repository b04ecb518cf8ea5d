"""The reviewer's pages: the queue, and one work under a lease."""

import re

import pytest
from django.test import Client

from gateway.models import Entry
from review import appeals, conflicts, decisions, queue, reasons, submissions
from review.desk.shown import counted
from review.desk.work import _sheet
from review.models import Appeal, Clause, Conflict, Decision, Signal, Submission
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
    codes = [at for at, _ in _sheet(frames, seconds, set())]
    assert len(codes) == min(12, frames)
    assert codes == sorted(codes)
    assert codes[0] == 0
    assert codes[-1] == pytest.approx((frames - 1) * seconds / frames, abs=0.01)


# ---------------------------------------------------------------- lanes and presence


def second_look(artist, reviewer, verdict: str, facts: str = "It blinks hard.") -> Submission:
    """A work of which two look, after the first look, on the desk of `reviewer`; nothing of it is chance."""
    submission = makers.submitted(artist, makers.completed(artist, prompt=PROMPT, seed=7))
    Submission.objects.filter(pk=submission.pk).update(second="policy")
    by = makers.reviewer("Rui Tanaka")
    held = queue.take(makers.seen(submission), by=by)
    if verdict == "approve":
        decisions.approve(held, by=by, note="Rui's own note")
    else:
        decisions.reject(held, by=by, reasons=makers.reasons(facts=facts), note="Rui's own note")
    queue.take(makers.seen(submission), by=reviewer)
    return submission


def appealed(artist, words: str = "It is one slow pulse.") -> Submission:
    """A refusal in effect, against which the artist appeals."""
    decision = makers.decided(makers.submitted(artist, makers.completed(artist, prompt=PROMPT)), "reject")
    found = Decision.objects.select_related("revision__submission__membership__cohort").get(pk=decision.pk)
    appeals.file(found, by=artist, words=words)
    return makers.seen(found.revision.submission)


def test_each_lane_lists_and_takes_its_own(artist, browser, no_undo):
    plain, second = makers.submitted(artist), makers.submitted(artist)
    Submission.objects.filter(pk=second.pk).update(second="policy")
    makers.decided(second)
    page = browser.get("/review?lane=second")
    assert [row.pk for row in page.context["waiting"]] == [second.pk]
    assert [(lane["slug"], lane["count"]) for lane in page.context["lanes"]] == [
        ("first", 1), ("second", 1), ("escalated", 0), ("appeal", 0),
    ]  # fmt: skip
    assert browser.post("/review/next", {"lane": "second"})["Location"] == address(second) + "?lane=second"
    assert browser.post("/review/next", {"lane": "nowhere"})["Location"] == address(plain)


def test_who_holds_what_is_told_but_not_of_ones_own_works_nor_a_friends(artist, submission, browser_of):
    """An artist who reviews would else read who is judging them."""
    rui = makers.reviewer("Rui Tanaka")
    queue.take(submission, by=rui)
    other, friend = makers.reviewer(), makers.reviewer()
    conflicts.name(friend.user, artist.user, by=friend)
    assert "Rui Tanaka" in browser_of(other).get("/review").content.decode()
    assert "Rui Tanaka" not in browser_of(friend).get("/review").content.decode()
    artist.user.is_reviewer = True
    artist.user.save()
    assert "Rui Tanaka" not in browser_of(artist).get("/review").content.decode()


def test_skipping_goes_on_to_another_and_never_back_to_the_same(artist, submission, browser):
    another = makers.submitted(artist)
    browser.post("/review/next")
    assert browser.post(address(submission, "skip"))["Location"] == address(another)
    row = browser.get("/review").context["waiting"][0]
    assert (row.pk, row.skipped_until is not None) == (submission.pk, True)
    assert browser.post(address(another, "skip"))["Location"] == "/review", "what was skipped does not come at once"
    assert makers.seen(another).holder_id is None


def test_a_second_look_reads_the_same_whatever_the_first_was(artist, browser, reviewer, client_of, no_undo):
    """Byte for byte, on the page and in REST: neither verdict nor facts nor notes nor person."""

    def shown(submission: Submission) -> list[str]:
        asked = client_of(reviewer)
        pages = [
            browser.get(address(submission)).content.decode(),
            asked.get(f"/v1/reviews/submission_{submission.pk.hex}").content.decode(),
        ]
        for page in pages:
            for word in ("It blinks hard.", "Rui", "It flickers"):
                assert word not in page
        told = [re.sub(r"[0-9a-f]{32}|[0-9a-f-]{36}", "id", page) for page in pages]
        told = [re.sub(r'(name="csrfmiddlewaretoken" value|nonce)="\w+"', "token", page) for page in told]
        return [re.sub(r"2026-[^\"<]*|\d\d:\d\d", "time", page) for page in told]

    makers.policy()
    one = second_look(artist, reviewer, "approve")
    first = shown(one)
    queue.release(makers.seen(one), by=reviewer)
    submissions.withdraw(makers.seen(one), by=artist)
    assert shown(second_look(artist, reviewer, "reject", "It flickers.")) == first


def test_who_decides_after_two_reads_both_looks_and_their_notes(artist, browser, reviewer, client_of, no_undo):
    submission = second_look(artist, reviewer, "reject")
    decisions.approve(makers.seen(submission), by=reviewer, note="I see one pulse.")
    third = makers.reviewer()
    queue.take(makers.seen(submission), by=third)
    client = Client()
    client.force_login(third.user)
    page = client.get(address(submission)).content.decode()
    for words in ("It blinks hard.", "Rui&#x27;s own note", "I see one pulse.", "Your answer decides."):
        assert words in page
    assert "/escalate" not in page, "there is nobody to hand it on to"
    told = client_of(third).get(f"/v1/reviews/submission_{submission.pk.hex}").json()
    assert [(look["role"], look["verdict"], look["note"]) for look in told["earlier"]] == [
        ("first", "reject", "Rui's own note"), ("second", "approve", "I see one pulse."),
    ]  # fmt: skip
    assert "escalate" not in told["actions"]


# ---------------------------------------------------------------- appeals


@pytest.mark.parametrize(("outcome", "state"), [("overturn", "overturned"), ("uphold", "upheld")])
def test_an_appeal_is_read_and_answered(artist, browser, no_undo, outcome, state):
    submission = appealed(artist)
    assert browser.post("/review/next", {"lane": "appeal"}).status_code == 302
    page = browser.get(address(submission)).content.decode()
    assert "It is one slow pulse." in page and "It blinks." in page and "Your answer decides" not in page
    silent = browser.post(address(submission, outcome), {"note": "For colleagues."})
    assert silent.status_code == 400 and "For colleagues." in silent.content.decode()
    assert browser.post(address(submission, "approve")).status_code == 409, "an appeal is not approved past its artist"
    assert browser.post(address(submission, outcome), {"message": "I counted one a second."}).status_code == 302
    hearing = Decision.objects.get(role="appeal")
    assert (Appeal.objects.get().state, hearing.facts) == (state, "I counted one a second.")


def test_an_appeal_by_rest(artist, reviewer, client_of, no_undo):
    submission = appealed(artist)
    client = client_of(reviewer)
    assert [row["lane"] for row in client.get("/v1/reviews?lane=appeal").json()["data"]] == ["appeal"]
    assert client.get("/v1/reviews?lane=first").json()["data"] == []
    assert client.get("/v1/reviews?lane=nowhere").status_code == 400
    taken = client.post("/v1/reviews/next", {"lane": "appeal"}, format="json").json()
    assert taken["actions"] == ["renew", "release", "conflict", "uphold", "overturn"]
    assert (taken["appeal"]["words"], taken["appeal"]["decision"]["facts"]) == ("It is one slow pulse.", "It blinks.")
    at = f"/v1/reviews/submission_{submission.pk.hex}"
    assert client.post(f"{at}/uphold", {}, format="json").json()["error"]["code"] == "words_missing"
    assert client.post(f"{at}/overturn", {"message": "One a second."}, format="json").status_code == 200
    assert Appeal.objects.get().state == "overturned"


# ---------------------------------------------------------------- answering


def test_an_approval_names_the_clauses_that_were_weighed(submission, browser):
    browser.post("/review/next")
    told = typed(facts="", from_seconds="")
    assert browser.post(address(submission, "approve"), told).status_code == 302
    assert [str(pk) for pk in Decision.objects.get().clauses] == told["clauses"]


def test_the_letter_on_the_page_is_the_one_that_is_sent(artist, browser, no_undo):
    makers.policy()
    for verdict in ("request_changes", "reject"):
        submission = makers.submitted(artist)
        browser.post("/review/next")
        drafts = {draft.verdict: draft for draft in browser.get(address(submission)).context["drafts"]}
        browser.post(address(submission, verdict.replace("_", "-")), typed())
        sent = reasons.letter(Decision.objects.latest("id"))[1]
        draft = drafts[verdict]
        assert sent == f"{draft.opens} under clause 4, flashing light, from 0.5 s:\n\nIt blinks hard.\n\n{draft.ends}"
    submission = appealed(artist)
    browser.post("/review/next", {"lane": "appeal"})
    drafts = {draft.verdict: draft for draft in browser.get(address(submission)).context["drafts"]}
    browser.post(address(submission, "overturn"), {"message": "One a second."})
    sent = reasons.letter(Decision.objects.get(role="appeal"))[1]
    assert sent == f"{drafts['overturn'].opens}\n\nOne a second.\n\n{drafts['overturn'].ends}"


def test_what_was_undone_is_in_the_form_again(submission, browser):
    browser.post("/review/next")
    browser.post(address(submission, "reject"), typed(note="For colleagues."))
    browser.post(f"/review/decisions/{Decision.objects.get().pk.hex}/undo")
    page = browser.get(address(submission)).content.decode()
    assert "It blinks hard." in page and "For colleagues." in page and 'value="0.5"' in page


def test_a_script_is_told_where_to_go_and_a_lost_confirmation_is_found_again(submission, browser):
    """It asks twice when nothing came back; the answer is written once."""
    browser.post("/review/next")
    asks = {"headers": {"accept": "application/json"}}
    assert browser.post(address(submission, "reject"), typed(), **asks).json() == {"next": "/review"}
    assert browser.post(address(submission, "reject"), typed(), **asks).json() == {"next": "/review"}
    assert "Your answer had arrived already." in browser.get("/review").content.decode()
    assert browser.post(address(submission, "approve"), **asks).status_code == 409, "another answer is no repetition"
    assert Decision.objects.count() == 1


def test_who_knows_the_artist_lets_the_work_go_and_gets_none_of_theirs(artist, submission, browser):
    another = makers.submitted(artist)
    browser.post("/review/next")
    assert browser.post(address(submission, "conflict")).status_code == 302
    assert browser.get("/review").context["waiting"] == []
    assert browser.post(address(another, "conflict")).status_code == 409, (
        "of what one does not hold one knows no artist"
    )
    assert "Ines Marchetti" in browser.get("/review/record").content.decode()
    browser.post(f"/review/conflicts/{Conflict.objects.get().pk.hex}/lift")
    assert len(browser.get("/review").context["waiting"]) == 2


def test_signals_lead_to_their_frames_and_mark_the_words_that_they_name(submission, browser):
    browser.post("/review/next")
    assert "Not screened yet." in browser.get(address(submission)).content.decode()
    assert "data-loop" in browser.get(address(submission)).content.decode()
    screening = makers.screened(submission, "flashes")
    named = {"phrases": [{"words": "harbour", "clause": None}], "spans": [[2, 9]]}
    Signal.objects.create(screening=screening, kind="phrases", raised=True, value=1, evidence=named)
    page = browser.get(address(submission))
    shown = page.content.decode()
    assert "4 flashes a second at 0.0 s, limit 3." in shown and 'data-seek="0.125"' in shown
    assert "data-loop" not in shown, "what may cause a seizure is not started by us"
    assert "a <mark>harbour</mark> nobody has seen" in shown
    assert [at for at, flagged in page.context["timecodes"] if flagged] == [0.12], "the picture of that frame"


def test_nobody_counts_further_than_a_thousand():
    assert counted([1, 2]) == 3
    assert counted([queue.MANY, 5]) == "1,005+"
