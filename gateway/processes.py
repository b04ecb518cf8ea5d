"""What Celery's processes do beside their tasks: they write pulses, and die with their parents."""

import ctypes
import logging
import signal
import sys
from typing import Any

from celery import signals
from celery.beat import PersistentScheduler
from django.db import DatabaseError, close_old_connections

from gateway import pulses

log = logging.getLogger(__name__)


def beat(kind: str, name: str) -> None:
    """Write this process's pulse; a database that is away is no reason to die."""
    try:
        close_old_connections()
        pulses.beat(kind, name)
    except DatabaseError as error:
        log.warning("no pulse: %s", error)


class PulsingScheduler(PersistentScheduler):
    """Celery's scheduler, which says at each turn that it lives."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        beat("scheduler", "scheduler")
        return super().tick(*args, **kwargs)

    def close(self) -> None:
        super().close()
        _stop("scheduler")


@signals.heartbeat_sent.connect
def _worker_lives(sender: Any, **_: Any) -> None:
    # Sent by the parent's timer every two seconds, also while its child draws.
    name = sender.eventer.hostname
    beat("gpu" if name.startswith("gpu") else "chores", name)


@signals.worker_shutdown.connect
def _worker_ends(sender: Any, **_: Any) -> None:
    _stop(sender.hostname)


def _stop(name: str) -> None:
    try:
        pulses.stop(name)
    except DatabaseError as error:
        log.warning("the pulse stays: %s", error)


@signals.worker_process_init.connect
def _child_dies_with_parent(**_: Any) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, prctl(2)
