"""Rows by the page, and how they are spelled in a dossier. No connection is held while bytes are on their way."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from typing import Any, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)
PAGE = 200


@contextmanager
def briefly() -> Iterator[None]:
    """Ask the database, and give the connection back: a slow reader of the dossier keeps nobody else waiting."""
    try:
        yield
    finally:
        if not connection.in_atomic_block:
            connection.close()


def each(rows: QuerySet[M], size: int = PAGE) -> Iterator[M]:
    """Every row by its id, a page at a time; what comes to be meanwhile may be among them."""
    last: Any = None
    while True:
        with briefly():
            page = list((rows if last is None else rows.filter(pk__gt=last)).order_by("pk")[:size])
        yield from page
        if len(page) < size:
            return
        last = page[-1].pk


def pretty(value: Any) -> Iterator[bytes]:
    """One value as JSON for people to read."""
    yield (json.dumps(value, indent=2, ensure_ascii=False, default=_spelled) + "\n").encode()


def lines(values: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    """A value a line, for what may be long."""
    for value in values:
        yield (json.dumps(value, ensure_ascii=False, default=_spelled) + "\n").encode()


def _spelled(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)  # a datetime is a date
