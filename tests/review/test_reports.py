"""Anybody can report a published work, and gets an answer with its reasons."""

import re
from datetime import timedelta
from functools import partial

import pytest
from django.core import mail
from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from gateway import actors, audit, brakes, keys, notices, refusals
from gateway.models import Notice
from gateway.models.base import new_id
from review import appeals, decisions, publishing, queue, reports, statements, tasks
from review.models import Clause, Decision, Publication, Report, Submission
from tests import makers

pytestmark = pytest.mark.django_db
FORM = {"words": "It shows my house.", "good_faith": "on", "email": "Noor@Example.org", "name": " Noor  Haddad "}


@pytest.fixture
def work(artist, no_undo) -> Publication:
    makers.policy()
    return makers.published(artist)


def place() -> str:
    """An address from where nobody has reported yet, in this run or any before it."""
    text = new_id().hex
    return f"2001:db8:{text[8:12]}:{text[-4:]}::1"


def down() -> dict[str, object]:
    """What an admin types to take a work down."""
    clause = Clause.objects.get(number=4, retired_at__isnull=True)
    return {"clauses": [str(clause.pk)], "facts": "It blinks at me.", "from_seconds": "0.5"}


def letters(email: str) -> list[str]:
    return list(Notice.objects.filter(email=email).order_by("id").values_list("subject", flat=True))


def wait(report: Report, **ago: int) -> None:
    """Everything about this report happened that long ago: a test moves the row, not the clock."""
    then = Now() - timedelta(**ago)
    moved = {"due_at": then} if report.state in report.WAITING else {"closed_at": then}
    if report.answered_at:
        moved["answered_at"] = then
    Report.objects.filter(pk=report.pk).update(**moved)
    report.refresh_from_db()


# ---------------------------------------------------------------- from outside


def test_anybody_reports_a_work_and_reads_the_answer(work, artist, admin, guest, browser_of):
    at = f"/works/{work.pk.hex}/report"
    assert "a person reads it and decides" in guest.get(at).content.decode()
    sent = guest.post(at, FORM, REMOTE_ADDR=place())
    assert sent.status_code == 302 and sent["Location"].startswith("/reports/bat_report_")
    page = sent["Location"]
    status = guest.get(page)
    assert status["Cache-Control"] == "no-store"
    told = status.content.decode()
    assert (
        "Your report waits for an answer." in told and "noor@example.org" in told and "no letter can reach" not in told
    )
    report = Report.objects.get()
    assert (report.name, report.email, report.good_faith) == ("Noor Haddad", "noor@example.org", True)
    assert timedelta(hours=71) < report.due_at - report.created_at <= timedelta(hours=72)

    notices.send_waiting()
    receipt = next(letter for letter in mail.outbox if letter.to == ["noor@example.org"])
    assert "is here" in receipt.subject and page in receipt.body and "no machine" in receipt.body
    assert keys.digest(page.rpartition("/")[2]) == bytes(report.digest)  # the secret itself is nowhere
    assert page not in str(list(Notice.objects.values()))
    assert "A work was reported" in letters(admin.user.email)
    assert letters(artist.user.email) == []  # reports are not the artist's business until one is right

    office = browser_of(admin)
    assert "It shows my house." in office.get("/program/reports").content.decode()
    shown = office.get(f"/program/reports/{report.pk.hex}").content.decode()
    assert f"/works/{work.pk.hex}/video.mp4" in shown and "Noor Haddad, noor@example.org" in shown
    assert office.post(f"/program/reports/{report.pk.hex}/decline", {"reason": " "}).status_code == 422
    answer = office.post(f"/program/reports/{report.pk.hex}/decline", {"reason": "It is a house of clay."})
    assert answer.status_code == 302
    told = guest.get(page).content.decode()
    assert "The work stays public." in told and "It is a house of clay." in told and "looked at again" in told
    body = Notice.objects.filter(email="noor@example.org").latest("id").body
    assert "It is a house of clay." in body and "within six months" in body and "courts" in body
    assert Publication.objects.get().state == "published"
    assert [entry.action for entry in audit.of(report)] == ["report.filed", "report.declined"]
    assert b"noor" not in b"".join(bytes(entry.body) for entry in audit.of(report))


