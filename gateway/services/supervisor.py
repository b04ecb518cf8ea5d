"""Starts processes in order, starts again what falls, and stops them in reverse; nothing outlives it.

Three things see to the last point. Each child asks the kernel for a signal at our death. Each leads a process
group of its own, so that what it started can be ended with it. And a guard (guard.py) ends the groups when we
are killed.
"""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Self

from gateway.services.trouble import Trouble

FIRST_DELAY, LONGEST_DELAY = 0.5, 30.0
SETTLED = 60.0  # a child that lived this long starts again without a delay from earlier falls
LARGEST_LOG = 10 * 2**20
TICK = 0.05
PR_SET_PDEATHSIG = 1  # prctl(2)
LIBC = ctypes.CDLL(None, use_errno=True)


class Stopped(Exception):
    """Somebody asked us to stop."""


@dataclass(frozen=True)
class Child:
    """A process to run: what, as whom, how one sees that it is ready, and how it is stopped."""

    name: str
    argv: Sequence[str | Path]
    log: Path
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cwd: Path = Path("/")
    account: pwd.struct_passwd | None = None  # None: ours
    ready: Callable[[], bool] | None = None
    stop_signal: int = signal.SIGTERM
    stop_timeout: float = 10.0
    death_signal: int = signal.SIGKILL  # what it gets when we are killed
    death_timeout: float = 0.0


@dataclass
class Running:
    """A child at work, or waiting to be started again."""

    child: Child
    process: subprocess.Popen[bytes]
    started: float
    falls: int = 0
    due: float | None = None  # when to start it again; None while it runs

    @property
    def alive(self) -> bool:
        """Whether it runs at this moment."""
        return self.due is None and self.process.poll() is None


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log, indented, for a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 16_384))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])


