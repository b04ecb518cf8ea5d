"""Who is at the door: from a request to an Actor, and the guards that views wear."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate
from urllib.parse import urlencode

from allauth.account.authentication import get_authentication_records
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect

from gateway import actors, addresses, impersonations, keys, sightings, traces
from gateway import brakes as gateway_brakes
from gateway.actors import Actor
from gateway.models import User

VISIT = "impersonation"  # where a session keeps which one is on
View = Callable[Concatenate[HttpRequest, ...], HttpResponseBase]


def actor_of(request: HttpRequest) -> Actor:
    """Who asks in this request, found once and kept on it."""
    found: Actor | None = getattr(request, "actor", None)
    if found is None:
        user = getattr(request, "user", None)
        if user is not None and user.is_authenticated:
            key = request.session.session_key
            found = actors.person(user, keys.alias(key) if key else None)  # type: ignore[arg-type]
            if (visit := request.session.get(VISIT)) is not None:
                found = impersonations.as_artist(visit, found)
        else:
            found = actors.NOBODY
        request.actor = found  # type: ignore[attr-defined]
    return found


def bearer_of(request: HttpRequest) -> str | None:
    """The secret in `Authorization: Bearer …` (RFC 6750), None when the request carries none."""
    scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else None


def proven_by(request: HttpRequest, user: User) -> set[int]:
    """The ids of the second factors that were used in this session."""
    records = get_authentication_records(request, user)
    return {record["id"] for record in records if record.get("method") == "mfa" and "id" in record}


def signed_in(view: View) -> View:
    """The view's second argument is the Actor; nobody is sent to sign in, and comes back here."""
    return _guarded(view, lambda actor: None)


def reviewers(view: View) -> View:
    """For reviewers; everybody else reads ReviewersOnly."""
    return _guarded(view, Actor.must_be_reviewer)


def admins(view: View) -> View:
    """For admins; everybody else reads AdminsOnly."""
    return _guarded(view, Actor.must_be_admin)


def must_be_open(request: HttpRequest, actor: Actor) -> None:
    """Raises Braked when a brake shuts the door before `actor`; the others are kept for the page to tell of."""
    brakes = gateway_brakes.shut_for(actor) if actor.user else []
    request.brakes = brakes  # type: ignore[attr-defined]
    if brakes and brakes[0].shuts:
        raise gateway_brakes.why(brakes[0])
    watch(request, actor)


def watch(request: HttpRequest, actor: Actor) -> None:
    """Note what a credential was used for, once a request, where it was let in. Raises Slowed, Braked."""
    use = _use(request, actor)
    if use is not None and not hasattr(request, "noted"):
        request.noted = None  # type: ignore[attr-defined]
        request.noted = sightings.note(use)  # type: ignore[attr-defined]


def watched(request: HttpRequest, response: HttpResponseBase) -> None:
    """The answer to a noted request is ready."""
    noted: traces.Noted | None = getattr(request, "noted", None)
    if noted is not None:
        traces.ended(noted, refused=response.status_code in {402, 403, 409, 429})


def _use(request: HttpRequest, actor: Actor) -> traces.Use | None:
    """This request, as far as watching is concerned: the act by its method and route, whatever app it belongs to."""
    scope, target, owner = actor.credential
    if target is None or owner is None:
        return None
    match, told = request.resolver_match, request.headers
    named = dict(match.captured_kwargs) if match is not None else {}  # type: ignore[attr-defined]
    named.pop("secret", None)  # of a guest's pass; what comes after it is the work
    route = match.route if match is not None else ""
    act: traces.Act = "page"
    work = ""
    if route.endswith((".mp4", ".webp", "/content")):
        act = "file"
    elif request.method == "POST" and not named:
        act = "ask"
    elif request.method == "GET" and named:
        act, work = "watch", str(next(iter(named.values())))
    by_script = "HX-Request" in told
    agent = told.get("User-Agent", "")
    return traces.Use(
        scope,
        target,
        owner,
        address=addresses.of(request),
        agent=agent,
        print="|".join([agent, told.get("Accept-Language", ""), told.get("Sec-CH-UA-Platform", "")]),
        act=act,
        work=work,
        claimed=addresses.claimed(request),
        bare=not by_script and "Sec-Fetch-Mode" not in told and "text/html" not in told.get("Accept", ""),
        paced=act == "ask" or (act != "file" and not by_script),
    )


def _guarded(view: View, check: Callable[[Actor], Any]) -> View:
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        actor = actor_of(request)
        if actor.user is None:
            from_here = request.get_full_path() if request.method == "GET" else "/home"
            return redirect("/accounts/login/?" + urlencode({"next": from_here}, safe="/"))
        must_be_open(request, actor)
        check(actor)
        return view(request, actor, *args, **kwargs)

    return guarded
