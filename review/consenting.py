"""Pages on which artists allow uses of their works, take that back, and keep the receipts."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from gateway import access, refusals
from gateway.actors import Actor
from gateway.consents import PURPOSES, answers
from gateway.models import Consent
from generation.views import own
from review import consents


@access.signed_in
@require_safe
def consents_page(request: HttpRequest, actor: Actor) -> HttpResponse:
    """What one allows for all one's works, in full words, and every answer so far."""
    context = {
        "lines": lines(actor),
        "history": Consent.objects.filter(user=actor.user).order_by("-created_at", "-id")[:100],
    }
    return render(request, "review/consents.html", context)


@access.signed_in
@require_POST
def give(request: HttpRequest, actor: Actor, purpose: str, generation: UUID | None = None) -> HttpResponseBase:
    consents.give(purpose, by=actor, work=own(actor, generation) if generation else None)
    messages.success(request, f"{PURPOSES[purpose].title}: allowed. You can take it back at any time.")
    return redirect(f"/mine/{generation.hex}" if generation else "/access/consents")


@access.signed_in
@require_POST
def take_back(request: HttpRequest, actor: Actor, purpose: str, generation: UUID | None = None) -> HttpResponseBase:
    made = consents.take_back(purpose, by=actor, work=own(actor, generation) if generation else None)
    return redirect(f"/access/consents/receipts/{made.pk.hex}")


@access.signed_in
@require_safe
def receipt(request: HttpRequest, actor: Actor, consent: UUID) -> HttpResponse:
    """What a revocation stopped."""
    found = Consent.objects.filter(pk=consent, user=actor.user, answer="revoked").first()
    if found is None:
        raise refusals.NotFound
    purpose = PURPOSES[found.purpose]
    text = purpose.texts[found.text_version - 1]
    return render(request, "review/consent_receipt.html", {"consent": found, "purpose": purpose, "text": text})


def lines(actor: Actor, work: UUID | None = None) -> list[dict[str, Any]]:
    """Each purpose with the answer that holds, for all works or for one, and whether that is the work's own."""
    assert actor.user is not None
    known = answers(actor.user, *([work] if work else []))
    allowed = known.given(*([work] if work else []))
    return [
        {
            "purpose": purpose,
            "allowed": name in allowed,
            "answer": known.of(name, work),
            "own": work is not None and (work, name) in known.latest,
        }
        for name, purpose in PURPOSES.items()
    ]