def describe(code: int) -> str:
    """An exit status in words."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"


def _open_log(path: Path) -> int:
    if path.exists() and path.stat().st_size > LARGEST_LOG:
        path.replace(path.with_name(f"{path.name}.1"))
    return os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)


def _leash(death_signal: int, parent: int) -> Callable[[], None]:
    def tie() -> None:
        # In the child, after it took its account: changing that would undo this.
        LIBC.prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:  # we died before it could ask
            os.kill(os.getpid(), signal.SIGKILL)

    return tie


class Supervisor:
    """Runs children. To be used in a `with`, from the main thread: the death signal is tied to the thread."""

    def __init__(self, say: Callable[[str], None] = print) -> None:
        self.say = say
        self.groups: list[list[Running]] = []
        self.stop_asked = 0
        self._guard: subprocess.Popen[str] | None = None
        self._wards: dict[int, str] = {}

    def __enter__(self) -> Self:
        self._start_guard()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        guard, self._guard = self._guard, None
        if guard is not None and guard.stdin is not None:
            guard.stdin.close()
            guard.wait()

    @contextmanager
    def signals(self) -> Iterator[None]:
        """Let SIGINT, SIGTERM and SIGHUP ask us to stop; asked twice, we don't wait."""

        def ask(_number: int, _frame: FrameType | None) -> None:
            self.stop_asked += 1

        before = {each: signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    # Starting

    def start(self, *children: Child) -> None:
        """Start these at once. They form a group, which is stopped at once too."""
        group: list[Running] = []
        self.groups.append(group)
        for child in children:
            group.append(Running(child, self._spawn(child), time.monotonic()))

    def wait(self, *names: str, timeout: float = 60.0) -> None:
        """Wait until these are ready; a child that ends before is an error, told with the end of its log."""
        deadline = time.monotonic() + timeout
        waiting = [each for each in self.everybody() if each.child.name in names]
        while waiting:
            waiting = [each for each in waiting if not (each.child.ready is None or each.child.ready())]
            for each in waiting:
                code = each.process.poll()
                if code is not None:
                    raise Trouble(f"{each.child.name} {describe(code)}.\n{self._last_words(each.child)}")
                if time.monotonic() > deadline:
                    raise Trouble(
                        f"{each.child.name} was not ready within {timeout:.0f} s.\n{self._last_words(each.child)}"
                    )
            if waiting:
                self.pause(TICK)

    def run(self, child: Child) -> None:
        """Run something to its end, or until somebody asks us to stop; an error when it fails."""
        process = self._spawn(child)
        try:
            while (code := process.poll()) is None:
                self.tend()
                self.pause(TICK)
        except Stopped:
            self._signal_group(process.pid, signal.SIGKILL)
            process.wait()
            raise
        finally:
            self._forget(process.pid)
        if code:
            raise Trouble(f"{child.name} {describe(code)}.\n{self._last_words(child)}")

    def everybody(self) -> list[Running]:
        """All children, in the order in which they were started."""
        return [each for group in self.groups for each in group]

    def pause(self, seconds: float) -> None:
        """Sleep, unless somebody asked us to stop."""
        deadline = time.monotonic() + seconds
        while True:
            if self.stop_asked:
                raise Stopped
            left = deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, TICK))

    def _last_words(self, child: Child) -> str:
        return f"  The end of {child.log}:\n{tail(child.log)}"

    def _spawn(self, child: Child) -> subprocess.Popen[bytes]:
        log = _open_log(child.log)
        who = child.account
        try:
            process = subprocess.Popen(
                [os.fspath(each) for each in child.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(child.env),
                cwd=child.cwd,
                user=who and who.pw_uid,
                group=who and who.pw_gid,
                extra_groups=[] if who else None,
                umask=0o077,
                start_new_session=True,
                preexec_fn=_leash(child.death_signal, os.getpid()),  # noqa: PLW1509 (no threads here)
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise Trouble(f"{child.name} could not be started: {error}") from error
        finally:
            os.close(log)
        self._tell(
            process.pid,
            f"+ {process.pid} {int(child.death_signal)} {child.death_timeout}\n",
        )
        return process

    # Watching

    def watch(self, until: Callable[[], bool] = lambda: False) -> None:
        """Start again whoever falls, until somebody asks us to stop, or `until` says that it is time."""
        while not until():
            self.tend()
            try:
                self.pause(2 * TICK)
            except Stopped:
                return

    def tend(self) -> None:
        """One look at everybody."""
        now = time.monotonic()
        for each in self.everybody():
            if each.due is None:
                code = each.process.poll()
                if code is not None:
                    self._fell(each, code, now)
            elif now >= each.due:
                self._rise(each, now)
        if self._guard is not None and self._guard.poll() is not None:
            self._start_guard()

    def _fell(self, each: Running, code: int, now: float) -> None:
        # What it started goes too: it may hold the port or the files that the next one needs.
        self._signal_group(each.process.pid, signal.SIGKILL)
        self._forget(each.process.pid)
        self._put_off(each, describe(code), now)

    def _put_off(self, each: Running, what: str, now: float) -> None:
        each.falls = 1 if now - each.started > SETTLED else each.falls + 1
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** (each.falls - 1))
        each.due = now + delay
        self.say(f"{each.child.name} {what}; starting it again in {delay:g} s. Log: {each.child.log}")

    def _rise(self, each: Running, now: float) -> None:
        try:
            each.process = self._spawn(each.child)
        except Trouble as trouble:
            self._put_off(each, f"is still down ({trouble})", now)
            return
        each.started, each.due = now, None
        self.say(f"{each.child.name} started again.")

    # Stopping

    def stop(self) -> None:
        """Stop everybody, the last group first."""
        asked = self.stop_asked
        while self.groups:
            self._stop_group(self.groups[-1], asked)
            self.groups.pop()

    def _stop_group(self, group: list[Running], asked: int) -> None:
        living = [each for each in group if each.alive]
        began = time.monotonic()
        for each in living:
            self._signal(each.process, each.child.stop_signal)
        while living:
            for each in living:
                late = time.monotonic() - began > each.child.stop_timeout
                if late or self.stop_asked > max(asked, 1):
                    self.say(f"{each.child.name} did not stop in time and is killed.")
                    self._signal_group(each.process.pid, signal.SIGKILL)
                    each.process.wait()
            living = [each for each in living if each.process.poll() is None]
            time.sleep(TICK if living else 0)
        for each in group:
            self._signal_group(each.process.pid, signal.SIGKILL)
            self._forget(each.process.pid)

    @staticmethod
    def _signal(process: subprocess.Popen[bytes], number: int) -> None:
        try:
            process.send_signal(number)
        except ProcessLookupError:
            pass

    def _signal_group(self, pid: int, number: int) -> None:
        if pid not in self._wards:
            return  # it ended long ago, and its number may be another's
        try:
            os.killpg(pid, number)
        except ProcessLookupError:
            pass

    # The guard

    def _start_guard(self) -> None:
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py"))],
            stdin=subprocess.PIPE,
            text=True,
            cwd="/",
            start_new_session=True,
        )
        for line in self._wards.values():
            self._write(line)

    def _tell(self, pid: int, line: str) -> None:
        self._wards[pid] = line
        self._write(line)

    def _forget(self, pid: int) -> None:
        if self._wards.pop(pid, None):
            self._write(f"- {pid}\n")

    def _write(self, line: str) -> None:
        if self._guard is None or self._guard.stdin is None:
            return
        try:
            self._guard.stdin.write(line)
            self._guard.stdin.flush()
        except BrokenPipeError:
            pass  # `tend` starts another, and tells it about everybody
