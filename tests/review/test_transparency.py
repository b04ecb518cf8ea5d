"""The public figures: equal to a recount by hand, kept when a month is over, and cheap to read."""

import json
from datetime import UTC, date, datetime, timedelta

import jsonschema
import pytest
from django.conf import settings as django_settings
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from gateway import access_requests, actors, brakes, contributions, members, refusals
from gateway.models import AccessRequest, Brake, Cohort, Entry
from generation import generations
from review import appeals, clock, queue, radius, reports
from review.models import Figures, Report, ReviewPolicy, Submission
from review.transparency import counting, months, words
from review.transparency.disclosure import Cell
from tests import makers

pytestmark = pytest.mark.django_db


def today() -> date:
    return datetime.now(UTC).date()


def this_month() -> date:
    return today().replace(day=1)


def tomorrow() -> date:
    return today() + timedelta(days=1)


def exact():
    return counting.of(this_month(), tomorrow())


def kept(month: date, until: date, **changes):
    """Figures of another time, as a count would have kept them."""
    counts = dict.fromkeys(words.LABELS, 0) | changes
    found = {"counts": counts, "clauses": [], "wait": {"median": 20_400, "p90": None}, "money": [], "brakes": []}
    told = months.disclosure.of(found, 5)
    return Figures.objects.create(month=month, until=until, closed=until == months.after(month), exact=found, told=told)


def lived(artist, reviewer, admin, client):
    """Everything that a month may hold, by the rules, to this artist and in this cohort."""
    client.get("/v1/me")
    cohort = artist.membership.cohort
    makers.policy()
    for _ in range(2):
        makers.decided(makers.submitted(artist))
    refused = makers.decided(makers.submitted(artist), "reject", by=reviewer)
    makers.decided(makers.submitted(artist), "request_changes")
    appeals.file(refused, by=artist, words="It is a slow pulse.")
    hearer = makers.reviewer()
    queue.take(Submission.objects.get(pk=refused.revision.submission_id), by=hearer)
    appeals.overturn(Submission.objects.get(pk=refused.revision.submission_id), by=hearer, message="You are right.")
    public = makers.published(artist)
    for sender in ("192.0.2.1", "2001:db8::1"):
        reports.file(public, by=actors.NOBODY, sender=sender, words="It blinks.", good_faith=True)
    declined, upheld = Report.objects.filter(publication=public)
    reports.decline(declined, by=admin, reason="It is a slow pulse.")
    reports.uphold(upheld, by=admin, reasons=makers.reasons())
    policy = ReviewPolicy.objects.create(cohort=cohort, by_default=True)
    silent = makers.submitted(artist)
    makers.screened(silent)
    Submission.objects.filter(pk=silent.pk).update(due_at=Now())
    clock.strike()
    policy.reviewers = 2
    policy.save()
    twice = makers.submitted(artist)
    makers.decided(twice, "approve")
    makers.decided(twice, "reject")
    Submission.objects.filter(pk=makers.submitted(artist).pk).update(due_at=Now() - timedelta(days=40))
    generations.cancel(makers.queued(artist), by=artist)
    makers.sighting(artist)
    brakes.pull("cohort", cohort.pk, by=admin, label=f"the cohort “{cohort.name}”", reason="Two of them quarrel.")
    brakes.pull("artist", artist.user.pk, by=admin, label=artist.user.name, reason="A question.")
    for kind, minutes in (("test_hour", 90), ("feedback", None)):
        done = contributions.report(by=artist, kind=kind, title="An evening", body="It flickers.", minutes=minutes)
        contributions.accept(done, by=admin)
        if minutes:
            contributions.pay([done.pk], by=makers.admin(), reference="T-1")


