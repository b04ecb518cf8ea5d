"""One request, however often it is sent: by its key, and by what the openai SDK says of its attempts."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db.models.functions import Now
from rest_framework.test import APIClient

from gateway import retries, tokens
from gateway.actors import Actor
from gateway.models import KeyedRequest, Token
from generation import generations
from generation.models import Generation
from generation.videos import views
from tests import makers

pytestmark = pytest.mark.django_db
ASKED = {"prompt": "a red circle", "seconds": 1}


@pytest.fixture
def client(artist, client_of):
    makers.sketch()
    return client_of(artist)


def ask(client: Any, key: str | None = None, retry: int | None = None, format: str = "json", **asked: Any) -> Any:
    told = {"Idempotency-Key": key, "x-stainless-retry-count": retry}
    headers = {name: str(value) for name, value in told.items() if value is not None}
    return client.post("/v1/videos", {**ASKED, **asked}, format=format, headers=headers)


def made() -> int:
    return Generation.objects.count()


# ---------------------------------------------------------------- by key


@pytest.mark.parametrize(
    ("header", "key"), [("abc", "abc"), ('"abc"', "abc"), (r'"a\"b\\c"', 'a"b\\c'), ("x" * 255, "x" * 255)]
)
def test_a_key_is_read_bare_or_quoted(header, key):
    assert retries.read_key(header) == key


@pytest.mark.parametrize("header", ["", " ", '""', "x" * 256, "a\tb"])
def test_what_is_no_key_is_refused_and_nothing_done(client, header):
    answer = ask(client, header)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "key_unreadable")
    assert made() == 0


@pytest.mark.parametrize("format", ["json", "multipart"])
def test_the_same_request_has_the_same_answer(client, format):
    """A form's boundary is another one each time; its fields are not."""
    first, again = (ask(client, key, format=format) for key in ("once", '"once"'))
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")
    assert made() == 1


def test_another_request_with_the_same_key_is_refused(client):
    ask(client, "once")
    for other in (
        ask(client, "once", prompt="a blue ring"),
        client.post("/v1/tokens", headers={"Idempotency-Key": "once"}),
    ):
        assert (other.status_code, other.json()["error"]["code"]) == (422, "key_differs")
    assert made() == 1


def test_another_key_is_another_request(client):
    assert ask(client, "one").json()["id"] != ask(client, "two").json()["id"]


def test_a_key_is_its_tokens_alone(client, artist, stranger, client_of):
    ids = {ask(each, "once").json()["id"] for each in (client, client_of(artist), client_of(stranger))}
    assert len(ids) == 3


def test_a_rotated_token_goes_on_with_its_keys(artist, client, client_of):
    first = ask(client, "once")
    _, secret = tokens.rotate(Token.objects.get(), by=artist, overlap_hours=1)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert ask(client, "once").content == first.content


def test_who_comes_while_the_first_is_answered_is_told_to_wait(client):
    ask(client, "once")
    KeyedRequest.objects.update(status=None, body=None)
    answer = ask(client, "once")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "still_running")
    assert answer["Retry-After"] == "1" and "x-should-retry" not in answer
    assert made() == 1


def test_one_whose_process_died_blocks_nobody_for_ever_and_what_it_asked_for_is_found(client):
    first = ask(client, "once").json()["id"]
    KeyedRequest.objects.update(status=None, body=None, held_until=Now() - timedelta(seconds=1))
    again = ask(client, "once")
    assert (again.status_code, again.json()["id"], made()) == (200, first, 1)
    assert ask(client, "once").content == again.content


def test_what_was_refused_gives_its_key_back(client):
    assert ask(client, "once", seconds=9).status_code == 400
    assert ask(client, "once").status_code == 200


def test_what_failed_is_done_when_it_comes_again_and_not_twice(client, monkeypatch):
    client.raise_request_exception = False
    with monkeypatch.context() as broken:  # after it was done
        broken.setattr(views, "video", lambda generation: 1 / 0)
        assert ask(client, "once").status_code == 500
    assert (ask(client, "once").status_code, made()) == (200, 1)


def test_a_key_is_kept_for_a_day(client):
    first = ask(client, "once").json()["id"]
    KeyedRequest.objects.update(created_at=Now() - timedelta(hours=23))
    assert retries.forget_old() == 0 and ask(client, "once").json()["id"] == first
    KeyedRequest.objects.update(created_at=Now() - timedelta(hours=25))
    assert ask(client, "once").json()["id"] != first  # also where nobody swept
    KeyedRequest.objects.update(created_at=Now() - timedelta(hours=25))
    assert retries.forget_old() == 1


