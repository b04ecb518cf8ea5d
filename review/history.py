"""A work's life in sentences, read off the audit log, and where it stands now."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef

from gateway.models import Entry
from generation.models import Generation
from review import letters
from review.models import Appeal, Decision, Opening, Submission

LOOK = "A reviewer looked at it."
SENTENCES = {
    "generation.queued": "You asked for it. {price} set aside.",
    "generation.in_progress": "A machine began to draw it.",
    "generation.completed": "Drawn. {price} charged.",
    "generation.failed": "It failed; the credits came back.",
    "generation.cancelled": "You cancelled it; the credits came back.",
    "submission.submitted": "You submitted revision {revision}.",
    "submission.viewed": LOOK,
    "submission.withdrawn": "You took the submission back.",
    "sign_off.signed": "You signed it: bon à tirer.",
    "publication.published": "It went public.",
    "publication.withdrawn": "You withdrew it from the public.",
    "publication.taken_down": "The program took it down.",
    "appeal.open": "You appealed.",
    "work.opened": "An admin opened it, for a reason that stands below.",
    "appeal.withdrawn": "Your appeal ended without an answer.",
}
BY_GUEST = {
    "generation.queued": "A guest asked for it. {price} set aside.",
    "generation.cancelled": "{who} cancelled it; the credits came back.",
}
VERDICTS = {
    "approve": "Approved.",
    "request_changes": "A change was asked for.",
    "reject": "Not approved.",
}
UPHELD = "Somebody else heard your appeal: the answer stands."
OVERTURNED = "Somebody else heard your appeal: you were right."
WAITS = {
    "submitted": "A reviewer will look at it.",
    "changes_requested": "It waits for your new version.",
    "approved": "Nothing is public. You decide.",
}
HEARING = "Somebody who has not decided on it will hear your appeal."


@dataclass(frozen=True)
class Event:
    """One line of a work's life; the last one may be what is so `now`."""

    at: datetime | None
    sentence: str
    now: bool = False


def events(generation: Generation, submission: Submission | None) -> list[Event]:
    """What happened to a work, oldest first, as its artist may know it: nothing of a look that settled nothing, and no
    answer before it is in effect. `submission` is the latest, out of `told()`."""
    lines = [
        Event(decision.effective_at, sentence)
        for decision in Decision.objects.told().filter(revision__submission__generation=generation)
        if (sentence := _answered(decision))
    ]
    for entry in Entry.objects.filter(subject_id__in=_subjects(generation)).order_by("id"):
        sentence = _sentence(entry, generation)
        if sentence and not (sentence == LOOK and lines and lines[-1].sentence == LOOK):
            lines.append(Event(entry.at, sentence))
    lines.sort(key=lambda event: event.at or generation.created_at)
    if submission is not None and (waits := _waits(submission)):
        lines.append(Event(None, waits, now=True))
    return lines


def _subjects(generation: Generation) -> set[Any]:
    """Whose entries are its life: its own, and its submissions', signatures', publications', appeals' and openings'."""
    submissions = Submission.objects.filter(generation=generation).values_list("pk", "publication__pk")
    signed = generation.submissions.values_list("revisions__sign_off__pk", flat=True)
    appealed = Appeal.objects.filter(decision__revision__submission__generation=generation).values_list("pk", flat=True)
    opened = Opening.objects.filter(generation=generation).values_list("pk", flat=True)
    return {generation.pk, *signed, *appealed, *opened, *(pk for pair in submissions for pk in pair)} - {None}


def _answered(decision: Decision) -> str | None:
    if decision.role == "appeal":
        return UPHELD if decision.verdict == "uphold" else OVERTURNED
    if decision.role == "default":
        return "No answer came in time: approved by default."
    return VERDICTS.get(decision.verdict)  # a take-down is told by its publication


