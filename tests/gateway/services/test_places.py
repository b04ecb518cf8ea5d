"""Where things lie: the same for everybody who knows the data directory, and short enough for a socket."""

import os
import socket
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.services import places as module
from gateway.services.cluster import remove
from gateway.services.places import SYSTEM, Places, account, can_walk
from gateway.services.trouble import Trouble


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A folder whose way every account may walk, as far as we can see to it."""
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def open_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "can_walk", lambda path, who: True)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_an_ordinary_user_keeps_everything_in_the_data_directory(room: Path) -> None:
    places = Places(room / "data", euid=1000)
    for folder in (places.postgres, places.valkey, places.conf, places.logs, places.media, places.mail):
        assert folder.parent == room / "data"


def test_the_same_directory_has_the_same_places_however_it_is_written(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(room)
    assert Places(Path("data")) == Places(room / "x" / ".." / "data")


def test_root_uses_a_system_folder_when_the_account_cannot_walk_to_the_data(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    assert Places(tmp_path / "data", euid=0).home.parent == SYSTEM


@pytest.mark.usefixtures("open_door")
def test_root_keeps_everything_together_when_the_account_can_walk_there(room: Path) -> None:
    assert Places(room / "data", euid=0).home == room / "data"


def test_root_goes_on_where_the_link_says(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "services").symlink_to("/var/lib/bon-a-tirer/elsewhere")
    assert Places(data, euid=0).home == Path("/var/lib/bon-a-tirer/elsewhere")


def test_a_closed_folder_on_the_way_is_seen(room: Path) -> None:
    closed = room / "closed"
    closed.mkdir(mode=0o700)
    assert not can_walk(closed / "data", account())


@pytest.mark.parametrize("euid", [0, 1000])
@pytest.mark.usefixtures("open_door")
def test_sockets_have_short_paths_under_a_long_data_directory(room: Path, euid: int) -> None:
    places = Places(room / ("long" * 40), euid=euid)
    for name in (".s.PGSQL.5432", "valkey.sock"):
        assert len(os.fsencode(places.run / name)) < 108
    assert places.run == Places(room / ("long" * 40), euid=euid).run
    assert places.run != Places(room / ("long" * 41), euid=euid).run


@pytest.mark.usefixtures("open_door")
def test_a_socket_folder_that_a_stranger_may_enter_is_refused(room: Path) -> None:
    places = Places(room / ("long" * 40), euid=os.geteuid())
    short = places.run
    short.mkdir(mode=0o777)
    try:
        short.chmod(0o777)
        with pytest.raises(Trouble, match="ours alone"):
            _ = places.run
        short.chmod(0o700)
        assert places.run == short
    finally:
        short.rmdir()


@pytest.mark.usefixtures("open_door")
@pytest.mark.parametrize("name", ["a b", "a,b", "a'b", "a%41", "a?b#c", "é"])
def test_sockets_stay_clear_of_characters_that_mean_something_in_an_address(room: Path, name: str) -> None:
    places = Places(room / name / "data", euid=1000)
    assert places.postgres == room / name / "data" / "postgres"
    url = urlsplit(places.database_url("gateway_owner"))
    assert (url.scheme, url.username, url.path) == ("postgresql", "gateway_owner", "/gateway")
    assert parse_qs(url.query)["host"] == [str(places.run)]
    assert module.PLAIN.fullmatch(str(places.run))
    assert urlsplit(places.redis_url(3)).query == "db=3"


def test_everybody_reads_the_same_secret_key_and_nobody_else_does(room: Path) -> None:
    data = room / "new" / "data"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: Places(data).secret_key(), range(16)))
    assert len(keys) == 1
    assert len(keys.pop()) >= 50
    assert mode(data / "secret-key") == 0o600
    assert [path.name for path in data.iterdir()] == ["secret-key"]


def test_prepared_folders_are_closed_whatever_the_umask(room: Path) -> None:
    before = os.umask(0)
    places = Places(room / "data")
    try:
        places.prepare()
        for folder in (places.media, places.logs, places.mail, places.models, places.postgres, places.run):
            assert mode(folder) == 0o700
        assert mode(places.data_dir) & 0o066 == 0
    finally:
        os.umask(before)
        remove(places)


def test_a_directory_that_was_there_keeps_its_mode(room: Path) -> None:
    places = Places(room)
    try:
        places.prepare()
        assert mode(room) == 0o755
    finally:
        remove(places)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has services in a system folder")
def test_the_database_of_a_removed_data_directory_is_set_aside_not_taken_over(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    places = Places(tmp_path / "data")
    places.prepare()
    (places.postgres / "precious").touch()
    places.link.unlink()
    (note,) = Places(tmp_path / "data").prepare()
    aside = Path(note.rpartition(" ")[2].rstrip("."))
    try:
        assert (aside / "postgres" / "precious").exists()
        assert not (places.postgres / "precious").exists()
    finally:
        for path in (aside / "postgres" / "precious", aside / "postgres"):
            path.unlink() if path.is_file() else path.rmdir()
        remove(places)
        remove_aside(aside)


def remove_aside(aside: Path) -> None:
    for path in sorted(aside.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    aside.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has services in a system folder")
def test_a_system_folder_that_is_gone_is_told_not_replaced(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "services").symlink_to(SYSTEM / "gone")
    with pytest.raises(Trouble, match="which is gone"):
        Places(data).prepare()


def test_a_socket_really_fits(room: Path) -> None:
    places = Places(room / ("long" * 40))
    try:
        places.prepare()
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(str(places.run / "valkey.sock"))
    finally:
        remove(places)
