"""A work's life in sentences, read off the audit log, and where it stands now."""

import json
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef

from gateway.models import Entry
from generation.models import Generation
from review.models import Decision, Submission

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
    "publication.taken_down": "It was taken down.",
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
WAITS = {
    "submitted": "A reviewer will look at it.",
    "changes_requested": "It waits for your new version.",
    "approved": "Nothing is public. You decide.",
}


@dataclass(frozen=True)
class Event:
    """One line of a work's life; the last one may be what is so `now`."""

    at: datetime | None
    sentence: str
    now: bool = False


def events(generation: Generation, submission: Submission | None) -> list[Event]:
    """What happened to a work, oldest first, as its artist may know it: no verdict before it is in effect."""
    decided = Decision.objects.effective().filter(revision__submission__generation=generation)
    submissions = Submission.objects.filter(generation=generation).values_list("pk", "publication__pk")
    signed = generation.submissions.values_list("revisions__sign_off__pk", flat=True)
    subjects = {generation.pk, *signed, *(pk for pair in submissions for pk in pair)} - {None}
    lines = [
        Event(decision.effective_at, VERDICTS[decision.verdict]) for decision in decided if decision.verdict in VERDICTS
    ]
    for entry in Entry.objects.filter(subject_id__in=subjects).order_by("id"):
        sentence = _sentence(entry, generation)
        if sentence and not (sentence == LOOK and lines and lines[-1].sentence == LOOK):
            lines.append(Event(entry.at, sentence))
    lines.sort(key=lambda event: event.at or generation.created_at)
    if submission is not None and submission.public is None and (waits := WAITS.get(submission.shown_state)):
        lines.append(Event(None, waits, now=True))
    return lines


def _sentence(entry: Entry, generation: Generation) -> str | None:
    body = json.loads(bytes(entry.body))
    facts = body.get("facts", {})
    if entry.action == "generation.queued" and "credits" not in facts:
        if "brake" in facts:
            return "A brake stopped it, and it went back into the line."
        return "The machine that drew it died, and it went back into the line."
    if entry.action == "submission.submitted" and "revision" not in facts:
        return None  # a reviewer's undo
    if entry.action == "generation.cancelled" and "brake" in facts:
        return "A brake stopped it; the credits came back."
    if entry.action == "generation.cancelled" and body["actor"]["kind"] == "system":
        over = "the guest pass or your membership" if generation.guest_pass_id else "your membership"
        return f"It was cancelled, because {over} had ended; the credits came back."
    template = SENTENCES.get(entry.action)
    if generation.guest_pass_id is not None:
        template = BY_GUEST.get(entry.action, template)
    price = f"{generation.credits} credit" + ("s" if generation.credits != 1 else "")
    who = "The guest" if body["actor"]["kind"] == "guest" else "You"
    return template.format(**{**facts, "price": price, "who": who}) if template else None


def status(generation: Generation, submission: Submission | None) -> tuple[str, str]:
    """Where a work stands, in words, and the tone: `hand` is what waits for its artist."""
    if generation.state != "completed":
        words = {
            "queued": "In line",
            "in_progress": "Being drawn",
            "failed": "Failed",
            "cancelled": "Stopped by a brake" if generation.error_code == "braked" else "Cancelled",
        }
        return words[generation.state], "warn" if generation.state == "failed" else ""
    if generation.test:
        return "A test: private", ""
    if submission is None:
        return ("Sent as another work's new version", "") if _elsewhere(generation) else ("Private", "")
    if submission.public is not None and submission.public.state == "published":
        return f"Public since {submission.public.created_at:%-d %B}", "well"
    if submission.public is not None and submission.public.state == "taken_down":
        return "Taken down", "warn"
    return {
        "submitted": ("With the reviewers", ""),
        "changes_requested": ("A change is asked for", "hand"),
        "approved": ("Approved: waits for your signature", "hand"),
        "rejected": ("Not approved", "warn"),
        "withdrawn": ("Withdrawn: private", ""),
    }[submission.shown_state]


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
