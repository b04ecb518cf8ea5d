"""How a cohort's works are reviewed: what admins set, what is said of it, and what stays as it was."""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.test import Client

from gateway import actors, refusals
from gateway.actors import Actor
from gateway.models import Cohort, Entry
from review import policies, queue
from review.models import ReviewPolicy, Submission
from tests import makers

pytestmark = pytest.mark.django_db
ONE: dict[str, Any] = {"reviewers": 1, "sample_percent": 0, "second_clauses": [], "by_default": False, "hours": 24}


def entries() -> list[dict[str, Any]]:
    found = Entry.objects.filter(action="review_policy.set").order_by("id")
    return [json.loads(bytes(entry.body))["facts"] for entry in found]


def test_how_many_look_and_by_when_is_settled_at_the_submission(
    artist: Actor, admin: Actor, reviewer: Actor, no_undo: None
):
    cohort = artist.membership.cohort
    before = makers.submitted(artist)
    policies.set(cohort, by=admin, **{**ONE, "reviewers": 2, "hours": 1})
    after = makers.submitted(artist)
    due = [Submission.objects.get(pk=row.pk).due_at - row.created_at for row in (before, after)]
    assert [round(wait.total_seconds() / 3600) for wait in due] == [24, 1]
    for row, state in ((before, "approved"), (after, "awaiting_second")):
        makers.decided(row, by=reviewer)
        assert Submission.objects.get(pk=row.pk).state == state


def test_a_change_is_recorded_with_what_was_before(artist: Actor, admin: Actor):
    makers.policy()
    cohort = artist.membership.cohort
    first = policies.set(cohort, by=admin, **{**ONE, "second_clauses": [4, 1, 4]})
    assert first.second_clauses == [1, 4]
    policies.set(cohort, by=admin, **{**ONE, "second_clauses": [1, 4]})
    policies.set(cohort, by=admin, **{**ONE, "sample_percent": 20, "by_default": True, "hours": 48})
    before, after = ({**ONE, "second_clauses": clauses} for clauses in ([], [1, 4]))
    assert entries() == [
        {"cohort": str(cohort.pk), "before": before, "after": after},
        {
            "cohort": str(cohort.pk),
            "before": after,
            "after": {**ONE, "sample_percent": 20, "by_default": True, "hours": 48},
        },
    ], "what changes nothing is not recorded"
    assert ReviewPolicy.objects.get().pk == first.pk
    assert Cohort.objects.get(pk=cohort.pk).review_hours == 48


def test_only_an_admin_sets_it_and_only_for_clauses_in_force(artist: Actor, reviewer: Actor, admin: Actor):
    makers.policy()
    change = partial(policies.set, artist.membership.cohort, **ONE)
    for by in (artist, reviewer, actors.NOBODY, actors.SYSTEM):
        with pytest.raises(refusals.AdminsOnly):
            change(by=by)
    with pytest.raises(refusals.UnknownClause):
        change(by=admin, second_clauses=[1, 9])
    assert not ReviewPolicy.objects.exists()


def test_two_admins_at_once_leave_one_policy_and_an_unbroken_record(at_once: Callable[..., list[Any]]):
    cohort = makers.cohort()
    admins = [makers.admin() for _ in range(5)]
    calls = [partial(policies.set, cohort, by=by, **{**ONE, "hours": n}) for n, by in enumerate(admins, start=1)]
    assert all(isinstance(answer, ReviewPolicy) for answer in at_once(*calls))
    told = entries()
    assert [facts["before"] for facts in told[1:]] == [facts["after"] for facts in told[:-1]]
    assert told[-1]["after"]["hours"] == Cohort.objects.get(pk=cohort.pk).review_hours


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "every submission is looked at by one reviewer"),
        ({"sample_percent": 20}, "every submission is looked at by one reviewer; one in five, by two"),
        (
            {"sample_percent": 7, "second_clauses": [1, 2, 4], "by_default": True},
            "every submission is looked at by one reviewer; 7 in a hundred, and any for which clause 1, 2 or 4 is named, "
            "by two; silence past the due date approves it, unless something speaks against it",
        ),
        (
            {"reviewers": 2, "sample_percent": 20},
            "every submission is looked at by two reviewers, the second without knowing what the first has said",
        ),
    ],
)
def test_a_policy_is_one_sentence(told: dict[str, Any], said: str):
    policy = ReviewPolicy(cohort=Cohort(review_hours=1), **told)
    assert policies.sentence(policy) == said
    assert policies.meaning(policy)[0].startswith("An answer is due 1 hour after each submission")
    assert ("approves nothing" in policies.meaning(policy)[-1]) is not policy.by_default


def test_an_admin_sets_it_on_a_page_that_says_what_it_means(
    artist: Actor, admin: Actor, reviewer: Actor, browser_of: Callable[..., Client]
):
    makers.policy()
    cohort = artist.membership.cohort
    smoke = makers.cohort(smoke=True)
    browser, at = browser_of(admin), f"/program/review/{cohort.pk.hex}"
    page = browser.get("/program/review").content.decode()
    assert "Every submission is looked at by one reviewer." in page
    assert smoke.name not in page
    asked = {"reviewers": "1", "sample_percent": "20", "second_clauses": ["4"], "hours": "48", "by_default": "on"}
    answer = browser.post(at, {**asked, "hours": "0"})
    assert answer.status_code == 422
    assert 'value="20"' in answer.content.decode(), "what was typed stays"
    assert browser.post(at, {**asked, "second_clauses": ["9"]}).status_code == 422
    assert browser.post(f"/program/review/{smoke.pk.hex}", asked).status_code == 404
    assert browser.post(at, asked)["Location"] == "/program/review"
    said = "every submission is looked at by one reviewer; one in five, and any for which clause 4 is named, by two"
    assert said[1:] in browser.get("/program/review").content.decode()
    # The artist reads it where they submit, the reviewer beside the work.
    generation = makers.completed(artist)
    assert said in browser_of(artist).get(f"/mine/{generation.pk.hex}").content.decode()
    submission = queue.take(makers.submitted(artist, generation), by=reviewer)
    assert said in browser_of(reviewer).get(f"/review/{submission.pk.hex}").content.decode()
