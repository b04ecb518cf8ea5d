"""Generations while everything under them dies: `python -m tests.generation.faults GENERATIONS WORKERS TICKS [walk]`.

A PostgreSQL and a Valkey of its own, real workers, the real engine on Sketch; with `walk` one that only takes its
time, so that a process is there again ten seconds sooner. Every two seconds (a tick) a process that
draws is killed by -9, each fourth time with its Celery parent; and in turn Valkey is flushed, Valkey is killed,
PostgreSQL is restarted, a worker is stopped past its lease and continued. After TICKS of these, or when all have
ended, the rest may end in peace. Prints what happened; exits 1 when a promise was broken.
"""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import django
from django.core.files.storage import default_storage
from django.db import DatabaseError, InterfaceError, connection

from gateway.services import cluster, postgres, valkey
from gateway.services.places import APP_ROLE, OWNER_ROLE, Places
from gateway.services.supervisor import Child, Running, Supervisor

ROOT = Path(__file__).resolve().parents[2]
TICK, LEASE = 2.0, 2
PATIENCE = 180.0  # for one more to end
AWAY = (DatabaseError, InterfaceError)


def environment(folder: Path, places: Places) -> dict[str, str]:
    return {
        "DJANGO_SETTINGS_MODULE": "gateway.settings",
        "DATABASE_URL": places.database_url(APP_ROLE),
        "DATABASE_OWNER_URL": places.database_url(OWNER_ROLE),
        "REDIS_URL": places.redis_url(),
        "DATA_DIR": str(folder / "gateway"),
        "MEDIA_DIR": str(folder / "media"),
        "SECRET_KEY": "not a secret: this is a test",
        "LEASE_SECONDS": str(LEASE),
        "ATTEMPTS": "5",
        "ENGINE_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        "LOG_LEVEL": "WARNING",
    }


def command(name: str, app: str) -> list[str]:
    """What starts a GPU worker of this name, of this Celery application."""
    celery = [sys.executable, "-m", "celery", "-A", app, "worker", "-Q", "gpu.default", "-P", "prefork"]
    return [*celery, "-c", "1", "-n", name, "-l", "ERROR"]


def worker(number: int, places: Places, env: dict[str, str], app: str = "tests.generation.preloaded") -> Child:
    return Child(
        name=f"gpu-{number}@test",
        argv=[*command(f"gpu-{number}@test", app), "--without-mingle"],
        log=places.logs / f"gpu-{number}.log",
        env=env,
        cwd=ROOT,
        stop_signal=signal.SIGKILL,
    )


class Faults:
    """What goes wrong, tick by tick."""

    def __init__(self, supervisor: Supervisor) -> None:
        self.supervisor = supervisor
        self.done: Counter[str] = Counter()
        self.paused: tuple[Running, float] | None = None

    def named(self, name: str) -> Running:
        return next(each for each in self.supervisor.everybody() if each.child.name == name)

    def tick(self, number: int, drawing: list[str]) -> None:
        """One kill, and one of the others."""
        (self.flush, self.kill_valkey, self.restart_postgres, self.pause)[number % 4](drawing)
        victims = [name for name in drawing if self.paused is None or name != self.paused[0].child.name]
        if victims:
            self.kill(self.named(victims[0]), whole=number % 4 == 3)

    def kill(self, victim: Running, *, whole: bool) -> None:
        """By -9: the process that draws, or that and its parent."""
        pids = children(victim.process.pid)
        victim.falls = 0  # it starts again at once, however often
        for pid in [*pids, victim.process.pid] if whole else pids:
            os.kill(pid, signal.SIGKILL)
        self.done["kill -9 of a worker" if whole else "kill -9 of the process that draws"] += 1

    def flush(self, _: list[str]) -> None:
        import redis

        redis.Redis.from_url(os.environ["REDIS_URL"]).flushall()
        self.done["Valkey flushed"] += 1

    def kill_valkey(self, _: list[str]) -> None:
        self._end(valkey.NAME, signal.SIGKILL, "Valkey killed and started")

    def restart_postgres(self, _: list[str]) -> None:
        self._end(postgres.NAME, signal.SIGINT, "PostgreSQL restarted")  # “fast”: it throws everybody out

    def _end(self, name: str, number: signal.Signals, what: str) -> None:
        self.named(name).falls = 0
        self.named(name).process.send_signal(number)
        self.done[what] += 1

    def pause(self, drawing: list[str]) -> None:
        if self.paused is None and drawing:
            self.paused = self.named(drawing[-1]), time.monotonic() + LEASE * 2
            os.killpg(self.paused[0].process.pid, signal.SIGSTOP)
            self.done["a worker stopped past its lease and continued"] += 1

    def wake(self, *, now: bool = False) -> None:
        """Continue who was stopped, when it is time."""
        if self.paused is not None and (now or time.monotonic() > self.paused[1]):
            os.killpg(self.paused[0].process.pid, signal.SIGCONT)
            self.paused = None


