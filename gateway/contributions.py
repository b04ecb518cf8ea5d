"""What artists did for the program: reported, accepted or declined with a reason, disputed, owed, paid.

The price is fixed when it is reported, by the rate card of the terms that the artist had accepted by then; the database
works it out again and refuses another one. An accepted contribution is owed until it is paid.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet, Sum
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import audit, notices, refusals, states, terms
from gateway.actors import Actor
from gateway.models import Contribution, Rate, User
from gateway.models.program import money

PATH = "/contributions"


@dataclass(frozen=True)
class Figures:
    """What stands open and what was paid, in one currency."""

    currency: str
    undecided: int
    owed: int
    paid: int

    @property
    def shown(self) -> dict[str, str]:
        """The amounts as people read them."""
        return {name: money(getattr(self, name), self.currency) for name in ("undecided", "owed", "paid")}


@dataclass(frozen=True)
class Minutes:
    """Test time that was not paid: accepted and owed, and reported without a decision. Two figures, never one."""

    unpaid: int
    undecided: int


def card_of(user: User) -> list[Rate]:
    """The rate card that holds for this person: of the version that they accepted last and that is in force."""
    accepted = terms.accepted(user)
    return accepted.card() if accepted is not None else []


def price(rate: Rate, minutes: int | None) -> int:
    """In cents: the rate, or for test time its share by the minute, half a cent rounded up."""
    return rate.cents if minutes is None else (rate.cents * minutes * 2 + 60) // 120


def report(*, by: Actor, kind: str, title: str, body: str, minutes: int | None = None) -> Contribution:
    """Lay something that one did for the program before its admins; its price is fixed from now on.

    A suspended artist reports too: what they did before is owed. Raises SignInFirst, MissingScope, NotAMember,
    TermsNotAccepted for who never accepted any, NotOnTheRateCard, MinutesMissing, WordsMissing.
    """
    if by.user is None:
        raise refusals.SignInFirst
    by.must_have("submit")
    if by.membership is None:
        raise refusals.NotAMember
    accepted = terms.accepted(by.user)
    if accepted is None:
        in_force = terms.current()
        raise refusals.TermsNotAccepted(version=in_force.version if in_force else 1)
    rate = next((rate for rate in accepted.card() if rate.kind == kind), None)
    if rate is None:
        raise refusals.NotOnTheRateCard(version=accepted.version, kind=kind.replace("_", " "), param="kind")
    if (minutes is not None) != (kind == "test_hour") or not 1 <= (1 if minutes is None else minutes) <= 1440:
        raise refusals.MinutesMissing(param="minutes")
    _must_say(title, "a title", "title")
    _must_say(body, "what you did", "body")
    with atomic():
        made = Contribution.objects.create(
            user=by.user,
            rate=rate,
            kind=kind,
            minutes=minutes,
            cents=price(rate, minutes),
            currency=accepted.currency,
            title=" ".join(title.split()),
            body=body.strip(),
        )
        audit.record(
            "contribution.reported",
            by=by,
            subject=made,
            facts={"kind": kind, "minutes": minutes, **_sum(made), "terms": accepted.version},
            detail={"title": made.title},
        )
    return made


def accept(contribution: Contribution, *, by: Actor, answer: str = "") -> None:
    """It is owed from now on. A disputed one is accepted by somebody else than who declined it, with an answer.

    Raises AdminsOnly, OwnContribution, NotYoursToHear, ReasonsMissing, WrongState.
    """
    admin = _decider(contribution, by)
    if contribution.state == "disputed":
        _hear(contribution, "accepted", admin, by, answer)
        return
    with atomic():
        states.move(
            contribution, "accepted", by=by, when=Q(state="reported"), decided_by=admin, facts=_sum(contribution)
        )
        _tell(contribution, "is accepted", f"{contribution.amount} are owed to you until they are paid.")


def decline(contribution: Contribution, *, by: Actor, reason: str) -> None:
    """It is not paid, for this reason, which its artist reads and can dispute.

    Raises AdminsOnly, OwnContribution, ReasonsMissing, WrongState.
    """
    admin = _decider(contribution, by)
    if not reason.strip():
        raise refusals.ReasonsMissing(missing="a reason", param="reason")
    with atomic():
        states.move(contribution, "declined", by=by, decided_by=admin, reason=reason.strip())
        _tell(
            contribution, "is declined", f"{reason.strip()}\n\nYou can dispute that, once; somebody else then decides."
        )


def dispute(contribution: Contribution, *, by: Actor, why: str) -> None:
    """Its artist does not accept the decline; somebody else decides.

    Raises NotFound for anybody else, MissingScope, WordsMissing, WrongState.
    """
    by.must_have("submit")
    if by.user is None or contribution.user_id != by.user.pk:
        raise refusals.NotFound
    _must_say(why, "why you dispute it", "why")
    states.move(contribution, "disputed", by=by, dispute=why.strip())


def uphold(contribution: Contribution, *, by: Actor, answer: str) -> None:
    """The decline stands, with an answer to the dispute, by somebody else than who declined it.

    Raises AdminsOnly, OwnContribution, NotYoursToHear, ReasonsMissing, WrongState.
    """
    _hear(contribution, "upheld", _decider(contribution, by), by, answer)


def pay(contributions: Iterable[UUID], *, by: Actor, reference: str) -> list[Contribution]:
    """Record that these were paid, under one reference: all of them, or none. Nothing is paid twice.

    Raises AdminsOnly, OwnContribution, WordsMissing, NotOwed when one is not owed (any more).
    """
    admin = by.must_be_admin()
    _must_say(reference, "a reference by which the payment can be found", "reference")
    asked = set(contributions)
    # In the order of their ids, so that two pay-outs that share some wait for each other in a line, not in a circle.
    rows = list(Contribution.objects.select_related("user").filter(pk__in=asked).order_by("pk"))
    if not rows or len(rows) != len(asked):
        raise refusals.NotOwed
    if any(row.user_id == admin.pk for row in rows):
        raise refusals.OwnContribution
    reference = " ".join(reference.split())
    try:
        with atomic():
            for row in rows:
                states.move(row, "paid", by=by, paid_at=Now(), paid_by=admin, reference=reference, facts=_sum(row))
                _tell(row, "is paid", f"{row.amount} were paid, under the reference “{reference}”.")
    except refusals.WrongState:
        raise refusals.NotOwed from None
    return rows


def waiting() -> QuerySet[Contribution]:
    """What waits for a decision, oldest first."""
    return _listed().filter(state__in=Contribution.UNDECIDED).order_by("id")


def owed() -> QuerySet[Contribution]:
    """What was accepted and not paid yet, oldest first."""
    return _listed().filter(state="accepted").order_by("id")


def of(user: User) -> QuerySet[Contribution]:
    """All of one person's, latest first: their statement."""
    return _listed().filter(user=user).order_by("-id")


