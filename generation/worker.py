"""The GPU side: claim, draw, keep; and the sweep that takes over from the dead.

Every write carries the fence. A worker that lost its lease, or whose generation was cancelled, finds zero rows and
lets go; its files are thrown away and nothing is charged.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.module_loading import import_string

from gateway import actors, logs, refusals, states
from gateway.actors import Actor
from gateway.models import Brake
from generation import endings, engines, fleet, guests, keeping, leases, media, model_files, room, scheduling
from generation.leases import Braked, Lease, Lost, brake_on, obey
from generation.models import Generation, ModelProfile

log = logging.getLogger(__name__)


def look(pool: str, *, name: str, alone: bool = False) -> Generation | None:
    """Claim the next generation of `pool` and bring it to an end; None when nothing waits, or when this worker leaves.

    While the disk is nearly full it claims nothing: what waits keeps its place.
    Never raises for a generation that failed: its row says why and its credits went back. With `alone`, this process
    does nothing else and may be ended: see generation.leases.
    """
    if leases.leaving():
        return None
    if not room.enough():
        log.warning("nothing was claimed: less than %s MB are free for the works", settings.MIN_FREE_MB)
        return None
    generation = scheduling.claim(pool, worker=name, warm=_warm(), has=model_files.here())
    if generation is None:
        return None
    told = logs.subject.set(generation.pk)
    try:
        _bring_to_an_end(generation, name, alone=alone)
    finally:
        logs.subject.reset(told)
    return generation


def _bring_to_an_end(generation: Generation, name: str, *, alone: bool) -> None:
    by = actors.worker(name)
    began = time.monotonic()
    lease = leases.hold(generation, by, alone=alone)

    def keep(clip: engines.Clip) -> None:
        with _answered(generation, lease, by):
            keeping.keep(clip, generation, lease, by)
            lease.let_go()
            log.info("generation %s completed in %.1f s", generation.pk, time.monotonic() - began)
            fleet.finished(name)

    with _answered(generation, lease, by):
        clip = _draw(generation, lease, by)
        if alone:
            lease.hears = True  # at its end: what is drawn beside it is worth more than these seconds
            keeping.beside(lambda: keep(clip))
        else:
            keep(clip)
    fleet.describe(name)


@contextmanager
def _answered(generation: Generation, lease: Lease, by: Actor) -> Iterator[None]:
    """What ends the block early ends its lease, and is told in the generation's row and on the fleet page."""
    try:
        try:
            yield
        except BaseException:
            lease.let_go()
            raise
    except Braked as stopped:
        obey(generation, stopped.brake, by)
    except Lost:
        log.info("generation %s was let go: cancelled, or its lease was lost", generation.pk)
    except engines.EngineError as error:
        _fail(generation, by, error.code, str(error))
        fleet.blame(by.name, f"{error.code}: {error}")
    except SystemExit:  # Celery tells its child to end, and waits for nothing
        leases.hand_back(generation, by)
        raise
    except Exception as error:
        log.exception("generation %s failed", generation.pk)
        _fail(
            generation,
            by,
            "internal_error",
            "Something broke here while drawing. It is in the operator's log.",
        )
        fleet.blame(by.name, f"{type(error).__name__} while it drew {generation.pk}; its log says more.")


def sweep() -> set[str]:
    """Return what dead workers held to the queue, or fail it after ATTEMPTS; return the pools where something waits.

    What a braked credential has asked for is cancelled; what waits under any other brake keeps its place.
    What still waits at the moment that its artist set is cancelled, also what was begun before and put back.
    Whose artist has left the program is cancelled; a worker that draws it hears that at its next step.
    The lease in `when` is asked again by the UPDATE, so a worker that renews at this moment keeps its row.
    """
    _let_go()
    _expire()
    ran_out = Q(lease_until__lt=Now())
    for generation in Generation.objects.filter(ran_out, state="in_progress"):
        holder, silent_since = generation.worker, generation.lease_until
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
        fleet.blame(holder, f"It fell silent while it drew {generation.pk}.", unless_since=silent_since)
    for credential in ("token", "guest_pass"):
        braked = Brake.objects.in_force().filter(scope=credential).values("target")
        for generation in Generation.objects.filter(**{f"{credential}__in": braked}, state="queued"):
            if brake := brake_on(generation):
                obey(generation, brake, actors.SYSTEM)
    guests.stop_revoked()
    fleet.forget()
    return scheduling.pools()


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


def _expire() -> None:
    late = Q(state="queued", cancel_after__lte=Now())
    for generation in Generation.objects.filter(late).order_by("cancel_after")[:1000]:
        try:
            endings.give_up(
                generation,
                "cancelled",
                by=actors.SYSTEM,
                when=late,
                error_code="expired",
                error_message=f"No machine was free for it by {generation.cancel_after:%-d %B, %H:%M} UTC, as you had "
                "asked. Your credits are back.",
            )
        except refusals.WrongState:
            continue


def _draw(generation: Generation, lease: Lease, by: Actor) -> engines.Clip:
    """Have the engine make the clip; with what came up before it in its notes."""
    profile = generation.model
    image, cropped = _begins_from(generation, by)
    clip = engines.configured(profile.engine).run(
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
    lease.gets_on()
    return replace(clip, notes=(*cropped, *clip.notes))


def _begins_from(generation: Generation, by: Actor) -> tuple[Any, list[str]]:
    """Its picture at the size that is drawn, with what its artist should know of that; None without a picture."""
    if generation.picture is None:
        return None, []
    with media.open_for(by, "worker's input", generation.picture).file as file:
        size = generation.width // generation.model.upscale, generation.height // generation.model.upscale
        fitted = import_string("generation.media.fit.fitted")
        return fitted(file, size)  # type: ignore[no-any-return]


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


def _warm() -> list[Any]:
    slugs = engines.warm()
    return list(ModelProfile.objects.filter(slug__in=slugs).values_list("pk", flat=True)) if slugs else []
