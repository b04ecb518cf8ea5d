"""One request, however often it is sent.

A client whose answer got lost sends its request again, and nothing must happen twice. Two ways to know it:

1. `Idempotency-Key`, on every POST below /v1: the first with a key is answered, a later one with the same body gets the
   same answer, one with another body is refused, one that comes while the first is being answered is told to wait.
   The row is taken before the view runs, in a transaction of its own. A request that was refused (4xx) changed nothing
   and gives its key back. One that failed (5xx) frees it for the same request, one whose process died holds it for
   LEASE and no longer; what either had asked for by then is known by the row (`Generation.once`), so that the
   repetition draws nothing twice.
2. `x-stainless-retry-count`, which the openai SDK's requests bear: see `Attempt` and generation.generations.

An answer is kept for a day, encrypted with what only the client has: its key. A copy of the database tells nobody what
was asked or answered, and the secrets in it stay shown once.
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils.crypto import salted_hmac

from gateway import refusals
from gateway.models import KeyedRequest, User

LONGEST_KEY = 255
LEASE = timedelta(seconds=60)  # how long a request may take, or a dead one keeps its key
KEPT = timedelta(days=1)
LARGEST = 1_000_000  # bytes of an answer that is kept
SALT = "gateway.retries"


@dataclass(frozen=True)
class Attempt:
    """A request that may be a repetition: what it asks, how often it was sent before, its number since it came."""

    digest: bytes
    count: int
    came: UUID


@dataclass(frozen=True)
class Answer:
    """What the first request was answered."""

    status: int
    body: bytes


class Answered(Exception):
    """The first request with this key has its answer, and the same one is given again."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


@dataclass(frozen=True)
class Held:
    """A key that is ours until its request is answered."""

    row: KeyedRequest
    key: str

    @property
    def once(self) -> UUID:
        """By what a thing is known that this request asks for."""
        return self.row.pk


def read_key(text: str) -> str:
    """The key in an `Idempotency-Key` header, quoted (a string of RFC 8941) or bare. Raises KeyUnreadable."""
    key = text.strip()
    if len(key) >= 2 and key[0] == key[-1] == '"':
        key = key[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable():
        raise refusals.KeyUnreadable(longest=LONGEST_KEY)
    return key


def fingerprint(method: str, path: str, data: Any) -> bytes:
    """A digest of what is asked: method, address, fields as parsed, and files by content, whatever they are called.

    Made with the program's key: nobody guesses words from it.
    """
    if hasattr(data, "lists"):  # a form's: each field with all that it was given
        fields: Any = sorted((name, [_piece(value) for value in values]) for name, values in data.lists())
    else:
        fields = data.hex() if isinstance(data, bytes) else data
    text = json.dumps([method, path, fields], sort_keys=True, default=str)
    return salted_hmac(SALT, text, algorithm="sha256").digest()


def _piece(value: Any) -> Any:
    if not isinstance(value, UploadedFile):
        return value
    digest = hashlib.sha256()
    for chunk in value.chunks():
        digest.update(chunk)
    value.seek(0)
    return {"sha256": digest.hexdigest()}


def take(key: str, *, holder: UUID, user: User | None, asked: bytes) -> Held:
    """Take a key of `holder`'s for this request, which says `asked`, before anything is done.

    Raises Answered when it was answered before, KeyDiffers when it was used for something else, StillRunning,
    AnswerNotKept.
    """
    mine = KeyedRequest.objects.filter(holder=holder, digest=hashlib.sha256(key.encode()).digest())
    mine.filter(created_at__lt=Now() - KEPT).delete()
    lease = Now() + LEASE
    try:
        with atomic():
            made = KeyedRequest.objects.create(
                holder=holder, user=user, digest=hashlib.sha256(key.encode()).digest(), asked=asked, held_until=lease
            )
        return Held(made, key)
    except IntegrityError as error:
        if "one_request_a_key" not in str(error):
            raise
    found = mine.first()
    if found is None:  # at this moment it was refused
        raise refusals.StillRunning(seconds=1, retry_after=1)
    if bytes(found.asked) != asked:
        raise refusals.KeyDiffers
    if found.status is not None:
        raise Answered(_open(found, key))
    if mine.filter(pk=found.pk, status__isnull=True, held_until__lte=Now()).update(held_until=lease):
        return Held(found, key)
    raise refusals.StillRunning(seconds=1, retry_after=1)


def keep(held: Held, status: int, body: bytes | None) -> None:
    """The request was answered: with `body`, or with what can't be kept (None). One that was refused is forgotten."""
    row = KeyedRequest.objects.filter(pk=held.row.pk)
    if status >= 500:
        release(held)
        return
    if status >= 300:
        row.delete()
        return
    kept = body is not None and len(body) <= LARGEST
    row.update(status=status, body=_box(held.key).encrypt(body) if kept and body is not None else None)


def release(held: Held) -> None:
    """The request failed: the same one is done when it comes again."""
    KeyedRequest.objects.filter(pk=held.row.pk).update(held_until=Now())


def forget_old() -> int:
    """Forget keys a day after they were used; return how many."""
    return KeyedRequest.objects.filter(created_at__lt=Now() - KEPT).delete()[0]


def _open(row: KeyedRequest, key: str) -> Answer:
    assert row.status is not None
    if row.body is None:
        raise refusals.AnswerNotKept
    try:
        return Answer(row.status, _box(key).decrypt(bytes(row.body)))
    except InvalidToken:  # SECRET_KEY was changed since
        raise refusals.AnswerNotKept from None


def _box(key: str) -> MultiFernet:
    return MultiFernet(list(_boxes(key)))


def _boxes(key: str) -> Iterator[Fernet]:
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        yield Fernet(urlsafe_b64encode(salted_hmac(SALT, key, secret=secret, algorithm="sha256").digest()))
