"""A worker killed by -9 in mid-generation loses nothing and charges once."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.conf import settings as django_settings
from django.db import connection

from gateway import allowances
from gateway.models import LedgerEntry
from generation import worker
from generation.models import Generation
from tests import makers

PROGRAM = "from django import setup; setup();from generation.worker import look; look('default', name='gpu@{name}')"


def start(name: str, models_dir, media_root) -> subprocess.Popen[bytes]:
    """A process of its own that claims and draws one generation, on the test's database."""
    database = django_settings.DATABASES["default"]["NAME"]
    url = os.environ["DATABASE_OWNER_URL"].replace("/gateway?", f"/{database}?")
    env = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "DATABASE_URL": url,
        "DATABASE_OWNER_URL": url,
        "MODELS_DIR": str(models_dir),
        "MEDIA_DIR": str(media_root),
    }
    return subprocess.Popen([sys.executable, "-c", PROGRAM.format(name=name)], env=env)


def wait_for(what, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)


@pytest.mark.live
def test_a_worker_killed_in_mid_generation_loses_nothing_and_charges_once(transactional_db, models_dir, settings):
    artist = makers.artist()
    generation = makers.queued(artist, seconds=2, steps=50)

    first = start("first", models_dir, settings.MEDIA_ROOT)
    wait_for(lambda: Generation.objects.get(pk=generation.pk).step >= 2)
    first.send_signal(signal.SIGKILL)
    first.wait()
    wait_for(lambda: worker.sweep() == {"default"}, 15)  # its lease runs out, and it is in line again
    generation.refresh_from_db()
    assert (generation.state, generation.step, generation.fence) == ("queued", 0, 1)

    second = start("second", models_dir, settings.MEDIA_ROOT)
    assert second.wait(timeout=120) == 0
    generation.refresh_from_db()
    assert (generation.state, generation.fence, generation.outputs.count()) == ("completed", 2, 3)
    assert LedgerEntry.objects.filter(subject=generation.pk, kind="settle").count() == 1
    allowance = allowances.current(artist.membership)
    assert (allowance.held, allowance.spent) == (0, 2)
    connection.close()


@pytest.mark.live
def test_a_worker_paused_past_its_lease_publishes_nothing(transactional_db, models_dir, settings):
    artist = makers.artist()
    generation = makers.queued(artist, seconds=2, steps=50)
    paused = start("paused", models_dir, settings.MEDIA_ROOT)
    wait_for(lambda: Generation.objects.get(pk=generation.pk).step >= 2)
    paused.send_signal(signal.SIGSTOP)
    try:
        wait_for(lambda: worker.sweep() == {"default"}, 15)
        other = start("other", models_dir, settings.MEDIA_ROOT)
        assert other.wait(timeout=120) == 0
        winner = Generation.objects.get(pk=generation.pk)
        assert (winner.state, winner.worker) == ("completed", "gpu@other")
    finally:
        paused.send_signal(signal.SIGCONT)
    paused.wait(timeout=60)
    assert Generation.objects.get(pk=generation.pk).worker == "gpu@other"
    assert LedgerEntry.objects.filter(kind="settle").count() == 1
    assert generation.outputs.count() == 3
