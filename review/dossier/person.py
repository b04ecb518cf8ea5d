"""What is in a dossier about the person: who they are here, what they agreed to, how they come in, what was written."""

from collections.abc import Iterator
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db.models import Prefetch, Q

from gateway import contributions, guest_passes, impersonations, sightings, spreadsheets
from gateway.actors import Actor
from gateway.consents import PURPOSES
from gateway.models import (
    AccessRequest,
    Brake,
    Consent,
    Export,
    GuestPass,
    Impersonation,
    Invitation,
    LedgerEntry,
    MembershipChange,
    Notice,
    TermsAcceptance,
    Token,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from generation import guests
from review.dossier.archive import Member
from review.dossier.rows import briefly, each, lines, pretty
from review.models import Conflict, Opening, Publication

COLUMNS = ("at", "kind", "amount", "effect on what is free", "work", "token", "month", "reason")


def told(by: Actor) -> Iterator[Member]:
    """All of it."""
    user = by.user
    assert user is not None
    with briefly():
        artist = _artist(user)
    yield Member("artist.json", pretty(artist))
    yield from _terms(user)
    yield Member("consents.json", pretty([_consent(row) for row in each(Consent.objects.filter(user=user))]))
    yield Member("credits/ledger.jsonl", lines(_movement(row) for row in _ledger(user)))
    sheet = spreadsheets.lines(COLUMNS, (list(_movement(row).values())[1:] for row in _ledger(user)))
    yield Member("credits/ledger.csv", (line.encode() for line in sheet))
    yield Member("contributions.json", pretty([_contribution(row) for row in each(contributions.of(user))]))
    yield Member("access/tokens.json", pretty([_token(row) for row in each(Token.objects.filter(user=user))]))
    passes = guests.with_use(guest_passes.visible_to(by))
    yield Member("access/guest-passes.json", pretty([_guest_pass(row) for row in each(passes)]))
    hooks = WebhookEndpoint.objects.filter(user=user).exclude(state="removed")
    yield Member("access/webhooks.json", pretty([_endpoint(row) for row in each(hooks)]))
    sent = WebhookDelivery.objects.select_related("event").filter(endpoint__user=user)
    yield Member("access/webhook-deliveries.jsonl", lines(_delivery(row) for row in each(sent)))
    yield Member("access/sessions.json", pretty([_session(row) for row in each(UserSession.objects.filter(user=user))]))
    yield Member("access/sightings.json", pretty([_sighting(row) for row in each(sightings.of(by))]))
    yield Member("access/brakes.json", pretty([_brake(row) for row in each(_brakes(user))]))
    visits = Impersonation.objects.select_related("admin").filter(artist=user)
    yield Member("looked/visits.json", pretty(list(_visits(visits))))
    opened = Opening.objects.select_related("admin").filter(generation__membership__user=user)
    yield Member("looked/opened.json", pretty([_opened(row) for row in each(opened)]))
    written = Notice.objects.filter(Q(user=user) | Q(user__isnull=True, email__iexact=user.email))
    yield Member("notices.jsonl", lines(_notice(row) for row in each(written)))


def _artist(user: User) -> dict[str, Any]:
    changes = Prefetch("changes", MembershipChange.objects.select_related("made_by").order_by("id"))
    memberships = user.memberships.select_related("cohort").prefetch_related(changes, "allowances").order_by("id")
    asked = AccessRequest.objects.filter(
        Q(email__iexact=user.email) | Q(membership__user=user) | Q(invitation__accepted_by=user)
    )
    return {
        "id": user.pk,
        "name": user.name,
        "studio": user.studio,
        "email": user.email,
        "addresses": list(EmailAddress.objects.filter(user=user).values("email", "verified", "primary")),
        "here_since": user.created_at,
        "last_sign_in": user.last_login,
        "reviews": user.is_reviewer,
        "administers": user.is_staff,
        "second_factors": list(Authenticator.objects.filter(user=user).values("type", "created_at", "last_used_at")),
        "memberships": [
            {
                "id": row.pk,
                "cohort": row.cohort.name,
                "state": row.state,
                "since": row.created_at,
                "credits_a_month": row.credits,
                "own_limits": {
                    "clips_a_day": row.daily,
                    "clips_at_a_time": row.concurrent,
                    "requests_a_minute": row.requests_a_minute,
                },
                "changes": [
                    {
                        "at": change.created_at,
                        "what": change.kind,
                        "before": change.before,
                        "after": change.after,
                        "reason": change.reason,
                        "by": str(change.made_by) if change.made_by else None,  # as their page tells them
                    }
                    for change in row.changes.all()
                ],
                "months": [
                    {
                        "from": month.starts_at,
                        "to": month.ends_at,
                        "granted": month.granted,
                        "held": month.held,
                        "spent": month.spent,
                        "expired": month.expired,
                    }
                    for month in sorted(row.allowances.all(), key=lambda month: month.starts_at)
                ],
            }
            for row in memberships
        ],
        "invitations": [
            {"email": row.email, "role": row.role, "note": row.note, "at": row.created_at, "accepted": row.accepted_at}
            for row in Invitation.objects.filter(Q(accepted_by=user) | Q(email__iexact=user.email)).order_by("id")
        ],
        "requests_for_access": [
            {
                "at": row.created_at,
                "email": row.email,
                "name": row.name,
                "links": row.links,
                "words": row.words,
                "state": row.state,
                "answered": row.answered_at,
                "reason": row.reason,
            }
            for row in asked.distinct().order_by("id")
        ],
        "conflicts_of_interest_you_named": [
            {"at": row.created_at, "address": row.email, "lifted": row.lifted_at}
            for row in Conflict.objects.filter(artist=user, named_by=user).order_by("id")
        ],
        "exports": [
            {"at": row.created_at, "files": row.files, "bytes": row.size, "sha256_of_manifest": row.sha256}
            for row in Export.objects.filter(user=user).order_by("id")
        ],
    }


def _terms(user: User) -> Iterator[Member]:
    with briefly():
        accepted = list(
            TermsAcceptance.objects.filter(user=user)
            .select_related("terms")
            .prefetch_related("terms__rates__terms")
            .order_by("id")
        )
    shown = [
        {
            "version": row.terms.version,
            "accepted": row.created_at,
            "in_force_from": row.terms.in_force_at,
            "rate_card": [
                {"kind": rate.kind, "for": rate.words, "amount": rate.amount, "a": rate.unit}
                for rate in row.terms.card()
            ],
        }
        for row in accepted
    ]
    yield Member("terms/accepted.json", pretty(shown))
    for row in accepted:
        yield Member(f"terms/version-{row.terms.version}.txt", [row.terms.body.encode()])


def _consent(row: Consent) -> dict[str, Any]:
    purpose = PURPOSES[row.purpose]
    shown = {
        "id": row.pk,
        "purpose": row.purpose,
        "work": row.work,
        "answer": row.answer,
        "at": row.created_at,
        "until": row.expires_at,
        "text_version": row.text_version,
        "text": purpose.texts[row.text_version - 1],
    }
    return {**shown, "stops": purpose.stops, "public_works": row.reach} if row.receipt else shown


def _ledger(user: User) -> Iterator[LedgerEntry]:
    return each(LedgerEntry.objects.select_related("allowance").filter(allowance__membership__user=user))


def _movement(row: LedgerEntry) -> dict[str, Any]:
    return {
        "id": row.pk,
        "at": row.created_at.isoformat(),
        "kind": row.kind,
        "amount": row.amount,
        "effect": row.effect,
        "work": row.subject,
        "token": row.token_id,
        "month": f"{row.allowance.starts_at:%Y-%m}",
        "reason": row.reason,
    }


def _contribution(row: Any) -> dict[str, Any]:
    return {
        "id": row.pk,
        "at": row.created_at,
        "kind": row.kind,
        "minutes": row.minutes,
        "cents": row.cents,
        "currency": row.currency,
        "rate_card": row.rate.terms.version,
        "title": row.title,
        "body": row.body,
        "state": row.state,
        "reason": row.reason,
        "dispute": row.dispute,
        "answer": row.answer,
        "paid": row.paid_at,
        "reference": row.reference,
    }


def _token(row: Token) -> dict[str, Any]:
    return {
        "id": row.pk,
        "label": row.label,
        "ends_in": row.last_four,
        "mode": row.mode,
        "scopes": row.scopes,
        "networks": row.networks,
        "requests_a_minute": row.requests_a_minute,
        "credits_a_month": row.credits_limit,
        "made": row.created_at,
        "ends": row.expires_at,
        "revoked": row.revoked_at,
        "replaced_by": row.replaced_by_id,
        "last_used": row.last_used_at,
        "last_address": row.last_address,
        "last_use": row.last_use,
    }


def _guest_pass(row: GuestPass) -> dict[str, Any]:
    return {
        "id": row.pk,
        "label": row.label,
        "ends_in": row.last_four,
        "clips": row.generations,
        "credits": row.credits,
        "models": row.slugs,
        "clips_a_day_from_one_address": row.per_address,
        "may_download": row.may_download,
        "made": row.created_at,
        "ends": row.ends_at,
        "revoked": row.revoked_at,
        "used_clips": row.used,  # type: ignore[attr-defined]
        "used_credits": row.used_credits,  # type: ignore[attr-defined]
        "guests": row.guests,  # type: ignore[attr-defined]
    }


def _endpoint(row: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "url": row.url,
        "events": row.event_types,
        "secret_ends_in": row.hint,
        "state": row.state,
        "reason": row.reason,
        "made": row.created_at,
        "changed": row.changed_at,
        "token": row.token_id,
    }


def _delivery(row: WebhookDelivery) -> dict[str, Any]:
    return {
        "id": row.pk,
        "endpoint": row.endpoint_id,
        "event": row.event.type,
        "about": row.event.subject,
        "at": row.event.created_at.isoformat(),
        "state": row.state,
        "attempts": row.attempts,
        "tried": row.tried_at.isoformat() if row.tried_at else None,
        "status": row.status,
        "error": row.error,
        "answer": row.answer,
    }


def _session(row: UserSession) -> dict[str, Any]:
    return {"since": row.created_at, "last_seen": row.last_seen_at, "address": row.ip, "program": row.user_agent}


def _sighting(row: Any) -> dict[str, Any]:
    return {
        "id": row.pk,
        "at": row.created_at,
        "about": row.label,
        "score": row.score,
        "signals": row.signals,
        "seen": row.seen,
        "frozen": row.brake is not None,
        "state": row.state,
        "explanation": row.explanation,
        "answer": row.answer,
        "answered": row.answered_at,
    }


def _brakes(user: User) -> Any:
    shown = Publication.objects.filter(submission__membership__user=user)
    return Brake.objects.filter(
        Q(scope="artist", target=user.pk)
        | Q(scope="token", target__in=Token.objects.filter(user=user).values("pk"))
        | Q(scope="guest_pass", target__in=GuestPass.objects.filter(membership__user=user).values("pk"))
        | Q(scope="publication", target__in=shown.values("pk"))
        | Q(sighting__owner=user)
    ).distinct()


def _brake(row: Brake) -> dict[str, Any]:
    return {
        "id": row.pk,
        "on": row.label,
        "reason": row.reason,
        "closes": row.closes,
        "from": row.created_at,
        "to": row.released_at or row.ends_at,
        "why_released": row.why_released,
    }


def _visits(rows: Any) -> Iterator[dict[str, Any]]:
    for row in each(rows):
        with briefly():
            looks = impersonations.seen([row])[row.pk]
        yield {
            "from": row.created_at,
            "to": row.ended_at or row.ends_at,
            "admin": str(row.admin),  # as their page tells them
            "reason": row.reason,
            "pages": [{"path": look.path, "times": look.times, "first": look.first_at} for look in looks],
        }


def _opened(row: Opening) -> dict[str, Any]:
    return {
        "at": row.created_at,
        "until": row.ends_at,
        "admin": str(row.admin),
        "reason": row.reason,
        "work": row.generation_id,
    }


def _notice(row: Notice) -> dict[str, Any]:
    # Of a letter to somebody who was nobody yet the address of the page would be a way in.
    path = row.path if row.user_id else ""
    return {
        "at": row.created_at,
        "subject": row.subject,
        "body": row.body,
        "path": path,
        "mailed": row.mailed_at,
        "read": row.read_at,
    }
