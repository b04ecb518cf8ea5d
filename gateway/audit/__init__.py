"""What is remembered: every request and every change of state, in an append-only log."""

from .forget import forget_old
from .record import of, record, request_id

__all__ = ["forget_old", "of", "record", "request_id"]
