"""One `manage.py up` to a data directory: a lock that the kernel lets go of however its holder ends."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from gateway.services.trouble import Trouble


class Held(Trouble):
    """Another process serves this data directory."""


class PortTaken(Trouble):
    """Another program listens on the port."""


@contextmanager
def hold(path: Path, address: str) -> Iterator[None]:
    """Hold the lock of a data directory, and write into it who does, since when, and at which address."""
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Held(_who(path)) from None
        since = datetime.now().astimezone().isoformat(sep=" ", timespec="seconds")
        os.truncate(handle, 0)
        os.write(
            handle,
            json.dumps({"pid": os.getpid(), "since": since, "address": address}).encode(),
        )
        yield
        os.truncate(handle, 0)
    finally:
        os.close(handle)


def holder(path: Path) -> dict[str, str | int] | None:
    """Who holds the lock: pid, since, address; None when nobody does."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(path)
    finally:
        os.close(handle)
    return None


def _read(path: Path) -> dict[str, str | int]:
    try:
        return dict(json.loads(path.read_text()))
    except (ValueError, OSError):  # its holder is about to write it
        return {
            "pid": "unknown",
            "since": "this moment",
            "address": "an unknown address",
        }


def _who(path: Path) -> str:
    who = _read(path)
    return (
        f"{path.parent} is already served by process {who['pid']}, since {who['since']}, "
        f"at {who['address']}.\n"
        f"Use that one, stop it (kill {who['pid']}), or start another beside it:\n"
        "  make run DATA_DIR=/another/folder PORT=8001"
    )


def refuse_taken_port(host: str, port: int, patience: float = 2.0) -> None:
    """Say so at once when the port is taken, rather than let the web process fall over it."""
    deadline = time.monotonic() + patience  # one that was killed a moment ago may still be letting go
    while True:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    raise PortTaken(
                        f"Port {port} of {host} cannot be used ({error.strerror}). "
                        f"Choose another: make run PORT={port + 1}"
                    ) from None
        time.sleep(0.1)
