"""Real GPU workers for tests: Celery's parent and its child, under the application's own role, called by the real bell."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings as gateway_settings
from django.db import connection

from gateway import celery
from generation.models import Generation
from tests.generation.faults import command

QUEUE = "gpu.default"


class Workers:
    """Starts GPU workers by name, on the test's database; `end` kills those that are left."""

    def __init__(self, settings: Any) -> None:
        self.started: list[subprocess.Popen[bytes]] = []
        url = gateway_settings.DATABASE_URL.replace("/gateway?", f"/{connection.settings_dict['NAME']}?")
        kept = {name: value for name, value in os.environ.items() if name not in {"AS_OWNER", "DATABASE_OWNER_URL"}}
        self.env = {
            **kept,
            "DATABASE_URL": url,
            "MEDIA_DIR": str(settings.MEDIA_ROOT),
            "ENGINE_THREADS": "1",  # two workers on two cores would otherwise wait for each other's threads
            "LEASE_SECONDS": "2",
        }
        with celery.app.connection_for_write() as broker:
            broker.default_channel.queue_purge(QUEUE)  # bells of other tests

    def __call__(
        self, name: str, *, node: str = "gpu-{}@test", app: str = "gateway", log: Path | None = None, **env: str
    ) -> Any:
        out = log.open("wb") if log else None
        worker = subprocess.Popen(
            command(node.format(name), app),
            env=self.env | env,
            start_new_session=True,
            stdout=out,
            stderr=out,
        )
        self.started.append(worker)
        return worker

    def end(self) -> None:
        for worker in self.started:
            send(worker, signal.SIGKILL)
            worker.wait(timeout=20)
        connection.close()


def send(worker: subprocess.Popen[bytes], what: signal.Signals) -> None:
    """To the parent and to its child at once."""
    try:
        os.killpg(worker.pid, what)
    except ProcessLookupError:
        pass


def wait_for(what: Callable[[], object], seconds: float = 240) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it never came"
        time.sleep(0.05)


def now(generation: Generation) -> Generation:
    return Generation.objects.get(pk=generation.pk)
