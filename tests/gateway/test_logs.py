"""LOG_FORMAT=json: one object a line, with the request and the generation that it belongs to."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gateway import logs


class Kept(logging.Handler):
    """What would be printed, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.setFormatter(logs.Lines())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def kept() -> Iterator[Kept]:
    handler = Kept()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def test_a_line_is_one_object_whatever_is_said(kept):
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("here").exception("Tomás said %s", "“no”\n")
    (line,) = kept.lines
    told = json.loads(line)
    assert "\n" not in line
    assert (told["level"], told["logger"], told["message"]) == ("ERROR", "here", "Tomás said “no”\n")
    assert told["error"].endswith("ValueError: two\nlines")
    assert "request" not in told and "generation" not in told


@pytest.mark.django_db
def test_what_a_request_logs_carries_the_id_that_its_answer_and_the_audit_log_have(kept, guest):
    answer = guest.get("/nowhere")
    told = [json.loads(line) for line in kept.lines]
    assert {each.get("request") for each in told if each["logger"] == "django.request"} == {answer["X-Request-ID"]}
    assert logs.request_id.get() is None


def test_a_format_that_there_is_not_stops_the_start():
    found = subprocess.run(
        [sys.executable, "-c", "import gateway.settings"],
        env={"LOG_FORMAT": "xml", "SECRET_KEY": "x", "DATABASE_URL": "postgresql:///x"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1 and "LOG_FORMAT" in found.stderr
