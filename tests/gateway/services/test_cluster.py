"""PostgreSQL and Valkey, started for real: who may come in, by which door, and what outlives a restart."""

import os
import socket
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gateway.services import binaries, cluster, postgres, valkey
from gateway.services.places import Places, account
from gateway.services.supervisor import Supervisor
from gateway.services.trouble import Trouble

from .processes import descendants


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Places]:
    with cluster.temporary(tmp_path_factory.mktemp("cluster")) as found:
        yield found


def ask(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()  # type: ignore[arg-type]
        return row and row[0]


@pytest.mark.parametrize("role", ["gateway_app", "gateway_owner"])
def test_we_come_in_by_our_name_alone_and_not_as_a_superuser(places: Places, role: str) -> None:
    assert ask(places.database_url(role), "select current_user::text") == role
    assert ask(places.database_url(role), "select rolsuper from pg_roles where rolname = current_user") is False
    assert ask(places.database_url(role), "select system_user") == f"peer:{os_user()}"


def os_user() -> str:
    return subprocess.run(["id", "-un"], check=True, capture_output=True, text=True).stdout.strip()


def test_the_owner_may_become_the_application_and_holds_nothing_of_it_before(places: Places) -> None:
    with psycopg.connect(places.database_url("gateway_owner")) as connection:
        connection.execute("set role gateway_app")
        row = connection.execute(
            "select current_user::text, pg_has_role(session_user, 'gateway_app', 'usage')"
        ).fetchone()
        assert row == ("gateway_app", False)


def test_the_application_makes_no_tables(places: Places) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask(places.database_url("gateway_app"), "create table mine ()")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_account_of_the_machine_is_refused_even_the_one_that_runs_it(places: Places) -> None:
    nobody = account()
    done = subprocess.run(
        [
            binaries.postgres() / "psql",
            "-h",
            places.run,
            "-U",
            "gateway_app",
            "-d",
            "gateway",
            "-c",
            "select 1",
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": "/usr/bin"},
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
    )
    assert done.returncode
    assert "Peer authentication failed" in done.stderr


def test_nobody_listens_on_the_network(places: Places) -> None:
    ours = {
        str(handle.readlink())
        for pid in descendants(os.getpid())
        for handle in Path(f"/proc/{pid}/fd").iterdir()
        if handle.is_symlink()
    }
    listening = {
        f"socket:[{line.split()[9]}]"
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    }
    assert any(name.startswith("socket:") for name in ours)
    assert not ours & listening


def test_doors_and_data_are_closed_to_others(places: Places) -> None:
    for path in (
        places.run,
        places.postgres,
        places.valkey,
        places.valkey_socket,
        places.run / ".s.PGSQL.5432",
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_no_statement_reaches_a_log(places: Places) -> None:
    with psycopg.connect(places.database_url()) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("select 'a prompt of mine' from nowhere")
    text = (places.logs / "postgres.log").read_text()
    assert 'relation "nowhere" does not exist' in text
    assert "prompt of mine" not in text


def test_valkey_answers_and_keeps_nothing(places: Places) -> None:
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(str(places.valkey_socket))
        door.sendall(b"CONFIG GET save\r\n")
        assert door.recv(100).endswith(b"$4\r\nsave\r\n$0\r\n\r\n")


def test_roles_are_made_once(places: Places) -> None:
    postgres.make_roles(places)
    postgres.make_roles(places)


def test_data_survives_a_kill_of_the_server_and_a_restart(tmp_path: Path) -> None:
    places = Places(tmp_path / "data")
    places.prepare()
    try:
        for expected in (1, 2):
            with Supervisor(say=lambda line: None) as supervisor:
                supervisor.start(postgres.child(places))
                supervisor.wait(postgres.NAME)
                postgres.make_roles(places)
                with psycopg.connect(places.database_url("gateway_owner")) as connection:
                    connection.execute("create table if not exists kept (at timestamptz default now())")
                    connection.execute("insert into kept default values")
                assert ask(places.database_url("gateway_owner"), "select count(*) from kept") == expected
                if expected == 1:
                    supervisor.everybody()[0].process.kill()
        assert not (places.postgres / "postmaster.pid").exists()
    finally:
        cluster.remove(places)


def test_a_database_of_another_version_is_not_touched(tmp_path: Path) -> None:
    places = Places(tmp_path / "data")
    places.prepare()
    try:
        postgres.child(places, fsync=False, major=16)
        with pytest.raises(Trouble, match="made by PostgreSQL 16"):
            postgres.child(places)
    finally:
        cluster.remove(places)


def test_valkey_is_not_ready_where_there_is_none(tmp_path: Path) -> None:
    assert not valkey.ready(Places(tmp_path))
    assert not postgres.ready(Places(tmp_path))
