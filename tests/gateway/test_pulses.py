"""Which processes live."""

from datetime import timedelta

import pytest
from django.db.models.functions import Now

from gateway import processes, pulses
from gateway.models import Pulse

pytestmark = pytest.mark.django_db


def live() -> set[str]:
    return set(pulses.live().values_list("name", flat=True))


def test_a_process_that_was_seen_lately_lives():
    pulses.beat("gpu", "gpu@here")
    pulses.beat("chores", "chores@here")
    pulses.beat("gpu", "gpu@here")
    assert live() == {"gpu@here", "chores@here"}
    assert Pulse.objects.count() == 2


def test_one_that_was_silent_too_long_is_not_live_until_it_is_heard_again():
    pulses.beat("gpu", "gpu@here")
    Pulse.objects.update(seen_at=Now() - pulses.FRESH - timedelta(seconds=1))
    assert live() == set()
    pulses.beat("gpu", "gpu@here")
    assert live() == {"gpu@here"}


def test_one_that_ended_in_good_order_is_gone_at_once():
    pulses.beat("gpu", "gpu@here")
    pulses.beat("gpu", "gpu@there")
    pulses.stop("gpu@here")
    assert live() == {"gpu@there"}
    pulses.stop("gpu@nowhere")


class Worker:
    """What Celery hands to its signals: something with a name."""

    def __init__(self, hostname: str) -> None:
        self.eventer = self
        self.hostname = hostname


@pytest.mark.parametrize(("name", "kind"), [("gpu@host", "gpu"), ("gpu-2@host", "gpu"), ("chores@host", "chores")])
def test_a_worker_is_known_by_its_name(transactional_db: None, name: str, kind: str):
    processes._worker_lives(Worker(name))
    assert [(pulse.name, pulse.kind) for pulse in Pulse.objects.all()] == [(name, kind)]
    processes._worker_ends(Worker(name))
    assert not Pulse.objects.exists()
