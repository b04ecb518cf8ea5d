"""The statement of reasons that each refusal, request for changes and take-down owes, once it is in effect.

In the field names, enumerations and limits of the European Commission's DSA Transparency Database: see review.dsa for
where they come from. What Article 17 of the Digital Services Act owes besides, how to object, stands beside it under
`redress`. The schema is review/schemas/statement.json, at /schemas/statement.json.

What is meant by the fields here: a work that is refused was never public, so its restriction is of a kind of its own
(`DECISION_VISIBILITY_OTHER`, said in words); one that is taken down leaves a page that says so, and its artist keeps it
(`…_CONTENT_DISABLED`). The ground is always a clause of the policy, never a law. What is drawn here is synthetic, and
a video. A decision holds everywhere, so in each country of the European Economic Area. Signals inform and never decide:
no decision is automated; where one was raised before a person decided, that is automated detection. Silence that
approves refuses nothing, and owes no statement.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet

from gateway import audit, refusals
from gateway.actors import Actor
from review import dsa, policy
from review.models import Clause, Decision, Report, Signal
from review.reasons import APPEAL_DAYS, place

SCHEMA = "/schemas/statement.json"
RESTRICTIONS = {
    "reject": "Not published: the work stays private. Its artist keeps it, and can use and download it.",
    "request_changes": "Not published as it is: the work stays private until a new version of it is approved.",
}


#: Every field of the database that a statement of ours can have, in its order.
FIELDS = (
    *("puid", "decision_visibility", "decision_visibility_other", "end_date_visibility_restriction"),
    *("decision_ground", "decision_ground_reference_url", "incompatible_content_ground"),
    *("incompatible_content_explanation", "category", "category_addition", "category_specification"),
    *("category_specification_other", "content_type", "content_date", "application_date", "territorial_scope"),
    *("decision_facts", "source_type", "automated_detection", "automated_decision"),
)


def owed() -> QuerySet[Decision]:
    """The decisions of which each owes a statement: what speaks against a work, and can't be undone any more."""
    reported = Exists(Report.objects.filter(decision=OuterRef("pk")))
    signals = Signal.objects.filter(screening__output=OuterRef("revision__output"), raised=True)
    detected = Exists(signals.filter(created_at__lte=OuterRef("created_at")))
    rows = Decision.objects.against().annotate(reported=reported, detected=detected)
    return rows.select_related("revision__output", "revision__submission", "appeal__hearing")


def of(submission: UUID, *, by: Actor, decision: UUID | None = None) -> Decision:
    """The latest decision about one's own submission that owes a statement, or that one.

    Raises NotFound for somebody else's, and where there is none: never before a decision can't be undone any more.
    """
    if by.user is None or by.is_test:
        raise refusals.NotFound
    mine = owed().filter(revision__submission=submission, revision__submission__membership__user=by.user)
    if decision is not None:
        mine = mine.filter(pk=decision)
    found = mine.order_by("-effective_at", "-id").first()
    if found is None:
        raise refusals.NotFound
    return found


def between(start: datetime, end: datetime) -> QuerySet[Decision]:
    """What took effect from `start` on and before `end`, the self-tests' apart."""
    rows = owed().filter(effective_at__gte=start, effective_at__lt=end)
    return rows.exclude(revision__submission__membership__cohort__smoke=True).order_by("effective_at", "id")


def export(start: datetime, end: datetime, *, by: Actor) -> Iterator[dict[str, Any]]:
    """Those of a period, without names, to hand on; that they were is recorded. Raises AdminsOnly."""
    by.must_be_admin()
    rows = between(start, end)
    facts = {"from": start.isoformat(), "before": end.isoformat(), "statements": rows.count()}
    audit.record("statements.exported", by=by, facts=facts)
    return without_names(rows.iterator(chunk_size=500))


def statement(decision: Decision) -> dict[str, Any]:
    """Why, in full, for the artist; with how to object.

    Raises NotFound for what owes no statement, or not yet.
    """
    found = owed().filter(pk=decision.pk).first()
    if found is None:
        raise refusals.NotFound
    return in_full(found, policy.of(found), source=_source(found), detected=_detected(found))


def in_full(decision: Decision, clauses: list[Clause], *, source: str, detected: bool) -> dict[str, Any]:
    """The statement, of a decision that is known to owe one, and of the clauses that it names."""
    return {
        "$schema": settings.BASE_URL + SCHEMA,
        **_told(decision, clauses, source=source, detected=detected),
        "decision_facts": decision.facts,
        "incompatible_content_explanation": _explanation(clauses, place(decision)),
        "redress": _redress(decision),
    }


def without_names(decisions: Iterable[Decision]) -> Iterator[dict[str, Any]]:
    """Statements for everybody: no word that a person wrote about a work, for it may name somebody."""
    known = {clause.pk: clause for clause in Clause.objects.all()}
    for decision in decisions:
        clauses = sorted({known[pk] for pk in decision.clauses}, key=lambda clause: (clause.number, clause.version))
        where = _seconds(decision)
        under = " and ".join(f"clause {clause.number} ({clause.title.lower()})" for clause in clauses)
        yield {
            **_told(decision, clauses, source=_source(decision), detected=_detected(decision)),
            "decision_facts": _cut(
                f"A person looked at the clip and found, {where}, what the policy names in {under}. Its artist was "
                "told in writing what exactly was seen.",
                dsa.FACTS,
            ),
            "incompatible_content_explanation": _explanation(clauses, where),
        }


