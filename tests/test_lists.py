"""No list asks the database more often because it has more rows."""

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from gateway import (
    access_requests,
    allowances,
    brakes,
    canaries,
    consents,
    contributions,
    impersonations,
    members,
    terms,
    tokens,
    webhooks,
)
from gateway.actors import Actor
from gateway.models import Departure, Export
from gateway.models.base import new_id
from gateway.terms import Price
from review import appeals, conflicts, openings, queue, reports
from review.reasons import in_force
from tests import makers

pytestmark = pytest.mark.django_db


def grow(artist, reviewer, admin, n: int) -> None:
    """n rows more of everything that a list shows."""
    makers.policy()
    for _ in range(n):
        makers.reported(makers.published(artist), clause=in_force()[0])
        reports.decline(makers.reported(makers.published(artist))[0], by=admin, reason="It does not.")
        reports.uphold(makers.reported(makers.published(artist))[0], by=admin, reasons=makers.reasons())
        makers.queued(artist)
        makers.drawing(makers.queued(artist))
        makers.completed(artist)
        makers.submitted(artist)
        makers.decided(makers.submitted(artist), "reject", by=reviewer)
        issued, _ = tokens.issue(by=artist, label="x", scopes=["generate"])
        tokens.rotate(issued, by=artist)
        allowances.grant(artist.membership, 1, by=admin, reason="x")
        makers.artist(cohort=artist.membership.cohort)
        by = Actor("token", user=artist.user, token=issued)
        makers.queued(by)
        makers.sighting(artist)
        webhooks.create(by=artist, url="https://example.org/hooks")
        webhooks.happened("video.completed", f"video_{new_id().hex}", user=artist.user.pk)
        canaries.plant("x", by=admin)
        brakes.pull("token", new_id(), by=admin, label="x", reason="x")
        makers.completed(makers.visitor(makers.lent(artist)))
        latest = terms.current()
        price = [Price("feedback", "Words", 100)]
        made = terms.publish(by=admin, after=latest.version if latest else 0, body="x", rates=price)
        terms.accept(made, artist.user, by=artist)
        impersonations.begin(artist.user, by=admin, reason="x")
        consents.grant("train", by=artist, work=new_id())
        conflicts.name_address(f"{new_id().hex}@example.org", by=artist)
        conflicts.name_address(f"{new_id().hex}@example.org", by=reviewer, as_reviewer=True)
        openings.begin(makers.completed(artist), by=admin, reason="x")
        appeals.file(makers.decided(makers.submitted(artist), "reject"), by=artist, words="It is one slow pulse.")
        Export.objects.create(user=artist.user, ended_at=Now())
        Departure.objects.create(user=artist.user, kind="delete", due_at=Now())
        Departure.objects.filter(state="asked").update(state="cancelled", ended_at=Now())
        for _ in range(3):
            done = contributions.report(by=artist, kind="feedback", title="x", body="x")
        contributions.decline(done, by=admin, reason="x")
        contributions.accept(contributions.waiting()[0], by=admin)
        members.invite(f"{makers.number.__next__()}@example.org", by=admin, cohort=artist.membership.cohort)
        makers.artist(cohort=artist.membership.cohort)
        makers.artist()
        members.suspend(artist.membership, by=admin, reason="A question.")
        members.resume(artist.membership, by=admin)
        makers.amended(4, by=admin)
        makers.asked()
        access_requests.decline(makers.asked(), by=admin, reason="The seats are taken.")


