"""The smallest web application and the smallest Celery application: served by standing.py."""

import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from celery import Celery

# Not the current application: in the tests' own process that is the gateway's, and its bells would hang here.
app = Celery("little", broker=os.environ.get("BROKER"), set_as_current=False)


@app.task
def sleep(seconds: float) -> None:
    """Keep the worker's child busy."""
    time.sleep(seconds)


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answers every request."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"here"]