def test_what_is_missing_loses_nothing_of_what_was_typed(work, guest):
    at = f"/works/{work.pk.hex}/report"
    for gap in ({"words": "  "}, {"good_faith": ""}, {"email": "noor@"}, {"words": "x" * 5001}):
        answer = guest.post(at, {**FORM, **gap}, REMOTE_ADDR=place())
        assert answer.status_code == 422, gap
        assert "Noor  Haddad" in answer.content.decode()
    assert not Report.objects.exists()


def test_who_gives_no_address_is_warned_and_reads_the_answer_by_the_link(work, admin, guest):
    page = guest.post(f"/works/{work.pk.hex}/report", {**FORM, "email": ""}, REMOTE_ADDR=place())["Location"]
    assert "no letter can reach you" in guest.get(page).content.decode()
    assert not Notice.objects.filter(user__isnull=True).exists()
    reports.decline(Report.objects.get(), by=admin, reason="It is not.")
    assert "It is not." in guest.get(page).content.decode()
    assert guest.get("/reports/bat_report_made-up").status_code == 404


def test_only_what_is_on_view_is_reported(work, artist, admin, guest):
    at = f"/works/{work.pk.hex}/report"
    brake = brakes.pull("publication", work.pk, by=admin, label="it", reason="A question.")
    assert (guest.get(at).status_code, guest.post(at, FORM).status_code) == (403, 403)
    with pytest.raises(refusals.NotShownNow):
        makers.reported(work)
    brakes.release(brake, by=admin)
    publishing.withdraw(work, by=artist)
    assert (guest.get(at).status_code, guest.post(at, FORM).status_code) == (410, 410)
    with pytest.raises(refusals.GoneByItsArtist):
        makers.reported(work)
    assert guest.get(f"/works/{work.submission_id.hex}/report").status_code == 404
    with pytest.raises(IntegrityError, match="only what is public"), transaction.atomic():
        said = {"words": "x", "good_faith": True, "sender": b"x", "digest": b"x", "due_at": Now()}
        Report.objects.create(publication=work, **said)


def test_one_place_reports_so_often_and_no_more(work, artist, guest):
    where = place()
    file = partial(reports.file, by=actors.NOBODY, words="x", good_faith=True)
    for _ in range(reports.A_WORK):
        file(work, sender=where)
    with pytest.raises(refusals.ReportedAlready):
        file(work, sender=where.replace("::1", "::2"))  # the same household
    other = makers.published(artist)
    file(other, sender=where)
    answer = guest.post(f"/works/{other.pk.hex}/report", FORM, REMOTE_ADDR=where)
    assert (answer.status_code, answer.refusal, answer["Retry-After"]) == (429, "reported_too_often", "3600")
    assert "It shows my house." in answer.content.decode()
    assert Report.objects.count() == reports.A_WORK + 1


def test_no_address_is_written_to_more_often_than_it_may_have_asked_for(artist, no_undo):
    for _ in range(reports.A_DAY):
        makers.reported(makers.published(artist), email="victim@example.org")
    with pytest.raises(refusals.ReportedTooOften):
        makers.reported(makers.published(artist), email="Victim@example.org")
    assert len(letters("victim@example.org")) == reports.A_DAY


