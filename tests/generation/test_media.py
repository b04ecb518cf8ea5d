"""Who may open a file, and how it is sent."""

import hashlib
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import refusals
from gateway.actors import NOBODY
from generation import media
from review import publishing, queue
from review.models import Publication, Submission
from tests import makers

pytestmark = pytest.mark.django_db


def opens(actor, purpose, output, under=None) -> bool:
    try:
        media.open_for(actor, purpose, output, under=under).file.close()
    except refusals.NotFound:
        return False
    return True


def test_the_closed_table(artist, stranger, reviewer, admin):
    submission = makers.submitted(artist)
    video = submission.generation.outputs.get(kind="video")
    cast = {"artist": artist, "stranger": stranger, "reviewer": reviewer, "admin": admin, "nobody": NOBODY}
    for name, actor in cast.items():
        assert opens(actor, "own work", video) == (name == "artist")
        assert not opens(actor, "review", video, Submission.objects.none())
        assert not opens(actor, "review", video)
        assert not opens(actor, "public", video, Publication.objects.all())
    queue.take_next(by=reviewer)
    assert opens(reviewer, "review", video, queue.held_by(reviewer))
    assert not opens(stranger, "review", video, queue.held_by(reviewer))


def test_evidence_about_another_work_opens_nothing(artist, stranger, reviewer, no_undo):
    makers.published(stranger)
    video = makers.completed(artist).outputs.get(kind="video")
    assert not opens(NOBODY, "public", video, Publication.objects.public())


@pytest.fixture
def served(artist, browser_of):
    generation = makers.completed(artist)
    path = f"/generations/{generation.pk.hex}/video.mp4"
    client = browser_of(artist)
    answer = client.get(path)
    return client, path, b"".join(answer.streaming_content), answer


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.integers(0, 90_000) | st.none(), last=st.integers(0, 90_000) | st.none())
def test_a_range_is_that_slice(served, first, last):
    client, path, whole, _ = served
    asked = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    answer = client.get(path, headers={"range": asked})
    got = b"".join(answer.streaming_content) if answer.streaming else b""
    if first is None and last is None:
        assert (answer.status_code, got) == (200, whole)
    elif (first is None and last == 0) or (first or 0) >= len(whole) or (None not in (first, last) and last < first):
        assert (answer.status_code, got) == (416, b"")
        assert answer["Content-Range"] == f"bytes */{len(whole)}"
    else:
        wanted = whole[-last:] if first is None else whole[first : None if last is None else last + 1]
        assert (answer.status_code, got) == (206, wanted)
        assert int(answer["Content-Length"]) == len(wanted)


def test_head_and_conditions(served):
    client, path, whole, answer = served
    etag = answer["ETag"]
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["X-Content-Type-Options"] == "nosniff"
    head = client.head(path)
    assert (head.status_code, head["Content-Length"], b"".join(head.streaming_content)) == (200, str(len(whole)), b"")
    assert client.get(path, headers={"if-none-match": etag}).status_code == 304
    stale = client.get(path, headers={"range": "bytes=0-9", "if-range": '"other"'})
    assert stale.status_code == 200
    assert client.get(path, headers={"range": "bytes=0-9", "if-range": etag}).status_code == 206
    assert client.get(path, headers={"range": "lines=1-2"}).status_code == 200


def test_a_download_has_a_name(served):
    client, path, _, _ = served
    assert 'attachment; filename="sketch-' in client.get(path + "?download=1")["Content-Disposition"]


# ---------------------------------------------------------------- as RFC 9110 says


@pytest.mark.parametrize(
    "condition", ["{etag}", "*", "W/{etag}", '"other", {etag}', '{etag}, "other"', '"other" , W/{etag}']
)
def test_what_the_client_has_already_is_not_sent_again(served, condition):
    client, path, _, answer = served
    again = client.get(path, headers={"if-none-match": condition.format(etag=answer["ETag"])})
    assert (again.status_code, again.content) == (304, b"")
    assert (again["ETag"], again["Cache-Control"]) == (answer["ETag"], "private, no-store")


