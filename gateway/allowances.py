"""Credits: set aside when a generation is asked for, then charged once or given back whole.

The life of a credit: granted → held → spent, or back to free; what is left when the period has ended expires. The
UPDATE asks and acts at once; the CHECK behind it refuses an overdraft; the ledger's unique constraints refuse a second
charge, whatever crashed in between; and a deferred trigger lets no row be committed that its ledger does not add up to.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db import connection
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils import timezone

from gateway import audit, notices, refusals
from gateway.actors import Actor
from gateway.models import Allowance, LedgerEntry, Membership, Token
from gateway.prepared import Statement

LARGEST = 1_000_000
LEDGER = """
select a.id, a.granted, a.held, a.spent, a.expired, l.granted, l.held, l.spent, l.expired
  from gateway_allowance a
  left join lateral (
    select coalesce(sum(amount) filter (where kind = 'grant'), 0) as granted,
           coalesce(sum(amount) filter (where kind = 'reserve'), 0)
         - coalesce(sum(amount) filter (where kind in ('settle', 'give_back')), 0) as held,
           coalesce(sum(amount) filter (where kind = 'settle'), 0) as spent,
           coalesce(sum(amount) filter (where kind = 'expire'), 0) as expired
      from gateway_ledgerentry where allowance_id = a.id
  ) l on true
 where (a.granted, a.held, a.spent, a.expired) is distinct from (l.granted, l.held, l.spent, l.expired)
   and (%(only)s::uuid is null or a.id = %(only)s)
 order by a.id
"""


@dataclass(frozen=True)
class Difference:
    """An allowance whose row is not what its ledger adds up to: (granted, held, spent, expired) of both."""

    allowance_id: UUID
    row: tuple[int, int, int, int]
    ledger: tuple[int, int, int, int]


def period(now: datetime) -> tuple[datetime, datetime]:
    """The calendar month, in UTC, around `now`: its first moment and the next month's."""
    start = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return start, start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)


def current(membership: Membership) -> Allowance:
    """This month's allowance, made (and its grant recorded) when it is first asked for."""
    start, end = period(timezone.now())
    if allowance := OF_MONTH.first(membership.pk, start):
        return allowance
    with atomic():
        allowance, made = Allowance.objects.get_or_create(
            membership=membership, starts_at=start, defaults={"ends_at": end, "granted": membership.credits}
        )
        if made:
            LedgerEntry.objects.create(allowance=allowance, kind="grant", amount=allowance.granted)
    return allowance


OF_MONTH = Statement(
    lambda membership, start: Allowance.objects.filter(membership=membership, starts_at=start), UUID, datetime
)


def reserve(membership: Membership, amount: int, *, subject: UUID, token: Token | None = None) -> None:
    """Set `amount` credits aside for `subject`, asked for by `token` if by one.

    Raises NotEnoughCredits, TokenSpent; then nothing has happened.
    """
    allowance = current(membership)
    with atomic():
        held = Allowance.objects.filter(
            pk=allowance.pk, granted__gte=F("held") + F("spent") + F("expired") + amount
        ).update(held=F("held") + amount)
        if not held:
            allowance.refresh_from_db()
            raise refusals.NotEnoughCredits(
                price=amount,
                free=allowance.free,
                granted=allowance.granted,
                until=f"{allowance.ends_at:%-d %B}",
            )
        if token is not None and token.credits_limit is not None:
            # Asked under the lock that the UPDATE has taken: two requests of one token never see the same room.
            free = token.credits_limit - used_by(token, allowance)
            if amount > free:
                raise refusals.TokenSpent(
                    price=amount, free=max(0, free), limit=token.credits_limit, until=f"{allowance.ends_at:%-d %B}"
                )
        LedgerEntry.objects.create(allowance=allowance, kind="reserve", amount=amount, subject=subject, token=token)


def this_month(memberships: Iterable[Membership]) -> dict[UUID, Allowance]:
    """This month's allowances by membership, of those who have asked for theirs already."""
    start, _ = period(timezone.now())
    found = Allowance.objects.filter(membership__in=[row.pk for row in memberships], starts_at=start)
    return {allowance.membership_id: allowance for allowance in found}


def ledger(membership: Membership) -> QuerySet[LedgerEntry]:
    """What happened to each credit of a member, latest first."""
    return (
        LedgerEntry.objects.filter(allowance__membership=membership)
        .select_related("allowance", "token", "by")
        .order_by("-id")
    )


