"""Where a benchmark that needs a database runs: services of its own, gone at its end; and a worker, if it needs one."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django
from django.core.management import call_command
from django.db import connections

from gateway.services import cluster
from gateway.services.places import APP_ROLE, OWNER_ROLE
from tests.generation import faults


@contextmanager
def of_its_own(**env: str) -> Iterator[Path]:
    """A PostgreSQL and a Valkey for the length of the block, and Django set up on them, with `env` beside; no tables
    yet. Yields their folder.
    """
    with tempfile.TemporaryDirectory(prefix="bat-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the account that runs PostgreSQL passes through
        with cluster.temporary(folder) as places:
            os.environ |= {
                "DJANGO_SETTINGS_MODULE": "gateway.settings",
                "DATABASE_URL": places.database_url(APP_ROLE),
                "DATABASE_OWNER_URL": places.database_url(OWNER_ROLE),
                "REDIS_URL": places.redis_url(),
                "AS_OWNER": "1",
                "DATA_DIR": f"{folder}/gateway",
                "MEDIA_DIR": f"{folder}/media",
                "SECRET_KEY": "not a secret: this is a benchmark",
                **env,
            }
            django.setup()
            yield folder


@contextmanager
def with_a_worker(app: str) -> Iterator[None]:
    """The same with its tables, and a real GPU worker of this Celery application, under the application's own role."""
    one_thread = {"ENGINE_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with of_its_own(LEASE_SECONDS="30", LOG_LEVEL="WARNING", **one_thread) as folder:
        call_command("migrate", verbosity=0)
        env = {name: value for name, value in os.environ.items() if name != "AS_OWNER"}
        with (folder / "gpu.log").open("wb") as log:
            worker = subprocess.Popen(
                faults.command("gpu@bench", app), env=env, cwd=faults.ROOT, stdout=log, stderr=log
            )
        try:
            yield
        finally:
            worker.kill()
            worker.wait()
            connections.close_all()
