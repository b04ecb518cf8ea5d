"""/metrics, as Prometheus reads it."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from gateway import pulses
from generation import endings, scheduling, worker
from generation.models import Generation, Worker
from tests import makers

pytestmark = pytest.mark.django_db
TOKEN = "a-long-random-token"


@pytest.fixture
def figures(settings, guest):
    settings.METRICS_TOKEN = TOKEN

    def read() -> dict[tuple, float]:
        """Each figure by its name and its labels' values, the labels by name."""
        answer = guest.get("/metrics", headers={"authorization": f"Bearer {TOKEN}"})
        assert (answer.status_code, answer["Content-Type"].split(";")[0]) == (200, "text/plain")
        return {
            (sample.name, *dict(sorted(sample.labels.items())).values()): sample.value
            for family in text_string_to_metric_families(answer.content.decode())
            for sample in family.samples
        }

    return read


@pytest.mark.parametrize("shown", ["", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ü"])
def test_without_its_token_there_is_nothing(settings, guest, shown):
    settings.METRICS_TOKEN = TOKEN
    assert guest.get("/metrics", headers={"authorization": shown} if shown else {}).status_code == 404


@pytest.mark.parametrize("shown", ["Bearer ", "Bearer x"])
def test_without_a_token_set_nobody_has_one(settings, guest, shown):
    settings.METRICS_TOKEN = ""
    assert guest.get("/metrics", headers={"authorization": shown}).status_code == 404


def test_an_empty_gateway_tells_little_and_breaks_nothing(figures):
    told = figures()
    assert told["gateway_leases_lost_last_hour",] == 0
    assert told["gateway_storage_free_bytes",] > 0


def test_the_line_by_pool_and_the_age_of_its_oldest(artist, figures):
    makers.queued(artist)
    makers.queued(artist)
    scheduling.claim("default", worker="gpu@test")
    Generation.objects.filter(state="queued").update(created_at=Now() - timedelta(minutes=5))
    told = figures()
    assert (told["gateway_queued", "default"], told["gateway_in_progress", "default"]) == (1, 1)
    assert told["gateway_queued_oldest_seconds", "default"] == pytest.approx(300, abs=10)


def test_steps_and_stages_by_model_and_preset(artist, figures):
    for denoise in (10.0, 20.0, 90.0):
        done = makers.completed(artist, steps=10)
        Generation.objects.filter(pk=done.pk).update(timings={"denoise": denoise, "decode": 3.0})
    told = figures()
    assert told["gateway_step_seconds", "sketch", "reference"] == pytest.approx(2.0)
    assert told["gateway_stage_seconds", "sketch", "reference", "decode"] == pytest.approx(3.0)
    Generation.objects.update(ended_at=Now() - timedelta(hours=2))
    assert ("gateway_step_seconds", "sketch", "reference") not in figures()


def test_failures_by_reason_and_leases_that_were_lost(artist, figures, settings):
    settings.ATTEMPTS = 2
    generation = makers.queued(artist)
    for lost in (1, 2):
        scheduling.claim("default", worker="gpu@dead")
        assert figures()["gateway_leases_lost_last_hour",] == lost - 1
        Generation.objects.update(lease_until=Now())
        worker.sweep()
        assert figures()["gateway_leases_lost_last_hour",] == lost
    generation.refresh_from_db()
    assert figures()["gateway_ended_last_hour", "sketch", "worker_lost", "failed"] == 1
    endings.give_up(makers.queued(artist), "cancelled", by=artist)
    assert figures()["gateway_ended_last_hour", "sketch", "", "cancelled"] == 1
    assert figures()["gateway_leases_lost_last_hour",] == 2


def test_when_each_process_was_seen(figures):
    pulses.beat("gpu", "gpu@one")
    assert figures()["gateway_process_seen_seconds", "gpu", "gpu@one"] == pytest.approx(0, abs=5)


def test_the_memory_of_each_gpu_that_lives(figures):
    one, processor, silent = makers.worker("gpu@one"), makers.worker("gpu@processor"), makers.worker("gpu@silent")
    told = {"diffusers": {**one.engines["diffusers"], "device": "cpu"}}
    Worker.objects.filter(pk=processor.pk).update(engines=told)
    Worker.objects.filter(pk=silent.pk).update(seen_at=Now() - timedelta(minutes=5))
    shown = {name: value for name, value in figures().items() if name[0].startswith("gateway_gpu")}
    assert shown == {
        ("gateway_gpu_memory_bytes", "gpu@one"): 80 << 30,
        ("gateway_gpu_memory_free_bytes", "gpu@one"): 20 << 30,
    }


def test_what_waits_for_files_that_no_machine_has(artist, figures):
    makers.queued(artist)
    makers.queued(artist)
    makers.worker("gpu@one")
    assert ("gateway_queued_without_files", "sketch", "default") not in figures()
    Worker.objects.update(holds=[])
    assert figures()["gateway_queued_without_files", "sketch", "default"] == 2


def test_a_scrape_costs_the_same_with_more_to_tell(artist, figures):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            figures()
        return len(queries)

    few = cost()
    for _ in range(4):
        makers.completed(artist)
        makers.queued(artist)
    assert cost() == few
