"""The operator's log as one JSON object a line (LOG_FORMAT=json), each with what it belongs to."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from uuid import UUID

# The request that is being answered, set by the middleware: log and audit entries name it.
request_id: ContextVar[UUID | None] = ContextVar("request_id", default=None)
# The generation that a worker is about.
subject: ContextVar[UUID | None] = ContextVar("subject", default=None)


class Lines(logging.Formatter):
    """`at`, `level`, `logger`, `message`, `process`; where there is one `request`, `generation`, `error`."""

    def format(self, record: logging.LogRecord) -> str:
        # Django tells of a refused request when its middleware is through; the request itself still knows its id.
        request = request_id.get() or getattr(getattr(record, "request", None), "request_id", None)
        generation = subject.get()
        told = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "process": record.process,
            **({"request": str(request)} if request else {}),
            **({"generation": str(generation)} if generation else {}),
            **({"error": self.formatException(record.exc_info)} if record.exc_info else {}),
        }
        return json.dumps(told, ensure_ascii=False)
