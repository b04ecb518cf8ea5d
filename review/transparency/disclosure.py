"""What is told of a count, so that nobody is found in it. Pure functions; every number in a public report passes here.

1. A count of none is told. One below the threshold is only said to be below it. Any other is rounded to the nearest
   multiple of the threshold. Same count, same answer, so asking often averages nothing out.
2. Each event is in one count only. What adds counts up (all answers, a quarter, all time) adds what is told of each,
   never the exact ones: so no difference of two published figures says more than the figures themselves.
3. What cuts across other counts (late answers, second looks that agreed) has a number where the large ones of these
   could hold all of it, with room to spare: else a large part of a small whole would say how large the whole is. It is
   then told as the threshold “or more”.
4. Clauses have numbers where no refusal is in a small count, and the clauses with large counts could account for every
   refusal by themselves, with room to spare. Else only their names are told, and not even those where it is about few.
5. A median is told where some count of answers is not small, a 90th percentile where there are twice as many.
6. An amount is told when it is the sum of as many artists' as the threshold says, and none of them is so much above the
   others that the second largest could work it out: the p% rule, at 10 %.

Whether a count or a wait is told depends on what is told besides, never on what is not: silence says nothing either.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

ANSWERS = ("approved", "approved_by_default", "changes_requested", "rejected")
ACROSS = ("late", "second_agreed")  # of the answers
MONEY, TIME = 1000, 60  # amounts are rounded to ten units of a currency, test time to the hour
STEP = 600  # waits are rounded to ten minutes


@dataclass(frozen=True)
class Cell:
    """What is told of one count: it lies between `low` and `high` (None: no limit), and `value` stands for it."""

    value: int | None
    low: int
    high: int | None

    @classmethod
    def of(cls, count: int | None, threshold: int) -> "Cell":
        """What is told of `count`; of one that nobody counted, nothing."""
        if count is None:
            return UNKNOWN
        if count == 0:
            return NONE
        if count < threshold:
            return cls(None, 1, threshold - 1)
        value = (count + threshold // 2) // threshold * threshold
        return cls(value, max(threshold, value - threshold // 2), value + (threshold - 1) // 2)

    @classmethod
    def read(cls, told: dict[str, int | None]) -> "Cell":
        """Out of what was kept."""
        return cls(told["value"], told["from"] or 0, told["to"])

    @property
    def told(self) -> dict[str, int | None]:
        """As it is kept, and stands in JSON."""
        return {"value": self.value, "from": self.low, "to": self.high}

    @property
    def small(self) -> bool:
        """Whether it is only said to be below the threshold."""
        return self.value is None and self.low == 1

    def __add__(self, other: "Cell") -> "Cell":
        known = self.value is not None and other.value is not None
        high = self.high + other.high if self.high is not None and other.high is not None else None
        return Cell((self.value or 0) + (other.value or 0) if known else None, self.low + other.low, high)

    def __str__(self) -> str:
        if self.value is not None:
            return f"{self.value:,}"
        if self.high is None:
            return f"{self.low:,} or more" if self.low else "not counted"
        return f"fewer than {self.high + 1:,}" if self.low <= 1 else f"{self.low:,} to {self.high:,}"


NONE = Cell(0, 0, 0)
UNKNOWN = Cell(None, 0, None)


def total(cells: Iterable[Cell]) -> Cell:
    """What is told of all together, made of what is told of each."""
    return sum(cells, NONE)


def of(exact: dict[str, Any], threshold: int) -> dict[str, Any]:
    """What is told of a month's exact figures."""
    counts = {name: Cell.of(count, threshold) for name, count in exact["counts"].items()}
    answers = [counts[name] for name in ANSWERS]
    for name in ACROSS:
        if counts[name].low >= threshold and not _hides(answers, counts[name].low, threshold):
            counts[name] = Cell(None, threshold, None)
    return {
        "threshold": threshold,
        "counts": {name: cell.told for name, cell in counts.items()},
        "clauses": _clauses(exact["clauses"], [counts["changes_requested"], counts["rejected"]], threshold),
        "wait": _wait(exact["wait"], answers, threshold),
        "money": [_amount(row, threshold) for row in exact["money"]],
        "brakes": exact["brakes"],
    }


def _clauses(rows: list[dict[str, Any]], refusals: list[Cell], threshold: int) -> dict[str, Any]:
    """Of each clause that was named, how often, or only that it was, or nothing at all."""
    cells = [Cell.of(row["count"], threshold) for row in rows]
    least = sum(cell.low for cell in refusals)
    if least == 0:
        how = "none"
    elif least < threshold:
        how = "withheld"
    elif any(cell.small for cell in refusals) or not _hides(cells, least, threshold):
        how = "names"
    else:
        how = "numbers"
    named = [
        {"number": row["number"], "title": row["title"], "count": cell.told if how == "numbers" else None}
        for row, cell in zip(rows, cells, strict=True)
    ]
    return {"told": how, "named": named if how in ("names", "numbers") else []}


def _hides(parts: list[Cell], whole: int, threshold: int) -> bool:
    """Whether no small one of these is found by what they have in common, which is at least `whole`."""
    large = sum(cell.high or 0 for cell in parts if not cell.small)
    return not any(cell.small for cell in parts) or whole + threshold - 1 <= large


def _wait(exact: dict[str, float | None], answers: list[Cell], threshold: int) -> dict[str, int | None]:
    least = sum(cell.low for cell in answers)
    some = any(cell.low >= threshold for cell in answers)
    return {
        "median_seconds": _seconds(exact["median"]) if some else None,
        "p90_seconds": _seconds(exact["p90"]) if some and least >= 2 * threshold else None,
    }


def _seconds(exact: float | None) -> int | None:
    return None if exact is None else max(STEP, round(exact / STEP) * STEP)


def _amount(row: dict[str, Any], threshold: int) -> dict[str, Any]:
    """A sum of money or of test time, rounded, when it is many artists' and nobody's above all."""
    rest = row["cents"] - row["largest"] - row["second"]
    hidden = row["artists"] and (row["artists"] < threshold or rest * 10 < row["largest"])
    return {
        "what": row["what"],
        "currency": row["currency"],
        "cents": (UNKNOWN if hidden else _rounded(row["cents"], MONEY)).told,
        "minutes": (UNKNOWN if hidden else _rounded(row["minutes"], TIME)).told,
    }


def _rounded(exact: int, step: int) -> Cell:
    value = (exact + step // 2) // step * step
    return NONE if exact == 0 else Cell(value, max(1, value - step // 2), value + (step - 1) // 2)
