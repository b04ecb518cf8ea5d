"""Who may open a file, and how it is sent."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import refusals
from gateway.actors import NOBODY
from generation import media
from review import queue
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