def _waits(submission: Submission) -> str | None:
    letter = letters.foremost(submission, letters.of(submission, clauses={}))
    if letter is not None and letter.appeal_state == "open":
        return HEARING
    return WAITS.get(submission.shown_state) if submission.public is None else None


def _sentence(entry: Entry, generation: Generation) -> str | None:
    body = json.loads(bytes(entry.body))
    facts, kind = body.get("facts", {}), body["actor"]["kind"]
    if (other := _otherwise(entry.action, facts, kind, generation)) is not None:
        return other or None
    template = SENTENCES.get(entry.action)
    if generation.guest_pass_id is not None:
        template = BY_GUEST.get(entry.action, template)
    price = f"{generation.credits} credit" + ("s" if generation.credits != 1 else "")
    who = "The guest" if kind == "guest" else "You"
    return template.format(**{**facts, "price": price, "who": who}) if template else None


def _otherwise(action: str, facts: dict[str, Any], kind: str, generation: Generation) -> str | None:
    """What an entry tells that says something else than its action does at first sight; "" is to be left out."""
    over = "the guest pass or your membership" if generation.guest_pass_id else "your membership"
    cancelled = action == "generation.cancelled"
    again = action == "generation.queued" and "credits" not in facts
    told = (
        (again and "brake" in facts, "A brake stopped it, and it went back into the line."),
        (again and "worker_left" in facts, "Its machine was stopped, and it went back into the line."),
        (again, "The machine that drew it died, and it went back into the line."),
        (cancelled and "brake" in facts, "A brake stopped it; the credits came back."),
        (cancelled and kind == "system", f"It was cancelled, because {over} had ended; the credits came back."),
        # A reviewer's undo, of which the artist learns nothing.
        (action in ("submission.submitted", "appeal.open") and not facts, ""),
        (action == "submission.escalated" and kind == "system", "The answer was late; it was passed on."),
        (action == "submission.overdue" and facts.get("lane") == "appeal", "The answer to your appeal was late."),
        (action == "publication.published" and not facts, "It is public again."),
    )
    return next((sentence for holds, sentence in told if holds), None)


def status(generation: Generation, submission: Submission | None) -> tuple[str, str]:
    """Where a work stands, in words, and the tone: `hand` is what waits for its artist."""
    if generation.state != "completed":
        stands = {
            "queued": "In line",
            "in_progress": "Being drawn",
            "failed": "Failed",
            "cancelled": "Stopped by a brake" if generation.error_code == "braked" else "Cancelled",
        }
        return stands[generation.state], "warn" if generation.state == "failed" else ""
    if generation.test:
        return "A test: private", ""
    if submission is None:
        return ("Sent as another work's new version", "") if _elsewhere(generation) else ("Private", "")
    if submission.public is not None and submission.public.state == "published":
        return f"Public since {submission.public.created_at:%-d %B}", "well"
    letter = letters.foremost(submission, letters.of(submission, clauses={}))
    heard = "; your appeal is open" if letter is not None and letter.appeal_state == "open" else ""
    if submission.public is not None and submission.public.state == "taken_down":
        return f"Taken down{heard}", "warn"
    words, tone = {
        "submitted": ("With the reviewers", ""),
        "changes_requested": ("A change is asked for", "hand"),
        "approved": ("Approved: waits for your signature", "hand"),
        "rejected": ("Not approved", "warn"),
        "withdrawn": ("Withdrawn: private", ""),
    }[submission.shown_state]
    return words + heard, tone


def elsewhere() -> Exists:
    """Of a generation (the outer query): whether it is what another work's submission shows."""
    others = Submission.objects.filter(current__output__generation=OuterRef("pk")).exclude(generation=OuterRef("pk"))
    return Exists(others.exclude(state="withdrawn"))


def _elsewhere(generation: Generation) -> bool:
    """Lists have asked already, by annotation."""
    known: bool | None = getattr(generation, "elsewhere", None)
    if known is None:
        known = Generation.objects.filter(elsewhere(), pk=generation.pk).exists()
    return known
