"""An opened file as an HTTP answer: whole, in part, or not at all (RFC 9110, sections 13 and 14)."""

import re
from collections.abc import Iterator

from django.core.files import File
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from generation.media.files import NAMES, Opened

CHUNK = 256 * 1024
RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


def respond(request: HttpRequest, opened: Opened, *, download: str = "", robots: str | None = None) -> HttpResponseBase:
    """200, 206, 304 or 416. Private files are never stored by a cache; public ones are asked for anew each time, so
    that nothing outlives a withdrawal. `download` is the name to save it under,
    `robots` what machines are told; a public file's artist may have allowed more.
    """
    output = opened.output
    etag = f'"{output.sha256}"'
    start, end = 0, output.size - 1
    response: HttpResponseBase
    known = request.headers.get("If-None-Match", "")
    if known.strip() == "*" or etag in known:
        opened.file.close()
        response = HttpResponse(status=304)
    else:
        asked = request.headers.get("Range", "") if request.headers.get("If-Range", etag) == etag else ""
        part = _part(asked, output.size) if request.method == "GET" else None
        if part is not None and part[0] > part[1]:
            opened.file.close()
            response = HttpResponse(status=416, headers={"Content-Range": f"bytes */{output.size}"})
        else:
            headers = {}
            if part is not None:
                start, end = part
                headers["Content-Range"] = f"bytes {start}-{end}/{output.size}"
            headers["Content-Length"] = str(end - start + 1)
            response = StreamingHttpResponse(
                _chunks(opened.file, start, end - start + 1, request.method == "HEAD"),
                status=206 if part is not None else 200,
                content_type=output.media_type,
                headers=headers,
            )
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "public, no-cache" if opened.public else "private, no-store"
    response["X-Content-Type-Options"] = "nosniff"
    if robots is None:
        robots = "noai, noimageai" if opened.public else "noindex, noai, noimageai"
    if robots:
        response["X-Robots-Tag"] = robots
    kind = "attachment" if download else "inline"
    response["Content-Disposition"] = f'{kind}; filename="{download or NAMES[output.kind]}"'
    return response


def _part(asked: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a single range; None for the whole; (1, 0) when it can't be satisfied."""
    match = RANGE.fullmatch(asked.strip())
    if match is None or match[0] == "bytes=-":
        return None
    first, last = match[1], match[2]
    if not first:
        return (max(0, size - int(last)), size - 1) if int(last) else (1, 0)
    if int(first) >= size or (last and int(last) < int(first)):
        return (1, 0)
    return int(first), min(int(last or size), size - 1)


def _chunks(file: File, start: int, length: int, head: bool) -> Iterator[bytes]:
    with file:
        if head:
            return
        file.seek(start)
        while length and (chunk := file.read(min(CHUNK, length))):
            length -= len(chunk)
            yield chunk
