"""How long until a clip is there: what the last clips of its model took, and who stands before it.

1. A clip's seconds are its steps times the median of a step, and the median of all else (text, decoding, the file).
   Clips of the same size, frames and preset are asked; without any, all of the model, by pixels times frames.
2. Reading the model is added, as long as it took, unless a worker of the pool has it in memory.
3. What is being drawn is corrected by its own steps, the more of them are done.
4. The line is played through on the workers that live and are not drained, in the order of the claims, each clip on the
   first that is free and has the model's files. Where a model was never measured nothing is foretold, neither for its
   clips nor for what waits behind them on the same machine, and nothing where nobody draws: no figure is better than a
   false one.

Workers of different speed are not told apart, and of one that serves two pools each counts all its time.
"""

import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, partial
from statistics import median
from typing import Any
from uuid import UUID

from django.db import connection

from generation import fleet, scheduling
from generation.models import Generation, ModelProfile

LATELY = 50  # clips of a model that are asked
UNKNOWN = math.inf

MEASURED = """
select g.model_id, g.width, g.height, g.frames, g.preset, g.steps, g.timings::text,
       extract(epoch from g.ended_at - g.started_at)::float
  from unnest(%s::uuid[]) m(id)
 cross join lateral (
    select * from generation_generation g
     where g.model_id = m.id and g.state = 'completed' order by g.id desc limit %s
 ) g
"""

UNDER_WAY = """
select id, pool, model_id, width, height, frames, preset, steps, step, worker,
       extract(epoch from statement_timestamp() - started_at)::float
  from generation_generation where state = 'in_progress'
"""


@dataclass(frozen=True)
class Sample:
    """What one clip took: a step, all else, and reading the model (0: it was warm, or not told apart)."""

    kind: tuple[int, int, int, str]
    step: float
    rest: float
    load: float


@dataclass(frozen=True)
class Clip:
    """What a clip will take, as far as that is known; `load` where its model is in no memory."""

    step: float
    rest: float
    load: float
    steps: int

    def seconds(self, *, warm: bool) -> float:
        """From its claim to its file."""
        return self.step * self.steps + self.rest + (0.0 if warm else self.load)


@dataclass
class Outlook:
    """What is before a generation: its place in line if it has one and it is near enough, and the seconds until its
    clip is there, if that can be foretold; that it stands further back; that no machine has its model's files.
    """

    place: int | None = None
    seconds: float | None = None
    further: bool = False
    absent: bool = False


def outlooks(rows: Iterable[Generation]) -> dict[UUID, Outlook]:
    """The outlook of each of these that has not ended. As many statements for a long line as for a short one."""
    asked = [row for row in rows if not row.ended]
    if not asked:
        return {}
    slugs = dict(ModelProfile.objects.values_list("pk", "slug"))
    workers = fleet.living()
    found = {row.pk: Outlook() for row in asked}
    lines = {}
    for pool in sorted({row.pool for row in asked if row.state == "queued"}):
        wanted = [row for row in asked if row.state == "queued" and row.pool == pool]
        absent = fleet.absent(pool, workers, slugs)
        lines[pool], further = scheduling.line(pool, wanted, absent=absent)
        for row in wanted:
            found[row.pk].further, found[row.pk].absent = row.pk in further, row.model_id in absent
    running = _rows(UNDER_WAY, [])
    samples = _samples({place.model_id for line in lines.values() for place in line} | {row[2] for row in running})
    warm = {worker.name: set(fleet.warm(worker)) for worker in workers}
    seconds: dict[UUID, float] = {}
    drawing: dict[str, list[tuple[str, float]]] = {}
    for pk, pool, *kind, step, name, since in running:
        seconds[pk] = _remaining(_clip(samples, *kind), step, since, warm=slugs.get(kind[0]) in warm.get(name, ()))
        drawing.setdefault(pool, []).append((name, seconds[pk]))
    busy: dict[str, float] = {}
    for name, left in (one for ones in drawing.values() for one in ones):
        busy[name] = max(left, busy.get(name, 0.0))  # it may keep one clip's files beside the one that it draws
    for pool, line in lines.items():
        serving = fleet.claiming(pool, workers)
        free = {worker.name: busy.get(worker.name, 0.0) for worker in serving} or dict(drawing.get(pool, []))
        read = {pk for pk, slug in slugs.items() if any(slug in warm[worker.name] for worker in serving)}
        seconds |= _played(line, free, {worker.name: worker.holds for worker in serving}, read, samples)
        for nth, place in enumerate(line, start=1):
            if place.pk in found:
                found[place.pk].place = nth
    for pk, outlook in found.items():
        if math.isfinite(seconds.get(pk, UNKNOWN)):
            outlook.seconds = seconds[pk]
    return found


