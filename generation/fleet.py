"""The machines that draw: who is there, what they have warm, what went wrong, what waits; and to let one run empty.

A worker's parent process registers it and keeps `seen_at` fresh; what its engines say, the child that runs them writes.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, F, Min, Q, Value
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils import timezone
from django.utils.timesince import timesince

from gateway import audit, pulses
from gateway.actors import Actor
from generation import engines, model_files
from generation.models import Generation, ModelProfile, Worker

FORGOTTEN = timedelta(days=1)  # a worker that fell silent and never came back


def register(name: str, pools: Collection[str]) -> None:
    """A worker has started. One that an admin drains stays drained, and its last error stays, however it went."""
    fresh = {"pools": sorted(pools), "engines": {}, "holds": model_files.here(), "started_at": Now(), "seen_at": Now()}
    Worker.objects.update_or_create(name=name, defaults=fresh)


def beat(name: str, pools: Collection[str]) -> None:
    """It lives, and has these models' files. One without a row is registered now: when it started, the database
    was away.
    """
    if not Worker.objects.filter(name=name).update(seen_at=Now(), holds=model_files.here()):
        register(name, pools)


def gone(name: str) -> None:
    """It has ended in good order."""
    Worker.objects.filter(name=name).delete()


def describe(name: str) -> None:
    """Write down what the engines in this process say of themselves."""
    if told := engines.describe():
        Worker.objects.filter(name=name).update(engines=told)


def blame(name: str, error: str, *, unless_since: datetime | None = None) -> None:
    """Its last error, for admins: no prompt stands in it. With `unless_since`, only if it has told none since then."""
    worker = Worker.objects.filter(name=name)
    if unless_since is not None:
        worker = worker.filter(Q(failed_at__isnull=True) | Q(failed_at__lt=unless_since))
    worker.update(last_error=error[:500], failed_at=Now())


def finished(name: str) -> None:
    """It has finished a clip."""
    Worker.objects.filter(name=name).update(done=F("done") + 1)


def forget() -> None:
    """Remove the rows of workers that fell silent long ago and never came back."""
    Worker.objects.filter(seen_at__lt=Now() - FORGOTTEN).delete()


def drain(worker: Worker, *, by: Actor) -> None:
    """It finishes what it draws and claims nothing more, until `resume`. Raises AdminsOnly."""
    admin = by.must_be_admin()
    staying = Worker.objects.filter(pk=worker.pk, draining_since__isnull=True)
    with atomic():
        if staying.update(draining_since=Now(), draining_by=admin):
            audit.record("worker.drained", by=by, subject=worker, facts={"worker": worker.name})
    worker.refresh_from_db()


def resume(worker: Worker, *, by: Actor) -> None:
    """It claims again; the sweep's next bell tells it. Raises AdminsOnly."""
    by.must_be_admin()
    draining = Worker.objects.filter(pk=worker.pk, draining_since__isnull=False)
    with atomic():
        if draining.update(draining_since=None, draining_by=None):
            audit.record("worker.resumed", by=by, subject=worker, facts={"worker": worker.name})
    worker.refresh_from_db()


def since(moment: datetime) -> str:
    """How long ago that was, as people tell it."""
    return "less than a minute" if timezone.now() - moment < timedelta(minutes=1) else timesince(moment)


def living() -> list[Worker]:
    """The workers seen lately, drained ones too."""
    return list(Worker.objects.filter(seen_at__gt=Now() - pulses.FRESH).order_by("name"))


def claiming(pool: str, workers: Collection[Worker]) -> list[Worker]:
    """Those of `workers` that claim from `pool`: it is theirs, and no admin drains them."""
    return [worker for worker in workers if pool in worker.pools and worker.draining_since is None]


def absent(pool: str, workers: Collection[Worker], models: Collection[UUID]) -> set[UUID]:
    """Which of these models nobody of `workers` in `pool` has the files of. Without a worker there is no telling, nor
    with one that has not told.
    """
    serving = [worker for worker in workers if pool in worker.pools]
    if not serving or any(worker.holds is None for worker in serving):
        return set()
    return set(models).difference(*(worker.holds or [] for worker in serving))


def warm(worker: Worker) -> list[str]:
    """The models in its memory, by slug."""
    return list(dict.fromkeys(slug for told in worker.engines.values() for slug in told.get("warm", [])))


@dataclass
class Machine:
    """A worker, as the fleet page shows it."""

    worker: Worker
    drawing: Generation | None = None

    @property
    def silent(self) -> bool:
        """Not heard of lately: it died without a word, or can't reach the database."""
        return self.worker.seen_at < timezone.now() - pulses.FRESH

    @property
    def silence(self) -> str:
        """For how long, as people tell it."""
        return since(self.worker.seen_at)

    @property
    def warm(self) -> list[str]:
        """The models in its memory, by slug."""
        return warm(self.worker)


@dataclass
class Line:
    """A pool: what waits in it, since when, what is being drawn, and by whom that lives and claims."""

    pool: str
    waiting: int = 0
    oldest: datetime | None = None
    drawn: int = 0
    workers: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)  # models that wait here and whose files no machine has

    @property
    def waits(self) -> str:
        """How long the oldest has been waiting, as people tell it."""
        return since(self.oldest) if self.oldest else ""


def machines() -> list[Machine]:
    """Every worker that we know of, by name, with what it draws."""
    drawn = {
        generation.worker: generation
        for generation in Generation.objects.filter(state="in_progress").select_related("model").order_by("id")
    }
    workers = Worker.objects.select_related("draining_by").order_by("name")
    return [Machine(worker, drawn.get(worker.name)) for worker in workers]


def lines(found: list[Machine]) -> list[Line]:
    """Every pool in which something waits or is drawn, or that one of these machines serves."""
    rows = (
        Generation.objects.filter(state__in=["queued", "in_progress"])
        .order_by()
        .values("pool")
        .annotate(
            waiting=Count("pk", filter=Q(state="queued")),
            oldest=Min("created_at", filter=Q(state="queued")),
            drawn=Count("pk", filter=Q(state="in_progress")),
            absent=ArrayAgg("model_id", filter=Q(state="queued"), distinct=True, default=Value([])),
        )
    )
    pools = {}
    slugs = dict(ModelProfile.objects.values_list("pk", "slug"))
    workers = [machine.worker for machine in found if not machine.silent]
    for row in rows:
        row["absent"] = sorted(slugs[pk] for pk in absent(row["pool"], workers, row["absent"]))
        pools[row["pool"]] = Line(**row)
    for machine in found:
        for pool in machine.worker.pools:
            pools.setdefault(pool, Line(pool))
    for line in pools.values():
        line.workers = [worker.name for worker in claiming(line.pool, workers)]
    return sorted(pools.values(), key=lambda line: line.pool)
