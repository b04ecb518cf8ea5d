"""A statement that the database plans once for each connection, for what every request asks.

Django sends each statement with its values written into it, so PostgreSQL plans it anew each time; of the statement
that finds a token that is the larger part. Inside `prepared()` the values travel beside it, and the plan is kept.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.backends.postgresql.base import ServerBindingCursor


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
