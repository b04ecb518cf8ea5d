"""PostgreSQL for one machine: unix sockets only; who runs `up` is known by the kernel's word (peer)."""

import pwd
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psycopg

from gateway.services import binaries
from gateway.services.places import (
    APP_ROLE,
    DATABASE,
    OWNER_ROLE,
    Places,
    account,
    make_folder,
)
from gateway.services.supervisor import Child
from gateway.services.trouble import Trouble

NAME = "postgres"
SUPERUSER = "postgres"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
CONFIGURATION = """\
# Written at each start; ALTER SYSTEM, by the superuser, wins over what it says.
include = {initial}
hba_file = {hba}
ident_file = {ident}
listen_addresses = ''
port = 5432
unix_socket_directories = {run}
unix_socket_permissions = 0700
max_connections = {connections}
max_wal_size = '512MB'
timezone = 'UTC'
idle_in_transaction_session_timeout = '60s'
fsync = {durable}
synchronous_commit = {durable}
full_page_writes = {durable}
# Statements carry prompts and addresses, which can be erased from the tables but not from a log.
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u '
log_lock_waits = on
log_statement = none
log_min_duration_statement = -1
log_min_error_statement = panic
log_error_verbosity = terse
"""

HBA = """\
# Written at each start. Sockets only; never trust, never a password.
local all all peer map=gateway
"""


def child(places: Places, *, major: int = 18, fsync: bool = True, connections: int = 60) -> Child:
    """PostgreSQL on its data directory, which is made if it is not there."""
    programs = binaries.postgres(major)
    owner = account() if places.as_root else None
    _wait_for_the_one_before(places)
    if not (places.postgres / "PG_VERSION").exists():
        _initialise(places, programs, owner, fsync=fsync)
    made_by = (places.postgres / "PG_VERSION").read_text().strip()
    if made_by != str(major):
        raise Trouble(
            f"The database in {places.postgres} was made by PostgreSQL {made_by}; this is {major}. "
            f"Dump it with {made_by} and load it into a new data directory."
        )
    _configure(places, fsync=fsync, connections=connections)
    return Child(
        name=NAME,
        argv=[
            programs / "postgres",
            "-D",
            places.postgres,
            f"--config_file={places.conf / 'postgresql.conf'}",
        ],
        log=places.logs / "postgres.log",
        env=ENVIRONMENT,
        cwd=places.postgres,
        account=owner,
        ready=lambda: ready(places),
        stop_signal=signal.SIGINT,  # "fast": ends sessions and writes a checkpoint
        stop_timeout=30.0,
        death_signal=signal.SIGINT,
        death_timeout=30.0,
    )


def ready(places: Places) -> bool:
    """Whether it answers a question."""
    try:
        with connect(places) as connection:
            connection.execute("select 1")
    except psycopg.OperationalError:
        return False
    return True


def connect(places: Places) -> psycopg.Connection:
    """A superuser's connection, for setting up only."""
    return psycopg.connect(
        host=str(places.run),
        port=5432,
        user=SUPERUSER,
        dbname="postgres",
        autocommit=True,
    )


def make_roles(places: Places) -> None:
    """The owner of the tables, the application, which owns nothing, and their database."""
    with connect(places) as connection:
        roles = {name for (name,) in connection.execute("select rolname from pg_roles")}
        if OWNER_ROLE not in roles:
            # CREATEDB: the tests make a database of their own.
            connection.execute(f"create role {OWNER_ROLE} login createdb")
        if APP_ROLE not in roles:
            connection.execute(f"create role {APP_ROLE} login")
            # The owner may become the application (the tests do), but does not hold its rights by itself.
            connection.execute(f"grant {APP_ROLE} to {OWNER_ROLE} with inherit false, set true")
        if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
            connection.execute(f"create database {DATABASE} owner {OWNER_ROLE}")


def _initialise(places: Places, programs: Path, owner: pwd.struct_passwd | None, *, fsync: bool) -> None:
    # Made aside and renamed: what an interrupted `initdb` leaves is never taken for a database.
    draft = places.postgres.with_name("postgres.new")
    shutil.rmtree(draft, ignore_errors=True)
    make_folder(draft, 0o700, owner)
    options = ["-U", SUPERUSER, "--encoding=UTF8", "--locale=C.UTF-8", "--auth=reject"]
    done = subprocess.run(
        [programs / "initdb", "-D", draft, *options, *([] if fsync else ["--no-sync"])],
        check=False,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=ENVIRONMENT,
        cwd=draft,
        user=owner and owner.pw_uid,
        group=owner and owner.pw_gid,
        extra_groups=[] if owner else None,
        start_new_session=True,  # Ctrl-C is for us to handle
    )
    if done.returncode:
        raise Trouble(f"PostgreSQL could not make its data directory:\n{done.stdout}")
    draft.rename(places.postgres)


def _configure(places: Places, *, fsync: bool, connections: int) -> None:
    try:
        me = pwd.getpwuid(places.euid).pw_name
    except KeyError:
        raise Trouble(
            f"The user with the number {places.euid} has no name on this machine, and PostgreSQL needs one. "
            "Give it one, or set DATABASE_URL and REDIS_URL."
        ) from None
    hba, ident = places.conf / "pg_hba.conf", places.conf / "pg_ident.conf"
    configuration = CONFIGURATION.format(
        initial=_quoted(places.postgres / "postgresql.conf"),
        hba=_quoted(hba),
        ident=_quoted(ident),
        # A list, split at commas unless a name is in double quotes.
        run=_quoted('"' + str(places.run).replace('"', '""') + '"'),
        durable="on" if fsync else "off",
        connections=connections,
    )
    # In a folder of ours, not in the database's: root doesn't write where another account may plant a link.
    (places.conf / "postgresql.conf").write_text(configuration)
    hba.write_text(HBA)
    ident.write_text("".join(f'gateway "{me}" {role}\n' for role in (SUPERUSER, OWNER_ROLE, APP_ROLE)))
    for path in places.conf.iterdir():
        path.chmod(0o644)


def _quoted(value: str | Path) -> str:
    return "'" + str(value).replace("\\", "\\\\").replace("'", "''") + "'"


def _wait_for_the_one_before(places: Places, patience: float = 30.0) -> None:
    # After a `kill -9` of `up` its PostgreSQL may still be writing its last checkpoint.
    deadline = time.monotonic() + patience
    while pid := _serving(places):
        if time.monotonic() > deadline:
            raise Trouble(f"Another PostgreSQL still runs on {places.postgres}. Stop it: kill -INT {pid}")
        time.sleep(0.05)


def _serving(places: Places) -> int | None:
    """The process that serves this data directory, going by the file that PostgreSQL keeps there."""
    try:
        pid = int((places.postgres / "postmaster.pid").read_text().splitlines()[0])
        return pid if Path(f"/proc/{pid}/cwd").resolve(strict=True) == places.postgres else None
    except (OSError, ValueError, IndexError):
        return None
