"""The supervisor with real children: PostgreSQL, Valkey, granian with its worker, Celery with its prefork child."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.services.cluster import remove
from gateway.services.places import Places
from gateway.services.supervisor import Child, Supervisor
from gateway.services.trouble import Trouble

from . import little
from .processes import command_line, descendants, wait_until_gone

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


class Standing:
    """standing.py at work."""

    def __init__(self, folder: Path) -> None:
        self.places = Places(folder / "data")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "-u", HERE / "standing.py", folder, str(self.port)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        )
        self.read_until("ready")

    def read_until(self, word: str) -> str:
        """The line with `word`; an error when it ends before."""
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            if word in line:
                return line
            said.append(line)
        raise AssertionError(f"it ended without saying {word!r}: {''.join(said)}")

    def family(self) -> set[int]:
        """Everything below it, once each of them has made its own children."""
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            found = descendants(self.process.pid)
            lines = [command_line(pid) for pid in found]
            if sum("granian" in line for line in lines) == 2 and sum("celery" in line for line in lines) == 2:
                return found
            time.sleep(0.1)
        raise AssertionError(f"not everybody came: {lines}")

    def one(self, name: str) -> int:
        """The child of the supervisor whose command line has `name`."""
        (pid,) = (
            pid
            for pid in descendants(self.process.pid)
            if name in command_line(pid) and pid not in self.grandchildren()
        )
        return pid

    def grandchildren(self) -> set[int]:
        """Those that a child of the supervisor made."""
        children = descendants(self.process.pid)
        return {below for pid in children for below in descendants(pid)}


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    found = Standing(tmp_path_factory.mktemp("standing"))
    yield found
    found.process.kill()
    found.process.wait()
    remove(found.places)


def test_a_child_that_is_killed_is_started_again_with_what_it_had_made(standing: Standing) -> None:
    standing.family()
    web = standing.one("granian")
    below = descendants(web)
    assert below
    os.kill(web, signal.SIGKILL)
    assert "web was killed by SIGKILL; starting it again in 0.5 s" in standing.read_until("SIGKILL")
    standing.read_until("web started again")
    assert not wait_until_gone({web, *below}, 2)
    assert standing.one("granian") != web
    standing.family()
    assert answers(standing.port)


def answers(port: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            return True
        except ConnectionRefusedError:
            time.sleep(0.1)
    return False


def test_the_guard_is_replaced_when_it_is_killed(standing: Standing) -> None:
    guard = standing.one("guard.py")
    os.kill(guard, signal.SIGKILL)
    wait_until_gone({guard}, 2)
    deadline = time.monotonic() + 5
    while not any("guard.py" in command_line(pid) for pid in descendants(standing.process.pid)):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_nothing_lingers_when_the_supervisor_is_killed(standing: Standing) -> None:
    little.app.conf.broker_url = f"redis+socket://{standing.places.valkey_socket}"
    with little.app.connection_for_write() as broker:
        little.sleep.apply_async((300,), connection=broker)  # busy, as with a clip
    family = standing.family()
    time.sleep(0.5)
    standing.process.send_signal(signal.SIGKILL)
    standing.process.wait()
    left = wait_until_gone(family, 10)
    assert not left, [command_line(pid) for pid in left]
    assert not (standing.places.postgres / "postmaster.pid").exists()  # it had the time to end well


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_everybody_and_ends_with_status_0(tmp_path: Path, number: int) -> None:
    standing = Standing(tmp_path)
    try:
        family = standing.family() if number == signal.SIGTERM else descendants(standing.process.pid)
        began = time.monotonic()
        standing.process.send_signal(number)
        standing.read_until("stopped")
        assert standing.process.wait(10) == 0
        assert time.monotonic() - began < 8
        assert not wait_until_gone(family, 1)
        assert not (standing.places.postgres / "postmaster.pid").exists()
    finally:
        standing.process.kill()
        standing.process.wait()
        remove(standing.places)


def child(tmp_path: Path, name: str, code: str, **more: object) -> Child:
    return Child(name, [sys.executable, "-c", code], tmp_path / f"{name}.log", **more)  # type: ignore[arg-type]


OBEDIENT = """
import signal, sys, time
def end(*_):
    with open("{order}", "a") as file:
        print("{name}", file=file)
    sys.exit()
signal.signal(signal.SIGTERM, end)
print("up", flush=True)
time.sleep(60)
"""


def test_groups_stop_in_reverse_order_and_the_deaf_are_killed(tmp_path: Path) -> None:
    order = tmp_path / "order"
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"

    def printed(name: str) -> bool:
        return (tmp_path / f"{name}.log").read_text() == "up\n"

    said: list[str] = []
    with Supervisor(said.append) as supervisor:
        for name, code in {"first": OBEDIENT, "second": OBEDIENT, "deaf": deaf}.items():
            told = code.format(order=order, name=name)
            supervisor.start(child(tmp_path, name, told, ready=lambda name=name: printed(name), stop_timeout=0.3))
        supervisor.wait("first", "second", "deaf")
    assert order.read_text().split() == ["second", "first"]
    assert said == ["deaf did not stop in time and is killed."]


def test_a_child_that_cannot_start_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    with Supervisor() as supervisor:
        supervisor.start(child(tmp_path, "lame", "raise SystemExit('no leg to stand on')", ready=lambda: False))
        with pytest.raises(Trouble, match=r"(?s)lame ended with status 1.*no leg to stand on"):
            supervisor.wait("lame")


def test_a_command_that_fails_is_told_too(tmp_path: Path) -> None:
    with Supervisor() as supervisor:
        supervisor.run(child(tmp_path, "good", "pass"))
        with pytest.raises(Trouble, match=r"(?s)bad was killed by SIGABRT"):
            supervisor.run(child(tmp_path, "bad", "import os; os.abort()"))
        with pytest.raises(Trouble, match="none could not be started"):
            supervisor.run(Child("none", ["/nowhere/none"], tmp_path / "none.log"))


def test_delays_grow_while_it_keeps_falling(tmp_path: Path) -> None:
    said: list[str] = []
    with Supervisor(said.append) as supervisor:
        supervisor.start(child(tmp_path, "weak", "raise SystemExit(3)"))
        deadline = time.monotonic() + 10
        while sum("starting it again" in line for line in said) < 3 and time.monotonic() < deadline:
            supervisor.tend()
            supervisor.pause(0.05)
    delays = [line.partition("again in ")[2].partition(" s")[0] for line in said if "status 3" in line]
    assert delays == ["0.5", "1", "2"]
