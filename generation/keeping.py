"""From drawn pictures to a completed generation: encode, store, and finish in one transaction.

In a worker's child this is done in a thread beside the next clip, which on a GPU leaves the processor idle. One deep:
who has drawn the next one waits for the one before. Each generation keeps a lease of its own to its very end.
"""

import contextvars
import logging
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils.module_loading import import_string

from gateway import allowances, refusals, states
from gateway.actors import Actor
from generation import endings, engines, media
from generation.leases import Lease, Lost
from generation.models import Generation, Output

log = logging.getLogger(__name__)

_beside: threading.Thread | None = None


def beside(work: Callable[[], None]) -> None:
    """Do it in a thread, as soon as what was begun before is done. `work` raises nothing."""
    global _beside
    wait()
    # With the caller's context, so that its log lines name the generation.
    context = contextvars.copy_context()
    _beside = threading.Thread(target=lambda: context.run(_and_close, work), name="keeping")
    _beside.start()


def wait() -> None:
    """Until nothing is being kept beside."""
    if _beside is not None:
        _beside.join()


def _and_close(work: Callable[[], None]) -> None:
    try:
        work()
    finally:
        connection.close()


def keep(clip: engines.Clip, generation: Generation, lease: Lease, by: Actor) -> None:
    """Keep its files under this attempt's path, and finish. Raises Lost and Braked, and then keeps nothing."""
    outputs: list[Output] = []
    try:
        with tempfile.TemporaryDirectory(prefix="clip-") as folder:
            began = time.monotonic()
            files = _encode(clip, generation, Path(folder))
            encoded = time.monotonic()
            lease.gets_on()
            outputs += media.keep(generation, files)
            stages = {**clip.seconds, "encode": encoded - began, "store": time.monotonic() - encoded}
            timings = {stage: round(seconds, 3) for stage, seconds in stages.items()}
        lease.must_go_on()
        # What was said when it was asked for, and what came up in drawing it, each once.
        notes = list(dict.fromkeys([*generation.notes, *clip.notes]))
        _finish(generation, lease, outputs, {"notes": notes, "timings": timings}, by)
    except (OperationalError, InterfaceError, SystemExit):
        raise  # perhaps it was committed: rather a file too many than one that a row names and is gone
    except BaseException:
        media.discard(outputs)
        raise


def _encode(clip: engines.Clip, generation: Generation, folder: Path) -> dict[str, Any]:
    # By name: PyAV and Pillow belong to workers, and web processes import this module for its bell.
    encode = import_string("generation.media.encode.all_files")
    return encode(clip, folder, display=(generation.width, generation.height))


def _finish(generation: Generation, lease: Lease, outputs: list[Output], told: dict[str, Any], by: Actor) -> None:
    """One transaction: the state, the files' rows, the charge. Tried again while the database is away."""
    fence = generation.fence
    while True:
        try:
            with atomic():
                states.move(
                    generation,
                    "completed",
                    by=by,
                    when=Q(fence=fence),
                    ended_at=Now(),
                    lease_until=None,
                    step=generation.steps,
                    **told,
                )
                Output.objects.bulk_create(outputs)
                allowances.settle(generation.pk)
                endings.tell("video.completed", generation)
            return
        except refusals.WrongState:
            if (generation.state, generation.fence) == ("completed", fence):
                return  # by ourselves: it was committed, and the answer got lost
            raise Lost from None
        except (OperationalError, InterfaceError):
            if time.monotonic() > lease.good_until:
                raise
            log.warning("generation %s could not be finished yet", generation.pk, exc_info=True)
            connection.close()
            time.sleep(0.5)
