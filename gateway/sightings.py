"""Who uses a credential from where: slow, then freeze the one that looks shared, tell its owner, wait for a person.

1. Each request of a token, a browser session or a guest pass is noted where it is let in (`note`), and judged by
   gateway.traces: a score, from evidence in plain words.
2. From SLOW on it gets one request in two seconds, by 429 with Retry-After: a thread that slept for it would be one
   thread less for everybody else. A program that waits is well again in a minute; who does not wait is frozen.
3. From FREEZE on a brake is pulled on that one credential. A sighting never brakes more (the database holds it), and
   after AUTOMATIC_FREEZES different artists in an hour it brakes nobody: admins are told, and decide.
4. Its owner says "it was me", and why: the first time in thirty days that lets go at once, later an admin has to. Or
   "it was not me": the credential ends, and a new one takes its place.
"""

import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.db.transaction import atomic, on_commit

from gateway import actors, audit, brakes, guest_passes, notices, refusals, sessions, states, tokens, traces, webhooks
from gateway.actors import Actor
from gateway.models import Brake, Canary, GuestPass, Sighting, Token, User
from gateway.traces import Noted, Signal, Use

log = logging.getLogger(__name__)
LOCK = 7_401_966  # one at a time: what is open, and what the budget leaves, is counted under it
EXPLAINED_DAYS = 30
DISMISSED_DAYS = 7
SEEN_DAYS = 90


def note(use: Use) -> Noted | None:
    """Note a request that was let in. Raises Slowed, or Braked when it was one too many; None when nobody watches."""
    found = traces.note(use) if settings.SIGHTINGS else None
    if found is None:
        return None
    noted, window = found
    signals = traces.judge(use.scope, window)
    score = sum(signal.weight for signal in signals)
    if score >= traces.SLOW:
        traces.slow(use)
    if score >= traces.FREEZE and not window.calm:
        brake = freeze(use, signals)
        if brake is not None:
            traces.ended(noted)
            raise brakes.why(brake)
        traces.calm(use)
    if window.wait:
        traces.ended(noted, refused=True)
        raise refusals.Slowed(seconds=window.wait, retry_after=window.wait)
    return noted


def freeze(use: Use, signals: list[Signal]) -> Brake | None:
    """Open a sighting of this credential and brake it; None when it is not to be braked without a person.

    That is when an admin has dismissed the same lately, and when so many artists' credentials were frozen in the last
    hour that something else must be wrong.
    """
    with atomic():
        _one_at_a_time()
        known = Sighting.objects.filter(scope=use.scope, target=use.target)
        already = known.filter(state="open").select_related("brake").first()
        if already is not None:
            brake = already.brake
            return brake if brake is not None and brake.state == "pulled" else None
        if known.filter(state="dismissed", answered_at__gt=Now() - timedelta(days=DISMISSED_DAYS)).exists():
            return None
        owner = User.objects.get(pk=use.owner)
        frozen = Sighting.objects.filter(brake__isnull=False, created_at__gt=Now() - timedelta(hours=1))
        # A drill in the cohort for self-tests takes nothing of what a real leak may need.
        played = User.objects.filter(memberships__cohort__smoke=True)
        others = frozen.exclude(owner=owner).exclude(owner__in=played).values("owner").distinct().count()
        label = _label(use.scope, use.target)
        brake = None
        if others < settings.AUTOMATIC_FREEZES:
            reason = f"It looks as if others used it: {signals[0].text}"
            brake = brakes.pull(use.scope, use.target, by=actors.SYSTEM, label=label, reason=reason, source="sighting")
        sighting = _open(
            kind="use",
            scope=use.scope,
            target=use.target,
            label=label,
            owner=owner,
            signals=signals,
            seen=traces.whereabouts(use.scope, use.target),
            brake=brake,
        )
        if brake is not None:
            webhooks.happened("sighting.frozen", f"{Sighting.NOUN}_{sighting.pk.hex}", user=owner.pk)
        else:
            _tell_admins(
                f"{label[0].upper()}{label[1:]} looks leaked, and is not frozen",
                f"The credentials of {others} artists were frozen in the last hour, so this one waits for you.",
                sighting,
            )
    return brake


def visible_to(actor: Actor) -> QuerySet[Sighting]:
    """One's own; an admin's: all."""
    if actor.user is None:
        return Sighting.objects.none()
    found = Sighting.objects.select_related("brake", "owner", "answered_by")
    return found if actor.is_admin else found.filter(owner=actor.user)


def of(actor: Actor) -> QuerySet[Sighting]:
    """What was seen of one's own credentials."""
    return visible_to(actor).filter(owner=actor.user)


