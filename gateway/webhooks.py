"""Telling a person's own programs what happened: endpoints, what they listen for, and the outbox.

1. `happened` writes the event and its deliveries in the transaction of the change itself, when somebody listens: what
   was rolled back is told to nobody, and what was committed is told even if everything dies at that moment.
2. An event says what happened and an id, nothing else: whoever is told fetches the rest with their token, and may see
   what that token may see.
3. In person, or by a token with the scope `webhooks`. What a token sets up tells its person, who may not have meant it,
   and stops with the token: a revoked one takes its endpoints along, a frozen one makes them wait.
4. Nothing is sent for somebody who is suspended or under a brake: it waits. For somebody who has left nothing is kept.

How it is sent: gateway.deliveries.
"""

import base64
import re
import secrets
from collections.abc import Iterable
from datetime import timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils import timezone

from gateway import actors, audit, brakes, encryption, notices, outbound, refusals, states, terms
from gateway.actors import Actor
from gateway.models import Token, User, WebhookDelivery, WebhookEndpoint, WebhookEvent

SCOPE = "webhooks"
PURPOSE = "webhook secrets"
MOST = 10  # endpoints of one person
MAX_OVERLAP = 168  # hours: a week
KEPT = timedelta(days=30)
TEST = "webhook.test"
#: What can be listened for, and when it is said. `data.id` is the id of what its first word names.
EVENTS = {
    "video.completed": "A clip is ready",
    "video.failed": "A clip failed, or was cancelled: its credits are back",
    "submission.approved": "A work is approved and waits for your signature",
    "submission.changes_requested": "A reviewer asks for a new version",
    "submission.rejected": "A work was refused, with reasons",
    "submission.appeal_upheld": "An appeal was heard, and the answer stands",
    "submission.withdrawn": "You took a work back",
    "publication.published": "A work is public, or public again",
    "publication.withdrawn": "You took a work off the public page",
    "publication.taken_down": "The program took a work down, with reasons",
    "sighting.frozen": "A token, a session or a guest pass of yours was frozen: it looks shared",
}
ADDRESS = re.compile(r"https?://[!-~]+")
HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?", re.IGNORECASE)
PATH = "/access/webhooks"


def happened(event_type: str, subject: str, *, user: UUID) -> None:
    """Tell the endpoints of `user` that listen for it. In the transaction of what happened: it stands or falls so."""
    listening = WebhookEndpoint.objects.filter(user=user, state="active", event_types__contains=[event_type])
    endpoints = list(listening.order_by("id"))
    if endpoints:
        event = WebhookEvent.objects.create(user_id=user, type=event_type, subject=subject)
        WebhookDelivery.objects.bulk_create([WebhookDelivery(endpoint=endpoint, event=event) for endpoint in endpoints])


def visible_to(by: Actor) -> QuerySet[WebhookEndpoint]:
    """A person's own, but for those that are removed. Raises MissingScope."""
    by.must_have(SCOPE)
    if by.user is None:
        return WebhookEndpoint.objects.none()
    return WebhookEndpoint.objects.filter(user=by.user).exclude(state="removed")


def deliveries(endpoint: WebhookEndpoint) -> QuerySet[WebhookDelivery]:
    """What was sent to it, or waits to be, of the last thirty days."""
    return WebhookDelivery.objects.filter(endpoint=endpoint).select_related("event")


def create(
    *, by: Actor, url: str, event_types: Iterable[str] | None = None, name: str = ""
) -> tuple[WebhookEndpoint, str]:
    """Listen at `url` for these events (None: for all); return the endpoint and its secret, shown this once.

    Raises NotAMember, Suspended, MissingScope, TermsNotAccepted, Braked, BadWebhookUrl, UnknownEventType,
    TooManyWebhooks.
    """
    user = _listener(by)
    terms.must_have_accepted(by)
    url, types = read_url(url), _read_types(EVENTS if event_types is None else event_types)
    secret = _new_secret()
    with atomic():
        User.objects.select_for_update(no_key=True).get(pk=user.pk)  # two at once are counted one after the other
        if WebhookEndpoint.objects.filter(user=user).exclude(state="removed").count() >= MOST:
            raise refusals.TooManyWebhooks(limit=MOST)
        endpoint = WebhookEndpoint.objects.create(
            user=user, token=by.token, name=_read_name(name, url), url=url, event_types=types, **_kept(secret)
        )
        audit.record(
            "webhook_endpoint.made", by=by, subject=endpoint, facts={"event_types": types}, detail={"url": url}
        )
        _tell_of_token(endpoint, by, "was made")
    endpoint.refresh_from_db()
    return endpoint, secret


