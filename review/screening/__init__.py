"""What the program saw in a work by itself, for the reviewer. Signals inform, never decide.

This module only reads: pages import it. What measures is `screening.run`, which the chores worker alone imports.
"""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from django.db.models import Exists, OuterRef

from generation.models import Output
from review.models import Screening, Signal
from review.screening.sentences import sentence

State = Literal["waiting", "done", "incomplete"]


@dataclass(frozen=True, slots=True)
class Seen:
    """One signal as a reviewer reads it."""

    kind: str
    raised: bool
    failed: bool
    words: str
    value: float | None
    limit: float | None
    at_seconds: float | None
    frames: list[int]
    evidence: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Screened:
    """All that was seen in one output. Until it is done, and where a part failed, silence means nothing."""

    state: State
    words: str
    signals: list[Seen] = field(default_factory=list)

    @property
    def raised(self) -> list[Seen]:
        """What is worth a look."""
        return [signal for signal in self.signals if signal.raised]

    def told(self) -> dict[str, Any]:
        """The same for programs."""
        return {
            "screening": {"status": self.state, "words": self.words},
            "signals": [asdict(signal) for signal in self.signals],
        }

    @property
    def spans(self) -> list[list[int]]:
        """Where in the prompt phrases stand, for `phrases.marked`."""
        return [span for signal in self.signals for span in signal.evidence.get("spans", [])]


def of(output: Output) -> Screened:
    """What was seen in this output, the weightiest kind first, each in a sentence with its frames."""
    return report(Screening.objects.filter(output=output).prefetch_related("signals").first())


def report(screening: Screening | None) -> Screened:
    """The same of a screening at hand, its signals prefetched where it is one of many."""
    if screening is None or screening.done_at is None:
        return Screened("waiting", "Not screened yet.")
    order = {kind: place for place, kind in enumerate(Signal.KINDS)}
    rows = sorted(screening.signals.all(), key=lambda row: (order[row.kind], row.pk))
    signals = [
        Seen(
            kind=row.kind,
            raised=row.raised,
            failed=row.failed,
            words=sentence(row),
            value=row.value,
            limit=row.limit,
            at_seconds=row.at_seconds,
            frames=row.frames,
            evidence=row.evidence,
        )
        for row in rows
    ]
    if screening.error:
        return Screened("incomplete", screening.error, signals)
    if any(signal.failed for signal in signals):
        return Screened("incomplete", "Not everything could be measured.", signals)
    count = sum(signal.raised for signal in signals)
    return Screened("done", f"{count} to look at." if count else "Nothing was seen that asks for a look.", signals)


def calm() -> Exists:
    """Of submissions: those whose current revision was screened to the end, and nothing was raised."""
    loud = Signal.objects.filter(screening=OuterRef("pk"), raised=True)
    failed = Signal.objects.filter(screening=OuterRef("pk"), failed=True)
    return Exists(
        Screening.objects.filter(
            ~Exists(loud), ~Exists(failed), output=OuterRef("current__output"), done_at__isnull=False, error=""
        )
    )
