"""PostgreSQL and Valkey for as long as a `with` lasts: for tests and benchmarks."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.services import postgres, valkey
from gateway.services.places import SYSTEM, Places
from gateway.services.supervisor import Supervisor


@contextmanager
def temporary(path: Path, *, fsync: bool = False, major: int = 18, connections: int = 60) -> Iterator[Places]:
    """Both services on a data directory of their own under `path`; removed at the end, wherever it was."""
    places = Places(path / "data")
    try:
        places.prepare()
        with Supervisor(say=lambda line: None) as supervisor:
            supervisor.start(
                valkey.child(places), postgres.child(places, fsync=fsync, major=major, connections=connections)
            )
            supervisor.wait(valkey.NAME, postgres.NAME)
            postgres.make_roles(places)
            yield places
    finally:
        remove(places)


def remove(places: Places) -> None:
    """Remove the data directory, and what belongs to it in other folders."""
    run, home = places.run, places.home
    shutil.rmtree(places.data_dir, ignore_errors=True)
    for folder in (run, home):
        if folder.name.startswith("bat-") or folder.parent == SYSTEM:
            shutil.rmtree(folder, ignore_errors=True)
