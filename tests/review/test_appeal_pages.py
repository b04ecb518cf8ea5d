"""The artist's side of an answer: the letter with its place, the appeal under it, its state, its outcome; by REST too."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from gateway import members
from gateway.models import Notice
from review import appeals, clock, decisions, queue
from review.models import Appeal, ReviewPolicy, Submission
from tests import makers
from tests.browser import Browser

pytestmark = pytest.mark.django_db
WORDS = "It is one slow pulse.\n\nClause 4 speaks of three flashes."
MESSAGE = "The light is slow, and no clause speaks of that."


@pytest.fixture
def at_home(artist):
    browser = Browser()
    browser.client.force_login(artist.user)
    return browser


@pytest.fixture
def refused(artist, no_undo):
    decision = makers.decided(makers.submitted(artist), "reject")
    decisions.announce()
    return decision


def page_of(decision) -> str:
    return f"/mine/{decision.revision.submission.generation_id.hex}"


def acts(decision, act: str) -> str:
    return f"/submissions/{decision.revision.submission_id.hex}/{act}"


def heard(decision, outcome: str) -> None:
    submission, judge = Submission.objects.get(pk=decision.revision.submission_id), makers.reviewer()
    queue.take(submission, by=judge)
    {"upheld": appeals.uphold, "overturned": appeals.overturn}[outcome](submission, by=judge, message=MESSAGE)
    decisions.announce()


def test_a_refusal_is_a_letter_with_its_place_and_an_appeal_under_it(refused, at_home):
    at_home.goes_to("/dashboard").reads("Answers of the last two weeks", "Not approved: you can appeal until")
    at_home.goes_to(page_of(refused)).reads(
        "Dear Ines Marchetti, We can't approve it under clause 4, flashing light, from 0.5 s: It blinks.",
        "You can appeal: free of charge, once, and until",
        "Somebody who has not decided on this work hears it, and an answer is due within 24 hours.",
    )
    assert f'/generations/{refused.revision.submission.generation_id.hex}/video.mp4#t=0.5"' in at_home.page
    assert acts(refused, "statement.json") in at_home.page
    at_home.sends(acts(refused, "appeal"), words=WORDS).reads(
        "Your appeal is open. An answer is due by", "Not approved; your appeal is open", "It is one slow pulse.",
        "You appealed.", "now Somebody who has not decided on it will hear your appeal.",
    )  # fmt: skip
    assert not at_home.can_send(acts(refused, "appeal")) and not at_home.can_send(f"{page_of(refused)}/submit")
    at_home.goes_to("/dashboard").reads("Your appeal is open: an answer is due by")


def test_no_refusal_loses_what_was_typed(refused, artist, at_home):
    at_home.goes_to(page_of(refused)).sends(acts(refused, "appeal"), 422, words=" ").reads("Say it in a few words")
    at_home.sends(acts(refused, "appeal"), 422, words="x" * 5001)
    assert "x" * 5001 in at_home.page
    form = {"words": WORDS, "decision": str(refused.pk)}
    appeals.file(refused, by=artist, words="From another window.")
    at_home.forges(acts(refused, "appeal"), 409, **form).reads("Each can be appealed once.")
    assert WORDS in at_home.page.replace("&#x27;", "'")
    at_home.forges(acts(refused, "appeal"), 409, **{**form, "decision": str(refused.revision_id)})
    assert WORDS in at_home.page


def test_an_appeal_is_taken_back_once_and_for_all(refused, at_home):
    at_home.goes_to(page_of(refused)).sends(acts(refused, "appeal"), words=WORDS)
    at_home.sends(acts(refused, "appeal/withdraw")).reads("You took your appeal back", "Your appeal ended without an")
    assert not at_home.can_send(acts(refused, "appeal")) and at_home.can_send(f"{page_of(refused)}/submit")
    at_home.forges(acts(refused, "appeal/withdraw"), 409)


@pytest.mark.parametrize("outcome", ["upheld", "overturned"])
def test_the_outcome_stands_where_the_letter_stood(refused, artist, at_home, outcome):
    appeals.file(refused, by=artist, words=WORDS)
    heard(refused, outcome)
    at_home.goes_to(page_of(refused)).reads(MESSAGE, "It is one slow pulse.", "It blinks.")
    assert at_home.can_send(acts(refused, "sign-off")) == (outcome == "overturned")
    if outcome == "upheld":
        at_home.reads("the answer stands", "Somebody else heard your appeal: the answer stands.")
        at_home.goes_to("/dashboard").reads("Your appeal was heard: the answer stands")
        return
    at_home.reads("you were right", "It waits for your signature.")
    at_home.sends(acts(refused, "sign-off"), name="Ines Marchetti").reads("It is public", "Earlier answers")
    at_home.reads("overturned on appeal", MESSAGE)


def test_a_take_down_is_appealed_or_withdrawn_for_good(artist, at_home, no_undo):
    one, two = makers.published(artist), makers.published(artist)
    for publication in (one, two):
        makers.taken_down(publication)
    downs = [row.revision.decisions.get(role="take_down") for row in (one, two)]
    at_home.goes_to(page_of(downs[0])).reads(
        "The program’s letter", "We have taken it down under clause 4", "Taken down"
    )
    at_home.sends(acts(downs[0], "appeal"), words=WORDS).reads("Taken down; your appeal is open")
    heard(downs[0], "overturned")
    at_home.goes_to(page_of(downs[0])).reads("you were right", "It is public again.", "Public since")
    assert [event.sentence for event in at_home.answer.context["events"]][-4:] == [
        "The program took it down.",
        "You appealed.",
        "Somebody else heard your appeal: you were right.",
        "It is public again.",
    ]
    at_home.goes_to(page_of(downs[1])).sends(acts(downs[1], "appeal"), words=WORDS)
    at_home.sends(f"/publications/{two.pk.hex}/withdraw").reads("Withdrawn", "Your appeal ended without an answer.")


def test_who_is_suspended_can_appeal_too(refused, artist, admin, at_home):
    members.suspend(artist.membership, by=admin, reason="A conversation is due.")
    at_home.goes_to(page_of(refused)).sends(acts(refused, "appeal"), words=WORDS).reads("Your appeal is open")


def test_silence_and_delay_are_said_as_such(artist, at_home):
    policy = ReviewPolicy.objects.create(cohort=artist.membership.cohort, by_default=True)
    silent, late, appealed = (makers.submitted(artist) for _ in range(3))
    page = f"/mine/{silent.generation_id.hex}"
    makers.screened(silent)
    Submission.objects.filter(pk=silent.pk).update(due_at=Now())
    clock.strike()
    decisions.announce()
    at_home.goes_to(page).reads("approved by default, and recorded as such", "No answer came in time: approved by")
    policy.by_default = False
    policy.save()
    Submission.objects.filter(pk=late.pk).update(due_at=Now())
    at_home.goes_to(f"/mine/{late.generation_id.hex}").reads("The answer is late. It was due by")
    clock.strike()
    at_home.goes_to(f"/mine/{late.generation_id.hex}").reads(
        "It has been passed on to every reviewer", "The answer was late; it was passed on.", "With the reviewers"
    )
    decision = makers.in_effect(makers.decided(appealed, "reject"))
    appeals.file(decision, by=artist, words=WORDS)
    Submission.objects.filter(pk=appealed.pk).update(due_at=Now())
    clock.strike()
    assert "your appeal" in Notice.objects.filter(user=artist.user).latest("created_at").subject
    at_home.goes_to(page_of(decision)).reads("The answer to your appeal was late.")


def test_before_submitting_one_reads_by_when_and_by_whom(artist, at_home):
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, reviewers=2)
    at_home.goes_to(f"/mine/{makers.completed(artist).pk.hex}").reads("looked at by two", "due within 24 hours")


# ---------------------------------------------------------------- by REST


def test_the_same_by_rest(refused, artist, stranger, client_of):
    client, at = client_of(artist), f"/v1/submissions/submission_{refused.revision.submission_id.hex}"
    shown = client.get(at).json()
    assert shown["actions"] == ["appeal"] and shown["appeal"]["status"] == "possible" and shown["appeal"]["can_until"]
    assert client.post(f"{at}/appeal", {"words": " "}, format="json").json()["error"]["param"] == "words"
    assert client_of(stranger).post(f"{at}/appeal", {"words": WORDS}, format="json").status_code == 404
    bare = client_of(artist, "generate").post(f"{at}/appeal", {"words": WORDS}, format="json")
    assert bare.json()["error"]["code"] == "missing_scope"
    open_one = client.post(f"{at}/appeal", {"words": WORDS}, format="json").json()
    assert (open_one["status"], open_one["actions"]) == ("rejected", ["withdraw_appeal"])
    assert (open_one["appeal"]["status"], open_one["appeal"]["words"]) == ("open", WORDS)
    assert client.post(f"{at}/appeal", {"words": WORDS}, format="json").json()["error"]["code"] == "already_appealed"
    heard(refused, "overturned")
    after = client.get(at).json()
    assert (after["status"], after["actions"]) == ("approved", ["sign_off", "withdraw"])
    assert (after["appeal"]["status"], after["appeal"]["message"]) == ("overturned", MESSAGE)
    assert client.post(f"{at}/withdraw_appeal").json()["error"]["code"] == "wrong_state"
    for private in ("heard_by", "original_reviewer", "role"):
        assert private not in str(after)


def test_a_take_down_by_rest_leads_its_artist_to_the_letter(artist, client_of, guest, no_undo):
    publication = makers.published(artist)
    makers.taken_down(publication)
    at = f"/v1/publications/publication_{publication.pk.hex}"
    gone = client_of(artist).get(at)
    assert gone.status_code == 410 and "submission" not in guest.get(at).json()
    shown = client_of(artist).get(f"/v1/submissions/{gone.json()['submission']}").json()
    assert shown["decision"]["take_down"] is True and "We have taken it down" in shown["decision"]["letter"]
    assert shown["actions"] == ["withdraw", "appeal"]
    assert client_of(artist).post(f"/v1/submissions/{shown['id']}/withdraw").json()["status"] == "withdrawn"


def test_what_was_approved_by_silence_says_so_by_rest(artist, client_of):
    ReviewPolicy.objects.create(cohort=artist.membership.cohort, by_default=True)
    submission = makers.submitted(artist)
    makers.screened(submission)
    Submission.objects.filter(pk=submission.pk).update(due_at=Now() - timedelta(seconds=1))
    clock.strike()
    shown = client_of(artist).get(f"/v1/submissions/submission_{submission.pk.hex}").json()
    assert (shown["status"], shown["decision"]["by_default"], shown["appeal"]) == ("approved", True, None)
    assert not Appeal.objects.exists()