def change(
    endpoint: WebhookEndpoint,
    *,
    by: Actor,
    url: str | None = None,
    event_types: Iterable[str] | None = None,
    name: str | None = None,
    status: str | None = None,
) -> None:
    """Give it another address, other events, another name, or enable or disable it (`status`); None leaves it.

    What waits goes to the new address. Raises NotFound, and what `create` raises.
    """
    with atomic():
        if status == "disabled" and endpoint.state != status:
            disable(endpoint, by=by)
        if url is not None or event_types is not None or name is not None:
            _set_up(endpoint, by=by, url=url, event_types=event_types, name=name)
        if status == "active" and endpoint.state != status:
            enable(endpoint, by=by)


def _set_up(
    endpoint: WebhookEndpoint, *, by: Actor, url: str | None, event_types: Iterable[str] | None, name: str | None
) -> None:
    _must_be_own(endpoint, by)
    _listener(by)
    changes: dict[str, Any] = {}
    if url is not None and (url := read_url(url)) != endpoint.url:
        changes |= {"url": url, "token": by.token}
    if event_types is not None and (types := _read_types(event_types)) != endpoint.event_types:
        changes["event_types"] = types
    if name is not None and (name := _read_name(name, url or endpoint.url)) != endpoint.name:
        changes["name"] = name
    if not changes:
        return
    with atomic():
        _must_be_there(endpoint).update(**changes, changed_at=Now())
        facts = {"event_types": changes["event_types"]} if "event_types" in changes else None
        detail = {"url": changes["url"]} if "url" in changes else None
        audit.record("webhook_endpoint.changed", by=by, subject=endpoint, facts=facts, detail=detail)
        if "url" in changes:
            _tell_of_token(endpoint, by, "was given another address")
    endpoint.refresh_from_db()


def rotate(endpoint: WebhookEndpoint, *, by: Actor, overlap_hours: int = 24) -> str:
    """Give it a new secret, shown this once; for so long the old one signs too (0: at once no more).

    Raises NotFound, and what `create` raises of who asks.
    """
    _must_be_own(endpoint, by)
    _listener(by)
    hours = min(max(overlap_hours, 0), MAX_OVERLAP)
    secret = _new_secret()
    with atomic():
        held = _must_be_there(endpoint).select_for_update().get()
        old = {"old_secret": held.secret, "old_secret_until": Now() + timedelta(hours=hours)}
        none = {"old_secret": "", "old_secret_until": None}
        _must_be_there(endpoint).update(**_kept(secret), **(old if hours else none), changed_at=Now())
        audit.record("webhook_endpoint.rotated", by=by, subject=endpoint, facts={"overlap_hours": hours})
        _tell_of_token(endpoint, by, "was given another secret")
    endpoint.refresh_from_db()
    return secret


def enable(endpoint: WebhookEndpoint, *, by: Actor) -> None:
    """Send there again, from what happens now on. Raises NotFound, WrongState, and what `create` raises of who asks."""
    _must_be_own(endpoint, by)
    _listener(by)
    with atomic():
        states.move(endpoint, "active", by=by, reason="", token=by.token)
        _tell_of_token(endpoint, by, "was enabled")


def disable(endpoint: WebhookEndpoint, *, by: Actor, reason: str = "Its owner has stopped it.") -> None:
    """Send nothing there until it is enabled; what waits has failed. Raises NotFound, MissingScope, WrongState."""
    if by != actors.SYSTEM:
        _must_be_own(endpoint, by)
    with atomic():
        states.move(endpoint, "disabled", by=by, reason=reason)
        _drop(endpoint, by)


def remove(endpoint: WebhookEndpoint, *, by: Actor) -> None:
    """Forget its address and its secrets; nothing is sent there any more. Raises NotFound, MissingScope, WrongState."""
    _must_be_own(endpoint, by)
    _remove(endpoint, by)


