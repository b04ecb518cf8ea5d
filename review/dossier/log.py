"""What is in a dossier of the audit log: one's own entries as they are stored, byte for byte, and what proves them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connection

from gateway.actors import Actor
from gateway.allowances import period
from review.dossier.archive import Member
from review.dossier.rows import briefly, lines

PAGE = 1000
#: Of what one did oneself, and of what machines and guests did to one's works: no other person stands in either.
SOURCES = {
    "own": "from audit.entry where entry.actor_id = %(user)s",
    "works": """
        from gateway_membership m join generation_generation g on g.membership_id = m.id
        join audit.entry on entry.subject_id = g.id and entry.actor_id is null
        where m.user_id = %(user)s
    """,
}
PAGED = """
select entry.id, entry.body, detail.salt, detail.body,
       entry.action like any(%(acts)s) and not convert_from(entry.body, 'UTF8')::jsonb -> 'actor' ? 'impersonator'
  from (select entry.* {source} and entry.at >= %(start)s and entry.at < %(end)s and entry.id > %(after)s
         order by entry.id limit %(page)s) entry
  left join audit.detail on detail.entry_id = entry.id
 order by entry.id
"""
#: What is about nobody but oneself. Whoever also reviews or administers has written down things about others.
ACTS = (
    *("request.%", "generation.%", "submission.submitted", "submission.withdrawn", "sign_off.%"),
    *("publication.published", "publication.withdrawn", "token.%", "guest_pass.%", "consent.%"),
    *("contribution.reported", "contribution.disputed", "sighting.told", "session.%", "terms.%"),
    *("export.%", "departure.%"),
)


def told(by: Actor, *, until: datetime) -> Iterator[Member]:
    """By month and source: the entries, and of each that has one its detail with the salt of its digest."""
    assert by.user is not None
    start, end = period(by.user.created_at)
    while start <= until:
        for source in SOURCES:
            name, last = f"audit/{start:%Y-%m}.{source}", min(end, until)
            yield Member(f"{name}.entries.jsonl", _entries(by, source, start, last))
            yield Member(f"{name}.details.jsonl", lines(_details(by, source, start, last)))
        start, end = period(end)


def _entries(by: Actor, source: str, start: datetime, end: datetime) -> Iterator[bytes]:
    for _, body, *_ in _rows(by, source, start, end):
        yield bytes(body) + b"\n"


def _details(by: Actor, source: str, start: datetime, end: datetime) -> Iterator[dict[str, Any]]:
    for pk, _, salt, detail, own in _rows(by, source, start, end):
        if detail is not None and own:
            yield {"entry": pk, "salt": bytes(salt).hex(), "detail": bytes(detail).decode()}


def _rows(by: Actor, source: str, start: datetime, end: datetime) -> Iterator[tuple[Any, ...]]:
    assert by.user is not None
    asked: dict[str, Any] = {"user": by.user.pk, "acts": list(ACTS), "start": start, "end": end, "page": PAGE}
    asked["after"] = UUID(int=0)
    query = PAGED.format(source=SOURCES[source])  # our own words, none of anybody else's
    while True:
        with briefly(), connection.cursor() as cursor:
            cursor.execute(query, asked)
            page = cursor.fetchall()
        yield from page
        if len(page) < PAGE:
            return
        asked["after"] = page[-1][0]