def test_the_figures_equal_a_recount_by_hand_and_tests_do_not_count(artist, reviewer, admin, client_of, no_undo):
    lived(artist, reviewer, admin, client_of(artist))
    access_requests.decline(makers.asked(), by=admin, reason="The seats are taken.")
    found = exact()
    counts = {name: count for name, count in found["counts"].items() if count}
    assert counts == {
        "requests": 1, "clips_drawn": 8, "clips_cancelled": 1,
        "approved": 3, "approved_by_default": 1, "changes_requested": 1, "rejected": 1,
        "late": 1, "second_disagreed": 1, "waiting": 1, "waiting_late": 1,
        "published": 1, "taken_down": 1, "reports_filed": 2, "reports_declined": 1, "reports_upheld": 1, "appeals_filed": 1, "appeals_overturned": 1,
        "keys_frozen": 1, "brakes_on_artists": 1, "locked_out": 1,
        "access_asked": 1, "access_declined": 1,
        "contributions_reported": 2, "contributions_paid": 1, "artists_paid": 1,
    }  # fmt: skip
    assert [(row["number"], row["count"]) for row in found["clauses"]] == [(4, 2)]
    assert [(row["what"], row["cents"], row["minutes"], row["artists"]) for row in found["money"]] == [
        ("paid_for_tests", 7200, 90, 1),
        ("owed", 6000, 0, 1),
    ]
    assert found["brakes"] == [Brake.objects.get(scope="cohort").pk.hex]
    assert 0 <= found["wait"]["median"] < 60

    tester = makers.artist("A tester", cohort=makers.cohort(smoke=True))
    lived(tester, makers.reviewer(), makers.admin(), client_of(tester))
    again = exact()
    assert again | {"wait": None} == found | {"wait": None}


def test_who_is_suspended_or_braked_with_others_is_locked_out(artist, stranger, admin):
    members.suspend(artist.membership, by=admin, reason="A question.")
    assert exact()["counts"]["locked_out"] == 1
    radius.pull("all", "", by=actors.SYSTEM, reason="A break-in.")
    assert exact()["counts"]["locked_out"] == 2


def test_a_count_is_kept_once_a_day_and_the_log_knows_its_fingerprint(artist, client_of):
    makers.completed(artist)
    client_of(artist).get("/v1/me")
    assert months.write(this_month(), tomorrow()) and not months.write(this_month(), tomorrow())
    row = Figures.objects.get()
    assert row.closed == (months.after(this_month()) == tomorrow())
    assert row.told["counts"]["clips_drawn"] == {"value": None, "from": 1, "to": 4}
    fact = json.loads(bytes(Entry.objects.get(action="figures.counted").body))["facts"]
    assert fact["until"] == tomorrow().isoformat() and len(fact["told"]) == 64
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        Figures.objects.update(told={})
    with pytest.raises(IntegrityError, match="whole"), transaction.atomic():
        kept(date(2024, 1, 2), date(2024, 2, 1))


def test_what_comes_later_changes_no_month_that_is_over(artist):
    over = (this_month() - timedelta(days=1)).replace(day=1)
    assert months.write(over, this_month())
    asked = makers.asked()
    AccessRequest.objects.filter(pk=asked.pk).update(created_at=Now() - timedelta(days=today().day))
    assert not months.write(over, this_month())
    assert str(months.of(f"{over:%Y-%m}").of("access_asked")) == "0"
    assert counting.of(over, this_month())["counts"]["access_asked"] == 1


def test_requests_are_counted_on_from_the_day_before(artist, client_of):
    client_of(artist).get("/v1/me")
    found = counting.of(this_month(), tomorrow(), before=(today(), 41))
    assert found["counts"]["requests"] == 42


def test_the_chore_closes_what_is_over_and_counts_what_is_not(artist):
    began = (this_month() - timedelta(days=40)).replace(day=1)
    Cohort.objects.update(created_at=counting.midnight(began + timedelta(days=3)))
    first = months.count()
    assert months.count() == 0
    rows = list(Figures.objects.order_by("until"))
    assert len(rows) == first and rows[0].month == began
    assert all(row.closed for row in rows if row.month < this_month())
    if rows[-1].closed is False:
        assert months.under_way().name == f"{this_month():%Y-%m}"
    # Nobody knows any more what waited at the end of a month that is long over.
    assert str(months.of(f"{began:%Y-%m}").of("waiting")) == "not counted"


def test_without_a_program_nothing_is_counted():
    assert months.count() == 0 and months.last() is None and months.under_way() is None


