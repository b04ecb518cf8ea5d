"""How every public door answers: for one use only, and with what the artist allows machines to do."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Concatenate
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import get_conditional_response, set_response_etag

from gateway import refusals
from gateway.access import actor_of
from gateway.actors import NOBODY
from generation import media
from review import consents
from review.models import Publication

View = Callable[Concatenate[HttpRequest, ...], HttpResponse]


def asked_anew(view: View) -> Callable[Concatenate[HttpRequest, ...], HttpResponseBase]:
    """Who has the answer already is told that it still holds (304), but has to ask before each use: nothing outlives a
    withdrawal in any cache. What a signed-in person sees is kept by their own browser only.
    """

    @wraps(view)
    def answered(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        response["Cache-Control"] = f"{'private' if actor_of(request).user else 'public'}, no-cache"
        set_response_etag(response)
        conditional = get_conditional_response(request, etag=response["ETag"], response=response)
        assert conditional is not None  # only without a response to begin with
        return conditional

    return answered


def tell(response: HttpResponseBase, publication: Publication, allowed: frozenset[str]) -> None:
    """Say in the headers what machines may do with this work: noai and a reservation, unless its artist said yes."""
    if tag := consents.robots(publication, allowed):
        response["X-Robots-Tag"] = tag
    response["tdm-reservation"] = "0" if "train" in allowed else "1"  # W3C community group, TDM Reservation Protocol


def tell_all(response: HttpResponseBase, allowed: Iterable[frozenset[str]]) -> None:
    """The same of a page with many works: what holds for one of them holds for the page."""
    if not all("train" in each for each in allowed):
        response["X-Robots-Tag"] = "noai, noimageai"


def ever_public(publication: UUID) -> Publication:
    """A publication, or the tombstone that it left. Raises NotFound, NotShownNow while a brake is on it."""
    found = Publication.objects.listed().filter(pk=publication).first()
    if found is None:
        raise refusals.NotFound
    if found.state == "published" and not Publication.objects.public().filter(pk=publication).exists():
        raise refusals.NotShownNow
    return found


def must_be_on_view(publication: UUID) -> Publication:
    """A work that anybody may see now. Raises NotFound, NotShownNow, GoneByItsArtist, TakenDown."""
    found = ever_public(publication)
    if found.state != "published":
        raise refusals.GoneByItsArtist if found.state == "withdrawn" else refusals.TakenDown
    return found


def file_of(request: HttpRequest, publication: UUID, kind: str) -> HttpResponseBase:
    """The file of a published work. Raises NotFound, NotShownNow, GoneByItsArtist, TakenDown."""
    found = must_be_on_view(publication)
    output = found.revision.output.generation.output(kind)
    opened = media.open_for(NOBODY, "public", output, under=Publication.objects.public().filter(pk=publication))
    allowed = consents.of(found)
    response = media.respond(request, opened, robots=consents.robots(found, allowed))
    tell(response, found, allowed)
    return response


def at(publication: Publication, more: str = "") -> str:
    """The address of a work's page, or of what stands under it."""
    return f"{settings.BASE_URL}/works/{publication.pk.hex}{more}"
