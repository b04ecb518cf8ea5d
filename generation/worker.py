"""The GPU side: claim, draw, keep, finish; and the sweep that takes over from the dead.

Every write carries the fence. A worker that lost its lease, or whose generation was cancelled, finds zero rows and
lets go; its files are thrown away and nothing is charged.
"""

import logging
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError, connection
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils.module_loading import import_string

from gateway import actors, allowances, brakes, refusals, states
from gateway.actors import Actor
from gateway.models import Brake
from gateway.models.brakes import CREDENTIALS
from generation import endings, engines, guests, media, model_files, scheduling
from generation.models import Generation, ModelProfile, Output

log = logging.getLogger(__name__)
PROGRESS_SECONDS = 0.25  # how often a step is written at most


class Lost(engines.Stopped):
    """The lease ran out, or the artist cancelled: nothing more may be written."""


class Braked(engines.Stopped):
    """A brake was pulled on what is being drawn."""

    def __init__(self, brake: Brake) -> None:
        super().__init__(str(brake))
        self.brake = brake


def look(pool: str, *, name: str) -> Generation | None:
    """Claim the next generation of `pool` and bring it to an end; None when nothing waits.

    Never raises for a generation that failed: its row says why and its credits went back.
    """
    generation = scheduling.claim(pool, worker=name, warm=_warm())
    if generation is None:
        return None
    by = actors.worker(name)
    began = time.monotonic()
    try:
        with _lease(generation) as lease:
            _draw(generation, lease, by)
    except Braked as stopped:
        _obey(generation, stopped.brake, by)
    except Lost:
        log.info("generation %s was let go: cancelled, or its lease was lost", generation.pk)
    except engines.EngineError as error:
        _fail(generation, by, error.code, str(error))
    except Exception:
        log.exception("generation %s failed", generation.pk)
        _fail(
            generation,
            by,
            "internal_error",
            "Something broke here while drawing. It is in the operator's log.",
        )
    else:
        log.info("generation %s completed in %.1f s", generation.pk, time.monotonic() - began)
    return generation


def sweep() -> set[str]:
    """Return what dead workers held to the queue, or fail it after ATTEMPTS; return the pools where something waits.

    What a braked credential has asked for is cancelled; what waits under any other brake keeps its place.
    Whose artist has left the program is cancelled; a worker that draws it hears that at its next step.
    The lease in `when` is asked again by the UPDATE, so a worker that renews at this moment keeps its row.
    """
    _let_go()
    ran_out = Q(lease_until__lt=Now())
    for generation in Generation.objects.filter(ran_out, state="in_progress"):
        try:
            if generation.fence - generation.handed_back < settings.ATTEMPTS:
                states.move(generation, "queued", by=actors.SYSTEM, when=ran_out, lease_until=None, step=0, worker="")
            else:
                endings.give_up(
                    generation,
                    "failed",
                    by=actors.SYSTEM,
                    when=ran_out,
                    error_code="worker_lost",
                    error_message=f"The machine that drew it died {settings.ATTEMPTS} times. Your credits are back.",
                )
        except refusals.WrongState:
            continue
    for generation in Generation.objects.filter(_by_a_braked_credential(), state="queued"):
        brake = _brake_on(generation)
        if brake is not None:
            _obey(generation, brake, actors.SYSTEM)
    guests.stop_revoked()
    return set(Generation.objects.filter(state="queued").values_list("pool", flat=True).distinct())


def _let_go() -> None:
    for state in ("queued", "in_progress"):  # each has an index of its own
        for generation in Generation.objects.filter(state=state, membership__state="left"):
            try:
                endings.give_up(
                    generation,
                    "cancelled",
                    by=actors.SYSTEM,
                    when=Q(state=state),
                    error_code="membership_ended",
                    error_message="Your membership had ended.",
                )
            except refusals.WrongState:
                continue


