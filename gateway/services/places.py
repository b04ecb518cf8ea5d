"""Where everything on this machine lies: a function of the data directory and of who runs us.

Settings read this in every process, so that `manage.py shell` with the same DATA_DIR reaches the services
that `manage.py up` started without being told anything else. Standard library only.

PostgreSQL refuses to run as root. When root runs us it therefore runs as `nobody`, who can't walk through
root's home: then the two services live in a folder of the system, and `services` in the data directory is a
link to it.
"""

import hashlib
import os
import pwd
import re
import secrets
import stat
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from gateway.services.trouble import Trouble

ACCOUNT = "nobody"
DATABASE = "gateway"
OWNER_ROLE = "gateway_owner"
APP_ROLE = "gateway_app"
SYSTEM = Path("/var/lib/bon-a-tirer")
POSTGRES_SOCKET = ".s.PGSQL.5432"
VALKEY_SOCKET = "valkey.sock"
PLAIN = re.compile(r"[\w./+@-]+", re.ASCII)  # libpq, for one, splits a host at its commas
SOCKET_PATH_LIMIT = 108  # bytes, the closing zero included (unix(7))


def account() -> pwd.struct_passwd:
    """The unprivileged account that runs the services when root runs us."""
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise Trouble(
            f"PostgreSQL refuses to run as root, and this machine has no account {ACCOUNT!r} to run it. "
            "Run this as an ordinary user, or set DATABASE_URL and REDIS_URL."
        ) from None


def can_walk(path: Path, who: pwd.struct_passwd) -> bool:
    """Whether `who` may pass through every folder on the way to `path`, and through `path` if it is there."""
    for folder in (path, *path.parents):
        try:
            found = folder.stat()
        except FileNotFoundError:
            continue  # made later, by us, so that it can be walked through
        except PermissionError:
            return False
        if found.st_uid == who.pw_uid:
            allowed = found.st_mode & stat.S_IXUSR
        elif found.st_gid == who.pw_gid:
            allowed = found.st_mode & stat.S_IXGRP
        else:
            allowed = found.st_mode & stat.S_IXOTH
        if not allowed:
            return False
    return True


def make_folder(path: Path, mode: int, owner: pwd.struct_passwd | None = None) -> None:
    """Make `path` whatever the umask, or put the mode and the owner of one that is there right."""
    path.mkdir(exist_ok=True)
    if owner is not None:
        os.chown(path, owner.pw_uid, owner.pw_gid)
    path.chmod(mode)


