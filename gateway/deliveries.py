"""Sending what stands in the outbox. A chore's own threads do it, so that nothing else waits for a slow receiver.

1. `claim` takes the longest due delivery whose endpoint is free, and holds both rows for LEASE: one thing at a time
   goes to an endpoint, and EACH to one person's, so that those who answer slowly hold up themselves. Two deliverers
   never take the same; who dies in between costs one attempt.
2. It is signed by Standard Webhooks 1.0, with every secret that holds. The body is the same at each attempt; its id is
   the event's, so that a receiver can tell what it has taken already.
3. Any answer from 200 to 299 is the receiver's word that it has it. Otherwise it is tried again after each of GAPS. 410
   says that nobody wants it any more; and when the last attempt has failed and nothing else has got through meanwhile,
   the endpoint is disabled. Its owner is told.
"""

import base64
import hashlib
import hmac
import json
import logging
import random
import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import Count, Exists, IntegerField, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now
from django.db.transaction import atomic

from gateway import actors, outbound, states, webhooks
from gateway.models import Brake, Membership, WebhookDelivery, WebhookEndpoint, WebhookEvent

log = logging.getLogger(__name__)
#: Seconds after each attempt that failed: ten attempts in a good three days.
GAPS = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
LEASE = timedelta(seconds=60)  # longer than an attempt takes
SLOTS = 16  # at a time, in one process
EACH = 2  # at a time, to one person's endpoints
GONE = 410

_threads: set[threading.Thread] = set()


def begin() -> int:
    """Have what is due sent by threads of this process, beside the other chores; return how many threads began."""
    _threads.difference_update([thread for thread in _threads if not thread.is_alive()])
    wanted = due()[: SLOTS - len(_threads)].count() if len(_threads) < SLOTS else 0
    for _ in range(wanted):
        thread = threading.Thread(target=_work_and_close, name="webhooks", daemon=True)
        _threads.add(thread)
        thread.start()
    return wanted


def work() -> int:
    """Send what is due, one after the other, until nothing is; return how many attempts were made."""
    made = 0
    while (claimed := claim()) is not None:
        attempt(claimed)
        made += 1
    return made


def due() -> QuerySet[WebhookDelivery]:
    """What could be sent at this moment, the longest due first. Nothing of those who are held: see gateway.webhooks.

    What another process may change at this moment stands in columns of the two rows that `claim` locks: they are asked
    again when the lock is there, which a subquery is not.
    """
    braked = Brake.objects.in_force().on(artist=OuterRef("endpoint__user"), token=OuterRef("endpoint__token"))
    stopped = Brake.objects.in_force().filter(scope="cohort", target=OuterRef("cohort"))
    member = Membership.objects.filter(~Exists(stopped), user=OuterRef("endpoint__user"), state="active")
    busy = WebhookEndpoint.objects.filter(user=OuterRef("endpoint__user"), busy_until__gt=Now())
    at_work = Subquery(busy.order_by().values("user").annotate(n=Count("pk")).values("n"), output_field=IntegerField())
    return (
        WebhookDelivery.objects.filter(
            Q(endpoint__busy_until__isnull=True) | Q(endpoint__busy_until__lte=Now()),
            Exists(member),
            ~Exists(braked),
            state="waiting",
            next_at__lte=Now(),
            endpoint__state="active",
            endpoint__user__is_active=True,
        )
        .alias(at_work=Coalesce(at_work, 0))
        .filter(at_work__lt=EACH)
        .order_by("next_at", "id")
    )


def claim() -> WebhookDelivery | None:
    """The longest due delivery, with its endpoint and its event: it and its endpoint are the caller's for LEASE."""
    with atomic():
        rows = due().select_related("endpoint__user", "event")
        found = rows.select_for_update(skip_locked=True, of=("self", "endpoint")).first()
        if found is None:
            return None
        found.attempts += 1
        WebhookDelivery.objects.filter(pk=found.pk).update(attempts=found.attempts, next_at=Now() + LEASE)
        WebhookEndpoint.objects.filter(pk=found.endpoint_id).update(busy_until=Now() + LEASE)
        found.endpoint.refresh_from_db(fields=["busy_until"])
    return found