def explain(sighting: Sighting, explanation: str, *, by: Actor) -> bool:
    """Its owner says that it was them, and how. True when the brake let go at once; else an admin has to release it.

    Raises NotFound for somebody else's, ReasonMissing, WrongState when it was answered already.
    """
    _must_own(sighting, by)
    explanation = explanation.strip()
    if not explanation:
        raise refusals.ExplanationMissing(param="explanation")
    with atomic():
        # Two of one owner's, explained at the same moment, must not both be the first.
        User.objects.select_for_update(no_key=True).get(pk=by.user.pk)  # type: ignore[union-attr]
        before = Sighting.objects.filter(
            owner=by.user, state="explained", answered_at__gt=Now() - timedelta(days=EXPLAINED_DAYS)
        )
        if not before.exists():
            _end(sighting, "explained", by, explanation=explanation, explained_at=Now())
            return True
        explained = Sighting.objects.filter(pk=sighting.pk, state="open")
        if not explained.update(explanation=explanation, explained_at=Now()):
            raise refusals.WrongState(sighting, "explained")
        audit.record("sighting.told", by=by, subject=sighting, detail={"explanation": explanation})
        _tell_admins(f"{sighting.owner} explains: {sighting.label}", explanation, sighting)
    sighting.refresh_from_db()
    return False


def rotate(sighting: Sighting, *, by: Actor, keep: str = "") -> str:
    """Its owner says that it was not them: the credential ends. Return the new token's secret, or "" for none.

    A session ends with all others but the one with the key `keep`. Raises NotFound for somebody else's, WrongState.
    """
    _must_own(sighting, by)
    with atomic():
        # The lock first: of two that answer at once, the second must find it answered before it ends anything.
        _hold(sighting)
        secret = _replace(sighting, by, keep)
        _end(sighting, "rotated", by)
    return secret


def confirm(sighting: Sighting, *, by: Actor, answer: str) -> None:
    """An admin has looked: it is a leak, and the credential ends. Raises AdminsOnly, ExplanationMissing, WrongState."""
    _must_answer(by, answer)
    with atomic():
        _hold(sighting)
        _put_out(sighting, by)
        _end(sighting, "confirmed", by, answer=answer.strip())
        _tell_owner(sighting, "is ended", f"An admin has looked and ended it. What they say: {answer.strip()}")


def dismiss(sighting: Sighting, *, by: Actor, answer: str) -> None:
    """An admin has looked: it is none. The brake lets go, and the same is not frozen again for some days.

    Raises AdminsOnly, ExplanationMissing, WrongState.
    """
    _must_answer(by, answer)
    with atomic():
        _end(sighting, "dismissed", by, answer=answer.strip())
        _tell_owner(sighting, "works again", f"An admin has looked. What they say: {answer.strip()}")


def reported(found: Token | GuestPass, *, where: str) -> Sighting:
    """Somebody whom we trust has found this in public: it ends at once, and its owner is told where."""
    scope, owner = ("token", found.user) if isinstance(found, Token) else ("guest_pass", found.membership.user)
    return _reported(scope, found.pk, _label(scope, found.pk), owner, where)


def canary_used(canary: Canary, *, address: str, agent: str) -> None:
    """A canary was tried as a token: whoever did it has searched where they had no business. Admins are told."""
    with atomic():
        Canary.objects.filter(pk=canary.pk).update(uses=F("uses") + 1, last_used_at=Now())
        audit.record("canary.used", by=actors.NOBODY, subject=canary, detail={"address": address, "agent": agent[:300]})
        seen = {"networks": [traces.network(address)], "agents": [agent[:80]]}
        _alarm(canary, "it was tried as a token", seen)


def canary_found(canary: Canary, *, where: str) -> None:
    """A canary was found in public: what lay beside it is public too. Admins are told."""
    with atomic():
        _alarm(canary, "it was found in public", {"found": [where]})


def forget_old() -> int:
    """Erase from where and by what was used what lies SEEN_DAYS back; return of how many sightings."""
    old = Sighting.objects.filter(seen__isnull=False, created_at__lt=Now() - timedelta(days=SEEN_DAYS))
    return old.update(seen=None)


def _open(
    *,
    kind: str,
    scope: str,
    target: UUID,
    label: str,
    signals: list[Signal],
    seen: dict[str, Any],
    owner: User | None = None,
    brake: Brake | None = None,
) -> Sighting:
    sighting = Sighting.objects.create(
        kind=kind,
        scope=scope,
        target=target,
        label=label,
        owner=owner,
        score=sum(signal.weight for signal in signals),
        signals=[{"code": signal.code, "weight": signal.weight, "text": signal.text} for signal in signals],
        seen=seen,
        brake=brake,
    )
    audit.record(
        "sighting.opened",
        by=actors.SYSTEM,
        subject=sighting,
        facts={
            "kind": kind,
            "scope": scope,
            "target": target,
            "score": sighting.score,
            "signals": {signal.code: signal.weight for signal in signals},
            "brake": brake.pk if brake else None,
        },
        detail=seen,
    )
    if kind == "use":
        stands = (
            "It is frozen: nothing can be done with it." if brake else "It is slowed, and an admin was asked to look."
        )
        told = "; ".join(signal.text for signal in signals)
        _tell_owner(
            sighting,
            "looks shared",
            f"{stands} What was seen: {told}. Was it you? One click explains it, or replaces it.",
        )
    return sighting


def _one_at_a_time() -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [LOCK])


