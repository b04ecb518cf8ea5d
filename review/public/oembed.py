"""/oembed: how another site shows a work in a frame (oembed.com). After a withdrawal the frame shows the tombstone."""

import re
from io import StringIO
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID
from xml.sax.xmlreader import AttributesImpl

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.html import format_html
from django.utils.xmlutils import SimplerXMLGenerator
from django.views.decorators.http import require_safe

from gateway import refusals
from review import consents
from review.models import Publication
from review.public.answers import asked_anew, at, ever_public, tell

WORK = re.compile(r"/works/([0-9a-f]{32})(?:/embed)?/?")
SIDE = 640  # pixels: as large as a frame is when nobody says how large
CAPTION = 56  # pixels under the clip, for title, credit and licence


@require_safe
@asked_anew
def oembed(request: HttpRequest) -> HttpResponse:
    """404 for what is no work on view, 501 for a format that is neither json nor xml; both in plain words."""
    try:
        form = request.GET.get("format", "json")
        if form not in ("json", "xml"):
            raise refusals.UnknownFormat(form=form[:20])
        found = _asked_for(request.GET.get("url", ""))
        box = tuple(_most(request, name) for name in ("maxwidth", "maxheight"))
    except refusals.Refused as refusal:
        response = HttpResponse(f"{refusal.sentence}\n", content_type="text/plain", status=refusal.status)
        response.refusal = refusal.code  # type: ignore[attr-defined]
        response["Access-Control-Allow-Origin"] = "*"
        return response
    told = _told(found, *box)
    response = JsonResponse(told) if form == "json" else HttpResponse(_xml(told), content_type="text/xml")
    response["Access-Control-Allow-Origin"] = "*"
    tell(response, found, consents.of(found))
    return response


def _asked_for(url: str) -> Publication:
    """The work on view whose address this is. Raises NotFound for everything else, gone or never there alike."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise refusals.NotFound from None
    match = WORK.fullmatch(parts.path)
    if match is None or parts.netloc.lower() != urlsplit(settings.BASE_URL).netloc.lower():
        raise refusals.NotFound
    try:
        found = ever_public(UUID(hex=match[1]))
    except refusals.NotShownNow:
        raise refusals.NotFound from None
    if found.state != "published":
        raise refusals.NotFound
    return found


def _most(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text)):
        raise refusals.NoSuchSize(param=name)
    return int(text)


def _told(found: Publication, maxwidth: int | None, maxheight: int | None) -> dict[str, Any]:
    revision, output = found.revision, found.revision.output
    # As large as fits: into a square of SIDE when nothing is asked for, else into what is.
    width = maxwidth or (SIDE if maxheight is None else 16 * maxheight)
    height = max((maxheight or width + CAPTION) - CAPTION, 1)
    scale = min(width / output.width, height / output.height)
    width, height = max(int(output.width * scale), 1), max(int(output.height * scale), 1) + CAPTION
    if maxheight is not None:
        height = min(height, maxheight)
    told: dict[str, Any] = {
        "version": "1.0",
        "type": "video",
        "title": revision.title,
        "author_name": revision.credit,
        "provider_name": settings.PROGRAM_NAME,
        "provider_url": f"{settings.BASE_URL}/",
        "cache_age": 0,  # who keeps it would keep it beyond a withdrawal
        "width": width,
        "height": height,
        "html": format_html(
            '<iframe src="{}" width="{}" height="{}" title="{}, by {}" style="border:0" loading="lazy" '
            'allow="fullscreen" allowfullscreen></iframe>',
            *(at(found, "/embed"), width, height, revision.title, revision.credit),
        ),
    }
    poster = output.generation.output("poster")
    if poster and poster.width <= (maxwidth or poster.width) and poster.height <= (maxheight or poster.height):
        told |= {
            "thumbnail_url": at(found, "/poster.webp"),
            "thumbnail_width": poster.width,
            "thumbnail_height": poster.height,
        }
    return told


def _xml(told: dict[str, Any]) -> str:
    out = StringIO()
    handler = SimplerXMLGenerator(out, "utf-8")
    handler.startDocument()
    handler.startElement("oembed", AttributesImpl({}))
    for name, value in told.items():
        handler.addQuickElement(name, str(value))
    handler.endElement("oembed")
    return out.getvalue()
