"""The policy: clauses in plain language, each with examples, in versions. A wording that was in force is never edited.

A new wording is a new row; the one before it is retired in the same transaction, and what was decided by that stays
with it. Members and reviewers are told of each change, with its reason.
"""

from datetime import timedelta

from django.db import connection
from django.db.models import Count, F, Func, UUIDField
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import audit, notices, refusals, wordings
from gateway.actors import Actor
from review import dsa
from review.models import Clause, Decision

LOCK = 7006  # one at a time adds a clause: numbers have no gaps, and none is given twice


def in_force() -> list[Clause]:
    """The policy."""
    return list(Clause.objects.filter(retired_at__isnull=True))


def of(decision: Decision) -> list[Clause]:
    """The clauses that a decision names, in the wording by which it was made."""
    return list(Clause.objects.filter(pk__in=decision.clauses)) if decision.clauses else []


def versions(number: int) -> list[Clause]:
    """Every wording of a clause, the latest first. Raises NotFound when there was never one."""
    found = list(Clause.objects.filter(number=number))
    if not found:
        raise refusals.NotFound
    return found


def named(days: int = 90) -> dict[int, int]:
    """How often each clause, by its number, was named in refusals that took effect in the last `days`."""
    lately = Decision.objects.against().filter(
        effective_at__gt=Now() - timedelta(days=days), revision__submission__membership__cohort__smoke=False
    )
    each = lately.annotate(clause=Func(F("clauses"), function="unnest", output_field=UUIDField())).values("clause")
    times = dict(each.annotate(n=Count("pk")).values_list("clause", "n"))
    numbers: dict[int, int] = {}
    for pk, number in Clause.objects.filter(pk__in=times).values_list("pk", "number"):
        numbers[number] = numbers.get(number, 0) + times[pk]
    return numbers


def changes(old: Clause | None, new: Clause) -> list[tuple[str, list[list[wordings.Run]]]]:
    """What a new wording changes: title, rule and examples by name, each with the words that stayed, came and went."""
    parts = (("Title", "title"), ("Rule", "body"), ("Examples", "example"))
    return [
        (name, wordings.changes(_lines(old, part) if old else "", _lines(new, part)))
        for name, part in parts
        if old is None or getattr(old, part) != getattr(new, part)
    ]


def add(
    *,
    by: Actor,
    title: str,
    body: str,
    example: str,
    why: str,
    category: str = dsa.OTHER_VIOLATION,
    specification: str = "",
) -> Clause:
    """Add a clause, in force from now on, under a number that no clause has had.

    Raises AdminsOnly, WordsMissing, ReasonNeeded, UnknownCategory.
    """
    by.must_be_admin()
    wording = _wording(title, body, example, category, specification)
    reason = _reason(why)
    with atomic():
        with connection.cursor() as cursor:  # whoever adds at the same moment waits here, then counts
            cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])
        highest = Clause.objects.order_by("-number").values_list("number", flat=True).first() or 0
        made = Clause.objects.create(number=highest + 1, why=reason, **wording)
        audit.record("clause.added", by=by, subject=made, facts={"number": made.number, "version": made.version})
        notices.tell_members(
            f"The policy has a new clause: {made.number}, {made.title}",
            f"From now on clause {made.number}, {made.title.lower()}, is part of the policy:\n\n{made.body}\n\n{reason}"
            "\n\nWhat was decided before stays as it is. With its examples:",
            path=f"/policy/{made.number}",
            reviewers=True,
        )
    return made


def amend(
    clause: Clause,
    *,
    by: Actor,
    title: str,
    body: str,
    example: str,
    why: str,
    category: str,
    specification: str = "",
) -> Clause:
    """Put a new wording in the place of this one, from now on.

    Raises AdminsOnly, ClauseChanged when this one is not in force any more, NothingChanged, WordsMissing, ReasonNeeded,
    UnknownCategory.
    """
    by.must_be_admin()
    wording = _wording(title, body, example, category, specification)
    reason = _reason(why)
    if all(getattr(clause, name) == value for name, value in wording.items()):
        raise refusals.NothingChanged
    with atomic():
        _end(clause)
        made = Clause.objects.create(number=clause.number, version=clause.version + 1, why=reason, **wording)
        facts = {"number": made.number, "version": made.version, "instead_of": clause.pk}
        audit.record("clause.amended", by=by, subject=made, facts=facts)
        if any(getattr(clause, name) != wording[name] for name in ("title", "body", "example")):
            notices.tell_members(
                f"The policy has changed: clause {made.number}, {made.title}",
                f"Clause {made.number}, {made.title.lower()}, reads from now on:\n\n{made.body}\n\n{reason}\n\n"
                "What was decided before stays with the wording of its time. What has changed, word by word:",
                path=f"/policy/{made.number}",
                reviewers=True,
            )
    return made


def retire(clause: Clause, *, by: Actor, reason: str) -> None:
    """Take a clause out of the policy: nothing is refused by it any more. Its number is never given again.

    Raises AdminsOnly, ReasonNeeded, ClauseChanged when this wording is not in force any more.
    """
    by.must_be_admin()
    because = _reason(reason)
    with atomic():
        _end(clause, because=because)
        audit.record("clause.retired", by=by, subject=clause, facts={"number": clause.number})
        notices.tell_members(
            f"The policy has one clause less: {clause.number}, {clause.title}",
            f"Clause {clause.number}, {clause.title.lower()}, does not hold any more: no work is refused by it from "
            f"now on.\n\n{because}\n\nWhat was decided before stays as it is. What it said:",
            path=f"/policy/{clause.number}",
            reviewers=True,
        )


def examples(meant: str, not_meant: str) -> str:
    """Both lists of examples, one a line, as a clause keeps them."""
    lines = [line.strip() for line in meant.splitlines() if line.strip()]
    lines += [f"{Clause.NOT_MEANT} {line.strip()}" for line in not_meant.splitlines() if line.strip()]
    return "\n".join(lines)


def _lines(clause: Clause, part: str) -> str:
    """Each line a paragraph of its own, each example a line."""
    if part == "example":
        return examples("\n".join(clause.meant), "\n".join(clause.not_meant)).replace("\n", "\n\n")
    return str(getattr(clause, part)).replace("\n", "\n\n")


def _end(clause: Clause, *, because: str = "") -> None:
    ended = Clause.objects.filter(pk=clause.pk, retired_at__isnull=True)
    if not ended.update(retired_at=Now(), retired_because=because):
        raise refusals.ClauseChanged(number=clause.number)


def _wording(title: str, body: str, example: str, category: str, specification: str) -> dict[str, str]:
    if category not in dsa.CATEGORIES or specification not in ("", *dsa.SPECIFICATIONS):
        raise refusals.UnknownCategory(param="category")
    wording = {
        "title": " ".join(title.split()),
        "body": body.replace("\r\n", "\n").strip(),
        "example": example.replace("\r\n", "\n").strip(),
    }
    if not all(wording.values()):
        raise refusals.WordsMissing(what="a title, the rule and an example")
    return {**wording, "category": category, "specification": specification}


def _reason(why: str) -> str:
    if not why.strip():
        raise refusals.ReasonNeeded(param="why")
    return why.strip()
