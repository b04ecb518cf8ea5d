"""What a refusal owes its artist: clauses of the policy, the facts, the place, and a letter that says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from gateway import refusals
from review import policy
from review.models import Clause, Decision

FOREVER = 86_400  # seconds; a clip is shorter
APPEAL_DAYS = 182  # the least that six months can be; the database counts the months themselves

AFTER = {
    "request_changes": "You can send a new version, or withdraw it.",
    "reject": "It stays yours: you can keep and download it.",
    "take_down": "It stays yours: you can keep and download it, and its public page says that it was taken down.",
}
ASKS = {
    "request_changes": "We ask for a change",
    "reject": "We can't approve it",
    "take_down": "We have taken it down",
}
SUBJECTS = {
    "request_changes": "a change is asked for",
    "reject": "not approved",
    "take_down": "taken down",
}


@dataclass(frozen=True)
class Reasons:
    """What a refusal owes: clauses of the policy, the facts, and the place: seconds into the clip, or a region."""

    clauses: Sequence[UUID] = ()
    facts: str = ""
    from_seconds: float | None = None
    to_seconds: float | None = None
    region: str = ""

    def must_be_whole(self, length: float) -> None:
        """For a clip of `length` seconds. Raises ReasonsMissing that names each missing one, UnknownClause."""
        missing = [
            name
            for name, there in (
                ("a clause of the policy", bool(self.clauses)),
                ("the facts", bool(self.facts.strip())),
                ("the place in the clip", self.from_seconds is not None or bool(self.region.strip())),
            )
            if not there
        ]
        if missing:
            raise refusals.ReasonsMissing(missing=" and ".join(missing))
        if self.from_seconds is not None and not 0 <= self.from_seconds <= length:
            raise refusals.ReasonsMissing(missing=f"a place in the clip, 0 to {length:.1f} s", param="from_seconds")
        if self.to_seconds is not None and not (self.from_seconds or 0) <= self.to_seconds < FOREVER:
            raise refusals.ReasonsMissing(missing="a place that ends after it begins", param="to_seconds")
        self.must_be_known()

    def must_be_known(self) -> None:
        """Raises UnknownClause when a clause is not in force."""
        known = Clause.objects.filter(pk__in=self.clauses, retired_at__isnull=True).count()
        if known != len(set(self.clauses)):
            raise refusals.UnknownClause(param="clauses")


NONE = Reasons()
in_force = policy.in_force
clauses_of = policy.of


def place(decision: Decision) -> str:
    """Where in the clip, in words."""
    if decision.from_seconds is None:
        return decision.region
    where = f"from {decision.from_seconds:.1f} s"
    if decision.to_seconds is not None:
        where += f" to {decision.to_seconds:.1f} s"
    return f"{where}, {decision.region}" if decision.region else where


def redress(decision: Decision) -> str:
    """How a refusal can be appealed, and until when."""
    until = decision.effective_at + timedelta(days=APPEAL_DAYS)
    return f"You can appeal, free of charge and until {until:%-d %B %Y}, to somebody who has not decided on this work."


def asks(decision: Decision, reported: bool | None = None) -> str:
    """How a letter begins: what is done, and, of a take-down, whether a report from outside had led to it."""
    if reported is None:  # all of them: a list has them at hand
        reported = decision.verdict == "take_down" and bool(decision.reports.all())
    because = "Somebody from outside had reported it; by whom we never say. " if reported else ""
    return f"{because}{ASKS[decision.verdict]}"


def letter(
    decision: Decision, clauses: Sequence[Clause] | None = None, *, reported: bool | None = None
) -> tuple[str, str]:
    """What the artist is written: subject and text. `clauses` are the decision's, when they are at hand; of a take-down
    that is not written yet `reported` says whether somebody from outside had asked for it."""
    title = decision.revision.title
    if decision.role == "appeal":
        return _heard(decision, title)
    if decision.role == "default":
        return f"“{title}” is approved", (
            f"No answer came in time, so “{title}” is approved by default, and is recorded as such. Nothing is public: "
            "it waits for your signature. Sign it to publish, or leave it private; both are yours to decide."
        )
    if decision.verdict == "approve":
        return f"“{title}” is approved", (
            f"“{title}” is approved. Nothing is public: it waits for your signature. "
            "Sign it to publish, or leave it private; both are yours to decide."
        )
    named = clauses_of(decision) if clauses is None else clauses
    under = "; ".join(f"clause {clause.number}, {clause.title.lower()}" for clause in named)
    return f"“{title}”: {SUBJECTS[decision.verdict]}", (
        f"{asks(decision, reported)} under {under}, {place(decision)}:\n\n{decision.facts}\n\n"
        f"{AFTER[decision.verdict]} {redress(decision)} Criticism is never a reason."
    )


def _heard(decision: Decision, title: str) -> tuple[str, str]:
    if decision.verdict == "uphold":
        return f"“{title}”: your appeal was heard, and the answer stands", (
            f"Somebody else looked at it anew, and the answer stands:\n\n{decision.facts}\n\n"
            "It stays yours: you can keep and download it."
        )
    after = "It waits for your signature." if decision.decides else "It is public again."
    return f"“{title}”: your appeal was heard, and you were right", (
        f"Somebody else looked at it anew, and the first answer does not stand:\n\n{decision.facts}\n\n{after}"
    )
