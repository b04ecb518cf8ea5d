"""Who draws: registered, kept fresh, drained and resumed by admins; and their page."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client

from gateway import audit, refusals
from gateway.actors import Actor
from generation import fleet, scheduling, worker
from generation.models import Generation, Worker
from tests import makers

pytestmark = pytest.mark.django_db


def silent(machine: Worker, **ago: int) -> None:
    Worker.objects.filter(pk=machine.pk).update(seen_at=Now() - timedelta(**ago))


def test_a_worker_that_starts_again_is_the_same_one(admin: Actor):
    first = makers.worker("gpu@a", "large", "default")
    assert first.pools == ["default", "large"]
    fleet.blame("gpu@a", "out_of_memory: It did not fit.")
    fleet.drain(first, by=admin)
    fleet.register("gpu@a", ["default"])
    again = Worker.objects.get()
    assert (again.pk, again.pools, again.engines) == (first.pk, ["default"], {})
    assert again.last_error.startswith("out_of_memory"), "why it died is not forgotten by its starting again"
    assert again.draining_by == admin.user


def test_a_sign_of_life_registers_who_could_not_when_it_started():
    fleet.beat("gpu@late", ["default"])
    assert Worker.objects.get().pools == ["default"]
    fleet.gone("gpu@late")
    assert not Worker.objects.exists()


def test_who_fell_silent_is_shown_for_a_day_and_then_forgotten():
    kept, lost = makers.worker(), makers.worker()
    silent(kept, minutes=5)
    silent(lost, hours=25)
    worker.sweep()
    (machine,) = fleet.machines()
    assert (machine.worker, machine.silent) == (kept, True)


def test_a_drained_worker_claims_nothing_and_others_do(artist: Actor, admin: Actor):
    generation, machine, other = makers.queued(artist), makers.worker(), makers.worker()
    fleet.drain(machine, by=admin)
    fleet.drain(machine, by=admin)
    assert scheduling.claim("default", worker=machine.name) is None
    assert scheduling.claim("default", worker=other.name) == generation
    second = makers.queued(artist)
    fleet.resume(machine, by=admin)
    assert scheduling.claim("default", worker=machine.name) == second
    assert [entry.action for entry in audit.of(machine)] == ["worker.drained", "worker.resumed"], "each once"


def test_what_a_drained_worker_draws_it_finishes(transactional_db: None, draw: Any, at: Any):
    admin, machine = makers.admin(), makers.worker("gpu@test")
    generation = makers.queued(makers.artist(), seconds=1, steps=2)
    at[1] = lambda: fleet.drain(machine, by=admin)
    assert draw() == generation
    generation.refresh_from_db()
    machine.refresh_from_db()
    assert (generation.state, machine.done, machine.engines["watched"]["warm"]) == ("completed", 1, ["sketch"])
    makers.queued(makers.artist())
    assert draw() is None


@pytest.mark.parametrize("who", ["artist", "reviewer"])
def test_only_an_admin_drains(who: str, request: pytest.FixtureRequest):
    actor, machine = request.getfixturevalue(who), makers.worker()
    for act in (fleet.drain, fleet.resume):
        with pytest.raises(refusals.AdminsOnly):
            act(machine, by=actor)
    assert Worker.objects.get().draining_since is None


def test_what_it_failed_at_is_told_without_the_prompt(artist: Actor, draw: Any, settings: Any, tmp_path: Any):
    makers.worker("gpu@test")
    makers.queued(artist, "a very private kiln")
    makers.damaged(tmp_path)
    settings.SHIPPED_MODELS_DIR = settings.MODELS_DIR = tmp_path
    draw()
    machine = Worker.objects.get()
    assert machine.last_error == "model_missing: The files of the model sketch are damaged."
    assert machine.failed_at is not None


def test_the_sweep_says_who_fell_silent_unless_they_said_why(artist: Actor):
    machine = makers.drawing(makers.queued(artist))
    Generation.objects.update(lease_until=Now() - timedelta(seconds=1))
    worker.sweep()
    machine.refresh_from_db()
    assert machine.last_error == f"It fell silent while it drew {Generation.objects.get().pk}."

    scheduling.claim("default", worker=machine.name)
    Generation.objects.update(lease_until=Now() - timedelta(seconds=1))
    fleet.blame(machine.name, "Nothing moved for 900 s.")
    worker.sweep()
    machine.refresh_from_db()
    assert machine.last_error == "Nothing moved for 900 s."


def test_the_page_shows_each_worker_and_each_pool(artist: Actor, admin: Actor, browser_of: Any):
    machine = makers.drawing(makers.queued(artist, "a very private kiln"))
    idle, quiet = makers.worker("gpu@idle", "large"), makers.worker("gpu@quiet")
    silent(quiet, minutes=5)
    fleet.blame(machine.name, "out_of_memory: It did not fit.")
    makers.queued(artist)
    Generation.objects.filter(state="queued").update(created_at=Now() - timedelta(minutes=3))
    browser: Client = browser_of(admin)
    shown = " ".join(browser.get("/program/fleet").content.decode().replace("\xa0", " ").split())
    for words in (
        f"<strong>{machine}</strong>", "of Sketch since", "step 3 of 20", "warm: sketch", "20.0 GB of 80.0 GB free", "torch 2.13.0",
        "Last error", "It did not fit.", "silent for 5 minutes", "Pool large", "Idle", "3 minutes", machine.name,
    ):  # fmt: skip
        assert words in shown, words
    assert "kiln" not in shown

    browser.post(f"/program/fleet/{idle.pk.hex}/drain")
    shown = browser.get("/program/fleet").content.decode()
    assert f"drained by {admin.user}" in shown and '<span class="state hand">nobody</span>' in shown, "the large pool"
    assert "empty, it can be stopped" in shown
    browser.post(f"/program/fleet/{idle.pk.hex}/resume")
    assert "drained by" not in browser.get("/program/fleet").content.decode()
    browser.post(f"/program/fleet/{machine.pk.hex}/drain")
    assert "finishes its clip" in browser.get("/program/fleet").content.decode()
    told = [(entry.action, entry.actor_id) for entry in audit.of(idle)]
    assert told == [("worker.drained", admin.user.pk), ("worker.resumed", admin.user.pk)]


@pytest.mark.parametrize("who", ["artist", "reviewer"])
def test_the_page_drains_and_resumes_for_admins_alone(who: str, browser_of: Any, request: pytest.FixtureRequest):
    browser, machine = browser_of(request.getfixturevalue(who)), makers.worker()
    assert browser.get("/program/fleet").status_code == 403
    for act in ("drain", "resume"):
        assert browser.post(f"/program/fleet/{machine.pk.hex}/{act}").status_code == 403
    assert not audit.of(machine).exists() and Worker.objects.get().draining_since is None


def test_who_was_silent_for_seconds_is_not_silent_for_no_minutes(admin: Actor, artist: Actor, browser_of: Any):
    silent(makers.worker(), seconds=50)
    makers.queued(artist)
    shown = browser_of(admin).get("/program/fleet").content.decode()
    assert "silent for less than a minute" in shown and "<td>less than a minute</td>" in shown


def test_a_worker_tells_which_models_its_machine_has(settings: Any, tmp_path: Any):
    sketch = makers.sketch()
    machine = makers.worker("gpu@a")
    assert machine.holds == [sketch.pk]
    settings.SHIPPED_MODELS_DIR = settings.MODELS_DIR = tmp_path
    fleet.beat("gpu@a", ["default"])
    machine.refresh_from_db()
    assert machine.holds == []


def test_the_page_says_what_waits_for_files_that_no_machine_has(artist: Actor, admin: Actor, browser_of: Any):
    makers.queued(artist)
    words = "no machine has the files of sketch, and clips of it wait"
    browser: Client = browser_of(admin)

    def page() -> str:
        return browser.get("/program/fleet").content.decode()

    assert words not in page(), "nobody is here, and that is said"
    one, other = makers.worker(), makers.worker()
    Worker.objects.filter(pk=one.pk).update(holds=[])
    assert words not in page(), "the other one has them"
    Worker.objects.filter(pk=other.pk).update(holds=[])
    assert words in page()
    Worker.objects.filter(pk=one.pk).update(holds=None)
    assert words not in page(), "it has not told yet"


def test_without_workers_it_says_how_to_start_one(admin: Actor, browser_of: Any):
    assert "No worker is here." in browser_of(admin).get("/program/fleet").content.decode()
