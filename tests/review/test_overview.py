"""What waits for an admin."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from gateway import actors, contributions
from gateway.actors import Actor
from gateway.models import AccessRequest
from review import overview, radius
from review.models import Submission
from tests import makers

pytestmark = pytest.mark.django_db


def room(name: str) -> overview.Room:
    return next(room for room in overview.rooms() if room.name == name)


def test_in_an_empty_program_nothing_waits():
    assert {found.waits for found in overview.rooms()} == {0}
    assert room("Contributions").words == "nothing owed"


def test_each_room_counts_what_waits_and_stands_first(artist: Actor, stranger: Actor, admin: Actor):
    makers.policy()
    makers.queued(artist)
    AccessRequest.objects.create(
        email="x@example.org", name="X", digest=b"x", links=[], due_at=Now() - timedelta(hours=1)
    )
    late = makers.submitted(artist)
    makers.submitted(artist)
    Submission.objects.filter(pk=late.pk).update(due_at=Now() - timedelta(minutes=1))
    radius.pull("model", "sketch", by=actors.SYSTEM, reason="A pause.")
    report = contributions.report(by=artist, kind="test_hour", title="An evening", body="With the studio.", minutes=90)
    found = {each.name: each for each in overview.rooms()}
    assert found["Requests for access"].waits == 1 and "1 overdue" in found["Requests for access"].words
    assert found["Review"].waits == 1 and found["Review"].words.startswith("2 wait for a reviewer, 1 past")
    assert found["Brakes"].waits == 1
    assert found["Contributions"].waits == 1
    assert found["The line"].waits == 1 and "by 0 workers" in found["The line"].words  # nobody draws
    assert found["Members"].words.startswith("2 active, 0 suspended")
    assert [each.waits == 0 for each in overview.rooms()] == sorted(each.waits == 0 for each in overview.rooms())
    contributions.accept(report, by=admin)
    assert room("Contributions").words == "72.00 € owed"
