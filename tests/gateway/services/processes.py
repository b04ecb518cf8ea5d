"""What the kernel says about processes, for tests that kill some."""

import time
from pathlib import Path


def fields(pid: int) -> list[str] | None:
    """A process's state and what follows in /proc/PID/stat; None when it is gone or a zombie."""
    try:
        found = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if found[0] in "ZX" else found


def descendants(pid: int) -> set[int]:
    """All living processes under `pid`."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (found := fields(int(entry.name))):
            parents.setdefault(int(found[1]), []).append(int(entry.name))
    below: set[int] = set()
    waiting = [pid]
    while waiting:
        for child in parents.get(waiting.pop(), []):
            below.add(child)
            waiting.append(child)
    return below


def wait_until_gone(pids: set[int], seconds: float = 10.0) -> set[int]:
    """Those that are still there when the time is over."""
    deadline = time.monotonic() + seconds
    while (left := {pid for pid in pids if fields(pid)}) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def command_line(pid: int) -> str:
    """What it was started with."""
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
