"""Credits: set aside when a generation is asked for, then charged once or given back whole.

The life of a credit: granted → held → spent, or back to free. The UPDATE asks and acts at once; the CHECK behind it
refuses an overdraft; the ledger's unique constraints refuse a second charge, whatever crashed in between.
"""

from datetime import UTC, datetime
from uuid import UUID

from django.db.models import F
from django.db.transaction import atomic
from django.utils import timezone

from gateway import refusals
from gateway.models import Allowance, LedgerEntry, Membership


def period(now: datetime) -> tuple[datetime, datetime]:
    """The calendar month, in UTC, around `now`: its first moment and the next month's."""
    start = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)


def current(membership: Membership) -> Allowance:
    """This month's allowance, made (and its grant recorded) when it is first asked for."""
    start, end = period(timezone.now())
    if allowance := Allowance.objects.filter(membership=membership, starts_at=start).first():
        return allowance
    with atomic():
        allowance, made = Allowance.objects.get_or_create(
            membership=membership, starts_at=start, defaults={"ends_at": end, "granted": membership.credits}
        )
        if made:
            LedgerEntry.objects.create(allowance=allowance, kind="grant", amount=allowance.granted)
    return allowance


def reserve(membership: Membership, amount: int, *, subject: UUID) -> None:
    """Set `amount` credits aside for `subject`. Raises NotEnoughCredits; then nothing has happened."""
    allowance = current(membership)
    with atomic():
        held = Allowance.objects.filter(pk=allowance.pk, granted__gte=F("held") + F("spent") + amount).update(
            held=F("held") + amount
        )
        if not held:
            allowance.refresh_from_db()
            raise refusals.NotEnoughCredits(
                price=amount,
                free=allowance.free,
                granted=allowance.granted,
                until=f"{allowance.ends_at:%-d %B}",
            )
        LedgerEntry.objects.create(allowance=allowance, kind="reserve", amount=amount, subject=subject)


def settle(subject: UUID) -> None:
    """Charge what was set aside for `subject`. A second call violates a constraint and rolls its transaction back."""
    _close(subject, "settle")


def give_back(subject: UUID) -> None:
    """Free what was set aside for `subject`, whole."""
    _close(subject, "give_back")


def _close(subject: UUID, kind: str) -> None:
    with atomic():
        held = LedgerEntry.objects.get(kind="reserve", subject=subject)
        LedgerEntry.objects.create(allowance_id=held.allowance_id, kind=kind, amount=held.amount, subject=subject)
        spent = held.amount if kind == "settle" else 0
        Allowance.objects.filter(pk=held.allowance_id).update(held=F("held") - held.amount, spent=F("spent") + spent)
