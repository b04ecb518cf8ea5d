"""Pages on which one takes everything along."""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.views.decorators.http import require_http_methods

from gateway import access, refusals
from gateway.actors import Actor
from gateway.models import Export
from gateway.views import page
from review import dossier


@access.signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """What is in a dossier, how large it will be, and the button that makes one."""
    refusal: refusals.Refused | None = None
    if request.method == "POST":
        try:
            return answer(dossier.begin(by=actor), actor)
        except refusals.Refused as refused:
            refusal = refused
    return _export(request, actor, refusal)


def answer(made: Export, actor: Actor) -> HttpResponseBase:
    """The dossier on its way; a part of it can't be asked for, because it is kept nowhere."""
    response = StreamingHttpResponse(dossier.stream(made, by=actor), content_type="application/zip")
    response["Content-Disposition"] = f'attachment; filename="{dossier.name(made)}"'
    response["Cache-Control"] = "private, no-store"
    response["Accept-Ranges"] = "none"
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _export(request: HttpRequest, actor: Actor, refusal: refusals.Refused | None) -> HttpResponse:
    context: dict[str, Any] = {"size": dossier.size(actor), "exports": dossier.lately(actor)[:10], "refusal": refusal}
    return page(request, "review/export.html", context)
