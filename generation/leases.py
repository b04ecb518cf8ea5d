"""Holding a generation while it is drawn: the lease, what ends it early, and who sees to it that it ends.

A run hears at its next step that it must stop. What has no steps (reading a model, compiling, decoding, encoding)
hears nothing, and a run that hangs has no next step: a thread beside it looks twice a second, and in a worker's child
it ends the process, which the parent replaces. In any other process it only keeps the lease.
"""

import faulthandler
import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.sharedctypes import RawValue
from typing import Any, NoReturn

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F, Q
from django.db.models.functions import Now

from gateway import brakes, refusals, states
from gateway.actors import Actor
from gateway.models import Brake
from gateway.models.brakes import CREDENTIALS
from generation import endings, engines, fleet, scheduling
from generation.models import Generation

log = logging.getLogger(__name__)
PROGRESS_SECONDS = 0.25  # how often a step is written at most
LOOK_SECONDS = 0.5  # how often the thread looks at most
LOOK = """
select exists (select from generation_generation where id = %(id)s and fence = %(fence)s and state = 'in_progress'),
       braked(%(token)s, %(guest_pass)s, %(artist)s, %(cohort)s, %(model)s)
"""
STDERR = 2  # by its number: Celery puts something else in the place of sys.stderr
PATIENCE = 2.0  # for a run that was stopped and has no next step; five seconds are promised, a new process included

# Monotonic time at which this worker's process hands back what it draws; 0 while it stays. Made before Celery forks,
# so that the parent, who hears the signal, and the child, who holds the generation, read the same word.
_leaves_at = RawValue("d", 0.0)


# What this process draws, and what it keeps beside that.
_held: set["Lease"] = set()


class Lost(engines.Stopped):
    """The lease ran out, or the artist cancelled: nothing more may be written."""


class Braked(engines.Stopped):
    """A brake was pulled on what is being drawn."""

    def __init__(self, brake: Brake) -> None:
        super().__init__(str(brake))
        self.brake = brake


def leave(seconds: float) -> None:
    """This worker begins nothing more, and what it draws has so long to end before it goes back into the line."""
    _leaves_at.value = time.monotonic() + seconds


def leaving() -> bool:
    """Whether this worker was told to go."""
    return _leaves_at.value > 0


def brake_on(generation: Generation) -> Brake | None:
    """The brake in force that stops it, if there is one."""
    return Brake.objects.in_force().on(**generation.targets).order_by("id").first()


def obey(generation: Generation, brake: Brake, by: Actor) -> None:
    """Stop it: what a braked credential asked for is cancelled and its credits come back; all else waits in line."""
    mine = Q(fence=generation.fence)
    try:
        if brake.scope in CREDENTIALS:
            message = f"{brakes.sentence(brake)} Your credits are back."
            endings.give_up(
                generation,
                "cancelled",
                by=by,
                when=mine,
                error_code="braked",
                error_message=message[:500],
                facts={"brake": brake.pk},
            )
        else:
            _put_back(generation, by, {"brake": brake.pk})
    except refusals.WrongState:
        log.info("generation %s had ended before the brake", generation.pk)
    else:
        log.info("generation %s was stopped by brake %s", generation.pk, brake.pk)


def hand_back(generation: Generation, by: Actor) -> None:
    """Put it back into the line, now: who draws it goes. Not an attempt that failed; nothing was charged."""
    try:
        _put_back(generation, by, {"worker_left": by.name})
    except refusals.WrongState:
        log.info("generation %s had ended before its worker left", generation.pk)
    else:
        log.warning("generation %s was handed back: this worker leaves", generation.pk)


def _put_back(generation: Generation, by: Actor, facts: dict[str, Any]) -> None:
    changes = {"lease_until": None, "step": 0, "worker": "", "handed_back": F("handed_back") + 1}
    mine = Q(fence=generation.fence, state="in_progress")
    states.move(generation, "queued", by=by, when=mine, facts=facts, **changes)


