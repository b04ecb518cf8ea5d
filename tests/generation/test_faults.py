"""Everything dies, again and again: every accepted generation ends, charged at most once, and no file is another's.

In a process of its own, with a PostgreSQL and a Valkey of its own: see faults.py, which checks and says what it found.
"""

import subprocess
import sys

import pytest

from tests.generation.faults import ROOT


def faults(generations: int, workers: int, ticks: int, *how: str, seconds: float) -> str:
    command = [sys.executable, "-W", "ignore", "-m", "tests.generation.faults"]
    played = subprocess.run(
        [*command, str(generations), str(workers), str(ticks), *how],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert played.returncode == 0, played.stdout + played.stderr
    return played.stdout


@pytest.mark.live
@pytest.mark.xdist_group("up")
@pytest.mark.timeout(600)
def test_eight_generations_on_two_workers():
    told = faults(8, 2, 5, "walk", seconds=500)
    for what in ("kill -9 of", "Valkey flushed", "Valkey killed", "PostgreSQL restarted", "stopped past its lease"):
        assert what in told, told


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_two_hundred_generations_on_four_workers():
    print(faults(200, 4, 150, seconds=1700))