def _played(
    line: list[scheduling.Place],
    free: dict[str, float],
    holds: dict[str, list[UUID] | None],
    read: set[UUID],
    samples: dict[UUID, list[Sample]],
) -> dict[UUID, float]:
    """When each of `line` will be there: on machines that are `free` in so many seconds and have these models' files;
    those in `read` are in memory, and each other one once it was begun.
    """
    clip_of = cache(partial(_clip, samples))
    ends: dict[UUID, float] = {}
    for place in line:
        clip = clip_of(place.model_id, place.width, place.height, place.frames, place.preset, place.steps)
        able = [name for name in free if (has := holds.get(name)) is None or place.model_id in has]
        first = min(able, key=free.__getitem__, default=None)
        ends[place.pk] = UNKNOWN
        if first is not None:
            ends[place.pk] = free[first] = free[first] + clip.seconds(warm=place.model_id in read)
            read.add(place.model_id)
    return ends


def about(seconds: float) -> int:
    """Rounded as people tell it, so that a page does not change each second: 7, 35, 240."""
    grain = 1 if seconds < 10 else 5 if seconds < 90 else 30
    return max(1, round(seconds / grain) * grain)


def _rows(statement: str, values: list[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def _samples(models: set[UUID]) -> dict[UUID, list[Sample]]:
    found: dict[UUID, list[Sample]] = {model: [] for model in models}
    for model, *kind, steps, timings, took in _rows(MEASURED, [list(models), LATELY]):
        told = json.loads(timings)
        load, denoise = told.get("load", 0.0), told.get("denoise")
        if denoise is None:  # its stages were not told apart
            step, rest = max(took - load, 0.0) / steps, 0.0
        else:
            step = denoise / steps
            rest = sum(told.values()) - load - denoise
        found[model].append(Sample(tuple(kind), step, rest, load))  # type: ignore[arg-type]
    return found


def _clip(samples: dict[UUID, list[Sample]], model: UUID, *kind_and_steps: Any) -> Clip:
    width, height, frames, preset, steps = kind_and_steps
    known = samples[model]
    if not known:
        return Clip(UNKNOWN, 0.0, 0.0, steps)
    volume = width * height * frames
    alike = [sample for sample in known if sample.kind == (width, height, frames, preset)]
    scales = [(1.0, each) for each in alike] or [(volume / math.prod(each.kind[:3]), each) for each in known]
    loads = [sample.load for sample in known if sample.load > 0]
    return Clip(
        step=median(scale * sample.step for scale, sample in scales),
        rest=median(scale * sample.rest for scale, sample in scales),
        load=median(loads) if loads else 0.0,
        steps=steps,
    )


def _remaining(clip: Clip, step: int, since: float, *, warm: bool) -> float:
    """Seconds until a clip is there of which so many steps are done, begun `since` seconds ago."""
    if step == 0:
        return max(clip.seconds(warm=warm) - since, 1.0)
    own = since / step if warm else max(since - clip.load, 0.0) / step
    known = math.isfinite(clip.step)
    weight = step / clip.steps if known else 1.0
    pace = weight * own + (1 - weight) * clip.step if known else own
    return max(pace * (clip.steps - step) + clip.rest, 1.0)
