"""Files that no output names. They are real, and lie where a worker puts them."""

import os
import time
from pathlib import Path

import pytest
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models import F

from generation import generations, scheduling
from generation.media import erase, orphans
from generation.models import Generation, Picture
from tests import makers

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def from_the_beginning():
    cache.delete_many([orphans.PLACE, orphans.PICTURES])


def left_behind(generation: Generation, attempt: int, *, old: bool = False) -> str:
    """A file that an attempt has kept and no row names."""
    path = default_storage.save(f"outputs/{generation.pk.hex}/{attempt}/video.mp4", ContentFile(b"frames"))
    if old:
        hours_ago = time.time() - 2 * 3600
        os.utime(default_storage.path(path), (hours_ago, hours_ago))
    return path


def kept(*paths: str) -> list[bool]:
    return [default_storage.exists(path) for path in paths]


def test_what_an_ended_generation_left_is_thrown_away_and_its_work_stays(artist):
    done = makers.completed(artist)
    orphan = left_behind(done, 7)
    cancelled = makers.queued(artist)
    generations.cancel(cancelled, by=artist)
    other = left_behind(cancelled, 1)
    assert orphans.sweep() == 2
    assert kept(orphan, other) == [False, False]
    assert all(kept(*(output.path for output in done.outputs.all())))
    assert not Path(default_storage.path(f"outputs/{cancelled.pk.hex}")).exists()
    assert orphans.sweep() == 0


def test_of_an_attempt_in_progress_nothing_is_touched_however_old(artist):
    generation = makers.queued(artist)
    assert scheduling.claim("default", worker="gpu@test") == generation
    mine = left_behind(generation, 1, old=True)
    assert (orphans.sweep(), kept(mine)) == (0, [True])


def test_what_an_attempt_left_that_is_over_goes_after_an_hour(artist):
    generation = makers.queued(artist)
    scheduling.claim("default", worker="gpu@test")
    Generation.objects.update(fence=F("fence") + 2)  # two workers died
    young, old, mine = (left_behind(generation, n, old=n > 1) for n in (1, 2, 3))
    assert orphans.sweep() == 1
    assert kept(young, old, mine) == [True, False, True]
    Generation.objects.update(state="queued", lease_until=None)  # and the third
    assert orphans.sweep() == 1
    assert kept(young, mine) == [True, False]


def test_a_file_that_a_row_names_stays_whatever_its_attempt(artist):
    done = makers.completed(artist)
    Generation.objects.filter(pk=done.pk).update(fence=9)
    assert orphans.sweep() == 0
    assert done.outputs.count() == 3 and all(kept(*(output.path for output in done.outputs.all())))


def test_what_lies_elsewhere_is_nobodys_business(artist):
    done = makers.completed(artist)
    strange = [
        default_storage.save(name, ContentFile(b"x"))
        for name in (
            "outputs/readme.txt",
            "outputs/notes/1/video.mp4",
            f"outputs/{done.pk.hex}/x/video.mp4",
            "exports/a.zip",
        )
    ]
    assert (orphans.sweep(), kept(*strange)) == (0, [True] * 4)


def test_of_a_generation_that_is_nowhere_only_old_files_go(artist):
    gone = Generation(id=makers.new_id())
    young, old = left_behind(gone, 1), left_behind(gone, 2, old=True)
    assert orphans.sweep() == 1
    assert kept(young, old) == [True, False]


def test_it_goes_round_in_pieces(artist):
    found = []
    for _ in range(5):
        generation = makers.queued(artist)
        generations.cancel(generation, by=artist)
        found.append(left_behind(generation, 1))
    assert [orphans.sweep(most=2) for _ in range(3)] == [2, 2, 1]
    again = left_behind(Generation.objects.order_by("id")[0], 1)
    assert (orphans.sweep(most=2), kept(again)) == (1, [False])


def test_no_folder_is_no_trouble(db):
    assert orphans.sweep() == 0


def test_erasing_leaves_nothing_to_find(artist):
    done = makers.completed(artist)
    left_behind(done, 7)
    erase(done)
    assert orphans.sweep() == 0


# ---------------------------------------------------------------- pictures that clips begin from


def brought(name: str = "", *, old: bool = False) -> str:
    """A picture that was stored, and whose transaction never came to its end."""
    path = default_storage.save(f"inputs/{name or makers.new_id().hex + '.png'}", ContentFile(b"a picture"))
    if old:
        hours_ago = time.time() - 2 * 3600
        os.utime(default_storage.path(path), (hours_ago, hours_ago))
    return path


def test_a_picture_that_no_row_names_goes_after_an_hour_and_others_stay(artist):
    named = Picture(
        id=makers.new_id(), membership=artist.membership, path=brought(old=True), media_type="image/png", sha256="0" * 64,
        size=9, width=64, height=64,
    )  # fmt: skip
    named.save(force_insert=True)
    young, old, strange = brought(), brought(old=True), brought("readme.txt", old=True)
    assert orphans.sweep() == 1
    assert kept(named.path, young, old, strange) == [True, True, False, True]
    assert orphans.sweep() == 0


def test_pictures_are_gone_through_in_pieces_too(db):
    for _ in range(5):
        brought(old=True)
    assert [orphans.sweep(most=2) for _ in range(4)] == [2, 2, 1, 0]
