"""Screens what was submitted. The chores worker calls it; web processes import none of this.

1. *Waiting is a query*: each current revision whose clip has no screening, the one due first before all others.
2. The row that begins a screening is its lock: an output has one. A worker that died is followed by another after ten
   minutes, twice at most, so that a file that kills whoever opens it is not opened for ever.
3. The file is decoded once and looked at frame by frame, its print is compared with those of earlier works, the prompt
   is searched for phrases, the operator's classifier is asked.
4. All signals are written in one transaction. What could not be measured is said so; the queue never waits for it.
"""

import time
from datetime import timedelta

from django.db import IntegrityError
from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import actors, audit, refusals
from generation import media
from generation.models import Output
from review.models import Phrase, Screening, Signal, Submission, SubmissionQuerySet
from review.screening import asking, copies, looking, phrases
from review.screening.findings import Finding

VERSION = 1
TRIES = 3
AGAIN_AFTER = timedelta(minutes=10)
LATELY = timedelta(hours=1)
AT_ONCE = 2.0  # seconds for which a call begins screenings: other chores wait behind it


def screen(*, everything: bool = False) -> int:
    """Screen what waits, for about two seconds; return how many were done.

    It looks at what was submitted within the hour, and at all there is when asked for `everything`.
    """
    began, done = time.monotonic(), 0
    while time.monotonic() - began < AT_ONCE and (screening := _begin(everything)) is not None:
        _screen(screening)
        done += 1
    return done


def waiting(*, everything: bool = False) -> SubmissionQuerySet:
    """What was submitted and not screened, due first."""
    screened = Screening.objects.filter(output=OuterRef("current__output"))
    rows = Submission.objects.exclude(state="withdrawn").filter(~Exists(screened), current__isnull=False)
    if not everything:
        rows = rows.filter(current__created_at__gt=Now() - LATELY)
    return rows.order_by("due_at", "id")


def _begin(everything: bool) -> Screening | None:
    """The next screening, begun by this worker and no other."""
    with atomic():
        left = Screening.objects.filter(done_at__isnull=True, begun_at__lt=Now() - AGAIN_AFTER)
        again = left.select_for_update(skip_locked=True).first()
        if again is not None:
            Screening.objects.filter(pk=again.pk).update(tries=F("tries") + 1, begun_at=Now())
            again.refresh_from_db()
            return again
    while submission := waiting(everything=everything).select_related("current").first():
        try:
            with atomic():
                return Screening.objects.create(output_id=submission.must_have_revision().output_id, version=VERSION)
        except IntegrityError:
            continue  # another worker was first
    return None


def _screen(screening: Screening) -> None:
    output = Output.objects.select_related("generation__model", "generation__membership").get(pk=screening.output_id)
    if screening.tries > TRIES:
        _end(screening, [], f"Each of {TRIES} workers that began to look at it stopped in the middle.")
        return
    under = Submission.objects.exclude(state="withdrawn").filter(revisions__output=output)
    try:
        opened = media.open_for(actors.SYSTEM, "screening", output, under=under)
    except refusals.NotFound:
        if under.exists():
            _end(screening, [_phrases(output)], "The file is not there.")
        else:  # withdrawn meanwhile; should it come back, it is looked at then
            screening.delete()
        return
    with opened.file as file:
        seen = looking.look(file, output.frames)
        opinions = asking.opinions(file, output)
    findings = [*seen.findings, _phrases(output), *opinions]
    if len(seen.pictures) == len(seen.frames):
        findings.append(copies.find(output, seen.pictures, seen.frames, seen.seconds))
        copies.keep(output, seen.pictures)
    _end(screening, findings, seen.error)


def _phrases(output: Output) -> Finding:
    found = phrases.find(output.generation.prompt, Phrase.objects.in_force())
    named = {match.phrase.pk: {"words": match.phrase.words, "clause": match.phrase.clause} for match in found}
    spans = [[match.start, match.end] for match in found]
    evidence = {"spans": spans, "phrases": [*named.values()]}
    return Finding("phrases", raised=bool(found), value=len(found), evidence=evidence)


def _end(screening: Screening, findings: list[Finding], error: str) -> None:
    """Keep what was found. Zero rows means that another worker followed this one: its findings count."""
    with atomic():
        mine = Screening.objects.filter(pk=screening.pk, tries=screening.tries, done_at__isnull=True)
        if not mine.update(done_at=Now(), error=error):
            return
        Signal.objects.bulk_create([finding.row(screening) for finding in findings])
        facts = {
            "output": screening.output_id,
            "raised": sorted({finding.kind for finding in findings if finding.raised}),
            "failed": sorted({finding.kind for finding in findings if finding.failed}),
            "complete": not error,
        }
        audit.record("screening.done", by=actors.SYSTEM, subject=screening, facts=facts)
