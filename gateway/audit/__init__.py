"""What is remembered: every request and every change of state, in an append-only log."""

from gateway.logs import request_id

from .forget import forget_old
from .record import of, record

__all__ = ["forget_old", "of", "record", "request_id"]
