"""What a GPU worker's processes do beside their task: the parent says that it is there, and that it goes.

The parent touches no GPU: it writes its name, its pools and the time, never what an engine says.
"""

import logging
from collections.abc import Callable
from typing import Any

from celery import Celery, signals
from django.conf import settings
from django.db import DatabaseError, close_old_connections

from generation import fleet, keeping, leases

log = logging.getLogger(__name__)
QUEUE = "gpu."
REAP_SECONDS = 0.5  # how soon a child that ended is replaced


def pools(app: Celery) -> list[str]:
    """The pools that this process serves, from the queues that it was started with; none in any other process."""
    return [name.removeprefix(QUEUE) for name in app.amqp.queues.consume_from if name.startswith(QUEUE)]


@signals.worker_ready.connect
def _starts(sender: Any, **_: Any) -> None:
    if served := pools(sender.app):
        if sender.hub is not None:
            # Celery hears of a child's end a moment before it can be reaped, and then looks every five seconds only.
            sender.hub.call_repeatedly(REAP_SECONDS, sender.pool.maintain_pool)
        _write(lambda: fleet.register(sender.hostname, served))


@signals.heartbeat_sent.connect
def _lives(sender: Any, **_: Any) -> None:
    if served := pools(sender.eventer.app):
        _write(lambda: fleet.beat(sender.eventer.hostname, served))


@signals.worker_shutting_down.connect
def _is_told_to_go(**_: Any) -> None:
    # In the parent's signal handler, so it writes one word of shared memory and nothing else.
    leases.leave(settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT)


@signals.worker_process_shutdown.connect
def _child_goes(**_: Any) -> None:
    keeping.wait()


@signals.worker_shutdown.connect
def _goes(sender: Any, **_: Any) -> None:
    if pools(sender.app):
        _write(lambda: fleet.gone(sender.hostname))


def _write(act: Callable[[], None]) -> None:
    try:
        close_old_connections()
        act()
    except DatabaseError as error:
        log.warning("the fleet page will not know: %s", error)
