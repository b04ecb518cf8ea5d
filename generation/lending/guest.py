"""The guest's pages: a prompt, its progress, the clip. Whoever has the link is a guest; nobody signs in.

Each clip has an address of its own that nobody can guess, so that a guest finds back and no other guest of the same
pass sees it. What their own browser asked for is listed on the pass's page, by a signed cookie for that page alone.
"""

import secrets
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from gateway import access, addresses, guest_passes, refusals
from gateway.actors import Actor
from gateway.models import GuestPass
from gateway.views import page
from generation import generations, guests, media
from generation.forms import GuestForm
from generation.models import Generation
from generation.views import mark, with_places

COOKIE = f"bat_guest_{settings.PORT}"
# The artist's business, not the guest's.
PAUSED = (refusals.Braked, refusals.NotAMember, refusals.Suspended, refusals.TermsNotAccepted)
HEADERS = {
    # Not `no-referrer`: with that a browser names no origin when it sends a form, and the form is taken for forged.
    "Referrer-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow, noai, noimageai",
    "Cache-Control": "private, no-store",
}
View = Callable[Concatenate[HttpRequest, ...], HttpResponseBase]


def _with_pass(view: View) -> View:
    """The view's second argument is the guest as an Actor; a pass that is over has a page that says so."""

    @wraps(view)
    def opened(request: HttpRequest, secret: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            actor = _guest(request, guest_passes.find(secret), secret)
            response = view(request, actor, secret, *args, **kwargs)
        except PAUSED:
            response = _closed(request, refusals.GuestPassPaused())
        except refusals.Refused as refusal:
            response = _closed(request, refusal)
        for name, value in HEADERS.items():
            response[name] = value
        return response

    return opened


@require_http_methods(["GET", "HEAD", "POST"])
@_with_pass
def show_pass(request: HttpRequest, actor: Actor, secret: str) -> HttpResponseBase:
    """Whose pass it is, what is left of it and under which terms; ask for a clip; find one's own again."""
    guest_pass = _pass(actor)
    models = generations.offered(actor)
    form = GuestForm(request.POST or None, models=models, initial={"prompt": request.GET.get("prompt", "")[:2000]})
    refusal: refusals.Refused | None = None
    if request.method == "POST" and form.is_valid():
        key = _key(request, guest_pass) or secrets.token_hex(16)
        actor = _as(request, guest_pass, key)
        try:
            made = generations.submit(by=actor, **form.cleaned_data)
        except PAUSED:
            refusal = refusals.GuestPassPaused()  # the sentence that was typed stays on the page
        except refusals.Refused as refused:
            refusal = refused
        else:
            return _remember(redirect(_address(secret, made)), guest_pass, key, secret)
    clips, credits = guests.left(guest_pass)
    price = models[0].price(models[0].seconds[0]) if models else 0
    context = {
        **_shared(guest_pass, secret),
        "form": form,
        "refusal": refusal,
        "models": models,
        "price": price,
        "clips": clips,
        "credits": credits,
        "used_up": clips < 1 or credits < min((m.price(min(m.seconds)) for m in models), default=1),
        "mine": with_places(list(guests.of_visitor(actor).listed().order_by("-id")[:24])),
    }
    return page(request, "generation/guest.html", context)


@require_safe
@_with_pass
def show_clip(request: HttpRequest, actor: Actor, secret: str, clip: UUID) -> HttpResponse:
    """One clip: its progress, then the clip itself, at an address that stays."""
    return render(request, "generation/guest_clip.html", _clip(actor, secret, clip))


@require_safe
@_with_pass
def live(request: HttpRequest, actor: Actor, secret: str, clip: UUID) -> HttpResponse:
    """The part of a clip's page that moves; 204 when it has not since `seen`, a reload when it has ended."""
    context = _clip(actor, secret, clip)
    if request.GET.get("seen") == context["mark"]:
        return HttpResponse(status=204)
    response = render(request, "generation/parts/guest_progress.html", context)
    if context["generation"].ended:
        response["HX-Refresh"] = "true"
    return response


@require_POST
@_with_pass
def cancel(request: HttpRequest, actor: Actor, secret: str, clip: UUID) -> HttpResponseBase:
    found = _find(actor, clip)
    generations.cancel(found, by=actor)
    return redirect(_address(secret, found))


@require_safe
@_with_pass
def file(request: HttpRequest, actor: Actor, secret: str, clip: UUID, kind: str) -> HttpResponseBase:
    """The guest's own clip or poster; to save it only as long as the artist's switch says so."""
    found = _find(actor, clip)
    download = bool(request.GET.get("download"))
    under = Generation.objects.of_guest(_pass(actor), clip)
    output = found.outputs.select_related("generation").filter(kind=kind).first()
    opened = media.open_for(actor, "guest's download" if download else "guest's result", output, under=under)
    return media.respond(request, opened, download=f"{found.model.slug}-{found.seed}.mp4" if download else "")


def _guest(request: HttpRequest, guest_pass: GuestPass, secret: str) -> Actor:
    return _as(request, guest_pass, _key(request, guest_pass))


def _as(request: HttpRequest, guest_pass: GuestPass, key: str) -> Actor:
    """This request is a guest's, whoever may be signed in in the same browser: the log names the pass."""
    actor = guest_passes.guest(guest_pass, visitor=key, address=addresses.of(request))
    request.actor = actor  # type: ignore[attr-defined]
    access.watch(request, actor)
    return actor


def _key(request: HttpRequest, guest_pass: GuestPass) -> str:
    """What this browser keeps of this pass; "" when it has asked for nothing yet."""
    return request.get_signed_cookie(COOKIE, default="", salt=f"guest {guest_pass.pk}") or ""


def _remember(response: Any, guest_pass: GuestPass, key: str, secret: str) -> HttpResponseBase:
    response.set_signed_cookie(
        COOKIE,
        key,
        salt=f"guest {guest_pass.pk}",
        expires=guest_pass.ends_at,
        path=f"/g/{secret}",
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )
    answer: HttpResponseBase = response
    return answer


def _pass(actor: Actor) -> GuestPass:
    assert actor.guest_pass is not None
    return actor.guest_pass


def _find(actor: Actor, clip: UUID) -> Generation:
    found = Generation.objects.of_guest(_pass(actor), clip).listed().first()
    if found is None:
        raise refusals.NotFound
    return found


def _clip(actor: Actor, secret: str, clip: UUID) -> dict[str, Any]:
    found = with_places([_find(actor, clip)])[0]
    seen = mark([found])[:12]
    found.brake = None  # type: ignore[attr-defined]  # what is stopped, and why, is the artist's to know
    return {
        **_shared(_pass(actor), secret),
        "generation": found,
        "output": found.output("video"),
        "at": _address(secret, found),
        "mark": seen,
        "own": guests.of_visitor(actor).filter(pk=found.pk).exists(),
    }


def _shared(guest_pass: GuestPass, secret: str) -> dict[str, Any]:
    artist = guest_pass.membership.user.name
    return {"guest_pass": guest_pass, "artist": artist, "first_name": artist.split(" ")[0], "home": f"/g/{secret}"}


def _address(secret: str, generation: Generation) -> str:
    assert generation.guest_clip is not None
    return f"/g/{secret}/{generation.guest_clip.hex}"


def _closed(request: HttpRequest, refusal: refusals.Refused) -> HttpResponse:
    response = render(request, "generation/guest_closed.html", {"refusal": refusal}, status=refusal.status)
    response.refusal = refusal.code  # type: ignore[attr-defined]
    if refusal.retry_after is not None:
        response["Retry-After"] = str(refusal.retry_after)
    return response
