"""A whole gateway on one machine, in the foreground: `manage.py up`."""

import os
import select
import sys
import time
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.urls import reverse
from rich.console import Console

from gateway import sign_in_links
from gateway.models import Pulse, User
from gateway.services import freshness, lock, postgres, programs, readiness, valkey
from gateway.services.places import APP_ROLE
from gateway.services.supervisor import Child, Stopped, Supervisor
from gateway.services.trouble import Trouble

PEOPLE_SHOWN = 8


class Screen:
    """What the person at the terminal sees: a line for each step, with the time that it took."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, markup=False, soft_wrap=True)
        self.was_terminal = sys.stdout.isatty()
        self.began = time.monotonic()

    def say(self, text: str = "", style: str = "") -> None:
        """One line. A terminal that went away is no reason to fall."""
        try:
            self.console.print(text, style=style or None)
        except OSError:
            pass

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Says what is being done, and how long it took."""
        began = time.monotonic()
        if self.console.is_terminal:
            self.console.print(f"  … {name}", style="dim", end="\r")
        yield
        self.say(f"  ✓ {name:<44} {time.monotonic() - began:5.1f} s")

    def gone(self) -> bool:
        """Whether the terminal was closed: `make`, between it and us, keeps the signal that says so to itself."""
        if not self.was_terminal:
            return False
        watched = select.poll()
        watched.register(sys.stdout.fileno(), 0)
        return any(event & select.POLLHUP for _, event in watched.poll(0))

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began