class Lease:
    """One generation's lease: `step` writes progress and raises Lost or Braked; `keep` runs beside it.

    With `alone`, nothing but generations lives in this process: `keep` may end it, and hands the others back.
    """

    def __init__(self, generation: Generation, by: Actor, *, alone: bool) -> None:
        self.generation, self.by, self.alone = generation, by, alone
        self.lost = threading.Event()
        self.stop = threading.Event()
        self.brake: Brake | None = None
        self.wrote = 0.0
        self.renewed = self.got_on = time.monotonic()
        self.good_until = self.renewed + settings.LEASE_SECONDS
        self.hears = False  # whether it is between two steps of denoising, or kept beside the next clip
        self.unheard_since: float | None = None
        self.thread = threading.Thread(target=self.keep, name="lease", daemon=True)

    def let_go(self) -> None:
        """Renew it no more."""
        self.stop.set()
        self.thread.join()
        _held.discard(self)
        if self.alone and not _held:
            faulthandler.cancel_dump_traceback_later()

    @property
    def _mine(self) -> Any:
        return Generation.objects.filter(pk=self.generation.pk, fence=self.generation.fence, state="in_progress")

    def step(self, done: int, total: int) -> None:
        """`done` of `total` steps are drawn. Raises Lost, Braked."""
        self.gets_on()
        self.hears = done < total
        if time.monotonic() - self.wrote >= PROGRESS_SECONDS or done == total:
            self.wrote = time.monotonic()
            self._ask(lambda: bool(self._mine.update(step=min(done, self.generation.steps))))
        self.must_go_on()

    def gets_on(self) -> None:
        """Something was done: it does not hang."""
        self.got_on = time.monotonic()
        if self.alone:  # should one call hold the interpreter and stop `keep` too, this needs none
            faulthandler.dump_traceback_later(settings.STALL_SECONDS * 1.5, exit=True, file=STDERR)

    def must_go_on(self) -> None:
        """Raises Lost when the lease is gone, Braked when a brake was pulled meanwhile."""
        self._look()
        if self.lost.is_set():
            raise Lost
        if self.brake is not None:
            raise Braked(self.brake)

    def keep(self) -> None:
        """Renew it, and see to it that what must stop does; until `stop` is set."""
        beat = settings.LEASE_SECONDS / 6
        while not self.stop.wait(min(LOOK_SECONDS, beat) if self.alone else beat):
            if time.monotonic() - self.renewed >= beat:
                self.renewed = time.monotonic()
                self._ask(lambda: scheduling.renew(self.generation))
                _quietly(lambda: fleet.describe(self.by.name))
            self._look()
            if self.alone:
                self._end_what_must()
        connection.close()

    def _end_what_must(self) -> None:
        now = time.monotonic()
        if 0 < _leaves_at.value <= now:
            self._end(lambda: hand_back(self.generation, self.by), "its worker leaves")
        if now - self.got_on > settings.STALL_SECONDS:
            faulthandler.dump_traceback(file=STDERR)
            self._end(self._give_up_hanging, f"nothing moved for {settings.STALL_SECONDS} s")
        if (self.lost.is_set() or self.brake is not None) and not self.hears:
            self.unheard_since = self.unheard_since or now
            if now - self.unheard_since > PATIENCE:
                self._end(self._obey_if_braked, "it was stopped, and did not hear it")
        else:
            self.unheard_since = None

    def _obey_if_braked(self) -> None:
        if self.brake is not None:
            obey(self.generation, self.brake, self.by)

    def _give_up_hanging(self) -> None:
        """The sweep need not wait for the lease: it counts as an attempt, for it may hang again."""
        self._mine.update(lease_until=Now())
        fleet.blame(self.by.name, f"Nothing moved for {settings.STALL_SECONDS} s while it drew {self.generation.pk}.")

    def _end(self, last: Callable[[], None], why: str) -> NoReturn:
        log.error("generation %s, attempt %s: %s; the process ends", self.generation.pk, self.generation.fence, why)
        _quietly(last)
        for other in _held - {self}:
            _quietly(partial(hand_back, other.generation, other.by))
        logging.shutdown()
        os._exit(1)

    def _look(self) -> None:
        """Ask in one statement, since it is asked at each step: is the row still ours, is a brake on it?"""

        def mine() -> bool:
            with connection.cursor() as cursor:
                cursor.execute(
                    LOOK, {**self.generation.targets, "id": self.generation.pk, "fence": self.generation.fence}
                )
                ours, braked = cursor.fetchone()
            self.brake = brake_on(self.generation) if braked else None
            return bool(ours)

        self._ask(mine)

    def _ask(self, question: Callable[[], bool]) -> None:
        """Ask the row. A database that is away for a moment costs nothing while the lease is good."""
        try:
            if not question():
                self.lost.set()
            self.good_until = time.monotonic() + settings.LEASE_SECONDS * 5 / 6
        except (DatabaseError, InterfaceError):
            connection.close()
            if time.monotonic() > self.good_until:
                self.lost.set()


def hold(generation: Generation, by: Actor, *, alone: bool) -> Lease:
    """Hold its lease until `let_go`."""
    lease = Lease(generation, by, alone=alone)
    _held.add(lease)
    lease.gets_on()
    lease.thread.start()
    return lease


def _quietly(act: Callable[[], None]) -> None:
    try:
        act()
    except (DatabaseError, InterfaceError) as error:
        log.warning("not written: %s", error)
        connection.close()
