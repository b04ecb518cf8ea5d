"""Home, a work's page and the tombstone that it leaves, and the frame in which other sites show it."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from csp.decorators import csp_replace
from django.conf import settings
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.clickjacking import xframe_options_exempt
from django.views.decorators.http import require_safe

from gateway import refusals
from gateway.consents import PURPOSES
from review import consents, publishing
from review.models import Publication
from review.public.answers import asked_anew, at, ever_public, file_of, tell, tell_all
from review.transparency import months, words

A_PAGE = 24


@require_safe
@asked_anew
def home(request: HttpRequest) -> HttpResponse:
    """What artists have signed, page by page."""
    found = Paginator(Publication.objects.feed().listed().order_by("-id"), A_PAGE).get_page(request.GET.get("page"))
    last = months.last()
    context = {
        "page": found,
        "feed": f"{settings.BASE_URL}/feed",
        "figures": {"words": last.words, "gist": words.gist(last)} if last else None,
    }
    response = render(request, "public/home.html", context)
    tell_all(response, consents.of_each(found.object_list).values())
    return response


@require_safe
@asked_anew
def work(request: HttpRequest, publication: UUID) -> HttpResponse:
    """A published work, or the tombstone that it left."""
    return _shown(request, ever_public(publication), "public/work.html", "public/tombstone.html")


@require_safe
@xframe_options_exempt
@csp_replace({"frame-ancestors": ["*"]})
@asked_anew
def embed(request: HttpRequest, publication: UUID) -> HttpResponse:
    """The work in a frame of another site; the tombstone in the same frame from its withdrawal on."""
    try:
        return _shown(request, ever_public(publication), "public/embed.html", "public/embed_gone.html")
    except refusals.Refused as refusal:
        response = render(request, "public/embed_gone.html", {"refusal": refusal}, status=refusal.status)
        response.refusal = refusal.code  # type: ignore[attr-defined]
        return response


@require_safe
def file(request: HttpRequest, publication: UUID, kind: str) -> HttpResponseBase:
    """A published work's clip or poster; gone with its withdrawal."""
    return file_of(request, publication, kind)


def _shown(request: HttpRequest, found: Publication, template: str, tombstone: str) -> HttpResponse:
    allowed = consents.of(found)
    context: dict[str, Any] = {
        "publication": found,
        "revision": found.revision,
        "generation": found.revision.output.generation,
        "robots": consents.robots(found, allowed),
        "reserved": "train" not in allowed,
    }
    if found.state == "published":
        about = urlencode({"url": at(found)}, safe="/:")
        context |= {
            "allowed": [purpose for name, purpose in PURPOSES.items() if name in allowed],
            "address": at(found),
            "oembed": f"{settings.BASE_URL}/oembed?{about}",
        }
        response = render(request, template, context)
    else:
        context["clauses"] = publishing.taken_down_under(found)
        response = render(request, tombstone, context, status=410)
    tell(response, found, allowed)
    return response
