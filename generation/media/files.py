"""The one opener of stored files, and the one keeper."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from django.core.files import File
from django.core.files.storage import default_storage
from django.db.models import QuerySet

from gateway import refusals
from gateway.actors import Actor
from gateway.models.base import new_id
from generation.models import Generation, Output, Picture

MEDIA_TYPES = {"video": "video/mp4", "poster": "image/webp", "sheet": "image/webp"}
NAMES = {"video": "video.mp4", "poster": "poster.webp", "sheet": "sheet.webp", "picture": "picture"}

PurposeName = Literal[
    "own work", "own picture", "worker's input", "guest's result", "guest's download", "review", "opened", "screening",
    "public", "export",
]  # fmt: skip


@dataclass(frozen=True)
class Purpose:
    """Who may open a file for it, and by which lookup the evidence leads to the file's generation."""

    who: Callable[[Actor, Any], bool]
    evidence: str = ""
    kinds: tuple[str, ...] = Output.KINDS


def _their_pass(actor: Actor, output: Output) -> bool:
    """Whether it was made with the pass that this guest has."""
    return actor.guest_pass is not None and output.generation.guest_pass_id == actor.guest_pass.pk


#: The closed table. `evidence` is asked of the queryset that the caller passes as `under`, at the moment of opening.
PURPOSES: dict[PurposeName, Purpose] = {
    "own work": Purpose(lambda actor, output: actor.user == output.generation.membership.user),
    "own picture": Purpose(lambda actor, picture: actor.user == picture.membership.user, kinds=("picture",)),
    "worker's input": Purpose(lambda actor, picture: actor.kind == "worker", kinds=("picture",)),
    "guest's result": Purpose(_their_pass, evidence="pk", kinds=("video", "poster")),
    "guest's download": Purpose(
        lambda actor, output: _their_pass(actor, output) and actor.guest_pass.may_download,  # type: ignore[union-attr]
        evidence="pk",
        kinds=("video",),
    ),
    "review": Purpose(lambda actor, output: actor.is_reviewer, evidence="revisions__output__generation"),
    "screening": Purpose(
        lambda actor, output: actor.kind == "system", evidence="revisions__output__generation", kinds=("video",)
    ),
    "export": Purpose(lambda actor, output: actor.user == output.generation.membership.user),
    "opened": Purpose(lambda actor, output: actor.is_admin, evidence="generation", kinds=("video", "poster")),
    "public": Purpose(lambda actor, output: True, evidence="revision__output__generation", kinds=("video", "poster")),
}


@dataclass(frozen=True)
class Opened:
    """A file that may be sent: its bytes, and what the answer's headers say of it."""

    file: File
    output: Output | Picture
    purpose: PurposeName

    @property
    def public(self) -> bool:
        return self.purpose == "public"


def open_for(
    actor: Actor, purpose: PurposeName, output: Output | Picture | None, *, under: QuerySet[Any] | None = None
) -> Opened:
    """Open a stored file for `purpose`; `under` holds the rows that allow it (a lease's submission, a publication).

    Raises NotFound when the purpose does not allow it, so that a stranger learns nothing.
    """
    rule = PURPOSES[purpose]
    if output is None or output.kind not in rule.kinds or not rule.who(actor, output):
        raise refusals.NotFound
    if rule.evidence and (under is None or not under.filter(**{rule.evidence: output.generation.pk}).exists()):
        raise refusals.NotFound
    try:
        return Opened(default_storage.open(output.path), output, purpose)
    except FileNotFoundError:
        raise refusals.NotFound from None


def keep(generation: Generation, files: Mapping[str, tuple[Path, Any]]) -> list[Output]:
    """Store what an attempt made, under a path with the attempt in it; return the rows, not saved yet.

    `files` maps a kind to the file and its facts (width, height, frames, duration in seconds, bytes, sha256).
    """
    kept = []
    try:
        for kind, (path, facts) in files.items():
            name = f"outputs/{generation.pk.hex}/{generation.fence}/{NAMES[kind]}"
            with path.open("rb") as made:
                stored = default_storage.save(name, File(made))
            kept.append(
                Output(
                    id=new_id(),
                    generation=generation,
                    kind=kind,
                    path=stored,
                    media_type=MEDIA_TYPES[kind],
                    sha256=facts.sha256,
                    size=facts.bytes,
                    width=facts.width,
                    height=facts.height,
                    frames=facts.frames,
                    seconds=facts.duration,
                )
            )
    except BaseException:
        discard(kept)
        raise
    return kept


def store(name: str, file: BinaryIO) -> str:
    """Keep what somebody brought; return where."""
    return default_storage.save(name, File(file))


def discard(outputs: Sequence[Output | Picture]) -> None:
    """Throw away what no row will name."""
    for output in outputs:
        default_storage.delete(output.path)


def erase(generation: Generation) -> None:
    """Throw away every file of a generation: what it begins from, what it made, and what an attempt left that died.

    Where nothing is, is no error.
    """
    for path in generation.outputs.values_list("path", flat=True):
        default_storage.delete(path)
    erase_picture(generation)
    _empty(f"outputs/{generation.pk.hex}")


def erase_picture(generation: Generation) -> None:
    """Throw away what it begins from, if anything."""
    if generation.picture is not None:
        default_storage.delete(generation.picture.path)


def _empty(folder: str) -> None:
    try:
        folders, files = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for name in files:
        default_storage.delete(f"{folder}/{name}")
    for name in folders:
        _empty(f"{folder}/{name}")
    default_storage.delete(folder)
