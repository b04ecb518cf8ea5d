"""Ends what a killed supervisor leaves behind.

A process of its own, told by the supervisor over a pipe which process groups are alive. When the pipe closes,
the supervisor is gone: whoever is still named is ended. The kernel's parent-death signal, which each child asks
for besides, reaches the child only; this reaches the processes that the child made as well.

Run as a file, with nothing but the standard library, so that it starts in milliseconds and stays small.
"""

import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    """Read `+ group signal grace` and `- group`, a line each, until the pipe closes; then end the rest."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    wards: dict[int, tuple[int, float]] = {}
    for line in sys.stdin:
        sign, group, *rest = line.split()
        if sign == "+":
            wards[int(group)] = (int(rest[0]), float(rest[1]))
        else:
            wards.pop(int(group), None)
    end(wards)


def end(wards: dict[int, tuple[int, float]]) -> None:
    """Give each group its signal, and SIGKILL when its grace is over."""
    began = time.monotonic()
    for group, (number, _) in wards.items():
        send(group, number)
    while wards:
        passed = time.monotonic() - began
        left = living_groups()
        for group, (_, grace) in list(wards.items()):
            if group in left and passed > grace:
                send(group, signal.SIGKILL)
            if group not in left or passed > grace:
                del wards[group]
        time.sleep(0.05)


def send(group: int, number: int) -> None:
    """Signal a group, if anybody is left in it."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        pass


def living_groups() -> set[int]:
    """The groups of all living processes. The dead don't count, even where nobody buries them."""
    groups: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _parent, group, *_ = stat.read_text(errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        if state not in "ZX":
            groups.add(int(group))
    return groups


if __name__ == "__main__":
    main()
