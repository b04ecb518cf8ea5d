"""Asks /readyz until everything says that it is ready."""

import http.client
import json
import time
from collections.abc import Callable, Collection
from pathlib import Path

from gateway.services.supervisor import Supervisor, tail
from gateway.services.trouble import Trouble

HOPELESS = 3  # falls of one child during a start
# Which child answers for what /readyz names; the others answer for themselves.
ANSWERABLE = {"database": "postgres", "broker": "valkey"}


def missing(host: str, port: int, known_as: str) -> list[str]:
    """What /readyz says is not ready; `web` alone while nobody answers."""
    door = http.client.HTTPConnection(host, port, timeout=5)
    try:
        door.request("GET", "/readyz", headers={"Host": known_as})
        answer = door.getresponse()
        parts = json.loads(answer.read()) if answer.status in (200, 503) else None
    except (OSError, http.client.HTTPException, ValueError):
        parts = None
    finally:
        door.close()
    if not isinstance(parts, dict):
        return ["web"]
    return [name for name, part in parts.items() if not (isinstance(part, dict) and part.get("ok"))]


def wait(
    supervisor: Supervisor,
    host: str,
    port: int,
    *,
    known_as: str,
    without: Collection[str],
    logs: Path,
    show: Callable[[list[str]], None],
    timeout: float = 120.0,
) -> None:
    """Wait until nothing is missing but what was left out on purpose; `show` is told what still is."""
    deadline = time.monotonic() + timeout
    before: list[str] = []
    while lacking := [name for name in missing(host, port, known_as) if name not in without]:
        if lacking != before:
            show(lacking)
            before = lacking
        supervisor.tend()
        hopeless = [each.child.name for each in supervisor.everybody() if each.falls >= HOPELESS]
        if hopeless or time.monotonic() > deadline:
            raise Trouble(_why(hopeless or lacking, logs, gave_up=not hopeless, timeout=timeout))
        supervisor.pause(0.1)


def _why(names: list[str], logs: Path, *, gave_up: bool, timeout: float) -> str:
    reason = f"not ready within {timeout:.0f} s" if gave_up else "fell again and again"
    parts = [f"{', '.join(names)}: {reason}."]
    for name in names:
        log = logs / f"{ANSWERABLE.get(name, name)}.log"
        parts.append(f"  The end of {log}:\n{tail(log)}")
    return "\n".join(parts)