def test(endpoint: WebhookEndpoint, *, by: Actor, event_type: str = TEST) -> WebhookDelivery:
    """Send a test there, once: `webhook.test`, or a sample of another event, of something that does not exist.

    One that waits already is returned. Raises NotFound, UnknownEventType, WebhookDisabled, and what `create` raises of
    who asks.
    """
    _must_be_own(endpoint, by)
    _listener(by)
    if event_type != TEST:
        _read_types([event_type])
    sample = f"{event_type.partition('.')[0]}_{'0' * 32}"
    subject = sample if event_type != TEST else f"{WebhookEndpoint.NOUN}_{endpoint.pk.hex}"
    with atomic():
        _must_listen(endpoint)
        waiting = deliveries(endpoint).filter(state="waiting", event__subject=subject, event__type=event_type).first()
        if waiting is not None:
            return waiting
        event = WebhookEvent.objects.create(user_id=endpoint.user_id, type=event_type, subject=subject)
        delivery = WebhookDelivery.objects.create(endpoint=endpoint, event=event, test=True)
        audit.record("webhook_endpoint.tested", by=by, subject=endpoint, facts={"event_type": event_type})
    return deliveries(endpoint).get(pk=delivery.pk)


def replay(delivery: WebhookDelivery, *, by: Actor) -> WebhookDelivery:
    """Send the same event there again, under the same id: who has it already can tell. One that waits is returned.

    Raises NotFound, WebhookDisabled, and what `create` raises of who asks.
    """
    endpoint = delivery.endpoint
    _must_be_own(endpoint, by)
    _listener(by)
    with atomic():
        _must_listen(endpoint)
        waiting = deliveries(endpoint).filter(state="waiting", event=delivery.event_id).first()
        if waiting is not None:
            return waiting
        again = WebhookDelivery.objects.create(
            endpoint=endpoint, event_id=delivery.event_id, again=True, test=delivery.test
        )
        facts = {"delivery": delivery.pk, "again": again.pk}
        audit.record("webhook_endpoint.replayed", by=by, subject=endpoint, facts=facts)
    return deliveries(endpoint).get(pk=again.pk)


def give_up(endpoint: WebhookEndpoint, reason: str) -> None:
    """Nothing gets through to it: it is disabled, and its owner told. One that was ended meanwhile is no error."""
    try:
        disable(endpoint, by=actors.SYSTEM, reason=reason)
    except refusals.WrongState:
        return
    notices.tell(
        endpoint.user,
        f"The webhook endpoint “{endpoint.name}” is disabled",
        f"{reason} Nothing more is sent there. When it works again, enable it: what failed can be sent once more.",
        path=f"{PATH}/{endpoint.pk.hex}",
    )


def stop_made_by(token: Token) -> None:
    """This token was revoked: what it has set up sends nothing more, until its person says that it was meant."""
    for endpoint in WebhookEndpoint.objects.filter(token=token, state="active"):
        disable(endpoint, by=actors.SYSTEM, reason=f"The token “{token.label}”, which set its address, was revoked.")


def stop_all(user: User, *, reason: str) -> None:
    """Somebody has no place here any more."""
    for endpoint in WebhookEndpoint.objects.filter(user=user, state="active"):
        disable(endpoint, by=actors.SYSTEM, reason=reason)


def forget(user: User) -> None:
    """Somebody goes for good: their addresses and secrets go, and what they were told."""
    with atomic():
        for endpoint in WebhookEndpoint.objects.filter(user=user).exclude(state="removed"):
            _remove(endpoint, actors.SYSTEM)
        WebhookDelivery.objects.filter(endpoint__user=user).delete()
        WebhookEvent.objects.filter(user=user).delete()


def forget_old() -> int:
    """Erase what was told, or could not be, thirty days ago; return of how many events."""
    old = WebhookEvent.objects.filter(created_at__lt=Now() - KEPT)
    with atomic():
        WebhookDelivery.objects.filter(event__in=old).delete()
        return old.delete()[0]