def test_by_rest_the_same_without_a_token(work, admin, guest):
    said = {"publication": f"publication_{work.pk.hex}", "words": "It shows my house.", "good_faith": True, "clause": 4}
    post = partial(guest.post, content_type="application/json", REMOTE_ADDR=place())
    for gap in ({"good_faith": False}, {"words": ""}, {"clause": 99}, {"email": "noor@"}):
        assert post("/v1/reports", {**said, **gap}).status_code == 400, gap
    made = post("/v1/reports", said)
    assert made.status_code == 201
    told = made.json()
    assert (told["status"], told["clause"], told["actions"]) == ("open", 4, ["withdraw"])
    at = f"/v1/reports/{told['secret']}"
    reports.decline(Report.objects.get(), by=admin, reason="It is not.")
    told = guest.get(at).json()
    assert (told["status"], told["reason"], told["actions"]) == ("declined", "It is not.", ["dispute"])
    assert post(f"{at}/dispute", {"words": ""}).status_code == 400
    assert post(f"{at}/dispute", {"words": "It is."}).json()["status"] == "disputed"
    assert post(f"{at}/withdraw").json()["status"] == "withdrawn"
    assert post(f"{at}/withdraw").status_code == 409
    assert post("/v1/reports", {**said, "publication": f"publication_{work.submission_id.hex}"}).status_code == 404


# ---------------------------------------------------------------- the answers


@pytest.mark.parametrize("who", ["artist", "stranger", "reviewer", "guest"])
def test_only_admins_answer(request, work, who):
    by = actors.NOBODY if who == "guest" else request.getfixturevalue(who)
    report, _ = makers.reported(work)
    for act in (
        partial(reports.decline, report, by=by, reason="No."),
        partial(reports.uphold, report, by=by, reasons=makers.reasons()),
    ):
        with pytest.raises(refusals.AdminsOnly):
            act()
    assert Publication.objects.get().state == "published"


def test_upheld_the_work_is_down_and_both_are_told(work, artist, admin, guest, browser_of):
    report, secret = makers.reported(work, email="noor@example.org")
    office, at = browser_of(admin), f"/program/reports/{report.pk.hex}/uphold"
    lacking = office.post(at, {**down(), "facts": "", "step": "take-down"})
    assert (lacking.status_code, lacking.refusal) == (400, "reasons_missing")
    letter = office.post(at, {**down(), "step": "look"})
    told = letter.content.decode()
    assert letter.status_code == 200 and "We have taken it down under clause 4" in told and "It blinks at me." in told
    assert "by whom we never say" in told
    assert guest.get(f"/works/{work.pk.hex}").status_code == 200  # nothing has happened yet
    assert office.post(at, {**down(), "step": "take-down"}).status_code == 302

    report.refresh_from_db()
    assert (report.state, report.decision.role) == ("upheld", "take_down")
    gone = guest.get(f"/works/{work.pk.hex}")
    page = gone.content.decode()
    assert gone.status_code == 410 and "under clause 4" in page and "can appeal" in page
    assert "It blinks" not in page and "Kiln" not in page  # neither facts nor title
    api = guest.get(f"/v1/publications/publication_{work.pk.hex}").json()
    assert api["clauses"] == [4] and "title" not in api and "It blinks" not in str(api)
    assert "You were right." in guest.get(f"/reports/{secret}").content.decode()
    answer = Notice.objects.filter(email="noor@example.org").latest("id")
    assert "was right" in answer.subject and "under clause 4" in answer.body and "It blinks" not in answer.body
    decisions.announce()
    to_artist = Notice.objects.filter(user=artist.user).latest("id")
    assert "taken down" in to_artist.subject and "It blinks at me." in to_artist.body and "appeal" in to_artist.body
    assert "by whom we never say" in browser_of(artist).get(to_artist.path).content.decode()
    assert "by whom we never say" in to_artist.body and "noor" not in to_artist.body.lower()
    assert statements.statement(report.decision)["source_type"] == "SOURCE_ARTICLE_16"


