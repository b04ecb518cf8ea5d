"""How long until a clip is there: what the last clips of its model took, and who stands before it.

1. A clip's seconds are its steps times the median of a step, and the median of all else (text, decoding, the file).
   Clips of the same size, frames and preset are asked; without any, all of the model, by pixels times frames.
2. Reading the model is added unless a worker that lives has drawn with it lately.
3. What is being drawn is corrected by its own steps, the more of them are done.
4. The line is played through on the workers that live, in the order of the claims. Where a model was never measured
   nothing is foretold, neither for its clips nor for what waits behind them on the same machine: no figure is better
   than a false one.

Two workers of different speed, or with other models in memory, are told apart only by what they did lately.
"""

import heapq
import json
import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any
from uuid import UUID

from django.db import connection

from gateway import pulses
from generation import scheduling

LATELY = 50  # clips of a model that are asked
UNKNOWN = math.inf

MEASURED = """
select g.model_id, g.width, g.height, g.frames, g.preset, g.steps, g.worker, g.timings::text,
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
  from generation_generation where state = 'in_progress' and pool = any(%s)
"""


@dataclass(frozen=True)
class Sample:
    """What one clip took: a step, all else, and reading the model (0: it was warm, or not told apart)."""

    kind: tuple[int, int, int, str]
    worker: str
    step: float
    rest: float
    load: float


@dataclass(frozen=True)
class Clip:
    """What a clip will take, as far as that is known."""

    step: float
    rest: float
    load: float
    steps: int

    @property
    def seconds(self) -> float:
        """From its claim to its file."""
        return self.load + self.step * self.steps + self.rest


def left(pools: Iterable[str]) -> tuple[dict[UUID, int], dict[UUID, float]]:
    """Of all that waits or is drawn in these pools: each place in line, and the seconds until its clip is there.

    What can't be foretold has no seconds. As many statements for a long line as for a short one.
    """
    named = sorted(set(pools))
    if not named:
        return {}, {}
    waiting = scheduling.line(named)
    running = _rows(UNDER_WAY, [named])
    samples = _samples({row.model_id for row in waiting} | {row[2] for row in running})
    alive = set(pulses.live().filter(kind="gpu").values_list("name", flat=True))
    seconds: dict[UUID, float] = {}
    for pool in named:
        free = []
        for pk, _, *kind, steps, step, worker, since in (row for row in running if row[1] == pool):
            clip = _clip(samples, kind, steps, {worker})
            seconds[pk] = _remaining(clip, step, since)
            free.append(seconds[pk])
        # As many machines as live, and never fewer than are seen at work.
        free += [0.0] * (max(len(alive), 1) - len(free))
        heapq.heapify(free)
        for row in (row for row in waiting if row.pool == pool):
            kind = [row.model_id, row.width, row.height, row.frames, row.preset]
            seconds[row.pk] = heapq.heappop(free) + _clip(samples, kind, row.steps, alive).seconds
            heapq.heappush(free, seconds[row.pk])
    places = {row.pk: row.place for row in waiting}
    return places, {pk: each for pk, each in seconds.items() if math.isfinite(each)}


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
    for model, *kind, steps, worker, timings, took in _rows(MEASURED, [list(models), LATELY]):
        told = json.loads(timings)
        load, denoise = told.get("load", 0.0), told.get("denoise")
        if denoise is None:  # its stages were not told apart
            step, rest = max(took - load, 0.0) / steps, 0.0
        else:
            step = denoise / steps
            rest = sum(told.values()) - load - denoise
        found[model].append(Sample(tuple(kind), worker, step, rest, load))  # type: ignore[arg-type]
    return found


def _clip(samples: dict[UUID, list[Sample]], kind: list[Any], steps: int, workers: set[str]) -> Clip:
    model, width, height, frames, preset = kind
    known = samples[model]
    if not known:
        return Clip(UNKNOWN, 0.0, 0.0, steps)
    volume = width * height * frames
    alike = [sample for sample in known if sample.kind == (width, height, frames, preset)]
    scales = [(1.0, each) for each in alike] or [(volume / math.prod(each.kind[:3]), each) for each in known]
    warm = any(sample.worker in workers for sample in known)
    loads = [sample.load for sample in known if sample.load > 0]
    return Clip(
        step=median(scale * sample.step for scale, sample in scales),
        rest=median(scale * sample.rest for scale, sample in scales),
        load=median(loads) if loads and not warm else 0.0,
        steps=steps,
    )


def _remaining(clip: Clip, step: int, since: float) -> float:
    """Seconds until a clip is there of which so many steps are done, begun `since` seconds ago."""
    if step == 0:
        return max(clip.seconds - since, 1.0)
    own = max(since - clip.load, 0.0) / step
    known = math.isfinite(clip.step)
    weight = step / clip.steps if known else 1.0
    pace = weight * own + (1 - weight) * clip.step if known else own
    return max(pace * (clip.steps - step) + clip.rest, 1.0)