def in_rotation(endpoint: WebhookEndpoint) -> bool:
    """Whether its old secret still signs beside the new one."""
    return endpoint.old_secret_until is not None and endpoint.old_secret_until > timezone.now()


def secrets_of(endpoint: WebhookEndpoint) -> list[str]:
    """With what it is signed at this moment: its secret, and the one before it while both hold."""
    held = [endpoint.secret, endpoint.old_secret] if in_rotation(endpoint) else [endpoint.secret]
    return [encryption.decrypt(secret, purpose=PURPOSE) for secret in held]


def read_url(text: str) -> str:
    """An address that may be asked, as far as that can be seen without asking for it. Raises BadWebhookUrl."""
    text = text.strip()
    what = ""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        what = "this is none"
    else:
        literal = _literal(host)
        if len(text) > 500 or not ADDRESS.fullmatch(text) or port == 0 or not (literal or HOST.fullmatch(host)):
            what = "this is none"
        elif parts.username is not None or parts.fragment:
            what = "without a name, a password or a part after #"
        elif parts.scheme != "https" and not settings.WEBHOOK_NETWORKS:
            what = "it begins with https"
        elif literal and not outbound.may_be_asked(literal, tls=parts.scheme == "https"):
            what = "this is a private or a local one, and those are not asked"
    if what:
        raise refusals.BadWebhookUrl(what=what, param="url")
    return text


def _literal(host: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        return ""


def _read_types(asked: Iterable[str]) -> list[str]:
    types = list(dict.fromkeys(asked))
    unknown = [each for each in types if each not in EVENTS]
    if unknown or not types:
        raise refusals.UnknownEventType(
            name=unknown[0][:60] if unknown else "", known=", ".join(EVENTS), param="event_types"
        )
    return types


def _read_name(name: str, url: str) -> str:
    return " ".join(name.split())[:80] or (urlsplit(url).hostname or "")[:80]


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()


def _kept(secret: str) -> dict[str, str]:
    return {"secret": encryption.encrypt(secret, purpose=PURPOSE), "hint": secret[-4:]}


def _listener(by: Actor) -> User:
    """Who may be told: a member, in person or by a token for it, under no brake."""
    by.must_have(SCOPE)
    membership = by.must_be_member()
    brakes.must_be_free(by)
    return membership.user


def _must_be_own(endpoint: WebhookEndpoint, by: Actor) -> None:
    by.must_have(SCOPE)
    if by.user is None or endpoint.user_id != by.user.pk:
        raise refusals.NotFound


def _must_be_there(endpoint: WebhookEndpoint) -> QuerySet[WebhookEndpoint]:
    """The row, unless it was removed. Raises NotFound."""
    found = WebhookEndpoint.objects.filter(pk=endpoint.pk).exclude(state="removed")
    if not found.exists():
        raise refusals.NotFound
    return found


def _must_listen(endpoint: WebhookEndpoint) -> None:
    """Hold it: two who test it at once send one. Raises NotFound, WebhookDisabled."""
    if _must_be_there(endpoint).select_for_update().get().state != "active":
        raise refusals.WebhookDisabled


def _tell_of_token(endpoint: WebhookEndpoint, by: Actor, what: str) -> None:
    """A program has done this, and its person may not have meant it: they should know who hears of their works."""
    if by.token is not None:
        notices.tell(
            endpoint.user,
            f"A webhook endpoint {what} by a token",
            f"“{endpoint.name}” {what} by the token “{by.token.label}” that ends in {by.token.last_four}. Where it "
            "leads, somebody hears what becomes of your works. If that was not yours, revoke the token: that stops it.",
            path=f"{PATH}/{endpoint.pk.hex}",
        )


def _drop(endpoint: WebhookEndpoint, by: Actor) -> None:
    waiting = WebhookDelivery.objects.filter(endpoint=endpoint, state="waiting")
    states.move_all(waiting, "failed", by=by, error="The endpoint was disabled before it was sent.")


def _remove(endpoint: WebhookEndpoint, by: Actor) -> None:
    gone: dict[str, Any] = dict.fromkeys(("url", "secret", "old_secret", "hint", "reason"), "")
    with atomic():
        states.move(endpoint, "removed", by=by, old_secret_until=None, **gone)
        _drop(endpoint, by)
