"""Files that nobody names: whoever kept them died before saying so, or never heard whether they were believed."""

import logging
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from uuid import UUID

from django.core.cache import cache
from django.core.files.storage import default_storage
from django.utils import timezone

from generation.models import Generation, Output, Picture

log = logging.getLogger(__name__)
OLD = timedelta(hours=1)
PLACE = "orphans-after"  # where the last round stopped; forgotten, the next begins anew
PICTURES = "orphans-after-picture"  # the same, among the pictures


def sweep(most: int = 500) -> int:
    """Look through the next `most` generations' folders and as many pictures; return how many files were thrown away.

    A file goes that no output names, if its generation has ended, or its attempt is over and the file an hour old.
    Of an attempt in progress nothing is touched, and nothing that does not lie where `keep` puts files. A picture goes
    that no row names and that is an hour old: the request that brought it is over by then, whatever became of it.
    Rows of a generation that its artist deleted name nothing any more.
    """
    gone = _outputs(most) + _pictures(most)
    if gone:
        log.warning("%s files that no row named were thrown away", gone)
    return gone


def _outputs(most: int) -> int:
    piece = _next([name for name in _list("outputs")[0] if re.fullmatch("[0-9a-f]{32}", name)], PLACE, most)
    # First the generations, then the outputs: one that ends in between is taken for under way, and left for later.
    known = {row.pk: row for row in Generation.objects.filter(pk__in=map(UUID, piece)).only("pk", "state", "fence")}
    kept = Output.objects.filter(generation__in=known, generation__deleted_at__isnull=True)
    named = set(kept.values_list("path", flat=True))
    return sum(_clear(name, known.get(UUID(name)), named) for name in piece)


def _pictures(most: int) -> int:
    names = [name for name in _list("inputs")[1] if re.fullmatch("[0-9a-f]{32}[.][a-z]+", name)]
    paths = [f"inputs/{name}" for name in _next(names, PICTURES, most)]
    kept = Picture.objects.filter(path__in=paths, generation__deleted_at__isnull=True)
    named = set(kept.values_list("path", flat=True))
    orphans = [path for path in paths if path not in named and _old(path)]
    for path in orphans:
        default_storage.delete(path)
    return len(orphans)


def _next(names: list[str], place: str, most: int) -> list[str]:
    """The piece of these names whose turn it is; where it ends is remembered at `place`."""
    after = cache.get(place, "")
    piece = sorted(name for name in names if name > after)[:most]
    cache.set(place, piece[-1] if len(piece) == most else "", timeout=7 * 86400)
    return piece


def _clear(name: str, generation: Generation | None, named: set[str]) -> int:
    gone, ended = 0, generation is None or generation.ended
    for attempt, paths in _attempts(f"outputs/{name}"):
        if not ended and not _over(generation, attempt):
            continue
        orphans = [path for path in paths if path not in named]
        if generation is None or not ended:
            orphans = [path for path in orphans if _old(path)]
        for path in orphans:
            default_storage.delete(path)
        gone += len(orphans)
        if orphans and len(orphans) == len(paths):
            _remove(f"outputs/{name}/{attempt}")
    if ended and gone:
        _remove(f"outputs/{name}")
    return gone


def _attempts(folder: str) -> Iterator[tuple[int, list[str]]]:
    for attempt in _list(folder)[0]:
        if attempt.isdecimal():
            yield int(attempt), [f"{folder}/{attempt}/{name}" for name in _list(f"{folder}/{attempt}")[1]]


def _over(generation: Generation | None, attempt: int) -> bool:
    """Whether this attempt can't be the one that finishes: it lost its fence, or was put back into the line."""
    assert generation is not None
    return attempt < generation.fence or (attempt == generation.fence and generation.state == "queued")


def _old(path: str) -> bool:
    try:
        return default_storage.get_modified_time(path) < timezone.now() - OLD
    except (NotImplementedError, FileNotFoundError):
        return False


def _list(folder: str) -> tuple[list[str], list[str]]:
    try:
        return default_storage.listdir(folder)
    except FileNotFoundError:
        return [], []


def _remove(folder: str) -> None:
    with suppress(OSError):  # something is in it again
        default_storage.delete(folder)