LISTS = {
    "artist": [
        "/dashboard", "/mine", "/mine?show=guests", "/studio", "/studio/live?seen=", "/access", "/access/webhooks", "/access/guest-passes",
        "/access/allowance", "/access/visits", "/access/sightings", "/membership", "/", "/feed.atom", "/feed.json", "/terms", "/terms/accept",
        "/contributions", "/contributions/statement", "/contributions/statement.csv", "/access/consents", "/access/conflicts", "/export",
        "/policy", "/policy/4",
    ],
    "reviewer": ["/review", "/review?lane=first", "/review/record", "/review/precedents/4", "/access/conflicts", "/access", "/access/security"],
    "admin": [
        "/program/invitations",
        "/program",
        "/program/queues",
        "/program/fleet",
        "/program/sightings",
        "/program/canaries",
        "/program/brakes",
        "/program/allowances",
        "/program/terms",
        "/program/policy",
        "/program/review",
        "/program/statements",
        "/program/statements/export.jsonl",
        "/program/statements/export.csv",
        "/program/reports",
        "/program/reports?show=answered",
        "/program/requests",
        "/program/requests?show=answered",
        "/program/members",
        "/program/works",
        "/program/works?q=Ines",
        "/program/impersonation",
        "/program/contributions",
        "/program/contributions.csv",
        *(
            f"/admin/{path}/"
            for path in (
                "gateway/user", "gateway/membership", "gateway/invitation", "gateway/token", "gateway/allowance",
                "gateway/ledgerentry", "gateway/notice", "gateway/sighting", "gateway/canary", "gateway/entry", "gateway/cohort", "gateway/terms", "gateway/brake",
                "gateway/rate", "gateway/impersonation", "gateway/termsacceptance", "gateway/contribution", "gateway/consent", "gateway/export", "gateway/departure",
                "gateway/accessrequest", "gateway/membershipchange", "gateway/program",
                "gateway/guestpass", "gateway/webhookendpoint",
                "generation/generation", "generation/worker", "generation/modelprofile", "generation/output",
                "review/submission", "review/decision", "review/appeal", "review/conflict", "review/opening", "review/publication", "review/report", "review/clause", "review/reviewpolicy",
            )
        ),
    ],
}  # fmt: skip
API = {
    "artist": [
        "/v1/me",
        "/v1/tokens",
        "/v1/webhook_endpoints",
        "/v1/videos",
        "/v1/submissions",
        "/v1/publications",
        "/v1/models",
        "/v1/guest_passes",
        "/v1/contributions",
        "/v1/consents",
        "/v1/conflicts",
        "/v1/export",
        "/v1/audit",
        "/v1/policy",
    ],
    "reviewer": ["/v1/reviews"],
}


def test_three_rows_then_six_rows_same_number_of_queries(admin, reviewer, browser_of, client_of, no_undo):
    artist = makers.artist(credits=1000)
    cast = {"artist": artist, "reviewer": reviewer, "admin": admin}
    doors = [(browser_of(cast[name]), path) for name, paths in LISTS.items() for path in paths]
    doors += [(client_of(cast[name]), path) for name, paths in API.items() for path in paths]

    def costs() -> dict[str, int]:
        found = {}
        for client, path in doors:
            client.get(path)  # what is made at the first visit
            with CaptureQueriesContext(connection) as queries:
                answer = client.get(path)
            assert answer.status_code == 200, path
            found[path] = len(queries)
        return found

    grow(artist, reviewer, admin, 3)
    few = costs()
    grow(artist, reviewer, admin, 3)
    many = costs()
    assert {path: (few[path], many[path]) for path in few if few[path] != many[path]} == {}


def test_one_work_costs_the_same_however_many_there_are(artist, reviewer, browser_of):
    submission = makers.submitted(artist)
    queue.take(submission, by=reviewer)
    pages = [
        (browser_of(artist), f"/mine/{submission.generation_id.hex}"),
        (browser_of(reviewer), f"/review/{submission.pk.hex}"),
    ]

    def costs() -> list[int]:
        found = []
        for client, path in pages:
            with CaptureQueriesContext(connection) as queries:
                assert client.get(path).status_code == 200
            found.append(len(queries))
        return found

    costs()
    few = costs()
    for _ in range(4):
        makers.submitted(artist)
    assert costs() == few
    assert max(few) < 35
