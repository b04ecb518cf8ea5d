"""One `up` to a data directory, and one listener to a port: the second is told by whom and what to do."""

import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.services import lock

HOLD = """
import sys, time
from pathlib import Path
from gateway.services import lock
with lock.hold(Path(sys.argv[1]), "http://localhost:8000"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_is_refused_with_the_name_of_the_first_and_a_way_out(tmp_path: Path) -> None:
    path = tmp_path / "up.lock"
    first = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(lock.Held) as refused, lock.hold(path, "http://localhost:8001"):
            pass
        for part in (f"process {first.pid}", "since 20", "http://localhost:8000", "DATA_DIR=", "PORT="):
            assert part in str(refused.value)
        holder = lock.holder(path)
        assert holder is not None
        assert holder["pid"] == first.pid
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert lock.holder(path) is None
    with lock.hold(path, "http://localhost:8001"):  # a kill let go of it
        pass


def test_nobody_holds_a_lock_that_was_never_taken(tmp_path: Path) -> None:
    assert lock.holder(tmp_path / "up.lock") is None


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(lock.PortTaken, match=f"Port {port} .*PORT={port + 1}"):
            lock.refuse_taken_port("127.0.0.1", port, patience=0.2)
    lock.refuse_taken_port("127.0.0.1", port)


def test_the_lock_is_for_its_owner_only(tmp_path: Path) -> None:
    with lock.hold(tmp_path / "up.lock", "here"):
        assert (tmp_path / "up.lock").stat().st_mode & 0o077 == 0
