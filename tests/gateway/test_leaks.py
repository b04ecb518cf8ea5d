"""A scanner's report ends what it names, when it is signed by a key that an operator has put there."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.cache import cache
from django.test import Client

from gateway import canaries, keys, leaks, tokens
from gateway.actors import Actor
from gateway.models import Notice, Sighting, Token
from tests import makers

pytestmark = pytest.mark.django_db
WHERE = "https://github.com/somebody/notes/blob/main/.env"


class Scanner:
    """Who signs reports, with a real key."""

    def __init__(self, curve: ec.EllipticCurve | None = None) -> None:
        self.key = ec.generate_private_key(curve or ec.SECP256R1())
        pem = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(pem).hexdigest()
        self.published = {"key_identifier": self.id, "key": pem.decode(), "is_current": True}

    def sign(self, body: bytes, hash_: Any = None) -> dict[str, str]:
        signature = base64.b64encode(self.key.sign(body, ec.ECDSA(hash_ or SHA256()))).decode()
        return {"Github-Public-Key-Identifier": self.id, "Github-Public-Key-Signature": signature}

    def report(self, *secrets: str, client: Client | None = None, **told: Any) -> Any:
        rows = [{"token": secret, "type": "bat_token", "url": WHERE, "source": "content"} for secret in secrets]
        return self.post(json.dumps(rows).encode(), client=client, **told)

    def post(self, body: bytes, client: Client | None = None, headers: dict[str, str] | None = None) -> Any:
        client = client or Client(enforce_csrf_checks=True)
        return client.post("/v1/leaks", body, "application/json", headers=headers or self.sign(body))


@pytest.fixture
def scanner(settings: Any, tmp_path: Path) -> Scanner:
    cache.delete("leaks:127.0.0.1")
    made = Scanner()
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"public_keys": [Scanner().published, made.published]}))
    settings.LEAK_INTAKE_KEYS = str(path)
    return made


def test_every_kind_of_token_ends_at_once_and_its_owner_is_told_where(
    artist: Actor, stranger: Actor, reviewer: Actor, admin: Actor, scanner: Scanner
):
    live = makers.token(artist)
    test = tokens.issue(by=stranger, label="t", scopes=["generate"], mode="test")[1]
    service = makers.token(reviewer)
    lent = makers.lent(stranger)
    assert Client().get(f"/g/{lent}").status_code == 200
    untouched = makers.token(artist)
    made_up = keys.make("artist")
    answer = scanner.report(live, test, service, made_up, "ghp_not_ours")
    assert answer.status_code == 200
    assert [(row["label"], row["token_type"]) for row in answer.json()] == [
        ("true_positive", "bat_token"), ("true_positive", "bat_token"), ("true_positive", "bat_token"),
        ("false_positive", "bat_token"), ("false_positive", "bat_token"),
    ]  # fmt: skip
    assert answer.json()[0]["token_hash"] == hashlib.sha256(live.encode()).hexdigest()
    assert live not in answer.content.decode()
    for secret, status in ((live, 401), (test, 401), (service, 401), (untouched, 200)):
        assert Client(headers={"authorization": f"Bearer {secret}"}).get("/v1/models").status_code == status
    assert scanner.report(lent).json()[0]["label"] == "true_positive"
    assert Client().get(f"/g/{lent}").status_code == 410
    assert Sighting.objects.get(scope="guest_pass").owner == stranger.user
    for owner in (artist, stranger, reviewer):
        sighting = Sighting.objects.get(owner=owner.user, scope="token")
        assert (sighting.kind, sighting.state, sighting.seen) == ("leak", "confirmed", {"found": [WHERE]})
        assert WHERE in Notice.objects.filter(user=owner.user).order_by("created_at")[0].body
    assert Notice.objects.filter(user=admin.user).count() == 4


def test_twice_the_same_report_changes_nothing_the_second_time(artist: Actor, scanner: Scanner):
    secret = makers.token(artist)
    first, second = scanner.report(secret), scanner.report(secret)
    assert first.json() == second.json()
    assert Sighting.objects.count() == Notice.objects.filter(user=artist.user).count() == 1


def test_one_that_had_ended_already_is_still_a_true_positive(artist: Actor, scanner: Scanner):
    token, secret = tokens.issue(by=artist, label="x", scopes=["generate"])
    tokens.revoke(token, by=artist)
    assert scanner.report(secret).json()[0]["label"] == "true_positive"


def test_a_canary_that_is_found_tells_admins(admin: Actor, scanner: Scanner):
    _, secret = canaries.plant("the old wiki", by=admin)
    assert scanner.report(secret).json()[0]["label"] == "true_positive"
    assert "canary" in Notice.objects.get(user=admin.user).subject.lower()


def test_without_keys_the_door_is_not_there(scanner: Scanner, settings: Any):
    settings.LEAK_INTAKE_KEYS = ""
    assert scanner.report(keys.make("artist")).status_code == 404


def test_only_what_is_signed_by_a_known_key_as_it_came_is_believed(artist: Actor, scanner: Scanner):
    secret = makers.token(artist)
    body = json.dumps([{"token": secret}]).encode()
    good = scanner.sign(body)
    stranger, other_curve = Scanner(), Scanner(ec.SECP384R1())
    for headers in (
        {},
        {"Github-Public-Key-Identifier": scanner.id},
        good | {"Github-Public-Key-Signature": "not base64 at all!"},
        good | {"Github-Public-Key-Signature": base64.b64encode(b"no signature").decode()},
        good | {"Github-Public-Key-Identifier": "unknown"},
        stranger.sign(body),
        other_curve.sign(body),
        stranger.sign(body) | {"Github-Public-Key-Identifier": scanner.id},
        scanner.sign(body, SHA384()),
        scanner.sign(body + b" "),
    ):
        answer = Client().post("/v1/leaks", body, "application/json", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "unsigned_report"), headers
    assert Token.objects.filter(revoked_at__isnull=True).count() == 1
    assert scanner.post(body).status_code == 200


def test_keys_of_another_curve_are_not_taken_in(scanner: Scanner, settings: Any, tmp_path: Path):
    other = Scanner(ec.SECP384R1())
    path = tmp_path / "other.json"
    path.write_text(json.dumps({"public_keys": [other.published, {"key_identifier": "x", "key": "no key"}]}))
    settings.LEAK_INTAKE_KEYS = str(path)
    assert other.report(keys.make("artist")).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"nothing",
        b"\xff\xfe",
        b"[1]",
        b"[{}]",
        b'[{"token": 1}]',
        b'"x"',
        b"null",
        b'[{"token": "x"}]'[:-1],
    ],
)
def test_what_is_signed_and_makes_no_sense_is_refused_in_words(scanner: Scanner, body: bytes):
    answer = scanner.post(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_report")


def test_a_report_is_no_larger_than_it_may_be(scanner: Scanner):
    answer = scanner.post(b"[" + b" " * leaks.LARGEST + b"]")
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "report_too_large")
    answer = scanner.post(b"[" + b" " * 3_000_000 + b"]")
    assert answer.status_code == 413
    answer = scanner.post(json.dumps([{"token": "x"}] * (leaks.MOST + 1)).encode())
    assert answer.status_code == 400


def test_odd_rows_do_no_harm(artist: Actor, scanner: Scanner):
    secret = makers.token(artist)
    rows = [
        {"token": secret, "type": None, "url": {"x": [1]}, "source": 5},
        {"token": " " + secret + "\n"},
        {"token": "\0"},
    ]
    answer = scanner.post(json.dumps(rows).encode())
    assert [row["label"] for row in answer.json()] == ["true_positive", "true_positive", "false_positive"]


def test_a_secret_in_the_address_is_not_written_down(artist: Actor, scanner: Scanner):
    secret = makers.token(artist)
    body = json.dumps([{"token": secret, "url": f"https://example.org/?key={secret}"}]).encode()
    assert scanner.post(body).status_code == 200
    assert secret not in str(Sighting.objects.get().seen) + Notice.objects.get(user=artist.user).body


def test_who_knocks_too_often_waits(scanner: Scanner):
    client = Client()
    statuses = [client.post("/v1/leaks", b"[]", "application/json").status_code for _ in range(62)]
    assert statuses[0] == 403 and statuses[-1] == 429
    assert scanner.post(b"[]", client=Client(REMOTE_ADDR="198.51.100.1")).status_code == 200


def test_it_takes_nothing_but_post(scanner: Scanner):
    assert Client().get("/v1/leaks").status_code == 405