def _told(decision: Decision, clauses: list[Clause], *, source: str, detected: bool) -> dict[str, Any]:
    """All but the reasons in words."""
    first, others = clauses[0], list(dict.fromkeys(clause.category for clause in clauses[1:]))
    told: dict[str, Any] = {
        "puid": f"decision_{decision.pk.hex}",
        "decision_visibility": ["DECISION_VISIBILITY_CONTENT_DISABLED"],
        "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
        "decision_ground_reference_url": f"{settings.BASE_URL}/policy/{first.number}#version-{first.version}",
        "incompatible_content_ground": _ground(clauses),
        "category": first.category,
        "content_type": ["CONTENT_TYPE_SYNTHETIC_MEDIA", "CONTENT_TYPE_VIDEO"],
        "content_date": _day(decision.revision.output.created_at),
        "application_date": _day(decision.effective_at),
        "territorial_scope": list(dsa.EVERYWHERE),
        "source_type": source,
        "automated_detection": "Yes" if detected else "No",
        "automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED",
    }
    if decision.verdict in RESTRICTIONS:
        told["decision_visibility"] = ["DECISION_VISIBILITY_OTHER"]
        told["decision_visibility_other"] = RESTRICTIONS[decision.verdict]
    if addition := [category for category in others if category != first.category]:
        told["category_addition"] = addition
    if keywords := list(dict.fromkeys(clause.specification for clause in clauses if clause.specification)):
        told["category_specification"] = keywords
    if named := [clause.title for clause in clauses if clause.specification == dsa.OTHER_KEYWORD]:
        told["category_specification_other"] = _cut("; ".join(named), dsa.OTHER)
    if ended := _ended(decision):
        told["end_date_visibility_restriction"] = _day(ended)
    return told


def _source(decision: Decision) -> str:
    """What led to it: somebody's report, or the program's own look. Of rows out of `owed()` only."""
    return "SOURCE_ARTICLE_16" if decision.reported else "SOURCE_VOLUNTARY"  # type: ignore[attr-defined]


def _detected(decision: Decision) -> bool:
    """Whether a signal was raised about the file before a person decided. Of rows out of `owed()` only."""
    return decision.detected  # type: ignore[attr-defined, no-any-return]


def _ground(clauses: list[Clause]) -> str:
    """Which clauses, in which version; by number alone where their titles are too many."""
    named = [f"clause {clause.number}, {clause.title} (version {clause.version})" for clause in clauses]
    text = "The program's policy: " + "; ".join(named)
    if len(text) > dsa.GROUND:
        text = "The program's policy: " + "; ".join(f"clause {clause.number}, v{clause.version}" for clause in clauses)
    return _cut(text, dsa.GROUND)


def _explanation(clauses: list[Clause], where: str) -> str:
    rules = "\n\n".join(f"Clause {clause.number} says: {clause.body}" for clause in clauses)
    return _cut(f"Where in the clip: {where}.\n\n{rules}", dsa.EXPLANATION)


def _seconds(decision: Decision) -> str:
    """The place without the words of who wrote it."""
    if decision.from_seconds is None:
        return "in a part of the picture or the whole of it"
    where = f"from {decision.from_seconds:.1f} s"
    return where if decision.to_seconds is None else f"{where} to {decision.to_seconds:.1f} s"


def _ended(decision: Decision) -> datetime | None:
    """When the restriction ended: as soon as an appeal against it was won."""
    appeal = getattr(decision, "appeal", None)
    if appeal is None or appeal.state != "overturned" or appeal.hearing is None:
        return None
    over = Decision.objects.effective().filter(pk=appeal.hearing_id).exists()
    return appeal.hearing.effective_at if over else None


def _redress(decision: Decision) -> dict[str, Any]:
    work = f"{settings.BASE_URL}/mine/{decision.revision.submission.generation_id.hex}"
    return {
        "internal_complaint": "An appeal on the work's page, free of charge, to somebody who has not decided on it.",
        "internal_complaint_url": work,
        "internal_complaint_until": _day(decision.effective_at + timedelta(days=APPEAL_DAYS)),
        "out_of_court": "In the European Union: a dispute settlement body that is certified under Article 21 of "
        "Regulation (EU) 2022/2065, of your own choice.",
        "court": "You can go to court at any time, also without an appeal.",
    }


def _day(at: datetime) -> str:
    return at.date().isoformat()


def _cut(text: str, limit: int) -> str:
    """As much as fits, to a word's end; what is missing is marked."""
    if len(text) <= limit:
        return text
    short = text[: limit - 1]
    return (short.rpartition(" ")[0] or short).rstrip() + "…"
