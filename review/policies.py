"""How many look at a cohort's works before an answer stands, within which time, and what silence means."""

from collections.abc import Sequence
from typing import Any

from django.db.transaction import atomic
from django.utils.crypto import salted_hmac

from gateway import audit, refusals
from gateway.actors import Actor
from gateway.models import Cohort
from generation.models import Generation
from review import policy as clauses
from review.models import ReviewPolicy


def of(cohort: Cohort) -> ReviewPolicy:
    """The cohort's policy; without one: a single reviewer, and silence approves nothing."""
    return ReviewPolicy.objects.filter(cohort=cohort).first() or ReviewPolicy(cohort=cohort)


def each() -> list[ReviewPolicy]:
    """That of every cohort but the self-tests', by the cohort's name."""
    known = {row.cohort_id: row for row in ReviewPolicy.objects.all()}
    cohorts = Cohort.objects.filter(smoke=False).order_by("name")
    found = []
    for cohort in cohorts:
        row = known.get(cohort.pk) or ReviewPolicy(cohort=cohort)
        row.cohort = cohort
        found.append(row)
    return found


def set(
    cohort: Cohort, *, by: Actor, reviewers: int, sample_percent: int, second_clauses: Sequence[int], by_default: bool,
    hours: int,
) -> ReviewPolicy:  # fmt: skip
    """Review this cohort's works so. What waits keeps its due date and its lot; clauses and silence hold for it too.

    The log keeps how it was before and how it is now. Raises AdminsOnly, UnknownClause for one that is not in force.
    """
    by.must_be_admin()
    wanted = sorted(dict.fromkeys(second_clauses))
    if not {*wanted} <= {clause.number for clause in clauses.in_force()}:
        raise refusals.UnknownClause(param="second_clauses")
    asked = {
        "reviewers": reviewers,
        "sample_percent": sample_percent,
        "second_clauses": wanted,
        "by_default": by_default,
    }
    with atomic():
        locked = Cohort.objects.select_for_update().get(pk=cohort.pk)
        row = of(locked)
        before, after = _facts(row), {**asked, "hours": hours}
        if before != after:
            row, _ = ReviewPolicy.objects.update_or_create(cohort=locked, defaults=asked)
            Cohort.objects.filter(pk=locked.pk).update(review_hours=hours)
            facts = {"cohort": locked.pk, "before": before, "after": after}
            audit.record("review_policy.set", by=by, subject=row, facts=facts)
    cohort.review_hours = hours
    row.cohort = cohort
    return row


def second_look(generation: Generation, policy: ReviewPolicy) -> str:
    """Why two are to look at this work: `policy`, `sample`, or nothing.

    The sample is drawn by a keyed hash of the work: who withdraws and submits again draws the same lot.
    """
    if policy.reviewers == 2:
        return "policy"
    lot = int.from_bytes(salted_hmac("review.sample", generation.pk.hex, algorithm="sha256").digest()[:8], "big") % 100
    return "sample" if lot < policy.sample_percent else ""


def sentence(policy: ReviewPolicy) -> str:
    """How a cohort's works are looked at, in one sentence without its beginning and end."""
    if policy.reviewers == 2:
        said = "every submission is looked at by two reviewers, the second without knowing what the first has said"
    else:
        said = "every submission is looked at by one reviewer"
        twice = [_share(policy.sample_percent)] if policy.sample_percent else []
        twice += [f"any for which {_named(policy.second_clauses)} is named"] if policy.second_clauses else []
        if twice:
            said += f"; {', and '.join(twice)}, by two"
    if policy.by_default:
        said += "; silence past the due date approves it, unless something speaks against it"
    return said


def meaning(policy: ReviewPolicy) -> list[str]:
    """What it means for the cohort's artists, sentence by sentence."""
    hours = policy.cohort.review_hours
    told = [
        f"An answer is due {hours} hour{'' if hours == 1 else 's'} after each submission, new version and appeal. What "
        "is late is passed on to every reviewer, before all others, and counts in the transparency report."
    ]
    if policy.reviewers == 2:
        told.append(
            "Two people look at each work, the second without knowing what the first has said. Where they disagree, a "
            "third decides. The due date stays the same."
        )
    elif policy.sample_percent or policy.second_clauses:
        told.append(
            "One person decides about most works. Where two are to look, the second does not know what the first has "
            "said, and where they disagree a third decides. Who submits a work anew draws no new lot."
        )
    else:
        told.append("One person decides. An appeal goes to somebody else.")
    if policy.by_default:
        told.append(
            "What nobody has looked at by then is approved, and recorded as such; its artist still signs before it is "
            "public. Not where two are to look, nor where a version of the work was refused before, nor before it was "
            "screened or where a signal asks for a look."
        )
    else:
        told.append("Silence approves nothing: nothing becomes signable that nobody has looked at.")
    return told


def _facts(policy: ReviewPolicy) -> dict[str, Any]:
    return {
        "reviewers": policy.reviewers,
        "sample_percent": policy.sample_percent,
        "second_clauses": [*policy.second_clauses],
        "by_default": policy.by_default,
        "hours": policy.cohort.review_hours,
    }


def _share(percent: int) -> str:
    """One in five; seven in a hundred."""
    words = {50: "one in two", 25: "one in four", 20: "one in five", 10: "one in ten", 5: "one in twenty"}
    return words.get(percent, f"{percent} in a hundred")


def _named(numbers: Sequence[int]) -> str:
    """Clause 4; clause 1, 2 or 4."""
    *most, last = [str(number) for number in numbers]
    return f"clause {', '.join(most)} or {last}" if most else f"clause {last}"