def _hold(sighting: Sighting) -> None:
    """Raises WrongState when it was answered meanwhile."""
    if not Sighting.objects.select_for_update(no_key=True).filter(pk=sighting.pk, state="open").exists():
        sighting.refresh_from_db()
        raise refusals.WrongState(sighting, "answered")


def _alarm(canary: Canary, text: str, seen: dict[str, Any]) -> None:
    """One open sighting of a canary, however often it is used meanwhile."""
    _one_at_a_time()
    if Sighting.objects.filter(scope="canary", target=canary.pk, state="open").exists():
        return
    label = f"the canary “{canary.label}” …{canary.last_four}"
    signals = [Signal("canary", traces.FREEZE, text)]
    sighting = _open(kind="canary", scope="canary", target=canary.pk, label=label, signals=signals, seen=seen)
    _tell_admins(f"A canary sings: {canary.label}", f"{text[0].upper()}{text[1:]}. It opened nothing.", sighting)


def _reported(scope: str, target: UUID, label: str, owner: User, where: str) -> Sighting:
    signals = [Signal("found", traces.FREEZE, "it was found in public")]
    with atomic():
        _one_at_a_time()
        known = Sighting.objects.filter(scope=scope, target=target)
        found = known.filter(kind="leak").first()
        if found is not None:  # told twice
            return found
        for waiting in known.filter(state="open").select_for_update(no_key=True):
            _end(waiting, "confirmed", actors.SYSTEM, answer="It was found in public.")
        sighting = _open(
            kind="leak", scope=scope, target=target, label=label, owner=owner, signals=signals, seen={"found": [where]}
        )
        _put_out(sighting, actors.SYSTEM)
        _end(sighting, "confirmed", actors.SYSTEM, answer="It was found in public, and ended at once.")
        _tell_owner(
            sighting,
            "was found in public",
            f"Where: {where or 'not said'}. It is ended: make a new one, and keep it out of files.",
        )
        _tell_admins(f"Found in public: {label}", f"Of {owner}. Where: {where or 'not said'}. It is ended.", sighting)
    return sighting


def _end(sighting: Sighting, state: str, by: Actor, **told: Any) -> None:
    answered_by = None if by == actors.SYSTEM else by.user
    states.move(sighting, state, by=by, answered_at=Now(), answered_by=answered_by, **told)
    if said := told.get("explanation") or told.get("answer"):
        audit.record("sighting.answered", by=by, subject=sighting, detail={"said": said})
    brake = Brake.objects.filter(pk=sighting.brake_id, state="pulled").first() if sighting.brake_id else None
    if brake is not None:  # or else what it was on has just ended for good
        brakes.release(brake, by=actors.SYSTEM, why=f"The sighting was {state}.")
    on_commit(lambda: traces.forget(sighting.scope, sighting.target), robust=True)


def _replace(sighting: Sighting, by: Actor, keep: str) -> str:
    """End it, and make what takes its place, where that can be: a token's owner may be under another brake."""
    secret = ""
    if sighting.scope == "token":
        try:
            _, secret = tokens.rotate(Token.objects.get(pk=sighting.target), by=by, overlap_hours=0)
        except refusals.Refused as refused:
            log.info("no new token for sighting %s: %s", sighting.pk, refused)
    _put_out(sighting, by, keep)
    return secret


def _put_out(sighting: Sighting, by: Actor, keep: str = "") -> None:
    """End the credential for good."""
    if sighting.scope == "token":
        tokens.revoke(Token.objects.get(pk=sighting.target), by=by)
    elif sighting.scope == "guest_pass":
        guest_passes.revoke(GuestPass.objects.select_related("membership").get(pk=sighting.target), by=by)
    elif sighting.scope == "session" and sighting.owner is not None:
        if by.user == sighting.owner:
            sessions.end_others(by=by, keep=keep)
        else:
            sessions.end_all(sighting.owner, by=by)


def _label(scope: str, target: UUID) -> str:
    if scope == "token":
        token = Token.objects.get(pk=target)
        return f"the token “{token.label}” …{token.last_four}"
    if scope == "guest_pass":
        guest_pass = GuestPass.objects.get(pk=target)
        return f"the guest pass “{guest_pass.label}” …{guest_pass.last_four}"
    return "a browser session"


def _must_own(sighting: Sighting, by: Actor) -> None:
    if by.user is None or by.token is not None or sighting.owner_id != by.user.pk:
        raise refusals.NotFound


def _must_answer(by: Actor, answer: str) -> None:
    by.must_be_admin()
    if not answer.strip():
        raise refusals.ExplanationMissing(param="answer")


def _tell_owner(sighting: Sighting, what: str, body: str) -> None:
    if sighting.owner is not None:
        label = f"{sighting.label[0].upper()}{sighting.label[1:]}"
        notices.tell(sighting.owner, f"{label} {what}"[:200], body, path=f"/access/sightings/{sighting.pk.hex}")


def _tell_admins(subject: str, body: str, sighting: Sighting) -> None:
    notices.tell_admins(subject, body, path=f"/program/sightings/{sighting.pk.hex}")
