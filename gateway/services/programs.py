"""The gateway's own processes, as children of the supervisor."""

import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from django.conf import settings

from gateway.services.places import Places
from gateway.services.supervisor import Child

WEB, GPU, CHORES, SCHEDULER = "web", "gpu", "chores", "scheduler"
NAMES = (WEB, GPU, CHORES, SCHEDULER)
CHORES_QUEUE = "chores"


def environment(places: Places, port: int, **more: str) -> dict[str, str]:
    """What each process is told: ours, with the data directory and the port made explicit."""
    ours = {
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "DATA_DIR": str(places.data_dir),
        "PORT": str(port),
        "PYTHONUNBUFFERED": "1",
    }
    return {**os.environ, **ours, **more}


def manage(
    places: Places, root: Path, name: str, *arguments: str, env: Mapping[str, str], log: str = "setup.log"
) -> Child:
    """One `manage.py` command, run to its end."""
    return Child(
        name=name,
        argv=[sys.executable, root / "manage.py", *arguments],
        log=places.logs / log,
        env=env,
        cwd=root,
    )


def serving(host: str, port: int, application: str = "gateway.wsgi:application") -> list[str]:
    """The command line of granian, as large as WEB_THREADS says."""
    options = {
        "--interface": "wsgi",
        "--host": host,
        "--port": str(port),
        "--workers": str(settings.WEB_PROCESSES),
        "--blocking-threads": str(settings.THREADS_EACH),
        "--workers-kill-timeout": "5",
    }
    return [sys.executable, "-m", "granian", *_flat(options), "--no-ws", application]


def web(places: Places, root: Path, host: str, port: int) -> Child:
    """Pages and the API."""
    return Child(
        name=WEB,
        argv=serving(host, port),
        log=places.logs / "web.log",
        env=environment(places, port, WEB="1"),
        cwd=root,
        stop_timeout=10.0,
    )


def gpu(places: Places, root: Path, port: int, pools: Sequence[str], shutdown: float) -> Child:
    """The worker that draws: one child, one generation at a time, of these pools; `shutdown` seconds to end it in."""
    # Told to go, it finishes the clip in that time or hands it back, and ends at once when it has.
    # Without a GPU it would take every core: pages and clients go first.
    queues = ",".join(f"gpu.{pool}" for pool in pools)
    return _worker(
        places,
        root,
        port,
        GPU,
        queues,
        stop_signal=signal.SIGTERM,
        stop_timeout=shutdown + 5,
        before=("nice", "-n", "10"),
    )


def chores(places: Places, root: Path, port: int) -> Child:
    """The worker for everything else, so that mail never waits behind a clip."""
    return _worker(places, root, port, CHORES, CHORES_QUEUE, stop_signal=signal.SIGTERM, stop_timeout=10.0)


def scheduler(places: Places, root: Path, port: int) -> Child:
    """Celery beat, which rings the chores at their times."""
    return Child(
        name=SCHEDULER,
        # Its memory is a pickle: not in the folder of the sockets, which another account may write.
        argv=[*_celery("beat"), "--schedule", places.schedule, "--pidfile", "", "--loglevel", "INFO"],
        log=places.logs / "scheduler.log",
        env=environment(places, port),
        cwd=root,
        stop_timeout=5.0,
    )


def _worker(
    places: Places,
    root: Path,
    port: int,
    name: str,
    queue: str,
    *,
    stop_signal: int,
    stop_timeout: float,
    before: tuple[str, ...] = (),
) -> Child:
    options = {
        "--queues": queue,
        "--hostname": f"{name}@%h",
        "--pool": "prefork",
        "--concurrency": "1",
        "--loglevel": "INFO",
    }
    return Child(
        name=name,
        argv=[*before, *_celery("worker"), *_flat(options), "--without-gossip", "--without-mingle"],
        log=places.logs / f"{name}.log",
        env=environment(places, port),
        cwd=root,
        stop_signal=stop_signal,
        stop_timeout=stop_timeout,
    )


def _celery(command: str) -> list[str]:
    return [sys.executable, "-m", "celery", "--app", "gateway", command]


def _flat(options: Mapping[str, str]) -> list[str]:
    return [word for pair in options.items() for word in pair]
