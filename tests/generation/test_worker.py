"""Claim, draw, keep, finish; and what happens when something dies. The engine and the model are real."""

import hashlib
import threading
import time

import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.db.models.functions import Now

from gateway import allowances
from gateway.models import LedgerEntry
from generation import generations, worker
from generation.models import Generation, Output
from tests import makers

pytestmark = pytest.mark.django_db


def stored() -> list[str]:
    try:
        return default_storage.listdir("outputs")[0]
    except FileNotFoundError:
        return []


def kept_files() -> int:
    return sum(
        len(default_storage.listdir(f"outputs/{generation}/{attempt}")[1])
        for generation in stored()
        for attempt in default_storage.listdir(f"outputs/{generation}")[0]
    )


def test_a_prompt_becomes_an_mp4_and_is_charged_once(transactional_db, artist, draw):
    generation = makers.queued(artist, seconds=1, steps=4, seed=5)
    assert draw() == generation
    generation.refresh_from_db()
    assert (generation.state, generation.step, generation.percent) == ("completed", 4, 100)
    outputs = {output.kind: output for output in generation.outputs.all()}
    assert set(outputs) == set(Output.KINDS)
    for output in outputs.values():
        data = default_storage.open(output.path).read()
        assert hashlib.sha256(data).hexdigest() == output.sha256 and len(data) == output.size
    assert (outputs["video"].width, outputs["video"].frames) == (256, 9)
    allowance = allowances.current(artist.membership)
    assert (allowance.held, allowance.spent) == (0, 1)


def test_the_same_seed_draws_the_same_clip(transactional_db, artist, draw):
    for seed in (5, 5, 6):
        makers.queued(artist, seconds=1, steps=2, seed=seed)
        draw()
    first, second, other = Output.objects.filter(kind="video").order_by("id").values_list("sha256", flat=True)
    assert first == second != other


def test_a_failure_says_why_and_gives_the_credits_back(artist, draw, settings, tmp_path):
    settings.MODELS_DIR = tmp_path
    generation = makers.queued(artist)
    draw()
    generation.refresh_from_db()
    assert (generation.state, generation.error_code) == ("failed", "model_missing")
    assert generation.error_message.endswith("Your credits are back.")
    assert allowances.current(artist.membership).free == 20
    assert not stored()


def test_a_late_finisher_writes_and_charges_nothing(transactional_db, artist, draw, monkeypatch):
    generation = makers.queued(artist, seconds=1, steps=3)
    real = worker._finish

    def overtaken(*args):
        Generation.objects.filter(pk=generation.pk).update(fence=7)  # another worker has begun it
        real(*args)

    monkeypatch.setattr(worker, "_finish", overtaken)
    draw()
    generation.refresh_from_db()
    assert generation.state == "in_progress"
    assert not Output.objects.exists() and kept_files() == 0
    assert not LedgerEntry.objects.filter(kind="settle").exists()


def test_cancelling_stops_the_run_within_a_step(transactional_db, draw):
    artist = makers.artist()
    makers.queued(artist, seconds=1, steps=1)
    draw()  # the model is warm
    generation = makers.queued(artist, seconds=2, steps=50)
    thread = threading.Thread(target=lambda: (draw(), connection.close()))
    thread.start()
    until = time.monotonic() + 60
    while Generation.objects.get(pk=generation.pk).step < 3 and time.monotonic() < until:
        time.sleep(0.02)
    found = Generation.objects.get(pk=generation.pk)
    generations.cancel(found, by=artist)
    thread.join(timeout=60)
    assert not thread.is_alive()
    found.refresh_from_db()
    assert found.state == "cancelled" and found.step < 49
    assert not found.outputs.exists()
    assert allowances.current(artist.membership).free == 19


def test_what_a_dead_worker_held_is_begun_again_and_fails_in_the_end(artist, settings):
    generation = makers.queued(artist)
    for attempt in range(1, settings.ATTEMPTS + 1):
        assert worker.scheduling.claim("default", worker="gpu@dead").fence == attempt
        assert worker.sweep() == set()  # the lease is good
        Generation.objects.update(lease_until=Now())
        worker.sweep()
    generation.refresh_from_db()
    assert (generation.state, generation.error_code) == ("failed", "worker_lost")
    assert allowances.current(artist.membership).free == 20
    assert worker.sweep() == set()


def test_two_sweeps_return_it_once(at_once, transactional_db):
    makers.queued(makers.artist())
    worker.scheduling.claim("default", worker="gpu@dead")
    Generation.objects.update(lease_until=Now())
    assert at_once(worker.sweep, worker.sweep) == [{"default"}, {"default"}]
    assert Generation.objects.get().state == "queued"
    assert LedgerEntry.objects.filter(kind="give_back").count() == 0