class Command(BaseCommand):
    """`manage.py up`: sets up what is missing, starts everything, and stays until Ctrl-C."""

    help = "Set up and run a whole gateway on this machine, in the foreground."
    requires_system_checks = []  # the database that they would ask is not up yet

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        parser.add_argument("--port", type=int, help="port to listen on (default: PORT, or 8000)")
        parser.add_argument("--no-seed", action="store_true", help="begin without the cast of examples")
        parser.add_argument(
            "--without",
            action="append",
            default=[],
            choices=programs.NAMES,
            help="leave a process out (repeatable)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["port"] not in (None, settings.PORT):
            # Addresses were made from PORT when the settings were read: begin again with the right one.
            os.environ["PORT"] = str(options["port"])
            os.execv(sys.executable, sys.orig_argv)
        for stream in (sys.stdout, sys.stderr):
            stream.reconfigure(errors="replace", line_buffering=True)  # type: ignore[union-attr]
        try:
            Start(options["host"], set(options["without"]), seed=not options["no_seed"]).run()
        except lock.Held as held:
            raise CommandError(str(held), returncode=2) from held
        except Trouble as trouble:
            raise CommandError(str(trouble)) from trouble


class Start:
    """One run of `up`, from the lock to the last child's end."""

    def __init__(self, host: str, without: set[str], *, seed: bool) -> None:
        self.host, self.without, self.seed = host, without, seed
        self.places = settings.PLACES
        self.port = settings.PORT
        self.root = settings.BASE_DIR
        self.env = programs.environment(self.places, self.port)
        self.screen = Screen()
        self.own_database = self.places.database_url(APP_ROLE) == settings.DATABASE_URL
        self.own_broker = self.places.redis_url() == settings.REDIS_URL

    def run(self) -> None:
        """Everything, in order."""
        self.screen.say(f"{settings.PROGRAM_NAME}: {self.places.data_dir}", style="bold")
        self.places.make_data_dir()
        with lock.hold(self.places.lock, settings.BASE_URL):
            lock.refuse_taken_port(self.host, self.port)
            for note in self.places.prepare():
                self.screen.say(f"  ! {note}")
            supervisor = Supervisor(self.screen.say)
            with supervisor.signals():
                try:
                    with supervisor:
                        self._set_up_and_watch(supervisor)
                except Stopped:
                    pass  # asked to while it was starting
        self.screen.say("Stopped.")

    def _set_up_and_watch(self, supervisor: Supervisor) -> None:
        try:
            self._services(supervisor)
            self._migrate(supervisor)
            self._collect_static(supervisor)
            self._programs(supervisor)
            self._seed(supervisor)
            self._show()
            connection.close()
            supervisor.watch(until=self.screen.gone)
        finally:
            connection.close()  # PostgreSQL waits for nobody, but a log without an error is easier to read
            self.screen.say("\nStopping …" if supervisor.stop_asked else "")

    # The steps

    def _services(self, supervisor: Supervisor) -> None:
        names = [
            *([valkey.NAME] if self.own_broker else []),
            *([postgres.NAME] if self.own_database else []),
        ]
        if not names:
            return
        with self.screen.step(" and ".join(reversed(names))):
            children: list[Child] = []
            if self.own_broker:
                children.append(valkey.child(self.places))
            if self.own_database:
                children.append(postgres.child(self.places))
            supervisor.start(*children)
            supervisor.wait(*names)
            if self.own_database:
                postgres.make_roles(self.places)

    def _migrate(self, supervisor: Supervisor) -> None:
        waiting = freshness.migrations_waiting()
        if waiting or self._unfinished("migrate"):
            with (
                self.screen.step(f"tables ({waiting} migrations)" if waiting > 0 else "tables"),
                self._begun("migrate"),
            ):
                self._manage(supervisor, "migrate", "migrate", "--noinput", "--verbosity", "1")

    def _collect_static(self, supervisor: Supervisor) -> None:
        fingerprint, path = freshness.static_fingerprint(), self.places.data_dir / "static.fingerprint"
        if path.exists() and path.read_text() == fingerprint:
            return
        with self.screen.step("static files"):
            self._manage(supervisor, "collectstatic", "collectstatic", "--noinput", "--clear", "--verbosity", "0")
            path.write_text(fingerprint)

    def _programs(self, supervisor: Supervisor) -> None:
        children = {
            programs.WEB: programs.web(self.places, self.root, self.host, self.port),
            programs.GPU: programs.gpu(
                self.places,
                self.root,
                self.port,
                settings.POOLS,
                settings.CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT,
            ),
            programs.CHORES: programs.chores(self.places, self.root, self.port),
            programs.SCHEDULER: programs.scheduler(self.places, self.root, self.port),
        }
        started = [child for name, child in children.items() if name not in self.without]
        if self.own_database:
            Pulse.objects.all().delete()  # of an earlier run, which nobody should take for this one
        with self.screen.step(", ".join(child.name for child in started)):
            supervisor.start(*started)
            if programs.WEB not in self.without:
                address = "127.0.0.1" if self.host == "0.0.0.0" else self.host
                readiness.wait(
                    supervisor,
                    address,
                    self.port,
                    known_as=urlsplit(settings.BASE_URL).netloc,
                    without=self.without,
                    logs=self.places.logs,
                    show=self._show_missing,
                )

    def _show_missing(self, names: list[str]) -> None:
        if self.screen.console.is_terminal:
            self.screen.console.print(f"  … waiting for {', '.join(names):<60}", style="dim", end="\r")

    def _seed(self, supervisor: Supervisor) -> None:
        if not (self.seed and settings.EMBEDDED) or (User.objects.exists() and not self._unfinished("seed")):
            return
        if self.without:
            self.screen.say("  ! no examples: making them takes every process")
            return
        try:
            with self.screen.step("a cast of examples"), self._begun("seed"):
                # Its decisions take effect at once: nobody is there to undo them.
                self._manage(supervisor, "seed", "seed", UNDO_SECONDS="0")
        except Trouble as trouble:  # a gateway without examples is a gateway
            self.screen.say(f"  ! {trouble}")

    def _unfinished(self, name: str) -> bool:
        return (self.places.data_dir / f"{name}.unfinished").exists()

    @contextmanager
    def _begun(self, name: str) -> Iterator[None]:
        # A start that is interrupted in the middle of this leaves its mark, and the next one does it again.
        mark = self.places.data_dir / f"{name}.unfinished"
        mark.touch()
        yield
        mark.unlink()

    def _manage(self, supervisor: Supervisor, name: str, *arguments: str, **env: str) -> None:
        child = programs.manage(self.places, self.root, name, *arguments, env={**self.env, **env})
        supervisor.run(child)

    # The screen at the end

    def _show(self) -> None:
        say = self.screen.say
        say()
        say(f"{settings.PROGRAM_NAME} is ready, in {self.screen.elapsed:.1f} s.", style="bold green")
        say()
        for name, value in {
            "Site": f"{settings.BASE_URL}/",
            "Records": f"{settings.BASE_URL}{reverse('admin:index')}",
            "Mail": settings.EMAIL_FILE_PATH or settings.EMAIL_HOST,
            "Logs": self.places.logs,
            "Stop": f"Ctrl-C, or kill {os.getpid()}",
        }.items():
            say(f"  {name:<10}{value}")
        if settings.EMBEDDED:
            self._show_links()
        say()

    def _show_links(self) -> None:
        # The self-test's people come and go; they have no need of a link.
        people = User.objects.filter(is_active=True).exclude(memberships__cohort__smoke=True)
        shown = people.order_by("created_at")[:PEOPLE_SHOWN]
        if not shown:
            return
        self.screen.say()
        self.screen.say(f"  Sign in, once and within {sign_in_links.HOURS} hours, as")
        for person in shown:
            role = "admin" if person.is_staff else "reviewer" if person.is_reviewer else "artist"
            self.screen.say(f"    {person.name:<18} {role:<10}{sign_in_links.issue(person)}")