def test_an_answer_that_can_not_be_given_leaves_all_as_it_was(work, artist, admin):
    report, _ = makers.reported(work)
    publishing.withdraw(work, by=artist)
    with pytest.raises(refusals.WrongState):
        reports.uphold(report, by=admin, reasons=makers.reasons())
    report.refresh_from_db()
    assert report.state == "open" and not Decision.objects.filter(role="take_down").exists()


def test_ten_answers_at_once_are_one(at_once, transactional_db, settings):
    settings.UNDO_SECONDS = 0
    artist, admins = makers.artist(), [makers.admin() for _ in range(6)]
    report, _ = makers.reported(makers.published(artist))
    why = makers.reasons()

    answers = at_once(
        *[lambda by=by: reports.decline(Report.objects.get(), by=by, reason="No.") for by in admins[:3]],
        *[lambda by=by: reports.uphold(Report.objects.listed().get(), by=by, reasons=why) for by in admins[3:]],
    )

    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert {type(answer) for answer in answers if isinstance(answer, Exception)} == {refusals.WrongState}
    report.refresh_from_db()
    taken = Decision.objects.filter(role="take_down").count()
    assert (report.state, taken, Publication.objects.get().state) in (
        ("declined", 0, "published"),
        ("upheld", 1, "taken_down"),
    )


def test_a_disputed_report_is_answered_by_somebody_else_once(work, admin, guest, browser_of):
    report, secret = makers.reported(work, email="noor@example.org")
    reports.decline(report, by=admin, reason="It is not.")
    at = f"/reports/{secret}"
    assert guest.post(f"{at}/dispute", {"words": " "}).status_code == 422
    assert guest.post(f"{at}/dispute", {"words": "Look at the door."}).status_code == 302
    assert guest.post(f"{at}/dispute", {"words": "Again."}).status_code == 409
    report.refresh_from_db()
    assert "You declined this report." in browser_of(admin).get(f"/program/reports/{report.pk.hex}").content.decode()
    with pytest.raises(refusals.NotYoursToHear):
        reports.decline(report, by=admin, reason="Still not.")
    with pytest.raises(IntegrityError, match="heard_by_somebody_else"), transaction.atomic():
        Report.objects.update(heard_by=admin.user)
    other = makers.admin("Bo")
    reports.decline(report, by=other, reason="Looked at the door.")
    assert report.state == "confirmed"
    told = guest.get(at).content.decode()
    assert "It is not." in told and "Looked at the door." in told and "Have it looked at again" not in told
    assert "was looked at again" in letters("noor@example.org")[-1]
    with pytest.raises(refusals.WrongState):
        reports.dispute(report, by=actors.NOBODY, words="Again.")


def test_a_dispute_can_be_right_and_can_be_too_late(work, admin, artist):
    report, _ = makers.reported(work)
    reports.decline(report, by=admin, reason="It is not.")
    reports.dispute(report, by=actors.NOBODY, words="It is.")
    decision = reports.uphold(report, by=makers.admin("Bo"), reasons=makers.reasons())
    assert (report.state, report.decision) == ("upheld", decision)
    late, _ = makers.reported(makers.published(artist))
    reports.decline(late, by=admin, reason="It is not.")
    wait(late, days=184)
    assert reports.open_to(late) == []
    with pytest.raises(refusals.TooLateToDispute):
        reports.dispute(late, by=actors.NOBODY, words="It is.")


def test_nobody_answers_about_their_own_work(admin, browser_of, no_undo):
    both = makers.artist("Ada Both")
    type(both.user).objects.filter(pk=both.user.pk).update(is_staff=True)
    both = actors.person(type(both.user).objects.get(pk=both.user.pk))
    report, _ = makers.reported(makers.published(both))
    for act in (
        partial(reports.decline, report, by=both, reason="No."),
        partial(reports.uphold, report, by=both, reasons=makers.reasons()),
    ):
        with pytest.raises(refusals.OwnWork):
            act()
    assert "It is your own work" in browser_of(both).get(f"/program/reports/{report.pk.hex}").content.decode()


