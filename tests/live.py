"""A whole gateway under `manage.py up`, for the tests that need one."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MINE = ("DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "AS_OWNER", "SECRET_KEY", "LEASE_SECONDS")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Gateway:
    """`manage.py up` on a data directory and a port of its own."""

    def __init__(self, data_dir: Path, *arguments: str, **env: str) -> None:
        self.port = free_port()
        self.url = f"http://localhost:{self.port}"
        self.env = {name: value for name, value in os.environ.items() if name not in MINE}
        self.env |= {"DATA_DIR": str(data_dir), "PORT": str(self.port), "UNDO_SECONDS": "2", **env}
        self.log = data_dir.with_suffix(".up.log")
        self.arguments = arguments

    def start(self, patience: float = 240) -> "Gateway":
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up", *self.arguments], cwd=ROOT, env=self.env, stdout=out, stderr=out
            )
        until = time.monotonic() + patience
        while "is ready, in" not in self.screen:
            assert self.process.poll() is None, self.screen
            assert time.monotonic() < until, self.screen
            time.sleep(0.2)
        time.sleep(0.3)  # the links are printed after that line
        return self

    @property
    def screen(self) -> str:
        return self.log.read_text(errors="replace")

    @property
    def seconds(self) -> float:
        """How long it said that it took."""
        match = re.search(r"is ready, in ([\d.]+) s", self.screen)
        assert match
        return float(match[1])

    def link(self, name: str) -> str:
        """The one-time sign-in link of a person of the cast."""
        match = re.search(rf"{name}.*?(http\S+)", self.screen)
        assert match, self.screen
        return match[1]

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=60)
