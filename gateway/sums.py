"""Is a model's folder what was published? Its SHA256SUMS says so, in the format that `sha256sum --check` reads."""

import hashlib
from pathlib import Path

SUMS = "SHA256SUMS"


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def members(folder: Path) -> list[str]:
    """Every file of a model folder but the list of sums, as sorted names relative to it."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(name for name in names if name != SUMS)


def seal(folder: Path) -> None:
    """Write the list of sums."""
    lines = (f"{digest(folder / name)}  {name}\n" for name in members(folder))
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def verify(folder: Path) -> list[str]:
    """What is wrong with a model folder, a sentence each; nothing when every byte is as it was written."""
    if not folder.is_dir():
        return [f"There is no model in {folder}."]
    if not (folder / SUMS).is_file():
        return [f"{SUMS} is missing."]
    expected: dict[str, str] = {}
    for line in (folder / SUMS).read_text(encoding="utf-8", errors="replace").splitlines():
        sum_, separator, name = line.partition("  ")
        if not separator:
            return [f"{SUMS} is damaged."]
        expected[name] = sum_
    if not expected:
        return [f"{SUMS} is empty."]
    present = set(members(folder))
    wrong = [f"{name} is missing." for name in sorted(expected.keys() - present)]
    wrong += [f"{name} does not belong to the model." for name in sorted(present - expected.keys())]
    # Only files found inside the folder are read, so a list that names ../../something leads nowhere.
    for name in sorted(present & expected.keys()):
        if digest(folder / name) != expected[name]:
            wrong.append(f"{name} has been changed or damaged.")
    return wrong


def revision(folder: Path) -> str:
    """One name for exactly these weights, to store with each generation: the digest of the list of sums."""
    return digest(folder / SUMS)