def test_quarters_and_all_time_are_made_of_what_the_months_tell():
    for n, approved in ((7, 12), (8, 3), (9, 41)):
        kept(date(2024, n, 1), date(2024, n + 1, 1), approved=approved, waiting=n, artists_paid=n)
    kept(date(2024, 10, 1), date(2024, 10, 5), approved=2)
    kept(date(2024, 10, 1), date(2024, 10, 6), approved=6)
    quarter = months.of("2024-q3")
    assert quarter.closed and quarter.of("approved") == Cell(None, 8 + 1 + 38, 12 + 4 + 42)
    assert quarter.of("waiting").value == 10  # as it stood at its end
    assert months.of("all").of("approved") == quarter.of("approved") + Cell(5, 5, 7)
    assert not months.of("2024-q4").closed
    assert str(quarter.of("locked_out")) == "0" and str(quarter.of("artists_paid")) == "8 or more"  # perhaps the same
    assert months.of("2024-10").until == date(2024, 10, 6)
    for unknown in ("2024-11", "2024-13", "2024-q5", "2023-q1", "soon", "2024-1"):
        with pytest.raises(refusals.NotFound):
            months.of(unknown)


def test_a_brakes_public_words_are_an_admins_and_only_of_a_wide_one(artist, admin, browser_of):
    wide = brakes.pull("cohort", artist.membership.cohort_id, by=admin, label="the cohort “X”", reason="Ines quarrels.")
    narrow = brakes.pull("artist", artist.user.pk, by=admin, label="Ines", reason="A question.")
    office = browser_of(admin)
    words_of = "/program/transparency/brakes/"
    assert office.post(f"{words_of}{wide.pk.hex}", {"words": " A quarrel. "}).status_code == 302
    assert office.post(f"{words_of}{narrow.pk.hex}", {"words": "A quarrel."}).status_code == 404
    with pytest.raises(refusals.AdminsOnly):
        brakes.explain(wide, by=artist, words="x")
    with pytest.raises(IntegrityError, match="wide"), transaction.atomic():
        Brake.objects.filter(pk=narrow.pk).update(public_reason="x")
    months.write(this_month(), tomorrow())
    page = browser_of(artist).get(f"/transparency/{this_month():%Y-%m}").content.decode()
    assert "A quarrel." in page and "Ines quarrels" not in page and "the cohort “X”" not in page
    assert Entry.objects.filter(action="brake.explained").count() == 1


def test_pages_and_documents_say_the_same_and_cost_the_same(guest, admin, browser_of):
    schema = json.loads((django_settings.BASE_DIR / "static/transparency.schema.json").read_text())
    empty = guest.get("/transparency")
    assert "Nothing is counted yet" in empty.content.decode()
    jsonschema.validate(guest.get("/transparency.json").json(), schema)

    def costs():
        found = {}
        for path in ("/transparency", "/transparency.json", "/transparency/2024-01", "/transparency/all", "/"):
            with CaptureQueriesContext(connection) as queries:
                assert guest.get(path).status_code == 200, path
            found[path] = len(queries)
        for path in ("/program/transparency", "/program/transparency.csv"):
            with CaptureQueriesContext(connection) as queries:
                assert office.get(path).status_code == 200, path
            found[path] = len(queries)
        return found

    office = browser_of(admin)
    office.get("/program/transparency")
    kept(date(2024, 1, 1), date(2024, 2, 1), approved=408, rejected=9, late=3)
    kept(date(2024, 2, 1), date(2024, 2, 3), approved=4)
    few = costs()
    kept(date(2024, 2, 1), date(2024, 3, 1), approved=207)
    for n in range(3, 12):
        kept(date(2024, n, 1), date(2024, n + 1, 1), approved=n)
    kept(date(2024, 12, 1), date(2024, 12, 24), approved=2)
    assert costs() == few
    report = guest.get("/transparency.json")
    jsonschema.validate(report.json(), schema)
    jsonschema.validate(guest.get("/transparency/2024-q1.json").json(), schema)
    assert report["Cache-Control"] == "public, no-cache"
    assert guest.get("/transparency.json", headers={"if-none-match": report["ETag"]}).status_code == 304
    assert [each["period"] for each in report.json()["months"]][:2] == ["2024-11", "2024-10"]
    assert report.json()["under_way"]["counts"]["approved"] == {"value": None, "from": 1, "to": 4}
    assert "10 works answered" in guest.get("/").content.decode()
    page = guest.get("/transparency/2024-01").content.decode()
    assert "420 works answered" in page and "half of them within 5 h 40 min" in page and "fewer than 5" in page
    assert "408" not in page
    exact_page = office.get("/program/transparency?month=2024-01").content.decode()
    assert '<td class="figure">408</td>' in exact_page and '<td class="figure">410</td>' in exact_page
    assert (
        '"2024-01","2024-02-01","yes","approved","408","410","408","412"'
        in office.get("/program/transparency.csv").content.decode()
    )
