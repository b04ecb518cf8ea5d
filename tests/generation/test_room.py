"""Whether the disk has room for more."""

import pytest

from gateway import allowances, refusals
from generation import room, worker
from generation.models import Generation
from tests import makers

pytestmark = pytest.mark.django_db


@pytest.fixture
def full(settings):
    settings.MIN_FREE_MB = 10**12  # nobody's disk has so much


def test_a_nearly_full_disk_takes_nothing_new_and_charges_nothing(artist, admin, client_of, browser_of, full):
    makers.sketch()
    answer = client_of(artist).post("/v1/videos", {"prompt": "a red circle"}, format="json")
    assert (answer.status_code, answer.json()["error"]["code"], answer["Retry-After"]) == (507, "disk_full", "300")
    asked = {"prompt": "a red circle", "model": "sketch", "seconds": "1", "size": "256x256"}
    page = browser_of(artist).post("/studio", asked)
    assert (page.status_code, "too little room" in page.content.decode()) == (507, True)
    assert "MB are free for the works" in browser_of(admin).get("/program/fleet").content.decode()
    assert not Generation.objects.exists()
    assert allowances.current(artist.membership).held == 0


def test_a_worker_begins_nothing_and_what_waits_keeps_its_place(artist, settings):
    waiting = makers.queued(artist)
    enough, settings.MIN_FREE_MB = settings.MIN_FREE_MB, 10**12
    assert worker.look("default", name="gpu@test") is None
    waiting.refresh_from_db()
    assert (waiting.state, waiting.fence) == ("queued", 0)
    settings.MIN_FREE_MB = enough
    assert worker.scheduling.claim("default", worker="gpu@test") == waiting


def test_a_folder_that_is_not_there_yet_is_on_the_disk_where_it_will_be(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "a" / "b"
    assert room.free() > 0
    room.must_be_enough()


def test_a_storage_without_a_folder_is_not_watched(full, settings):
    with pytest.raises(refusals.DiskFull):
        room.must_be_enough()
    elsewhere = {"BACKEND": "django.core.files.storage.Storage"}  # as each that keeps files on another machine
    settings.STORAGES = {**settings.STORAGES, "default": elsewhere}
    assert room.free() is None
    room.must_be_enough()
