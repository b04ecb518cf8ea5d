"""Looks over everything that a gateway needs, and says what to do about what is wrong: `manage.py doctor`."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import redis
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection

from gateway import allowances, pulses, sums
from gateway.services import freshness, lock

OLDEST_POSTGRES = 16
GIB = 2**30
LITTLE_SPACE, NO_SPACE = 5 * GIB, GIB // 2


@dataclass(frozen=True)
class Finding:
    """What one look has shown."""

    level: Literal["ok", "warn", "FAIL"]
    what: str
    text: str


Look = Callable[[], Iterator[Finding]]


class Command(BaseCommand):
    """`manage.py doctor`: a line a check, and status 1 when one has failed."""

    help = "Check services, roles, migrations, storage, model files and processes."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        failed = False
        for look in (served, database, broker, storage, model_files):
            for finding in look():
                failed |= finding.level == "FAIL"
                self._write(finding)
        if failed:
            raise SystemExit(1)

    def _write(self, finding: Finding) -> None:
        style = {"ok": self.style.SUCCESS, "warn": self.style.WARNING, "FAIL": self.style.ERROR}[finding.level]
        self.stdout.write(f"{style(f'{finding.level:<5}')} {finding.what:<11} {finding.text}")


def served() -> Iterator[Finding]:
    """Whether `up` runs on this data directory; only on a gateway that brings its own services."""
    if not settings.EMBEDDED:
        return
    who = lock.holder(settings.PLACES.lock)
    if who is None:
        yield Finding("warn", "up", f"nobody serves {settings.DATA_DIR}. Start it: manage.py up")
    else:
        yield Finding("ok", "up", f"process {who['pid']}, since {who['since']}, at {who['address']}")


def database() -> Iterator[Finding]:
    """The database, and all that can be asked only there."""
    try:
        connection.ensure_connection()
        with connection.cursor() as cursor:
            cursor.execute(
                "select current_setting('server_version_num')::int / 10000, current_setting('server_version')"
            )
            major, version = cursor.fetchone()
    except DatabaseError as error:
        advice = "Start it: manage.py up" if settings.EMBEDDED else "Check DATABASE_URL."
        yield Finding("FAIL", "database", f"{_line(error)}. {advice}")
        return
    if major < OLDEST_POSTGRES:
        yield Finding("FAIL", "database", f"PostgreSQL {version}: {OLDEST_POSTGRES} or later is needed. Upgrade it.")
        return
    yield Finding("ok", "database", f"PostgreSQL {version}")
    waiting = freshness.migrations_waiting()
    if waiting:
        many = str(waiting) if waiting > 0 else "an unknown number"
        yield Finding("FAIL", "migrations", f"{many} not applied. Apply them: manage.py migrate")
        return
    yield Finding("ok", "migrations", "all applied")
    for look in (roles, ledgers, processes):
        try:
            yield from look()
        except DatabaseError as error:
            yield Finding("FAIL", look.__name__, _line(error))


def roles() -> Iterator[Finding]:
    """Whether the application's role is bound by the rules that only the owner of the tables may lift."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select current_user,
                   (select rolsuper from pg_roles where rolname = current_user),
                   coalesce(bool_or(pg_has_role(current_user, relowner, 'member')), false),
                   coalesce(string_agg(oid::regclass::text, ', ') filter (
                       where relname like 'entry%%' and relnamespace = to_regnamespace('audit')
                       and (has_any_column_privilege(oid, 'update') or has_table_privilege(oid, 'delete, truncate'))
                   ), '')
              from pg_class
             where relkind in ('r', 'p') and relnamespace in (to_regnamespace('public'), to_regnamespace('audit'))
            """
        )
        role, superuser, owner, changeable = cursor.fetchone()
    if superuser or owner:
        what = "is a superuser" if superuser else "owns the tables"
        yield Finding(
            "warn",
            "roles",
            f"{role} {what}, so nothing in the database keeps it from changing the audit log. Give the tables to a "
            "role of their own, and its address to DATABASE_OWNER_URL.",
        )
    elif changeable:
        yield Finding("FAIL", "roles", f"{role} may change {changeable}. Put its rights right: manage.py migrate")
    else:
        yield Finding("ok", "roles", f"{role} is not the owner, and cannot change the audit log")


def ledgers() -> Iterator[Finding]:
    """Whether each allowance is what its ledger adds up to."""
    wrong = allowances.differences()
    for difference in wrong[:10]:
        yield Finding(
            "FAIL",
            "allowances",
            f"{difference.allowance_id}: granted, held, spent, expired are {difference.row}, and its ledger says "
            f"{difference.ledger}. Set them right: manage.py shell -c "
            "'from gateway import actors, allowances; allowances.recompute(by=actors.SYSTEM)'",
        )
    if not wrong:
        yield Finding("ok", "allowances", "each is what its ledger adds up to")


def processes() -> Iterator[Finding]:
    """Which of the processes have given a sign of life."""
    live: dict[str, list[str]] = {kind: [] for kind in pulses.KINDS}
    for pulse in pulses.live().order_by("name"):
        live.setdefault(pulse.kind, []).append(pulse.name)
    for kind, names in live.items():
        if names:
            yield Finding("ok", kind, ", ".join(names))
        else:
            seconds = int(pulses.FRESH.total_seconds())
            yield Finding("FAIL", kind, f"none has given a sign of life for {seconds} s. Start it, or read its log.")


def broker() -> Iterator[Finding]:
    """The broker."""
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5, socket_connect_timeout=5) as client:
            client.ping()
            version = client.info("server").get("valkey_version") or client.info("server").get("redis_version")
    except (redis.RedisError, ValueError) as error:
        advice = "Start it: manage.py up" if settings.EMBEDDED else "Check REDIS_URL."
        yield Finding("FAIL", "broker", f"{_line(error)}. {advice}")
        return
    yield Finding("ok", "broker", f"answers (version {version})")


def storage() -> Iterator[Finding]:
    """The place of the works: a folder, or a bucket."""
    if not isinstance(storages["default"], FileSystemStorage):
        yield _bucket(storages["default"])
        return
    folder = Path(settings.MEDIA_ROOT)
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        yield Finding("FAIL", "storage", f"{folder} cannot be written ({error.strerror}). Make it, and let us write.")
        return
    free = shutil.disk_usage(folder).free
    text = f"{folder}, {free / GIB:.1f} GiB free"
    if free < NO_SPACE:
        yield Finding("FAIL", "storage", f"{text}: too little to go on. Free some.")
    elif free < LITTLE_SPACE:
        yield Finding("warn", "storage", f"{text}: little. Free some soon.")
    elif folder.stat().st_mode & 0o007:
        yield Finding("warn", "storage", f"{text}, but every user of this machine may look in: chmod o= {folder}")
    else:
        yield Finding("ok", "storage", text)


def _bucket(store: Storage) -> Finding:
    try:
        name = store.save(".doctor", ContentFile(b"x"))
        with store.open(name) as file:
            whole = file.read() == b"x"
        store.delete(name)
    except Exception as error:  # of whatever client the store has
        return Finding("FAIL", "storage", f"{_line(error)}. Check the S3_… settings.")
    if not whole:
        return Finding("FAIL", "storage", "the store gives back other bytes than it was given.")
    return Finding("ok", "storage", f"{getattr(store, 'bucket_name', 'the store')} takes a file and gives it back")


def model_files() -> Iterator[Finding]:
    """The models that lie here, and whether they are what they were."""
    places = (settings.SHIPPED_MODELS_DIR, settings.MODELS_DIR)
    indexes = ("*/model_index.json", "*/*/model_index.json")  # studio's own, and the hub's: owner/name
    found = [
        index.parent
        for place in places
        for glob in indexes
        for index in sorted(Path(place).glob(glob))
        if index.parent.suffix not in {".part", ".old"}
    ]
    if not found:
        advice = f"Check {places[0]} out of the sources again."
        yield Finding("FAIL", "models", f"none, not even the one that ships. {advice}")
    for folder in found:
        if not (folder / sums.SUMS).exists():
            yield Finding("ok", "models", f"{folder.name} (without {sums.SUMS}: not compared)")
            continue
        if wrong := sums.verify(folder):
            yield Finding("FAIL", "models", f"{folder.name}: not as published: {' '.join(wrong)} Fetch them again.")
        else:
            yield Finding("ok", "models", f"{folder.name}, as published")


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".")