def used_by(token: Token, allowance: Allowance) -> int:
    """The credits of this period that a token and those it was rotated from hold or have spent."""
    family = LedgerEntry.objects.filter(allowance=allowance, token__family=token.family)
    taken, back = (Sum("amount", filter=Q(kind=kind), default=0) for kind in ("reserve", "give_back"))
    used: int = family.aggregate(used=taken - back)["used"]
    return used


def settle(subject: UUID) -> None:
    """Charge what was set aside for `subject`. A second call violates a constraint and rolls its transaction back."""
    _close(subject, "settle")


def give_back(subject: UUID) -> None:
    """Free what was set aside for `subject`, whole; when its period has ended meanwhile, it expires at once."""
    _close(subject, "give_back")


def grant(membership: Membership, amount: int, *, by: Actor, reason: str) -> Allowance:
    """Add `amount` credits to this month's allowance of a member, who is told the reason. What was given stays given:
    there is no grant of less than one. Raises AdminsOnly, ReasonNeeded, NotAGrant, MemberLeft.
    """
    admin = by.must_be_admin()
    reason = " ".join(reason.split())
    if not reason:
        raise refusals.ReasonNeeded(param="reason")
    if not 1 <= amount <= LARGEST:
        raise refusals.NotAGrant(largest=LARGEST, param="amount")
    if membership.state == "left":
        raise refusals.MemberLeft
    allowance = current(membership)
    with atomic():
        Allowance.objects.filter(pk=allowance.pk).update(granted=F("granted") + amount)
        LedgerEntry.objects.create(allowance=allowance, kind="grant", amount=amount, by=admin, reason=reason[:300])
        audit.record("allowance.granted", by=by, subject=allowance, facts={"credits": amount}, detail={"why": reason})
        notices.tell(
            membership.user,
            f"You have {amount} more credit{'s' if amount != 1 else ''}",
            f"They are yours until {allowance.ends_at:%-d %B}. The reason: {reason}",
            path="/access/allowance",
        )
    allowance.refresh_from_db()
    return allowance


def expire() -> int:
    """End what is left of periods that have ended; return of how many. What runs on keeps what it holds."""
    ended = Allowance.objects.filter(ends_at__lte=Now(), granted__gt=F("held") + F("spent") + F("expired")).values_list(
        "pk", flat=True
    )
    return sum(_expire(pk) for pk in list(ended))


def differences(only: UUID | None = None) -> list[Difference]:
    """Every allowance that is not what its ledger adds up to: the database refuses them, unless it was damaged."""
    with connection.cursor() as cursor:
        cursor.execute(LEDGER, {"only": only})
        return [Difference(row[0], row[1:5], tuple(map(int, row[5:9]))) for row in cursor.fetchall()]  # type: ignore[arg-type]


def recompute(*, by: Actor) -> list[Difference]:
    """Set each row that differs to what its ledger says, and return what differed. Raises AdminsOnly."""
    if by.kind != "system":
        by.must_be_admin()
    mended = []
    with atomic():
        for suspect in differences():
            allowance = Allowance.objects.select_for_update(no_key=True).get(pk=suspect.allowance_id)
            for difference in differences(only=allowance.pk):  # asked again, now that nobody else writes it
                granted, held, spent, expired = difference.ledger
                figures = {"granted": granted, "held": held, "spent": spent, "expired": expired}
                Allowance.objects.filter(pk=allowance.pk).update(**figures)
                audit.record("allowance.recomputed", by=by, subject=allowance, facts={"was": list(difference.row)})
                mended.append(difference)
    return mended


def _close(subject: UUID, kind: str) -> None:
    with atomic():
        held = LedgerEntry.objects.get(kind="reserve", subject=subject)
        LedgerEntry.objects.create(
            allowance_id=held.allowance_id, kind=kind, amount=held.amount, subject=subject, token_id=held.token_id
        )
        spent = held.amount if kind == "settle" else 0
        Allowance.objects.filter(pk=held.allowance_id).update(held=F("held") - held.amount, spent=F("spent") + spent)
        if kind == "give_back":
            _expire(held.allowance_id)


def _expire(pk: UUID) -> bool:
    with atomic():
        # The lock first: how much is left is known only when nobody else is about to give some back.
        left = Allowance.objects.select_for_update(no_key=True).filter(pk=pk, ends_at__lte=Now()).first()
        if left is None or not left.free:
            return False
        LedgerEntry.objects.create(allowance=left, kind="expire", amount=left.free)
        Allowance.objects.filter(pk=pk).update(expired=F("expired") + left.free)
    return True
