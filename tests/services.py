"""A pytest plugin, loaded before the settings are read: one PostgreSQL and one Valkey for the whole run.

With DATABASE_URL and REDIS_URL set, those are used. Under xdist the controller starts the services, its workers
inherit their addresses, and each has a database of its own in both: two that shared a queue heard each other's bells.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from gateway.services import cluster
from gateway.services.places import APP_ROLE, OWNER_ROLE

_stack = ExitStack()

# As many pytest processes as cores: with two threads of torch in each, two that draw at once take four times as long.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if "DATABASE_URL" not in os.environ:
    folder = Path(_stack.enter_context(tempfile.TemporaryDirectory(prefix="bat-tests-")))
    folder.chmod(0o755)  # the account that runs PostgreSQL passes through
    places = _stack.enter_context(cluster.temporary(folder, major=int(os.environ.get("PG", "18")), connections=400))
    os.environ |= {
        "DATABASE_URL": places.database_url(APP_ROLE),
        "DATABASE_OWNER_URL": places.database_url(OWNER_ROLE),
        "REDIS_URL": places.redis_url(),
        "AS_OWNER": "1",
        "DATA_DIR": str(folder / "gateway"),
        "SECRET_KEY": "not a secret: this is a test",
        "LEASE_SECONDS": "3",
    }

if worker := os.environ.get("PYTEST_XDIST_WORKER"):  # gw0, gw1 …; database 0 is the controller's
    os.environ["REDIS_URL"] = f"{os.environ['REDIS_URL'].partition('?')[0]}?db={int(worker.removeprefix('gw')) + 1}"


def pytest_unconfigure() -> None:
    """The services end with the run."""
    _stack.close()
