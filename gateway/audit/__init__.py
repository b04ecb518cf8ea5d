"""What is remembered: every request and every change of state, in an append-only log."""

from .record import of, record, request_id

__all__ = ["of", "record", "request_id"]