@pytest.mark.parametrize("condition", ['"other"', 'W/"other"', "other", ""])
def test_what_the_client_has_of_another_file_is_no_reason(served, condition):
    client, path, whole, _ = served
    again = client.get(path, headers={"if-none-match": condition})
    assert (again.status_code, b"".join(again.streaming_content)) == (200, whole)


def test_a_condition_comes_before_a_range(served):
    client, path, _, answer = served
    again = client.get(path, headers={"if-none-match": answer["ETag"], "range": "bytes=0-9"})
    assert again.status_code == 304


def test_a_range_is_for_get_alone(served):
    """Section 14.2: "a server MUST ignore a Range header field received with a request method … not GET"."""
    client, path, whole, _ = served
    head = client.head(path, headers={"range": "bytes=0-9"})
    assert (head.status_code, head["Content-Length"]) == (200, str(len(whole)))
    assert b"".join(head.streaming_content) == b""


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=0-9,20-29", 200),
        ("bytes=-", 200),
        ("bytes", 200),
        ("bytes=a-b", 200),
        ("bytes=1-2-3", 200),
        ("bytes=0-9", 206),
        (" bytes=0-9 ", 206),
    ],
)
def test_any_range_is_answered(served, asked, status):
    client, path, _, _ = served
    assert client.get(path, headers={"range": asked}).status_code == status


@pytest.mark.parametrize("asked", ["bytes={}-", "bytes=0-{}", "bytes=-{}", "bytes={}-{}"])
def test_a_number_longer_than_python_reads_is_no_server_error(served, asked):
    client, path, _, _ = served
    assert client.get(path, headers={"range": asked.replace("{}", "9" * 5000)}).status_code in {200, 206, 416}


@pytest.mark.parametrize("kind", ["video.mp4", "poster.webp", "sheet.webp"])
def test_each_private_file_is_for_its_artist_and_no_cache(artist, browser_of, kind):
    generation = makers.completed(artist)
    answer = browser_of(artist).get(f"/generations/{generation.pk.hex}/{kind}")
    data = b"".join(answer.streaming_content)
    output = generation.outputs.get(kind=kind.partition(".")[0])
    assert hashlib.sha256(data).hexdigest() == output.sha256
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["X-Robots-Tag"] == "noindex, noai, noimageai"
    assert answer["Content-Disposition"] == f'inline; filename="{kind}"'


def test_a_published_file_is_asked_for_anew_each_time(artist, guest, no_undo):
    publication = makers.published(artist)
    path = f"/works/{publication.pk.hex}/video.mp4"
    answer = guest.get(path)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "public, no-cache"
    assert answer["X-Robots-Tag"] == "noai, noimageai"
    publishing.withdraw(publication, by=artist)
    for headers in ({}, {"range": "bytes=0-9"}, {"if-none-match": answer["ETag"]}, {"if-none-match": "*"}):
        for method in (guest.get, guest.head):
            gone = method(path, headers=headers)
            assert gone.status_code in {404, 410}


def test_a_file_that_is_gone_is_not_found(artist, browser_of):
    generation = makers.completed(artist)
    default_storage.delete(generation.outputs.get(kind="video").path)
    assert browser_of(artist).get(f"/generations/{generation.pk.hex}/video.mp4").status_code == 404


# ---------------------------------------------------------------- keeping


def test_each_attempt_keeps_its_files_in_a_place_of_its_own_and_nothing_is_overwritten(artist):
    generation = makers.queued(artist)
    generation.fence = 1
    first = media.keep(generation, makers._files())
    again = media.keep(generation, makers._files())
    generation.fence = 2
    second = media.keep(generation, makers._files())
    paths = [output.path for output in first + again + second]
    assert len(set(paths)) == 9
    media.discard(first)
    media.discard(again)
    assert [default_storage.exists(path) for path in paths] == [False] * 6 + [True] * 3


def test_what_can_not_be_kept_whole_leaves_nothing(artist, tmp_path):
    generation = makers.queued(artist)
    files = makers._files()
    with pytest.raises(FileNotFoundError):
        media.keep(generation, {**files, "sheet": (tmp_path / "missing", files["sheet"][1])})
    folder = default_storage.path(f"outputs/{generation.pk.hex}/0")
    assert list(Path(folder).iterdir()) == []