def test_the_database_alone_tells_nothing_of_what_was_asked_or_answered(artist, browser_of):
    browser = browser_of(artist)
    told = {"label": "notebook", "scopes": ["generate"]}
    first, again = (
        browser.post("/v1/tokens", told, content_type="application/json", headers={"Idempotency-Key": "once"})
        for _ in range(2)
    )
    secret = first.json()["secret"]
    assert again.json()["secret"] == secret and Token.objects.count() == 1
    row = KeyedRequest.objects.get()
    assert secret.encode() not in bytes(row.body) and b"notebook" not in bytes(row.body) + bytes(row.asked)


def test_what_is_streamed_is_not_sent_twice(artist, browser_of):
    browser = browser_of(artist)
    first = browser.post("/v1/export", headers={"Idempotency-Key": "once"})
    assert first.status_code == 200 and b"".join(first.streaming_content)
    again = browser.post("/v1/export", headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.json()["error"]["code"], again["x-should-retry"]) == (
        409,
        "answer_not_kept",
        "false",
    )


def test_a_changed_secret_of_the_program_does_nothing_twice(client, settings):
    ask(client, "once")
    settings.SECRET_KEY += "!"
    assert ask(client, "once").status_code == 422
    assert made() == 1


def test_nobody_in_particular_has_keys_too(stranger, no_undo, guest):
    makers.policy()
    told = {"publication": f"publication_{makers.published(stranger).pk.hex}", "words": "My house.", "good_faith": True}
    first, again = (
        guest.post("/v1/reports", told, content_type="application/json", headers={"Idempotency-Key": "once"})
        for _ in range(2)
    )
    assert (first.status_code, again.content) == (201, first.content)


# ---------------------------------------------------------------- by the SDK's count


@pytest.mark.parametrize("format", ["json", "multipart"])
def test_a_repeated_attempt_has_the_first_ones_video(client, format):
    first, again = (ask(client, retry=count, format=format).json()["id"] for count in (0, 1))
    assert (again, made()) == (first, 1)


def test_two_first_attempts_are_two_requests(client):
    assert ask(client, retry=0).json()["id"] != ask(client, retry=0).json()["id"]


@pytest.mark.parametrize("other", [{"prompt": "a blue ring"}, {"seed": 3}, {"seconds": 2}])
def test_a_repetition_asks_the_same(client, other):
    assert ask(client, retry=0).json()["id"] != ask(client, retry=1, **other).json()["id"]


def test_a_repetition_comes_within_minutes_and_by_the_same_token(artist, client, client_of):
    first = ask(client, retry=0).json()["id"]
    assert ask(client_of(artist), retry=1).json()["id"] != first
    Generation.objects.update(created_at=Now() - timedelta(minutes=16))
    assert ask(client, retry=1).json()["id"] != first


def test_a_repetition_is_answered_where_nothing_more_could_be_asked_for(artist, client):
    artist.membership.cohort.concurrent = 1
    artist.membership.cohort.save()
    first = ask(client, retry=0).json()["id"]
    assert ask(client, retry=0).status_code == 429
    assert ask(client, retry=1).json()["id"] == first


def test_the_first_attempt_that_comes_after_its_repetition_has_that_ones_video(artist, client):
    came = UUID(int=0)  # before all that is there
    second = ask(client, retry=1).json()["id"]
    asked = bytes(Generation.objects.get().asked)
    by = Actor("token", user=artist.user, token=Generation.objects.get().token)
    found = generations.submit(by=by, prompt="a red circle", seconds=1, attempt=retries.Attempt(asked, 0, came))
    assert f"video_{found.pk.hex}" == second
    assert ask(client, retry=0).json()["id"] != second  # one that came later is another request


@pytest.mark.parametrize("count", ["-1", "x", "²", "99999", ""])
def test_a_count_that_is_none_is_not_looked_at(client, count):
    assert ask(client, retry=count).json()["id"] != ask(client, retry=count).json()["id"]


# ---------------------------------------------------------------- all at the same moment


@pytest.fixture
def ten(transactional_db, artist):
    makers.sketch()
    secret = makers.token(artist)

    clients = [APIClient() for _ in range(10)]
    for each in clients:
        each.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return clients


def test_ten_with_one_key_are_one_generation(at_once, ten):
    answers = at_once(*(lambda client=client: ask(client, "once") for client in ten))
    assert made() == 1
    assert {answer.status_code for answer in answers} <= {200, 409}
    after = [ask(client, "once") for client in ten]
    assert {answer.status_code for answer in after} == {200}
    assert len({answer.json()["id"] for answer in answers + after if answer.status_code == 200}) == 1


def test_ten_attempts_of_one_request_are_one_generation(at_once, ten):
    answers = at_once(*(lambda client=client: ask(client, retry=1) for client in ten))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert (made(), len({answer.json()["id"] for answer in answers})) == (1, 1)
