"""Statements that every request asks: put together once a process, and planned once a connection.

Django puts a query together anew each time, and sends it with its values written into it, so that PostgreSQL plans it
anew too. For a row that is read by its key with what belongs to it both take several times as long as reading it
(benchmarks/api.py). A `Statement` keeps the SQL; inside `prepared()` the values travel beside it, and the plan is kept.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime, timedelta
from functools import cached_property
from secrets import randbits, token_bytes
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid4

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.models import QuerySet

Row = TypeVar("Row")
#: A value that no statement has by chance, of each kind that can be asked with.
SAMPLES: dict[type, Callable[[], Any]] = {
    UUID: uuid4,
    bytes: lambda: token_bytes(32),
    int: lambda: randbits(30),
    str: lambda: uuid4().hex,
    datetime: lambda: datetime(1900, 1, 1, tzinfo=UTC) + timedelta(microseconds=randbits(50)),
}


class Statement(Generic[Row]):
    """A query whose values alone differ: `make` puts it together out of one value of each of `kinds`.

    Only the SQL is kept. `make` is asked once, with samples, and where these end up is where the values go: so its
    shape must not depend on them, and nothing that it looks at besides may change. What it returns are its rows as the
    queryset gives them, without what it would prefetch. Raises ValueError when a value is in the statement nowhere.
    """

    def __init__(self, make: Callable[..., QuerySet[Any, Row]], *kinds: type) -> None:
        self._make, self._kinds = make, kinds

    def all(self, *values: Any) -> list[Row]:
        """The rows for these values, in one statement."""
        queryset, compiler, sql, params, places, converters = self._known
        given = list(params)
        for place, nth in places.items():
            given[place] = _like(params[place], values[nth])
        mine = copy(compiler)
        mine.connection = connections[DEFAULT_DB_ALIAS]
        mine.as_sql = lambda *_, **__: (sql, tuple(given))
        mine.get_converters = lambda _: converters
        asked = queryset.all()
        asked.query.get_compiler = lambda *_, **__: mine
        with prepared():
            return list(asked._iterable_class(asked))

    def first(self, *values: Any) -> Row | None:
        """The first of them, if there is one; `make` has said how many and in which order."""
        found = self.all(*values)
        return found[0] if found else None

    @cached_property
    def _known(self) -> tuple[Any, Any, str, tuple[Any, ...], dict[int, int], dict[int, Any]]:
        samples = [SAMPLES[kind]() for kind in self._kinds]
        queryset: Any = self._make(*samples)
        compiler = queryset.query.get_compiler(connection=connections[DEFAULT_DB_ALIAS])
        sql, params = compiler.as_sql()
        plain = [_plain(each) for each in params]
        places = {place: samples.index(each) for place, each in enumerate(plain) if each in samples}
        if set(places.values()) != set(range(len(samples))):
            raise ValueError(f"Not every value is in the statement: {sql}")
        converters = compiler.get_converters([column for column, *_ in compiler.select[: compiler.col_count]])
        return queryset, compiler, sql, tuple(params), places, converters


@contextmanager
def prepared() -> Iterator[None]:
    """Statements inside are prepared, and must be few and always the same; outside everything is as before."""
    connection.ensure_connection()
    if connection.queries_logged:  # a log of statements reads none whose values travel beside it
        yield
        return
    raw: Any = connection.connection
    before = raw.cursor_factory, raw.prepare_threshold
    raw.cursor_factory, raw.prepare_threshold = ServerBindingCursor, 0
    try:
        yield
    finally:
        raw.cursor_factory, raw.prepare_threshold = before


def _plain(param: Any) -> Any:
    """A value as it was given: bytes are wrapped for the database."""
    return getattr(param, "obj", param)


def _like(param: Any, value: Any) -> Any:
    return type(param)(value) if hasattr(param, "obj") else value
