"""Rows as CSV that a spreadsheet shows and never runs."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """The whole file; a cell that a spreadsheet would take for a formula begins with an apostrophe (OWASP's advice)."""
    return "".join(lines(header, rows))


def lines(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The same, a line at a time."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(header)
    for row in rows:
        yield out.getvalue()
        out.seek(0)
        out.truncate()
        writer.writerow([cell(value) for value in row])
    yield out.getvalue()


def cell(value: object) -> str:
    """What stands in a cell; nothing for None."""
    text = "" if value is None else str(value)
    return "'" + text if text.lstrip(" ").startswith(FORMULA) else text
