"""What nobody would think of sending, by schemathesis, with all its checks: as an artist, as a stranger, as nobody.

Each request is undone when it is answered, so that each finds the same world. SECONDS for each of them in `make check`,
always in the same order; in `make soak` another order each time, whose seed a failure tells.
"""

import random
import re
import time
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
from django.core import signals
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections, transaction
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup
from schemathesis.generation import GenerationMode

from gateway import contributions, openapi
from gateway.actors import Actor
from gateway.api import show_id
from gateway.models import GuestPass, Token
from review import consents, submissions
from tests import makers

SECONDS = 40  # for each caller; all three are in `make check`
MARK = "of Tomas alone"  # in everything that is the other artist's
CONFIG = {
    "checks": {
        # What a rule refuses (a prompt with too many words, a work that is public already) no schema can say.
        "positive_data_acceptance": {"expected-statuses": ["2xx", 400, 401, 402, 403, 404, 409, 410, 429, 503]},
    }
}


def world(actor: Actor, words: str) -> dict[str, list[str]]:
    """Something of this artist's of every kind, by the name that the routes give its id."""
    generation = makers.completed(actor, prompt=words)
    publication = makers.published(actor)
    waiting = makers.submitted(actor, generation, title=words)
    open_ = makers.submitted(actor)
    submissions.withdraw(open_, by=actor)
    makers.lent(actor, label=words[:80])
    kept = consents.give("exhibit", by=actor)
    told = contributions.report(by=actor, kind="bug_report", title=words, body=words, minutes=None)
    return {
        "video_id": [show_id("video", generation.pk), show_id("video", makers.queued(actor).pk)],
        "submission_id": [show_id("submission", row.pk) for row in (waiting, open_, publication.submission)],
        "publication_id": [show_id("publication", publication.pk)],
        "token_id": [show_id("token", Token.objects.filter(user=actor.user).latest("id").pk), "self"],
        "pass_id": [show_id("guest_pass", GuestPass.objects.latest("id").pk)],
        "consent_id": [show_id("consent", kept.pk)],
        "contribution_id": [show_id("contribution", told.pk)],
        "secret": [makers.reported(publication)[1]],
    }


@pytest.fixture(autouse=True)
def one_transaction() -> Iterator[None]:
    """As in Django's own test client: the end of a request does not end the test's transaction."""
    both = (signals.request_started, signals.request_finished)
    for signal in both:
        signal.disconnect(close_old_connections)
    yield
    for signal in both:
        signal.connect(close_old_connections)


@pytest.fixture
def cast(db, no_undo) -> dict[str, Any]:
    makers.policy()
    cohort = makers.cohort(requests_a_minute=1_000_000, credits=1000)
    ines, tomas = (makers.artist(name, cohort=cohort, credits=1000) for name in ("Ines Marchetti", "Tomás Okafor"))
    secrets = {
        "artist": makers.token(ines),
        "stranger": makers.token(makers.artist("Yuki Brandt", cohort=cohort)),
        "nobody": None,
    }
    own = world(ines, "a red circle over a blue field")
    makers.token(tomas)
    foreign = world(tomas, MARK)
    return {"secrets": secrets, "own": own, "foreign": foreign}


def strategies(operation: Any, cast: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Requests as described and not as described, about what is one's own, another's, or nobody's."""
    names = re.findall(r"{(\w+)}", operation.path)
    found = [operation.as_strategy(mode) for mode in GenerationMode]
    for whose in ("own", "foreign"):
        known = [(name, cast[whose].get(name)) for name in names]
        if known and all(ids for _, ids in known):
            for one in known[0][1]:
                found.append(operation.as_strategy(path_parameters={known[0][0]: one}))
    return st.one_of(found)


@pytest.mark.parametrize("who", ["artist", "stranger", "nobody"])
def test_nothing_that_is_sent_is_answered_otherwise_than_described(cast, who):
    until(SECONDS, cast, who, rounds=random.Random(0))


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("who", ["artist", "stranger", "nobody"])
def test_and_for_longer(cast, who):
    start = random.randrange(2**32)
    print("seed", start)
    until(200, cast, who, rounds=random.Random(start))


def until(seconds: float, cast: dict[str, Any], who: str, *, rounds: random.Random) -> None:
    """Ask every operation a few times, again and again until the time is over."""
    schema = schemathesis.openapi.from_dict(openapi.document(), config=SchemathesisConfig.from_dict(CONFIG))
    schema.app = get_wsgi_application()
    secret = cast["secrets"][who]
    headers = {"Authorization": f"Bearer {secret}"} if secret else {}
    end, asked, wrong = time.monotonic() + seconds, 0, {}
    operations = [found.ok() for found in schema.get_all_operations()]
    while time.monotonic() < end:
        rounds.shuffle(operations)
        for operation in operations:
            if time.monotonic() > end:
                break
            try:
                asked += ask(operation, cast, headers, rounds.randrange(2**32))
            except (FailureGroup, AssertionError) as failure:
                wrong[operation.label] = "\n".join(str(each) for each in getattr(failure, "exceptions", [failure]))
    assert not wrong, "\n\n".join(f"{label}\n{what}" for label, what in wrong.items())
    assert asked > len(operations), "each was asked once at least"


def ask(operation: Any, cast: dict[str, Any], headers: dict[str, str], seed: int) -> int:
    count = 0

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=6, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck)
    )
    @hypothesis.given(case=strategies(operation, cast))
    def one(case: Any) -> None:
        nonlocal count
        count += 1
        cache.clear()  # what counts tries has forgotten them
        mark = transaction.savepoint()
        try:
            response = case.call_and_validate(headers=headers)
        finally:
            transaction.savepoint_rollback(mark)
        assert response.status_code < 500 or response.status_code == 503, response.content[:500]
        assert MARK.encode() not in response.content, (case.as_curl_command(), "is another's")

    one()
    return count