@dataclass(frozen=True)
class Places:
    """The folders, sockets and addresses that belong to one data directory."""

    data_dir: Path
    euid: int = field(default_factory=os.geteuid)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data_dir", Path(self.data_dir).expanduser().resolve())

    @property
    def as_root(self) -> bool:
        """Whether root runs us, so that the services need another account."""
        return self.euid == 0

    @property
    def short(self) -> str:
        """A short name for this data directory, the same in every process."""
        return hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:10]

    @property
    def link(self) -> Path:
        """In the data directory, the link that says which folder of the system holds its services."""
        return self.data_dir / "services"

    @cached_property
    def home(self) -> Path:
        """Where the two services keep their files: the data directory, or a folder of the system."""
        if not self.as_root:
            return self.data_dir
        if self.link.is_symlink():
            return self.link.readlink()
        if (self.data_dir / "postgres").is_dir() or can_walk(self.data_dir, account()):
            return self.data_dir
        return SYSTEM / self.short

    @property
    def run(self) -> Path:
        """The folder of the sockets: short enough for an address, and plain enough for a URL or a list."""
        near = self.home / "run"
        if len(os.fsencode(near / POSTGRES_SOCKET)) < SOCKET_PATH_LIMIT and PLAIN.fullmatch(str(near)):
            return near
        far = Path("/run" if self.as_root else "/tmp") / f"bat-{self.euid}-{self.short}"  # noqa: S108
        self._refuse_strangers(far)
        return far

    def _refuse_strangers(self, folder: Path) -> None:
        # Anybody may make a folder in /tmp: one that somebody else prepared would give us their database.
        try:
            found = folder.lstat()
        except FileNotFoundError:
            return
        owners = {self.euid, account().pw_uid} if self.as_root else {self.euid}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners or found.st_mode & 0o077:
            raise Trouble(
                f"{folder} should be a folder that is ours alone, and is not. "
                "Remove it, or choose a DATA_DIR with a shorter path."
            )

    @property
    def postgres(self) -> Path:
        """PostgreSQL's data directory."""
        return self.home / "postgres"

    @property
    def conf(self) -> Path:
        """PostgreSQL's configuration, which it reads and only we write."""
        return self.home / "conf"

    @property
    def valkey(self) -> Path:
        """Valkey's folder."""
        return self.home / "valkey"

    @property
    def valkey_socket(self) -> Path:
        """The only door to Valkey."""
        return self.run / VALKEY_SOCKET

    @property
    def logs(self) -> Path:
        """One log file for each process."""
        return self.data_dir / "logs"

    @property
    def media(self) -> Path:
        """The artists' works, private."""
        return self.data_dir / "media"

    @property
    def models(self) -> Path:
        """The files of the models that are served."""
        return self.data_dir / "models"

    @property
    def mail(self) -> Path:
        """Mail that is written to files rather than sent."""
        return self.data_dir / "mail"

    @property
    def static(self) -> Path:
        """The collected static files of the pages."""
        return self.data_dir / "static"

    @property
    def schedule(self) -> Path:
        """When the scheduler last did what."""
        return self.data_dir / "schedule"

    @property
    def lock(self) -> Path:
        """Held by the one `manage.py up` that serves this data directory."""
        return self.data_dir / "up.lock"

    def database_url(self, role: str = APP_ROLE) -> str:
        """The address of the database, as `role`, over its socket."""
        return f"postgresql://{role}@/{DATABASE}?host={quote(str(self.run), safe='')}"

    def redis_url(self, db: int = 0) -> str:
        """The address of Valkey's database number `db`, over its socket."""
        return f"unix://{quote(str(self.valkey_socket))}?db={db}"

    def secret_key(self) -> str:
        """The key that signs sessions and links: made once, readable by us alone."""
        path = self.data_dir / "secret-key"
        try:
            if not path.exists():
                self._make_secret_key(path)
            return path.read_text("ascii").strip()
        except PermissionError:
            raise Trouble(
                f"{path} cannot be read or made by this user. Run this as the user who owns {self.data_dir}, "
                "or choose another directory with DATA_DIR=."
            ) from None

    def _make_secret_key(self, path: Path) -> None:
        # Written aside and linked into place: of two processes that start at once the first wins, and neither
        # can read half a key.
        self.make_data_dir()
        with tempfile.NamedTemporaryFile("w", dir=self.data_dir, prefix=f".{path.name}-") as draft:  # mode 0600
            draft.write(secrets.token_urlsafe(48))
            draft.flush()
            with suppress(FileExistsError):
                os.link(draft.name, path)

    def make_data_dir(self) -> None:
        """Make the data directory if it is missing; one that is there keeps the mode that it was given."""
        missing = [folder for folder in (self.data_dir, *self.data_dir.parents) if not folder.exists()]
        # Root's is walked through by the services' account, who may not list it.
        mode = 0o711 if self.as_root else 0o700
        for folder in reversed(missing):
            make_folder(folder, mode)

    def prepare(self) -> list[str]:
        """Make every folder with its mode and owner; says what a person should know about it."""
        notes: list[str] = []
        home = self.home  # asked before anything is made
        self.make_data_dir()
        for folder in (self.logs, self.media, self.models, self.mail, self.static):
            make_folder(folder, 0o700)
        owner = account() if self.as_root else None
        if home == self.data_dir:
            if owner is not None and not can_walk(home, owner):
                raise Trouble(
                    f"The database is in {self.postgres}, which the account {owner.pw_name!r} that runs it can "
                    "no longer reach. Let it pass again (chmod o+x on the folders above)."
                )
        else:
            notes += self._prepare_system_folder(home)
        self._refuse_foreign_database(owner)
        for folder in (self.run, self.postgres, self.valkey):
            make_folder(folder, 0o700, owner)
        make_folder(self.conf, 0o755 if owner else 0o700)
        return notes

    def _refuse_foreign_database(self, owner: pwd.struct_passwd | None) -> None:
        expected = owner.pw_uid if owner else self.euid
        marker = self.postgres / "PG_VERSION"
        if marker.exists() and marker.stat().st_uid != expected:
            raise Trouble(
                f"The database in {self.postgres} was made by another user. Run this as that user, or choose "
                "another directory with DATA_DIR=."
            )

    def _prepare_system_folder(self, home: Path) -> list[str]:
        notes: list[str] = []
        if self.link.is_symlink():
            if not home.is_dir():
                raise Trouble(
                    f"The database of {self.data_dir} was in {home}, which is gone. Put it back, or remove the "
                    f"link {self.link} to begin with an empty one."
                )
        elif home.is_dir():
            # The data directory was removed or renewed: this database belongs to the one before. We keep it.
            aside = home.with_name(f"{home.name}-left-{datetime.now(UTC):%Y%m%dT%H%M%S}")
            home.rename(aside)
            notes.append(f"The database of an earlier {self.data_dir} was set aside in {aside}.")
        try:
            SYSTEM.mkdir(parents=True, exist_ok=True)
            make_folder(SYSTEM, 0o711)
            make_folder(home, 0o711)
        except OSError as error:
            raise Trouble(
                f"The database cannot be under {self.data_dir}, which the account {ACCOUNT!r} that runs it "
                f"cannot reach, nor in {home} ({error.strerror}). Choose another directory with DATA_DIR=."
            ) from None
        if not self.link.is_symlink():
            self.link.symlink_to(home)
        return notes
