"""Who works as people do is left alone; a leak is seen within half a minute and fifty calls. Time is data here."""

import random
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import traces
from tests.gateway import traces_of
from tests.gateway.traces_of import NOON, Call, Seen, replay

LEGITIMATE = {
    "travel": traces_of.travel,
    "a shared studio address": traces_of.studio,
    "a busy notebook": traces_of.notebook,
    "a phone and a laptop": traces_of.phone_and_laptop,
    "a batch at night": traces_of.night,
}
sometimes = settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def worst(calls: Iterable[Call]) -> Seen:
    return max(replay(*calls).values(), key=lambda seen: seen.score)


@pytest.mark.parametrize("name", LEGITIMATE)
def test_people_at_work_are_neither_slowed_nor_frozen(name: str):
    for seen in replay(*LEGITIMATE[name](random.Random(1))).values():
        assert seen.score < traces.SLOW, seen


@pytest.mark.soak
@sometimes
@given(seed=st.integers(0, 2**32), name=st.sampled_from(sorted(LEGITIMATE)))
def test_nor_when_they_work_a_little_differently(seed: int, name: str):
    for seen in replay(*LEGITIMATE[name](random.Random(seed))).values():
        assert seen.score < traces.SLOW, seen


@sometimes
@given(seed=st.integers(0, 2**32), pause=st.floats(0.0, 1.0), together=st.integers(1, 10))
def test_a_notebook_that_waits_for_its_answers_is_left_alone_however_fast_it_is(seed: int, pause: float, together: int):
    seen = worst(traces_of.notebook(random.Random(seed), hours=0.1, together=together, pause=(pause, pause + 0.3)))
    assert seen.score < traces.SLOW, seen


@sometimes
@given(seed=st.integers(0, 2**32), together=st.integers(2, 10))
def test_nor_one_that_asks_for_all_that_it_may_at_once(seed: int, together: int):
    seen = worst(traces_of.gathered(random.Random(seed), together))
    assert seen.score < traces.SLOW, seen


LEAKS = {
    "one address, one set of headers": {},
    "fifty addresses": {"addresses": 50},
    "ten networks": {"addresses": 10},
    "a session's cookie": {"scope": "session", "bare": True},
    "a fast machine, where few overlap": {"slowest": 0.01},
    "nothing refused": {"allowed": 50},
}


@pytest.mark.parametrize("name", LEAKS)
def test_a_leak_is_frozen_within_thirty_seconds_and_fifty_calls(name: str):
    seen = worst(traces_of.proxy(random.Random(1), **LEAKS[name]))  # type: ignore[arg-type]
    assert seen.froze_at is not None and seen.froze_at - NOON < 30 and seen.calls <= 50, seen


@sometimes
@given(
    seed=st.integers(0, 2**32),
    name=st.sampled_from(sorted(LEAKS)),
    within=st.floats(0.1, 3.0),
    clients=st.integers(50, 120),
)
def test_nor_does_it_matter_how_its_callers_come(seed: int, name: str, within: float, clients: int):
    seen = worst(traces_of.proxy(random.Random(seed), clients=clients, within=within, **LEAKS[name]))  # type: ignore[arg-type]
    assert seen.froze_at is not None and seen.froze_at - NOON < 30 and seen.calls <= 50, seen
