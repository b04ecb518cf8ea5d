"""What was found, in the form in which it is kept; and what a classifier of the operator's is asked and may answer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from review.models import Screening, Signal

FRAMES = 24  # at most so many are named for one signal


@dataclass(frozen=True, slots=True)
class Finding:
    """One signal, not kept yet."""

    kind: str
    raised: bool = False
    failed: bool = False
    value: float | None = None
    limit: float | None = None
    at_seconds: float | None = None
    frames: Sequence[int] = ()
    evidence: dict[str, Any] = field(default_factory=dict)
    other: UUID | None = None

    def row(self, screening: Screening) -> Signal:
        """As the row that keeps it."""
        return Signal(
            screening=screening,
            kind=self.kind,
            raised=self.raised,
            failed=self.failed,
            value=self.value,
            limit=self.limit,
            at_seconds=self.at_seconds,
            frames=few(self.frames),
            evidence=self.evidence,
            other_id=self.other,
        )


@dataclass(frozen=True, slots=True)
class Clip:
    """What a classifier is told. It does not learn whose work it is."""

    output: UUID
    prompt: str
    model: str
    width: int
    height: int
    frames: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a classifier answers: a sentence for the reviewer, and whether it is worth a look. It decides nothing."""

    words: str
    raised: bool = False
    value: float | None = None
    limit: float | None = None
    at_seconds: float | None = None
    frames: Sequence[int] = ()


class Classifier(Protocol):
    """The operator's own check, named by SCREENING_CLASSIFIER as `package.module.function`.

    Called by the chores worker, once for each clip that is submitted, with the path of a copy of the file, which is
    gone afterwards, and what is known of the clip. It returns any number of opinions. Whatever it raises is recorded
    as a signal that failed, and the queue goes on without it; after two minutes it is interrupted.
    """

    def __call__(self, path: Path, clip: Clip) -> Iterable[Opinion]: ...


def few(frames: Sequence[int], most: int = FRAMES) -> list[int]:
    """At most so many of them, spread from the first to the last."""
    if len(frames) <= most:
        return [int(frame) for frame in frames]
    return [int(frames[round(place * (len(frames) - 1) / (most - 1))]) for place in range(most)]
