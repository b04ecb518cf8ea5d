"""The bell: it may be lost, never a generation."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery.canvas import Signature
from django.conf import settings as gateway_settings
from django.db.models.functions import Now
from kombu import pools

from gateway import celery
from gateway.actors import Actor
from generation import fleet, generations, scheduling, tasks
from generation.models import Generation
from tests import makers

pytestmark = pytest.mark.django_db

QUEUE = "gpu.default"
WEB = "import gateway.wsgi; from django.urls import get_resolver; get_resolver().url_patterns"


def bells() -> list[dict[str, Any]]:
    """What a worker would hear: the waiting messages, taken out of the real broker."""
    heard = []
    with celery.app.connection_for_read() as broker:
        channel = broker.channel()
        while message := channel.basic_get(QUEUE, no_ack=True):
            heard.append({"headers": message.headers, "args": message.decode()[0]})
    return heard


@pytest.fixture
def quiet() -> None:
    """Nothing rings yet."""
    bells()


@pytest.fixture
def broker_away() -> Iterator[None]:
    """Nobody listens where the broker should be."""
    before = celery.app.conf.broker_url

    def point_to(url: str) -> None:
        celery.app.conf.broker_url = url
        celery.app.pool.force_close_all()
        celery.app._pool = None
        celery.app.amqp._producer_pool = None
        pools.reset()

    point_to("redis+socket:///nowhere/valkey.sock?virtual_host=0")
    yield
    point_to(before)


def test_a_bell_names_a_pool_and_no_generation(quiet: None, artist: Actor, django_capture_on_commit_callbacks: Any):
    with django_capture_on_commit_callbacks(execute=True):
        generation = makers.queued(artist)
    (bell,) = bells()
    assert bell["headers"]["task"] == "generation.look"
    assert bell["args"] == ["default"]
    assert generation.pk.hex not in str(bell).replace("-", "")
    assert bell["headers"]["expires"], "a bell that nobody heard does not ring for ever"


def test_it_rings_only_when_the_row_is_there(quiet: None, artist: Actor, django_capture_on_commit_callbacks: Any):
    with django_capture_on_commit_callbacks(execute=False) as after_commit:
        makers.queued(artist)
        assert bells() == []
    for callback in after_commit:
        callback()
    assert len(bells()) == 1


def test_a_broker_that_is_away_loses_nothing_and_does_not_keep_the_artist_waiting(
    broker_away: None, artist: Actor, django_capture_on_commit_callbacks: Any
):
    makers.sketch()
    began = time.monotonic()
    with django_capture_on_commit_callbacks(execute=True):
        generation = generations.submit(by=artist, prompt="a red circle", seconds=1)
    assert time.monotonic() - began < 5
    assert Generation.objects.get().state == "queued"
    assert scheduling.claim("default", worker="gpu@test") == generation


def test_the_sweep_rings_again_where_something_waits(quiet: None, artist: Actor):
    makers.queued(artist)  # its own bell never rang: the test's transaction does not commit
    tasks.sweep()
    assert len(bells()) == 1


def test_the_sweep_rings_for_each_that_may_be_idle(quiet: None, artist: Actor, admin: Actor):
    """Who hears the first bell may not have the files of what waits."""
    makers.queued(artist)
    makers.worker(), makers.worker("gpu@other", "large")
    drained = makers.worker()
    makers.worker()
    fleet.drain(drained, by=admin)
    tasks.sweep()
    assert len(bells()) == 2


def test_the_sweep_takes_from_the_dead_and_rings(quiet: None, artist: Actor):
    makers.queued(artist)
    scheduling.claim("default", worker="gpu@dead")
    tasks.sweep()
    assert bells() == []
    Generation.objects.update(lease_until=Now())
    tasks.sweep()
    assert Generation.objects.get().state == "queued"
    assert len(bells()) == 1


def test_where_nothing_waits_nothing_rings(quiet: None, artist: Actor):
    makers.completed(artist)
    tasks.sweep()
    assert bells() == []


def test_a_look_without_work_does_nothing():
    assert tasks.look.apply(("default",)).get() is None


def test_what_the_scheduler_rings_exists_and_is_a_chore():
    names = {entry["task"] for entry in celery.app.conf.beat_schedule.values()}
    celery.app.loader.import_default_modules()
    assert names <= set(celery.app.tasks)
    assert celery.app.conf.task_default_queue == "chores"
    assert all(isinstance(celery.app.tasks[name].s(), Signature) for name in names)


@pytest.mark.parametrize("program", ["manage.py shell, seed or found", "the web"])
def test_in_every_process_the_bell_hangs_on_this_programs_broker(program: str):
    """Asked of a fresh process: a task without its application rings at amqp://localhost, in vain, for six seconds."""
    loads = WEB if program == "the web" else "import django; django.setup()"
    source = f"{loads}; from generation.tasks import look; print(look.app.main, look.app.conf.broker_url)"
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", source], capture_output=True, text=True, check=True, timeout=60
    )
    assert ran.stdout.split() == ["gateway", gateway_settings.CELERY_BROKER_URL]


def test_twenty_bells_for_one_generation_make_one_run(quiet: None, at_once: Callable[..., list[Any]]):
    makers.queued(makers.artist())
    for _ in range(19):
        tasks.ring("default")
    assert len(bells()) == 20
    claims = at_once(*[lambda: scheduling.claim("default", worker="gpu@test")] * 20)
    assert len([claim for claim in claims if claim is not None]) == 1