def test_an_admin_takes_a_work_down_from_its_page(work, admin, artist, guest, browser_of):
    office, at = browser_of(admin), f"/program/works/{work.pk.hex}/take-down"
    assert at in office.get(f"/works/{work.pk.hex}").content.decode()
    assert at not in guest.get(f"/works/{work.pk.hex}").content.decode()
    assert f"The letter that {artist.user}" in office.post(at, {**down(), "step": "look"}).content.decode()
    assert Publication.objects.get().state == "published"
    assert office.post(at, {**down(), "step": "take-down"}).status_code == 302
    assert Publication.objects.get().state == "taken_down"
    assert office.post(at, {**down(), "step": "take-down"}).status_code == 409
    assert "nothing to take down" in office.get(at).content.decode()


# ---------------------------------------------------------------- chores


@pytest.mark.parametrize("how", ["withdrawn", "taken_down"])
def test_reports_of_a_work_that_went_are_settled(work, artist, admin, guest, how):
    _, secret = makers.reported(work, email="noor@example.org")
    declined, _ = makers.reported(work)
    reports.decline(declined, by=admin, reason="It is not.")
    if how == "withdrawn":
        publishing.withdraw(work, by=artist)
    else:
        publishing.take_down(work, by=admin, reasons=makers.reasons())
    tasks.answer_reports()
    tasks.answer_reports()
    assert [row.state for row in Report.objects.order_by("id")] == ["settled", "declined"]
    told = Notice.objects.filter(email="noor@example.org").order_by("id")
    assert len(told) == 2 and "settled" in told[1].subject
    assert ("Its artist withdrew it" in told[1].body) is (how == "withdrawn")
    assert "nothing is left to decide" in guest.get(f"/reports/{secret}").content.decode()


def test_admins_are_reminded_once_and_see_what_waits(work, admin, browser_of):
    report, _ = makers.reported(work)
    assert reports.remind() == 0
    wait(report, hours=1)
    assert (reports.remind(), reports.remind()) == (1, 0)
    assert letters(admin.user.email)[-1] == "1 report waits for an answer"
    page = browser_of(admin).get("/program").content.decode()
    assert re.search(r"1 overdue, the first is due", page)
    assert "Overdue since" in browser_of(admin).get("/program/reports").content.decode()


def test_who_reported_is_forgotten_six_months_after_the_answer(work, admin, guest):
    report, secret = makers.reported(work, email="noor@example.org", name="Noor")
    reports.decline(report, by=admin, reason="It is not.")
    Notice.objects.filter(email="noor@example.org").update(mailed_at=Now(), created_at=Now() - timedelta(days=200))
    wait(report, days=180)
    assert reports.forget() == 0
    wait(report, days=184)
    assert (reports.forget(), reports.forget()) == (1, 0)
    report.refresh_from_db()
    assert [bool(getattr(report, name)) for name in Report.PERSONAL] == [False] * 3
    assert report.words and letters("noor@example.org") == []
    assert "It is not." in guest.get(f"/reports/{secret}").content.decode()
    with pytest.raises(IntegrityError), transaction.atomic():
        Report.objects.all().delete()


def test_a_take_down_that_an_appeal_overturned_says_so_to_its_reporter(work, artist, reviewer, admin, guest):
    report, secret = makers.reported(work)
    decision = reports.uphold(report, by=admin, reasons=makers.reasons())
    appeals.file(decision, by=artist, words="It is one slow pulse.")
    submission = queue.take(Submission.objects.get(), by=reviewer)
    appeals.overturn(submission, by=reviewer, message="It is.")
    decisions.announce()
    assert guest.get(f"/works/{work.pk.hex}").status_code == 200
    (item,) = guest.get("/feed.json").json()["items"]
    assert item["date_modified"] > item["date_published"]  # news again, to readers that had let go of it
    assert "the work is public again" in guest.get(f"/reports/{secret}").content.decode()
