"""/v1/leaks: where secret scanners report tokens that they found in public."""

import redis
from django.core.cache import cache
from django.core.exceptions import RequestDataTooBig
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import addresses, leaks, refusals
from gateway.api import Resource
from gateway.openapi import many, one_of, operation, shape, text

A_MINUTE = 60
LEAK = shape(
    "Leak",
    "What came of one token of a report.",
    token_hash=text("SHA-256, in hexadecimal digits."),
    token_type=text(),
    label=one_of("true_positive", "false_positive"),
)


class Leaks(Resource):
    """Signed by the scanner, so it needs no token; the body is read as it came, because that is what was signed."""

    authentication_classes = ()
    permission_classes = ()

    @operation(
        "report_leaks",
        "Report tokens that were found in public",
        {200: many(LEAK)},
        no=[
            refusals.NotFound,
            refusals.UnsignedReport,
            refusals.BadReport,
            refusals.ReportTooLarge,
            refusals.TooManyTries,
        ],
        more="As GitHub's secret scanning sends it: a JSON list of `{token, type, url, source}`, signed in the headers "
        "`Github-Public-Key-Identifier` and `Github-Public-Key-Signature` by a key that the operator knows.",
    )
    def post(self, request: Request) -> Response:
        plain = request._request
        _count(addresses.of(plain))
        if int(plain.META.get("CONTENT_LENGTH") or 0) > leaks.LARGEST:
            raise refusals.ReportTooLarge(kilobytes=leaks.LARGEST // 1024)
        try:
            body = plain.body
        except RequestDataTooBig:
            raise refusals.ReportTooLarge(kilobytes=leaks.LARGEST // 1024) from None
        answers = leaks.take_in(
            body,
            key_id=request.headers.get("Github-Public-Key-Identifier", ""),
            signature=request.headers.get("Github-Public-Key-Signature", ""),
        )
        return Response(answers)


def _count(address: str) -> None:
    """Raises TooManyTries. A Valkey that is away refuses nobody: what a report may do hangs on its signature."""
    try:
        cache.add(f"leaks:{address}", 0, timeout=60)
        tries = cache.incr(f"leaks:{address}")
    except (redis.RedisError, OSError, ValueError):
        return
    if tries > A_MINUTE:
        raise refusals.TooManyTries