class _Lease:
    """One generation's lease: a thread renews it; `step` writes progress and raises Lost when it is gone."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.lost = threading.Event()
        self.stop = threading.Event()
        self.good_until = time.monotonic() + settings.LEASE_SECONDS
        self.wrote = 0.0

    def renew_until_stopped(self) -> None:
        while not self.stop.wait(settings.LEASE_SECONDS / 6):
            self._ask(lambda: scheduling.renew(self.generation))
        connection.close()

    def step(self, done: int, total: int) -> None:
        mine = Generation.objects.filter(pk=self.generation.pk, fence=self.generation.fence, state="in_progress")
        if time.monotonic() - self.wrote >= PROGRESS_SECONDS or done == total:
            self.wrote = time.monotonic()
            self._ask(lambda: bool(mine.update(step=min(done, self.generation.steps))))
        else:
            self._ask(mine.exists)
        self.must_go_on()

    def must_go_on(self) -> None:
        """Raises Lost when the lease is gone, Braked when a brake was pulled meanwhile."""
        if self.lost.is_set():
            raise Lost
        try:
            brake = _brake_on(self.generation)
        except (DatabaseError, InterfaceError):  # asked again at the next step, and the lease has an end
            connection.close()
        else:
            if brake is not None:
                raise Braked(brake)

    def _ask(self, question: Any) -> None:
        """Ask the row. A database that is away for a moment costs nothing while the lease is good."""
        try:
            if not question():
                self.lost.set()
            self.good_until = time.monotonic() + settings.LEASE_SECONDS * 5 / 6
        except (DatabaseError, InterfaceError):
            connection.close()
            if time.monotonic() > self.good_until:
                self.lost.set()


@contextmanager
def _lease(generation: Generation) -> Iterator[_Lease]:
    lease = _Lease(generation)
    thread = threading.Thread(target=lease.renew_until_stopped, name="lease", daemon=True)
    thread.start()
    try:
        yield lease
    finally:
        lease.stop.set()
        thread.join()


def _draw(generation: Generation, lease: _Lease, by: Actor) -> None:
    """Make the clip, keep its files under this attempt's path, and finish in one transaction."""
    profile = generation.model
    image, cropped = _begins_from(generation, by)
    clip = _engine(profile).run(
        model_files.model_of(profile, generation.preset),
        engines.Request(
            id=str(generation.pk),
            prompt=generation.prompt,
            width=generation.width // profile.upscale,
            height=generation.height // profile.upscale,
            frames=generation.frames,
            fps=generation.fps,
            steps=generation.steps,
            guidance=generation.guidance,
            seed=generation.seed,
            image=image,
        ),
        lease.step,
    )
    outputs: list[Output] = []
    try:
        with tempfile.TemporaryDirectory(prefix="clip-") as folder:
            began = time.monotonic()
            files = _encode(clip, generation, Path(folder))
            encoded = time.monotonic()
            outputs += media.keep(generation, files)
            stages = {**clip.seconds, "encode": encoded - began, "store": time.monotonic() - encoded}
            timings = {stage: round(seconds, 3) for stage, seconds in stages.items()}
        lease.must_go_on()
        # What was said when it was asked for, and what came up in drawing it, each once.
        notes = list(dict.fromkeys([*generation.notes, *cropped, *clip.notes]))
        _finish(generation, lease, outputs, {"notes": notes, "timings": timings}, by)
    except (OperationalError, InterfaceError):
        raise  # perhaps it was committed: rather a file too many than one that a row names and is gone
    except BaseException:
        media.discard(outputs)
        raise


def _begins_from(generation: Generation, by: Actor) -> tuple[Any, list[str]]:
    """Its picture at the size that is drawn, with what its artist should know of that; None without a picture."""
    if generation.picture is None:
        return None, []
    with media.open_for(by, "worker's input", generation.picture).file as file:
        size = generation.width // generation.model.upscale, generation.height // generation.model.upscale
        fitted = import_string("generation.media.fit.fitted")
        return fitted(file, size)  # type: ignore[no-any-return]


def _encode(clip: engines.Clip, generation: Generation, folder: Path) -> dict[str, Any]:
    # By name: PyAV and Pillow belong to workers, and web processes import this module for its bell.
    encode = import_string("generation.media.encode.all_files")
    return encode(clip, folder, display=(generation.width, generation.height))


def _finish(generation: Generation, lease: _Lease, outputs: list[Output], told: dict[str, Any], by: Actor) -> None:
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


def _brake_on(generation: Generation) -> Brake | None:
    return Brake.objects.in_force().on(**generation.targets).order_by("id").first()


def _by_a_braked_credential() -> Exists:
    """Of a generation (the outer query): whether a brake is on the token or guest pass that asked for it."""
    asked = Brake.objects.in_force().on(token=OuterRef("token_id"), guest_pass=OuterRef("guest_pass_id"))
    return Exists(asked.exclude(scope="all"))


def _obey(generation: Generation, brake: Brake, by: Actor) -> None:
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
            changes = {"lease_until": None, "step": 0, "worker": "", "handed_back": F("handed_back") + 1}
            states.move(generation, "queued", by=by, when=mine, facts={"brake": brake.pk}, **changes)
    except refusals.WrongState:
        log.info("generation %s had ended before the brake", generation.pk)
    else:
        log.info("generation %s was stopped by brake %s", generation.pk, brake.pk)


def _fail(generation: Generation, by: Actor, code: str, message: str) -> None:
    try:
        endings.give_up(
            generation,
            "failed",
            by=by,
            when=Q(fence=generation.fence, state="in_progress"),
            error_code=code,
            error_message=f"{message} Your credits are back."[:500],
        )
    except refusals.WrongState:
        log.info("generation %s was let go before it failed", generation.pk)


def _engine(profile: ModelProfile) -> engines.Engine:
    return engines.find(profile.engine, threads=settings.ENGINE_THREADS or None, warm=settings.WARM_MODELS)


def _warm() -> list[Any]:
    slugs = engines.warm()
    return list(ModelProfile.objects.filter(slug__in=slugs).values_list("pk", flat=True)) if slugs else []
