"""What machines are told before they look: robots.txt and the reservation of text and data mining.

Both say only what holds at this moment. What an artist allows of one work, its page and files say themselves.
"""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from review import consents
from review.public.answers import asked_anew

# Programs that gather what models are trained on, by the names under which their makers say that they obey.
GATHERERS = (
    *("AI2Bot", "Applebot-Extended", "Bytespider", "CCBot", "ClaudeBot", "cohere-training-data-crawler", "Diffbot"),
    *("Google-Extended", "GPTBot", "img2dataset", "meta-externalagent", "omgili", "PanguBot", "Timpibot"),
)


@require_safe
@asked_anew
def robots(request: HttpRequest) -> HttpResponse:
    """/robots.txt (RFC 9309): private doors are shut; who gathers for training stays out unless a work allows it."""
    context = {"gatherers": () if consents.open_to_training() else GATHERERS}
    return render(request, "public/robots.txt", context, content_type="text/plain; charset=utf-8")


@require_safe
@asked_anew
def reservation(request: HttpRequest) -> HttpResponse:
    """/.well-known/tdmrep.json: reserved, but for works that are open to training; the first rule counts."""
    allowed = [{"location": f"/works/{row.pk.hex}", "tdm-reservation": 0} for row in consents.open_to_training()]
    rules = [*allowed, {"location": "/", "tdm-reservation": 1}]
    return JsonResponse(rules, safe=False)
