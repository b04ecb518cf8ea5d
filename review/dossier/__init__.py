"""Everything of a person's, to take along: one ZIP, streamed, with the hash of each file in it.

1. One at a time for each person, and EXPORTS_A_DAY in 24 hours: it reads all that there is of theirs. One that is
   streamed keeps a thread of the web process, so a quarter of these at most goes to all of them together.
2. Nothing is kept of it but that it was made. It holds nothing of anybody else: no reviewer's name, no note for
   colleagues, nothing of a decision that can still be undone.
3. No connection to the database is held while bytes are on their way; a file that is gone is named as missing.
4. Its manifest's hash is written into the audit log when it has gone out whole.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.db.models import Count, QuerySet, Sum
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.template.loader import render_to_string
from django.utils.text import slugify

from gateway import audit, refusals
from gateway.actors import Actor
from gateway.models import Export
from review.dossier import log as entries
from review.dossier import person, works
from review.dossier.archive import Archive, Member
from review.dossier.rows import briefly, pretty

log = logging.getLogger(__name__)
DAY = timedelta(hours=24)
SILENT = timedelta(minutes=5)  # what streams one and says nothing for so long has died, or its reader has
HELD = timedelta(hours=1)  # for so long the thread of a silent one may wait for its reader
BEAT = 15.0  # seconds
LOCK = 7004


@dataclass(frozen=True)
class Size:
    """About what a dossier will be: the works in it, and the bytes of their files."""

    works: int
    files: int
    bytes: int


def size(by: Actor) -> Size:
    """What `by` would take along now."""
    found = [
        kept.aggregate(files=Count("pk"), bytes=Sum("size", default=0))
        for kept in (works.files(by), works.pictures(by))
    ]
    return Size(works.of(by).count(), sum(each["files"] for each in found), sum(each["bytes"] for each in found))


def lately(by: Actor) -> QuerySet[Export]:
    """Those that one has made, latest first."""
    return Export.objects.filter(user=by.user).order_by("-created_at", "-id")


def begin(*, by: Actor) -> Export:
    """Begin to take everything along. A token may that may publish: it is as much as all of one's pages together.

    Raises SignInFirst, MissingScope, ExportUnderWay, TooManyExports, ExportsFull.
    """
    if by.user is None:
        raise refusals.SignInFirst
    by.must_have("publish")
    with atomic():
        _one_at_a_time()
        mine = Export.objects.filter(user=by.user)
        mine.filter(ended_at__isnull=True, beat_at__lt=Now() - SILENT).update(ended_at=Now())
        if mine.filter(ended_at__isnull=True).exists():
            raise refusals.ExportUnderWay(minutes=round(SILENT / timedelta(minutes=1)))
        limit = max(1, settings.EXPORTS_A_DAY)
        today = mine.filter(created_at__gt=Now() - DAY).order_by("created_at")
        made_at = list(today.values_list("created_at", flat=True))
        if len(made_at) >= limit:
            again = made_at[-limit] + DAY
            wait = max(1, round((again - datetime.now(UTC)).total_seconds()))
            raise refusals.TooManyExports(limit=limit, again=f"{again:%-d %B, %H:%M}", retry_after=wait)
        if Export.objects.filter(ended_at__isnull=True, beat_at__gt=Now() - HELD).count() >= at_once():
            raise refusals.ExportsFull(retry_after=300)
        made = Export.objects.create(user=by.user)
        audit.record("export.made", by=by, subject=made)
    made.refresh_from_db()
    return made


def at_once() -> int:
    """How many can be on their way at a time, everybody's together."""
    return max(1, settings.THREADS_EACH // 4)


def stream(export: Export, *, by: Actor) -> Iterator[bytes]:
    """The ZIP, a piece at a time. Whoever stops reading ends it; nothing of it is kept."""
    archive, beat, sent, manifest = Archive(export.created_at), time.monotonic(), 0, ""
    try:
        for member in _members(export, archive, by):
            for piece in archive.add(member):
                sent += len(piece)
                yield piece
                if time.monotonic() - beat > BEAT:
                    beat = time.monotonic()
                    with briefly():
                        Export.objects.filter(pk=export.pk).update(beat_at=Now())
            if member.path == "manifest.json":
                manifest = archive.files[-1].sha256
        for piece in archive.close():
            sent += len(piece)
            yield piece
        _whole(export, archive, sent, manifest, by)
    finally:
        with briefly():
            Export.objects.filter(pk=export.pk, ended_at__isnull=True).update(ended_at=Now())


def name(export: Export) -> str:
    """What the file is called."""
    return f"{slugify(settings.PROGRAM_NAME) or 'gateway'}-{export.created_at:%Y-%m-%d}.zip"


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])


def _members(export: Export, archive: Archive, by: Actor) -> Iterator[Member]:
    readme = render_to_string("review/dossier.txt", {"export": export, "program": settings.PROGRAM_NAME})
    yield Member("README.txt", [readme.encode()])
    yield from person.told(by)
    yield from works.told(by)
    yield from entries.told(by, until=export.created_at)
    yield Member("manifest.json", pretty(_manifest(export, archive)))
    yield Member("SHA256SUMS", (f"{file.sha256}  {file.path}\n".encode() for file in list(archive.files)))


def _manifest(export: Export, archive: Archive) -> dict[str, object]:
    return {
        "program": settings.PROGRAM_NAME,
        "address": settings.BASE_URL,
        "export": export.pk,
        "person": export.user_id,
        "at": export.created_at,
        "files": [{"path": file.path, "bytes": file.bytes, "sha256": file.sha256} for file in archive.files],
        "missing": archive.missing,
    }


def _whole(export: Export, archive: Archive, sent: int, manifest: str, by: Actor) -> None:
    with briefly(), atomic():
        Export.objects.filter(pk=export.pk).update(ended_at=Now(), files=len(archive.files), size=sent, sha256=manifest)
        facts = {"manifest": manifest, "files": len(archive.files), "bytes": sent}
        audit.record("export.streamed", by=by, subject=export, facts=facts)
