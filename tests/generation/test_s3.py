"""Files in a bucket: kept, opened, sent in part, thrown away and erased as in a folder."""

import hashlib
import io
import zipfile
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage, storages

from gateway import refusals
from gateway.management.commands import doctor
from generation import media
from generation.media import s3
from generation.models import Output
from review.screening import run
from tests import makers
from tests.generation.bucket import Store

pytestmark = pytest.mark.django_db


def whole(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_what_is_kept_is_in_the_bucket_and_opens_for_its_artist_alone(store: Store, artist, stranger, settings):
    generation = makers.completed(artist)
    outputs = {output.kind: output for output in generation.outputs.all()}
    assert store.keys() == {f"works/{output.path}" for output in outputs.values()}
    assert not settings.MEDIA_ROOT.exists(), "nothing on this machine"
    for output in outputs.values():
        with media.open_for(artist, "own work", output).file as file:
            assert hashlib.sha256(file.read()).hexdigest() == output.sha256
        with pytest.raises(refusals.NotFound):
            media.open_for(stranger, "own work", output)
    default_storage.delete(outputs["video"].path)
    with pytest.raises(refusals.NotFound):
        media.open_for(artist, "own work", outputs["video"])


def test_a_part_is_sent_without_the_rest(store: Store, artist, browser_of, monkeypatch):
    monkeypatch.setattr(s3, "BUFFER", 1024)
    monkeypatch.setattr(s3, "PIECE", 4096)
    generation = makers.completed(artist)
    path, client = f"/generations/{generation.pk.hex}/video.mp4", browser_of(artist)
    size = generation.outputs.get(kind="video").size
    answer = client.get(path)
    data = whole(answer)
    assert (answer.status_code, len(data)) == (200, size)
    assert store.asked == [f"bytes={at}-{min(at + 4096, size) - 1}" for at in range(0, size, 4096)]
    for asked, part in {
        "bytes=0-0": data[:1],
        f"bytes={size // 2}-{size // 2 + 99}": data[size // 2 : size // 2 + 100],
        "bytes=-7": data[-7:],
        "bytes=3000-9000": data[3000:9001],
    }.items():
        store.asked.clear()
        answer = client.get(path, headers={"range": asked})
        assert (answer.status_code, whole(answer)) == (206, part)
        assert sum(int(last) - int(first) + 1 for first, last in map(bounds, store.asked)) <= len(part) + 2 * 4096
    store.asked.clear()
    assert client.get(path, headers={"if-none-match": answer["ETag"]}).status_code == 304
    assert client.get(path, headers={"range": f"bytes={size}-"}).status_code == 416
    assert whole(client.head(path)) == b""
    assert store.asked == [], "what is not sent is not read"


def bounds(asked: str) -> list[str]:
    return asked.removeprefix("bytes=").split("-")


def test_a_film_can_be_read_from_any_place(store: Store, monkeypatch):
    monkeypatch.setattr(s3, "BUFFER", 16)
    monkeypatch.setattr(s3, "PIECE", 100)
    data = bytes(range(256)) * 4
    name = default_storage.save("a/b.bin", ContentFile(data))
    with default_storage.open(name) as file:
        local = io.BytesIO(data)
        for place, length in ((0, 5), (1000, 100), (3, 300), (1024, 1), (50, 60)):
            assert file.seek(place) == local.seek(place)
            assert file.read(length) == local.read(length)
        assert file.seek(-4, io.SEEK_END) == 1020 and file.read() == data[-4:]
    assert default_storage.save("a/b.bin", ContentFile(b"other")) != name, "nothing is overwritten"


def test_a_line_that_breaks_is_taken_up_and_a_store_that_is_gone_is_an_oserror(store: Store, monkeypatch):
    name = default_storage.save("a.bin", ContentFile(b"x" * 3000))
    monkeypatch.setattr(s3, "BUFFER", 1000)
    file = default_storage.open(name)
    assert len(file.read(1000)) == 1000
    body = type(file.file.raw._body)
    monkeypatch.setattr(body, "read", broken_once(body.read))
    assert len(file.read()) == 2000
    store.client.delete_object(Bucket=store.name, Key="works/a.bin")
    file.seek(0)
    with pytest.raises(OSError, match=r"a\.bin could not be read to its end"):
        file.read()


def broken_once(read: Any) -> Any:
    tries: list[int] = []

    def once(body: Any, *args: Any) -> bytes:
        if not tries:
            tries.append(1)
            raise s3.BotoCoreError
        return read(body, *args)

    return once


def test_what_no_row_names_is_thrown_away_and_a_work_is_erased_whole(store: Store, artist):
    mine, other = makers.completed(artist), makers.completed(artist)
    left = default_storage.save(f"outputs/{mine.pk.hex}/7/video.mp4", ContentFile(b"of an attempt that died"))
    unsaved = media.keep(mine, makers._files())
    media.discard(unsaved)
    assert not {f"works/{output.path}" for output in unsaved} & store.keys()
    media.erase(mine)
    media.erase(mine)
    assert store.keys() == {f"works/{path}" for path in other.outputs.values_list("path", flat=True)}
    assert not default_storage.exists(left)


def test_the_program_looks_at_it_and_its_artist_takes_it_along(store: Store, artist, browser_of, client_of):
    submission = makers.submitted(artist)
    assert run.screen() == 1
    report = submission.must_have_revision().output.screening
    assert report.error == "" and report.done_at
    answer = browser_of(artist).post("/export")
    archive = zipfile.ZipFile(io.BytesIO(whole(answer)))
    clip = next(name for name in archive.namelist() if name.endswith("clip.mp4"))
    output = Output.objects.get(kind="video")
    assert hashlib.sha256(archive.read(clip)).hexdigest() == output.sha256


def test_the_doctor_tries_the_bucket(store: Store, settings):
    assert [finding.level for finding in doctor.storage()] == ["ok"]
    assert store.keys() == set()
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "generation.media.s3.Bucket",
            "OPTIONS": {**store.options, "bucket_name": "nobodys"},
        },
    }
    (finding,) = doctor.storage()
    assert finding.level == "FAIL" and "S3_" in finding.text
    assert storages["default"].bucket_name == "nobodys"
