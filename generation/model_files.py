"""A model's files on this machine: where they lie, whether they are there, and how they come.

A model is pulled into a folder beside its place, compared with what the hub names, sealed with a list of sums, and
moved there: a worker finds a whole model or none. What was fetched before an interruption is not fetched again.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.transaction import atomic
from django.utils.module_loading import import_string

from gateway import actors, audit, sums
from generation import engines
from generation.models import ModelProfile

INDEX = "model_index.json"
# Weights without code in them, and what tells of them. T5's tokenizers have a `.model`, which is no pickle.
WANTED = ("*.safetensors", "*.json", "*.txt", "*.model")
# The same weights once more, in another precision, which no profile reads.
VARIANTS = ("*.fp16.*", "*.bf16.*", "*.fp16-*", "*.bf16-*")
SPARE = 2**30  # bytes that a download leaves free


class NotPulled(Exception):
    """The files could not be had. Its text says what the operator can do."""


@dataclass(frozen=True)
class Wanted:
    """A file as the hub has it. Large files are named by SHA-256, small ones by the id that git gives their content."""

    name: str
    size: int
    sha256: str = ""
    blob: str = ""

    def is_at(self, path: Path) -> bool:
        """Whether this very file is there."""
        if not path.is_file() or path.stat().st_size != self.size:
            return False
        if self.sha256:
            return sums.digest(path) == self.sha256
        content = path.read_bytes()
        return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest() == self.blob


def folder(profile: ModelProfile) -> Path:
    """Where a model's files lie: those that ship come with the code, all others are below MODELS_DIR."""
    shipped = Path(settings.SHIPPED_MODELS_DIR, profile.source)
    return shipped if shipped.is_dir() else Path(settings.MODELS_DIR, profile.source)


def present(profile: ModelProfile) -> bool:
    """Whether this machine has the model's files. Who draws on another server needs none."""
    return profile.engine == "remote" or (folder(profile) / INDEX).is_file()


def same(profile: ModelProfile) -> bool:
    """Whether the files here, if any, are of the revision that the catalogue names; true where either says nothing."""
    here = _revision(folder(profile))
    return profile.engine == "remote" or not here or here.startswith(profile.revision)


def here() -> list[UUID]:
    """The models that this machine can draw with: their files are here, of the revision that the catalogue names."""
    return [profile.pk for profile in ModelProfile.objects.all() if present(profile) and same(profile)]


def model_of(profile: ModelProfile, preset: str = "") -> engines.Model:
    """The model as an engine is told of it, by another preset than the profile's if one is named.

    Raises ModelMissing where the files here are of another revision: the generation would name weights that did not
    draw it.
    """
    if not same(profile):
        raise engines.ModelMissing(f"The files of the model {profile.slug} on this machine are of another revision.")
    return engines.Model(
        slug=profile.slug,
        pipeline=profile.pipeline,
        path=profile.source if profile.engine == "remote" else str(folder(profile)),
        revision=profile.revision or None,
        dtype=profile.dtype,
        preset=preset or profile.preset,
        offload=profile.offload,
    )


def pull(profile: ModelProfile, *, say: Callable[[str], None], revision: str = "", source: Path | None = None) -> Path:
    """Bring the model's files to this machine, pin their revision in the catalogue, and return their folder.

    From the hub (`HF_ENDPOINT` and `HF_TOKEN` say which, and as whom), or from a folder, `source`. Without `revision`
    the pinned one is taken, so that all machines have the same; where none is pinned, the newest. Raises NotPulled.
    """
    if profile.engine == "remote":
        raise NotPulled(f"{profile.slug} is drawn by another server: there are no files to pull.")
    place = Path(settings.MODELS_DIR, profile.source)
    if folder(profile) != place:
        raise NotPulled(f"{profile.slug} ships with the code, in {folder(profile)}.")
    draft = place.with_name(f"{place.name}.part")
    draft.mkdir(parents=True, exist_ok=True)
    if source is not None:
        found = _copy(source, draft, say)
    else:
        found = _fetch(profile, revision or profile.revision or "main", place, draft, say)
    _must_be(profile, draft if draft.exists() else place)
    if draft.exists():
        _publish(draft, place)
    if found:
        _note(place).write_text(found, encoding="utf-8")
    else:
        _note(place).unlink(missing_ok=True)
    _pin(profile, found or sums.revision(place)[:12])
    return place


def _note(place: Path) -> Path:
    """Where it stands which revision of the hub's a folder holds: beside it, so that its sums stay what they are."""
    return place.with_name(f"{place.name}.revision")


def _revision(place: Path) -> str:
    """What is known of the revision that lies here: the hub's, or that of the list of sums, or nothing."""
    if _note(place).is_file():
        return _note(place).read_text(encoding="utf-8").strip()
    return sums.revision(place) if (place / sums.SUMS).is_file() else ""


def _copy(source: Path, draft: Path, say: Callable[[str], None]) -> str:
    if not (source / INDEX).is_file():
        raise NotPulled(f"There is no model in {source}: it has no {INDEX}.")
    if (source / sums.SUMS).exists() and (wrong := sums.verify(source)):
        raise NotPulled(f"{source} is not as it was published: {' '.join(wrong)}")
    files = {name: (source / name).stat().st_size for name in _of_the_model(sums.members(source), _parts(source))}
    _must_fit(draft, sum(files.values()))
    shutil.rmtree(draft)
    for name, size in files.items():
        say(f"{name}  {size_of(size)}")
        (draft / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, draft / name)
    sums.seal(draft)
    return ""


