"""What was published lately, for programs: Atom (RFC 4287) and JSON Feed 1.1, page by page.

A work that was withdrawn or taken down is in neither from that moment on. Atom says so for thirty days, by a
deleted-entry (RFC 6721) without any word of the work, so that readers can let go of what they hold.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models import OuterRef, Subquery
from django.db.models.functions import Greatest, Now
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.feedgenerator import Atom1Feed, Enclosure, rfc3339_date
from django.views.decorators.http import require_safe

from gateway import refusals
from review import consents
from review.models import Decision, Publication
from review.public.answers import asked_anew, at, tell_all

A_PAGE = 50
REMEMBERED = timedelta(days=30)  # how long a feed says that an entry is gone
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class Page:
    """A page of the feed: works, what they allow, what went, and the address of the next page."""

    works: list[Any]  # publications with `updated_at`
    allowed: dict[UUID, frozenset[str]]
    next: str = ""
    gone: list[Publication] = field(default_factory=list)

    @property
    def changed_at(self) -> datetime:
        """When something came or went last, as far as this page knows."""
        ended = [row.ended_at for row in self.gone if row.ended_at]
        return max([*(row.updated_at for row in self.works), *ended], default=NEVER)


def _fed(write: Callable[[Page], HttpResponse]) -> Callable[[HttpRequest], Any]:
    @require_safe
    @asked_anew
    @wraps(write)
    def view(request: HttpRequest) -> HttpResponse:
        page = _page(request)
        response = write(page)
        response["Access-Control-Allow-Origin"] = "*"  # it is public, and says nothing else to whom is signed in
        tell_all(response, page.allowed.values())
        return response

    return view


class WorksFeed(Atom1Feed):
    """Atom with what the framework leaves out: licences by their address (RFC 4946), next page, deleted entries."""

    def root_attributes(self) -> dict[str, str]:
        return {**super().root_attributes(), "xmlns:at": "http://purl.org/atompub/tombstones/1.0"}

    def latest_post_date(self) -> datetime:
        return self.feed["page"].changed_at  # type: ignore[no-any-return]

    def add_root_elements(self, handler: Any) -> None:
        super().add_root_elements(handler)
        page = self.feed["page"]
        if page.next:
            handler.addQuickElement("link", "", {"rel": "next", "href": f"{self.feed['feed_url']}{page.next}"})
        for row in page.gone:
            handler.addQuickElement("at:deleted-entry", "", {"ref": tag(row), "when": rfc3339_date(row.ended_at)})

    def add_item_elements(self, handler: Any, item: dict[str, Any]) -> None:
        super().add_item_elements(handler, item)
        if item["deed"]:
            handler.addQuickElement("link", "", {"rel": "license", "href": item["deed"]})


@_fed
def atom(page: Page) -> HttpResponse:
    """/feed.atom"""
    feed = WorksFeed(
        title=settings.PROGRAM_NAME,
        link=f"{settings.BASE_URL}/",
        description=None,
        subtitle="Nothing here was shown before its artist signed it.",
        feed_url=f"{settings.BASE_URL}/feed.atom",
        feed_guid=f"tag:{urlsplit(settings.BASE_URL).hostname},2024:/",
        language="en",
        page=page,
    )
    for row in page.works:
        revision = row.revision
        feed.add_item(
            title=revision.title,
            link=at(row),
            description=_in_words(row),
            author_name=revision.credit,
            pubdate=row.created_at,
            updateddate=row.updated_at,
            unique_id=tag(row),
            item_copyright=f"{revision.credit}, {revision.get_licence_display()}",
            enclosures=[Enclosure(at(row, "/video.mp4"), str(revision.output.size), "video/mp4")],
            deed=revision.deed,
        )
    return HttpResponse(feed.writeString("utf-8"), content_type=feed.content_type)


@_fed
def json(page: Page) -> HttpResponse:
    """/feed.json"""
    address = f"{settings.BASE_URL}/feed.json"
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": settings.PROGRAM_NAME,
        "home_page_url": f"{settings.BASE_URL}/",
        "feed_url": address,
        "description": "Nothing here was shown before its artist signed it.",
        "language": "en",
        **({"next_url": f"{address}{page.next}"} if page.next else {}),
        "items": [_item(row, page.allowed[row.pk]) for row in page.works],
    }
    return JsonResponse(feed, content_type="application/feed+json; charset=utf-8")


def tag(publication: Publication) -> str:
    """A work's name for ever (RFC 4151): the same when its words, its title or the address of its page change."""
    host = urlsplit(settings.BASE_URL).hostname
    return f"tag:{host},{publication.created_at:%Y-%m-%d}:/works/{publication.pk.hex}"


def _page(request: HttpRequest) -> Page:
    # What came down and is back by an appeal is news again: else readers would hold to the deleted-entry (RFC 6721).
    hearings = Decision.objects.effective().filter(revision=OuterRef("revision"), role="appeal")
    heard_at = Subquery(hearings.order_by("-effective_at").values("effective_at")[:1])
    rows = Publication.objects.feed().listed().annotate(updated_at=Greatest("created_at", heard_at)).order_by("-id")
    before = request.GET.get("before")
    if before is not None:
        try:
            rows = rows.filter(id__lt=UUID(hex=before))
        except ValueError:
            raise refusals.NotFound from None
    found = list(rows[: A_PAGE + 1])
    works = found[:A_PAGE]
    page = Page(works, consents.of_each(works), f"?before={works[-1].pk.hex}" if len(found) > A_PAGE else "")
    if before is None:
        page.gone = list(
            Publication.objects.filter(
                ended_at__gt=Now() - REMEMBERED, submission__membership__cohort__smoke=False
            ).order_by("-ended_at", "id")[:A_PAGE]
        )
    return page


def _in_words(row: Publication) -> str:
    return render_to_string("public/parts/entry.html", {"revision": row.revision, "address": at(row)}).strip()


def _item(row: Any, allowed: frozenset[str]) -> dict[str, Any]:
    revision, output = row.revision, row.revision.output
    return {
        "id": tag(row),
        "url": at(row),
        "title": revision.title,
        "content_html": _in_words(row),
        "image": at(row, "/poster.webp"),
        "date_published": row.created_at.isoformat(),
        "date_modified": row.updated_at.isoformat(),
        "authors": [{"name": revision.credit}],
        "attachments": [
            {
                "url": at(row, "/video.mp4"),
                "mime_type": output.media_type,
                "size_in_bytes": output.size,
                "duration_in_seconds": round(output.seconds, 3),
            }
        ],
        "_licence": {
            "id": revision.licence,
            "name": revision.get_licence_display(),
            **({"url": revision.deed} if revision.deed else {}),
            "allowed_uses": sorted(allowed),
            "sha256": revision.sha256,
        },
    }
