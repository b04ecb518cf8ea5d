"""Whether a work is like one that was submitted before it.

Compared are works that were submitted, and only those: a private work has been seen by nobody but its artist, so it
can't have been copied, and what nobody submitted is nobody's business here. An artist's own earlier works count too,
for a refused work comes back sometimes with a few pixels changed; the earlier revisions of the same submission do not.
What is told never says whose the other work is, only whether it is the same artist's.
"""

from functools import reduce
from itertools import combinations
from operator import or_
from uuid import UUID

import numpy as np
from django.db import connection
from django.db.models import Q
from django.db.transaction import atomic

from generation.models import Output
from review.models import Fingerprint, Revision
from review.screening import hashes
from review.screening.findings import Finding

MOMENTS, GRID = len(hashes.MOMENTS), hashes.GRID


def find(output: Output, pictures: list[np.ndarray], frames: list[int], seconds: list[float]) -> Finding:
    """The earlier submitted work that this one is most like, if any is so near that it may be called a copy."""
    question = hashes.asked(pictures)
    near = alike(question) if question is not None else {}
    earlier = _earlier(output, near)
    if question is None or not earlier:
        return Finding("near_copy", limit=hashes.LIMIT)
    nearest = min(earlier, key=lambda pk: near[pk])
    own = earlier[nearest] == output.generation.membership.user_id
    compared = [seconds[moment] for moment in question.moments]
    return Finding(
        "near_copy",
        raised=True,
        value=round(near[nearest], 2),
        limit=hashes.LIMIT,
        at_seconds=compared[0],
        frames=[frames[moment] for moment in question.moments],
        evidence={"whose": "same" if own else "another", "seconds": compared},
        other=nearest,
    )


def keep(output: Output, pictures: list[np.ndarray]) -> None:
    """Keep this work's print, for what is submitted after it."""
    kept = hashes.kept(pictures)
    if kept is not None:
        figures = {"hashes": kept.hashes.tobytes(), "colours": kept.colours.tobytes(), "bands": kept.bands}
        Fingerprint.objects.update_or_create(output=output, defaults={"version": hashes.VERSION, **figures})


def alike(question: hashes.Question) -> dict[UUID, float]:
    """Every kept work whose colours lie within the limit, with how far they are."""
    prints = Fingerprint.objects.filter(version=hashes.VERSION)
    with atomic(), connection.cursor() as cursor:
        # It takes the index to give ten times what it gives, and would rather read the whole table.
        cursor.execute("set local enable_seqscan = off")
        rows = list(prints.filter(meeting(question)).values_list("pk", "hashes"))
    if not rows:
        return {}
    kept = np.array([np.frombuffer(each, np.uint64) for _, each in rows]).reshape(len(rows), MOMENTS, -1)
    likely = [rows[n][0] for n in np.flatnonzero(hashes.likely(question, kept))]
    seen = list(prints.filter(pk__in=likely).values_list("pk", "colours"))
    if not seen:
        return {}
    colours = np.array([np.frombuffer(each, np.uint8) for _, each in seen])
    apart = hashes.distances(question, colours.reshape(len(seen), MOMENTS, GRID, GRID, 3))
    return {pk: float(far) for (pk, _), far in zip(seen, apart, strict=True) if far <= hashes.LIMIT}


def meeting(question: hashes.Question) -> Q:
    """Prints that share a part of a hash in two frames."""
    met = [Q(bands__overlap=bands) for bands in question.bands]
    return reduce(or_, (one & other for one, other in combinations(met, hashes.TWO)))


def _earlier(output: Output, near: dict[UUID, float]) -> dict[UUID, UUID]:
    """Those of them that could be the original, with whose they are: made before, and for another submission."""
    own = Revision.objects.filter(submission__revisions__output=output).values("output")
    outputs = Output.objects.filter(
        pk__in=near, created_at__lt=output.created_at, generation__membership__cohort__smoke=False
    )
    return dict(outputs.exclude(pk__in=own).values_list("pk", "generation__membership__user"))
