"""How long a gateway takes to be ready: from nothing, and again. Beside it, in the same run, the floor: starting Python
with Django's apps loaded, which every one of its processes does once.

    python -m benchmarks.start [runs]
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.live import ROOT, Gateway


def floor() -> float:
    began = time.monotonic()
    subprocess.run(
        [sys.executable, "-c", "import django; django.setup()"],
        check=True,
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "gateway.settings", "SECRET_KEY": "x", "DATABASE_URL": "postgresql:///x"},
    )
    return time.monotonic() - began


def measure(runs: int) -> dict[str, float]:
    took: dict[str, list[float]] = {"floor_s": [], "first_s": [], "again_s": []}
    for _ in range(runs):
        took["floor_s"].append(floor())
        with tempfile.TemporaryDirectory(prefix="bat-start-") as folder:
            Path(folder).chmod(0o755)
            gateway = Gateway(Path(folder) / "data")
            for name in ("first_s", "again_s"):
                took[name].append(gateway.start().seconds)
                gateway.stop()
    return {name: statistics.median(values) for name, values in took.items()}


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    found = measure(count)
    print(f"Ready, median of {count}:")
    print(f"  from nothing, with model, cast and nine clips {found['first_s']:7.1f} s")
    print(f"  again, on the same data                       {found['again_s']:7.1f} s")
    print(f"  floor: one Python with Django's apps          {found['floor_s']:7.1f} s")
    print(" ".join(f"{name}={value:.2f}" for name, value in found.items()))