def children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def submit(count: int, *, walk: bool) -> None:
    from generation.models import ModelProfile
    from tests import makers
    from tests.generation import hanging

    artists = [makers.artist(credits=1000) for _ in range(4)]
    makers.sketch()
    if walk:
        ModelProfile.objects.update(engine="hanging")
    for number in range(count):
        asked = {"steps": 6, "seed": hanging.WALKING} if walk else {"steps": 3, "seed": number}
        makers.queued(artists[number % 4], seconds=1, **asked)


def quietly(ask: Callable[[], Any], otherwise: Any = None) -> Any:
    """The answer, or `otherwise` while the database is away."""
    try:
        return ask()
    except AWAY:
        connection.close()
        return otherwise


def play(supervisor: Supervisor, ticks: int) -> Counter[str]:
    """Sweep as the scheduler does, and let things go wrong, until every generation has ended."""
    from generation import tasks
    from generation.models import Generation

    faults = Faults(supervisor)
    under_way = Generation.objects.exclude(state__in=Generation.ENDED)
    number, next_tick, next_sweep = 0, time.monotonic(), 0.0
    left, before, until = -1, 0, 0.0
    while left := quietly(under_way.count, otherwise=left):
        if left != before:
            before, until = left, time.monotonic() + PATIENCE
        assert time.monotonic() < until, f"{left} do not end"
        supervisor.tend()
        faults.wake()
        drawing = quietly(
            lambda: list(under_way.filter(state="in_progress", step__gte=1).values_list("worker", flat=True)), []
        )
        if number < ticks and time.monotonic() > next_tick and drawing:
            faults.tick(number, drawing)
            number, next_tick = number + 1, time.monotonic() + TICK
        if time.monotonic() > next_sweep:
            quietly(tasks.sweep)
            next_sweep = time.monotonic() + 0.5
        time.sleep(0.02)
    faults.wake(now=True)
    return faults.done


def check() -> list[str]:
    """Every promise that was broken, in words."""
    from gateway import allowances
    from gateway.models import Allowance, LedgerEntry
    from generation.models import Generation, Output

    wrong = [f"allowance differs: {each}" for each in allowances.differences()]
    if Allowance.objects.exclude(held=0).exists():
        wrong.append("something is still held")
    for generation in Generation.objects.prefetch_related("outputs"):
        kinds = LedgerEntry.objects.filter(subject=generation.pk).exclude(kind="reserve").values_list("kind", flat=True)
        ends, outputs = list(kinds), list(generation.outputs.all())
        if ends != ["settle" if generation.state == "completed" else "give_back"]:
            wrong.append(f"{generation}: {generation.state}, and its credits: {ends}")
        if len(outputs) != (len(Output.KINDS) if generation.state == "completed" else 0):
            wrong.append(f"{generation}: {generation.state}, with {len(outputs)} files")
        for output in outputs:
            if not output.path.startswith(f"outputs/{generation.pk.hex}/{generation.fence}/"):
                wrong.append(f"{generation}: {output.path} is of another attempt")
            try:
                kept = default_storage.open(output.path).read()
            except OSError:
                wrong.append(f"{generation}: {output.path} is gone")
            else:
                if hashlib.sha256(kept).hexdigest() != output.sha256:
                    wrong.append(f"{generation}: {output.path} is not what its row says")
    return wrong


def report(done: Counter[str], seconds: float) -> None:
    from generation.models import Generation

    ended = Counter(Generation.objects.values_list("state", flat=True))
    attempts = sum(Generation.objects.values_list("fence", flat=True))
    print(f"{sum(ended.values())} generations in {seconds:.0f} s: {dict(ended)}, in {attempts} attempts.")
    failures = Counter(Generation.objects.filter(state="failed").values_list("error_code", flat=True))
    for what, times in [*done.items(), *((f"failed: {code}", times) for code, times in failures.items())]:
        print(f"  {times:4} × {what}")


def main(count: int, workers: int, ticks: int, *, walk: bool) -> int:
    app = "tests.generation.hanging" if walk else "tests.generation.preloaded"
    folder = Path(tempfile.mkdtemp(prefix="bat-faults-"))
    folder.chmod(0o755)  # the account that runs PostgreSQL passes through
    places = Places(folder / "data")
    try:
        places.prepare()
        with Supervisor(say=lambda line: None) as supervisor:
            supervisor.start(valkey.child(places), postgres.child(places, fsync=False))
            supervisor.wait(valkey.NAME, postgres.NAME)
            postgres.make_roles(places)
            os.environ.pop("AS_OWNER", None)
            os.environ.update(environment(folder, places))
            supervisor.start(*(worker(number, places, dict(os.environ), app) for number in range(workers)))
            migrate = [sys.executable, "manage.py", "migrate", "--noinput", "--verbosity", "0"]
            subprocess.run(migrate, cwd=ROOT, check=True)
            django.setup()
            began = time.monotonic()
            submit(count, walk=walk)
            done = play(supervisor, ticks)
            report(done, time.monotonic() - began)
            wrong = check()
            connection.close()
    finally:
        cluster.remove(places)
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(wrong) or "Every one ended, each was charged at most once, every file is its own.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:4]), walk="walk" in sys.argv[4:]))