def _fetch(profile: ModelProfile, revision: str, place: Path, draft: Path, say: Callable[[str], None]) -> str:
    """Fetch what is missing into `draft`, which is gone afterwards when `place` has it all; return the revision."""
    repository = profile.source
    try:
        errors = import_string("huggingface_hub.errors")
        hub = import_string("huggingface_hub.HfApi")(endpoint=settings.HF_ENDPOINT, token=settings.HF_TOKEN)
    except ImportError:
        raise NotPulled("The hub's client is not installed here: pip install 'bon-a-tirer[worker]'.") from None
    try:
        told = hub.model_info(repository, revision=revision, files_metadata=True)
        hub.hf_hub_download(repository, INDEX, revision=told.sha, local_dir=draft)
        files = _wanted(told.siblings, _parts(draft))
        if all(file.is_at(place / file.name) for file in files) and not sums.verify(place):
            shutil.rmtree(draft)
            say(f"{place} has all of revision {told.sha} already.")
            return str(told.sha)
        missing = [file for file in files if not file.is_at(draft / file.name)]
        _must_fit(draft, sum(file.size for file in missing))
        for number, file in enumerate(missing, 1):
            say(f"{number}/{len(missing)}  {file.name}  {size_of(file.size)}")
            hub.hf_hub_download(repository, file.name, revision=told.sha, local_dir=draft)
            if not file.is_at(draft / file.name):
                (draft / file.name).unlink()
                raise NotPulled(f"{file.name} arrived damaged and was thrown away. Pull again.")
    except errors.GatedRepoError:
        raise NotPulled(
            f"{repository} is gated: accept its licence on the hub, and set HF_TOKEN to a token of that account."
        ) from None
    except errors.RevisionNotFoundError:
        raise NotPulled(f"{repository} has no revision {revision}.") from None
    except (errors.RepositoryNotFoundError, errors.HFValidationError):
        raise NotPulled(f"The hub has no {repository}, or shows it to others only: set HF_TOKEN.") from None
    except errors.RemoteEntryNotFoundError as error:
        raise NotPulled(f"{repository} is no diffusers model: {_line(error)}") from None
    except (OSError, errors.HTTPError) as error:  # of the network, of the hub, and of the disk
        raise NotPulled(
            f"{repository} could not be fetched: {_line(error)}. What has come is kept: pull again."
        ) from error
    kept = {INDEX, *(file.name for file in files)}
    shutil.rmtree(draft / ".cache", ignore_errors=True)
    for name in set(sums.members(draft)) - kept:  # of an earlier try, for another revision
        (draft / name).unlink()
    sums.seal(draft)
    return str(told.sha)


def _parts(model: Path) -> set[str]:
    """The folders that the model's index names; all else in a repository is for other programs."""
    try:
        index = json.loads((model / INDEX).read_text(encoding="utf-8"))
    except ValueError:
        index = None
    if not isinstance(index, dict):
        raise NotPulled(f"{INDEX} is damaged.")
    return {name for name, part in index.items() if isinstance(part, list) and part and part[0]}


def _of_the_model(names: Iterable[str], parts: set[str]) -> list[str]:
    def belongs(name: str) -> bool:
        part, _, rest = name.partition("/")
        file = rest.rpartition("/")[2]
        return (
            part in parts
            and any(fnmatch(file, pattern) for pattern in WANTED)
            and not any(fnmatch(file, pattern) for pattern in VARIANTS)
        )

    return sorted(name for name in names if name == INDEX or belongs(name))


def _wanted(siblings: Any, parts: set[str]) -> list[Wanted]:
    told = {each.rfilename: each for each in siblings}
    return [
        Wanted(
            name=name,
            size=told[name].size,
            sha256=told[name].lfs.sha256 if told[name].lfs else "",
            blob=told[name].blob_id or "",
        )
        for name in _of_the_model(told, parts)
    ]


def _must_fit(place: Path, size: int) -> None:
    free = shutil.disk_usage(place).free
    if size + SPARE > free:
        raise NotPulled(
            f"It takes {size_of(size)} and {place.parent} has {size_of(free)} free: make room, "
            f"{size_of(SPARE)} more than it takes."
        )


def _must_be(profile: ModelProfile, model: Path) -> None:
    kind = json.loads((model / INDEX).read_text(encoding="utf-8")).get("_class_name")
    if kind != profile.pipeline:
        raise NotPulled(f"{model} holds a {kind}, and the catalogue says {profile.pipeline}: set one of them right.")


def _publish(draft: Path, place: Path) -> None:
    """Put a whole model in its place; a worker that has the old one in memory goes on with it."""
    old = place.with_name(f"{place.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if place.exists():
        place.rename(old)
    draft.rename(place)
    shutil.rmtree(old, ignore_errors=True)


def _pin(profile: ModelProfile, revision: str) -> None:
    with atomic():
        if ModelProfile.objects.filter(pk=profile.pk).exclude(revision=revision).update(revision=revision):
            audit.record("model.pinned", by=actors.SYSTEM, subject=profile, facts={"revision": revision})
    profile.revision = revision


def size_of(count: int) -> str:
    """Bytes in words that fit a line."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def _line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
