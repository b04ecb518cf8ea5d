"""What secret scanners report: a signed list of tokens that they found in public. Each ends at once.

The report is the one of GitHub's secret scanning partners: JSON, signed as it is with ECDSA on P-256 and SHA-256 by a
key whose identifier comes along. Whoever holds such a key can end tokens that they know, and nothing else; a report
that comes twice changes nothing the second time.
"""

import base64
import binascii
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.conf import settings

from gateway import audit, canaries, keys, refusals, sightings
from gateway.actors import SYSTEM
from gateway.models import GuestPass, Token

LARGEST = 256 * 1024  # bytes of a report
MOST = 1000  # tokens in one


def take_in(body: bytes, *, key_id: str, signature: str) -> list[dict[str, str]]:
    """End every token that this report names, and return for each whether it was one.

    Raises NotFound when no keys are set, UnsignedReport, BadReport.
    """
    known = _keys()
    if not known:
        raise refusals.NotFound
    if len(body) > LARGEST:
        raise refusals.ReportTooLarge(kilobytes=LARGEST // 1024)
    key = known.get(key_id)
    try:
        if key is None:
            raise InvalidSignature
        key.verify(base64.b64decode(signature, validate=True), body, ec.ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        raise refusals.UnsignedReport from None
    rows = _read(body)
    answers = [_one(row) for row in rows]
    ended = sum(answer["label"] == "true_positive" for answer in answers)
    audit.record("leak.reported", by=SYSTEM, facts={"tokens": len(rows), "ours": ended, "key": key_id[:100]})
    return answers


def _one(row: dict[str, Any]) -> dict[str, str]:
    secret, where = row["token"].strip(), keys.redacted(str(row.get("url") or ""))[:500]
    ours = False
    if keys.SHAPE.fullmatch(secret):
        digest = keys.digest(secret)
        found = (
            Token.objects.filter(digest=digest).select_related("user").first()
            or GuestPass.objects.filter(digest=digest).select_related("membership__user").first()
        )
        canary = None if found else canaries.find(secret)
        ours = found is not None or canary is not None
        if found is not None:
            sightings.reported(found, where=where)
        elif canary is not None:
            sightings.canary_found(canary, where=where)
    return {
        "token_hash": keys.digest(secret).hex(),
        "token_type": str(row.get("type") or "")[:200],
        "label": "true_positive" if ours else "false_positive",
    }


def _read(body: bytes) -> list[dict[str, Any]]:
    try:
        rows = json.loads(body)
    except ValueError:
        raise refusals.BadReport(most=MOST) from None
    if (
        not isinstance(rows, list)
        or len(rows) > MOST
        or not all(isinstance(row, dict) and isinstance(row.get("token"), str) for row in rows)
    ):
        raise refusals.BadReport(most=MOST)
    return rows


def _keys() -> dict[str, ec.EllipticCurvePublicKey]:
    path = settings.LEAK_INTAKE_KEYS
    return _load(path, Path(path).stat().st_mtime_ns) if path else {}


@lru_cache(maxsize=2)
def _load(path: str, changed_at: int) -> dict[str, ec.EllipticCurvePublicKey]:
    """The keys of a file in the form in which GitHub publishes its own."""
    found = {}
    for entry in json.loads(Path(path).read_text())["public_keys"]:
        try:
            key = load_pem_public_key(entry["key"].encode())
        except (ValueError, UnsupportedAlgorithm):
            continue
        if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1):
            found[str(entry["key_identifier"])] = key
    return found
