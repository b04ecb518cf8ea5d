"""Celery's part: a bell, not an order. A message says "look at this pool" and names no generation."""

import logging

from celery import shared_task
from django.conf import settings
from kombu.exceptions import OperationalError

from generation import fleet, worker
from generation.media import orphans

log = logging.getLogger(__name__)


def ring(pool: str, *, expires: int = 3600) -> None:
    """Tell a worker of `pool` to look. A broker that is away loses nothing: the sweep rings again."""
    try:
        look.apply_async((pool,), queue=f"gpu.{pool}", expires=expires, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("no bell for pool %s: %s", pool, error)


@shared_task(name="generation.look", bind=True)
def look(self, pool: str) -> None:  # type: ignore[no-untyped-def]
    """Claim the next generation of `pool` and draw it."""
    worker.look(pool, name=self.request.hostname or "worker", alone=not self.request.is_eager)


@shared_task(name="generation.sweep")
def sweep() -> None:
    """Return what dead workers held, and ring where something waits, once for each that may be idle there.

    One bell would do for one that has every model: of several, who hears it may not have the files of what waits.
    """
    waiting = worker.sweep()
    workers = fleet.living()
    for pool in waiting:
        for _ in range(max(1, len(fleet.claiming(pool, workers)))):
            ring(pool, expires=2 * settings.SWEEP_SECONDS)


@shared_task(name="generation.clear")
def clear() -> None:
    """Throw away what no output names, a piece at a time."""
    orphans.sweep()