def figures(rows: QuerySet[Contribution]) -> list[Figures]:
    """What is undecided, owed and paid among these, by currency."""
    found = (
        rows.order_by("currency")
        .values("currency")
        .annotate(
            undecided=Sum("cents", filter=Q(state__in=Contribution.UNDECIDED), default=0),
            owed=Sum("cents", filter=Q(state="accepted"), default=0),
            paid=Sum("cents", filter=Q(state="paid"), default=0),
        )
    )
    return [Figures(row["currency"], row["undecided"], row["owed"], row["paid"]) for row in found]


def minutes(rows: QuerySet[Contribution]) -> Minutes:
    """The figure of unpaid minutes among these."""
    found = rows.order_by().aggregate(
        unpaid=Sum("minutes", filter=Q(state="accepted"), default=0),
        undecided=Sum("minutes", filter=Q(state__in=Contribution.UNDECIDED), default=0),
    )
    return Minutes(found["unpaid"], found["undecided"])


def everybodys() -> QuerySet[Contribution]:
    """All there are."""
    return _listed().order_by("id")


def _listed() -> QuerySet[Contribution]:
    return Contribution.objects.select_related("user", "rate__terms", "decided_by", "heard_by", "paid_by")


def _decider(contribution: Contribution, by: Actor) -> User:
    admin = by.must_be_admin()
    if contribution.user_id == admin.pk:
        raise refusals.OwnContribution
    return admin


def _hear(contribution: Contribution, to: str, admin: User, by: Actor, answer: str) -> None:
    if contribution.decided_by_id == admin.pk:
        raise refusals.NotYoursToHear
    if not answer.strip():
        raise refusals.ReasonsMissing(missing="an answer", param="answer")
    with atomic():
        states.move(
            contribution,
            to,
            by=by,
            when=Q(state="disputed") & ~Q(decided_by=admin),
            heard_by=admin,
            answer=answer.strip(),
            facts=_sum(contribution),
        )
        if to == "accepted":
            _tell(contribution, "is accepted after all", f"{answer.strip()}\n\n{contribution.amount} are owed to you.")
        else:
            _tell(contribution, "stays declined", answer.strip())


def _must_say(words: str, what: str, param: str) -> None:
    if not words.strip():
        raise refusals.WordsMissing(what=what, param=param)


def _sum(row: Contribution) -> dict[str, object]:
    return {"cents": row.cents, "currency": row.currency}


def _tell(row: Contribution, became: str, body: str) -> None:
    notices.tell(row.user, f"“{row.title}” {became}", body, path=PATH)
