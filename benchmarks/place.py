"""Where a benchmark that needs a database runs: services of its own, gone at its end."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import django

from gateway.services import cluster
from gateway.services.places import APP_ROLE, OWNER_ROLE


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
                "SECRET_KEY": "not a secret: this is a benchmark",
                **env,
            }
            django.setup()
            yield folder
