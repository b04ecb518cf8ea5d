"""Writes entries. An entry's body is canonical JSON: ids, numbers, plain words and salted digests, nothing personal.

What is personal (a prompt, an address, a name) goes into `audit.detail`, which can be erased; the body keeps
sha256(salt ‖ detail), so that an unerased detail can be proven and an erased one can't be guessed.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import connection
from django.db.models import Q, QuerySet

from gateway import refusals
from gateway.logs import request_id
from gateway.models import Entry
from gateway.models.base import new_id
from gateway.prepared import prepared

if TYPE_CHECKING:
    from gateway.actors import Actor

UNCHANGING = ("request.", "impersonation.")


def canonical(value: Mapping[str, Any]) -> bytes:
    """The one spelling of a value: sorted keys, no spaces, UTF-8 (after RFC 8785, for the types that we write)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str).encode()


def record(
    action: str,
    *,
    by: "Actor",
    subject: Any = None,
    facts: Mapping[str, Any] | None = None,
    detail: Mapping[str, Any] | None = None,
) -> UUID:
    """Write one entry and return its id. In a transaction it stands or falls with it.

    `action` is `noun.state` or `noun.verbed`; `subject` is a row with NOUN and pk; `facts` may hold ids, numbers and
    plain words only; whatever a person could be known by goes into `detail`.
    Who looks as somebody else changes nothing: raises ReadOnlyWhileImpersonating for every change, which falls with it.
    """
    if by.impersonation is not None and not action.startswith(UNCHANGING):
        raise refusals.ReadOnlyWhileImpersonating
    entry_id = new_id()
    body: dict[str, Any] = {"v": 1, "id": entry_id, "action": action, "actor": _actor(by)}
    if subject is not None:
        body["subject"] = {"noun": subject.NOUN, "id": subject.pk}
    if (request := request_id.get()) is not None:
        body["request"] = request
    if facts:
        body["facts"] = dict(facts)
    with prepared(), connection.cursor() as cursor:
        if detail:
            salt, private = secrets.token_bytes(16), canonical(detail)
            body["detail"] = hashlib.sha256(salt + private).hexdigest()
            # One statement, so that outside a transaction neither can be written without the other.
            cursor.execute(
                "with detail as (insert into audit.detail (entry_id, salt, body) values (%s, %s, %s)) "
                "insert into audit.entry (body) values (%s)",
                [entry_id, salt, private, canonical(body)],
            )
        else:
            cursor.execute("insert into audit.entry (body) values (%s)", [canonical(body)])
    return entry_id


def of(subject: Any) -> QuerySet[Entry]:
    """The entries about one row, oldest first."""
    return Entry.objects.filter(Q(subject_id=subject.pk)).order_by("id")


def _actor(by: "Actor") -> dict[str, Any]:
    actor: dict[str, Any] = {"kind": by.kind}
    if by.user is not None:
        actor["id"] = by.user.pk
    if by.token is not None:
        actor["token"] = by.token.pk
    if by.guest_pass is not None:
        actor["guest_pass"] = by.guest_pass.pk
    if by.name:
        actor["name"] = by.name
    if by.impersonation is not None:
        actor["impersonator"] = by.impersonation.admin_id
        actor["impersonation"] = by.impersonation.pk
    return actor