def attempt(claimed: WebhookDelivery) -> None:
    """Send what was claimed, and write down what came of it."""
    began, status, error, answer = time.monotonic(), None, "", ""
    try:
        heard = _send(claimed)
    except outbound.Unreachable as unreachable:
        error = str(unreachable)
    except Exception:  # whatever it is: its turn comes again, and others' come now
        log.exception("delivery %s could not be tried", claimed.pk)
        error = "Something broke here. It is in the operator's log."
    else:
        status, answer = heard.status, _printable(heard.text)
        if 300 <= status < 400:
            error = "It redirects elsewhere, and that is not followed."
    ms = round((time.monotonic() - began) * 1000)
    _settle(claimed, {"status": status, "error": error[:300], "answer": answer[:500], "ms": ms})


def body_of(event: WebhookEvent) -> bytes:
    """What is sent: what happened and an id, in the form that OpenAI's webhooks have."""
    told = {
        "id": id_of(event),
        "object": "event",
        "created_at": int(event.created_at.timestamp()),
        "type": event.type,
        "data": {"id": event.subject},
    }
    return json.dumps(told, separators=(",", ":")).encode()


def id_of(event: WebhookEvent) -> str:
    """What its receivers know an event by."""
    return f"evt_{event.pk.hex}"


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """One signature of Standard Webhooks 1.0."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed).decode()}"


def _send(claimed: WebhookDelivery) -> outbound.Answer:
    body, message_id, now = body_of(claimed.event), id_of(claimed.event), int(time.time())
    signatures = [signature(secret, message_id, now, body) for secret in webhooks.secrets_of(claimed.endpoint)]
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Bon-a-Tirer-Webhooks/1",
        "webhook-id": message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(signatures),
    }
    return outbound.ask("POST", claimed.endpoint.url, body=body, headers=headers)


def _settle(claimed: WebhookDelivery, told: Mapping[str, Any]) -> None:
    """Write it down and let go of the endpoint, unless the lease ran out and somebody else has both by now."""
    endpoint, status = claimed.endpoint, told["status"]
    taken = status is not None and 200 <= status < 300
    with atomic():
        WebhookEndpoint.objects.filter(pk=endpoint.pk, busy_until=endpoint.busy_until).update(busy_until=None)
        mine = WebhookDelivery.objects.filter(pk=claimed.pk, state="waiting", attempts=claimed.attempts)
        if not mine.select_for_update().exists():
            return
        if not taken and not _last(claimed, status):
            gap = GAPS[claimed.attempts - 1] * (1 + random.random() / 10)  # noqa: S311 - so that not all come at once
            mine.update(next_at=Now() + timedelta(seconds=gap), tried_at=Now(), **told)
            return
        facts = {"endpoint": endpoint.pk, "status": status, "attempts": claimed.attempts}
        end = "delivered" if taken else "failed"
        states.move(claimed, end, by=actors.SYSTEM, facts=facts, tried_at=Now(), **told)
        if status == GONE:
            webhooks.give_up(endpoint, "It answered 410: nobody wants anything there any more.")
        elif not taken and not claimed.test and not _got_through(claimed):
            last = told["error"] or f"It answered {status}."
            webhooks.give_up(endpoint, f"Nothing got through in {claimed.attempts} attempts. The last one: {last}")


def _last(claimed: WebhookDelivery, status: int | None) -> bool:
    return claimed.test or status == GONE or claimed.attempts > len(GAPS)


def _got_through(failed: WebhookDelivery) -> bool:
    """Whether its endpoint has taken anything since: then it is this one event that it can't take."""
    taken = WebhookDelivery.objects.filter(endpoint=failed.endpoint_id, state="delivered")
    return taken.filter(tried_at__gt=failed.created_at).exists()


def _printable(text: str) -> str:
    """`text` without what the database does not keep."""
    return "".join(letter if letter.isprintable() else " " for letter in text).strip()


def _work_and_close() -> None:
    try:
        work()
    except DatabaseError:
        log.exception("webhooks wait: the database does not answer")
    finally:
        connection.close()
