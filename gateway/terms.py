"""The program's terms, by version, with their rate cards; who accepted them, and who has still to.

An artist accepts each version anew before they make something new. Reviewers and admins accept nothing after they came
in: an artist's work does not wait because a reviewer has a text to read.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import audit, notices, refusals
from gateway.actors import Actor
from gateway.models import Rate, Terms, TermsAcceptance, User
from gateway.models.base import new_id
from gateway.prepared import Statement


@dataclass(frozen=True)
class Price:
    """A line of a rate card to be."""

    kind: str
    words: str
    cents: int


def current() -> Terms | None:
    """The latest version in force; None while the program has none."""
    return Terms.objects.filter(in_force_at__lte=Now()).order_by("-version").first()


def announced() -> Terms | None:
    """The latest version that is published and not in force yet, if there is one."""
    return Terms.objects.filter(in_force_at__gt=Now()).order_by("-version").first()


def read(version: int) -> Terms:
    """That version, however old. Raises NotFound."""
    found = Terms.objects.filter(version=version).first()
    if found is None:
        raise refusals.NotFound
    return found


def due(by: Actor) -> Terms | None:
    """The version in force, when `by` is a member who has not accepted it, or the guest of one: one query."""
    if by.membership is None:
        return None
    in_force = IN_FORCE.first(by.membership.user_id)
    return None if in_force is None or in_force.accepted else in_force  # type: ignore[attr-defined]


def _in_force(user: UUID) -> QuerySet[Terms]:
    """The version in force, and whether this person has accepted it."""
    mine = TermsAcceptance.objects.filter(terms=OuterRef("pk"), user=user)
    return Terms.objects.filter(in_force_at__lte=Now()).annotate(accepted=Exists(mine)).order_by("-version")[:1]


IN_FORCE = Statement(_in_force, UUID)


def must_have_accepted(by: Actor) -> None:
    """Raises TermsNotAccepted for a member who has not accepted the version in force."""
    if (missing := due(by)) is not None:
        raise refusals.TermsNotAccepted(version=missing.version)


def accepted(user: User) -> Terms | None:
    """The latest version in force that this person has accepted: the one that holds for them."""
    return Terms.objects.filter(acceptances__user=user, in_force_at__lte=Now()).order_by("-version").first()


def accept(terms: Terms, user: User, *, by: Actor) -> None:
    """Record that `user` accepts this version, the one in force or the one announced. Twice is no error.

    Raises OnlyInPerson for a token, which can't agree for its owner, and for anybody else; OutdatedTerms.
    """
    if by.token is not None or by.impersonation is not None or by.user != user:
        raise refusals.OnlyInPerson
    in_force = current()
    if in_force is not None and terms.version < in_force.version:
        raise refusals.OutdatedTerms(asked=terms.version, version=in_force.version, param="version")
    with atomic():
        _, made = TermsAcceptance.objects.get_or_create(terms=terms, user=user)
        if made:
            audit.record("terms.accepted", by=by, subject=terms, facts={"version": terms.version})


def publish(
    *,
    by: Actor,
    after: int,
    body: str,
    rates: Iterable[Price],
    currency: str = "EUR",
    in_force_at: datetime | None = None,
) -> Terms:
    """Publish the version that follows `after`, with its rate card, in force at once or from then on; tell the members.

    Raises AdminsOnly, TermsChanged when somebody else has published a version meanwhile, TermsBackdated.
    """
    if by.kind != "system":
        by.must_be_admin()
    when = {} if in_force_at is None else {"in_force_at": in_force_at}
    try:
        with atomic():
            latest = Terms.objects.order_by("-version").values_list("version", flat=True).first() or 0
            if latest != after:
                raise refusals.TermsChanged(version=latest)
            made = Terms.objects.create(version=after + 1, body=body.strip(), currency=currency, **when)
            card = [Rate(id=new_id(), terms=made, kind=r.kind, words=r.words, cents=r.cents) for r in rates]
            Rate.objects.bulk_create(card)
            facts = {"version": made.version, "currency": currency, "rates": {rate.kind: rate.cents for rate in card}}
            audit.record("terms.published", by=by, subject=made, facts=facts)
            if by.kind != "system":  # which founds a program, when there is nobody to tell
                _tell(made)
    except IntegrityError as error:
        if "terms_are_never_backdated" in str(error):
            raise refusals.TermsBackdated(param="from_day") from None
        if "gateway_terms_version" in str(error):
            raise refusals.TermsChanged(version=after + 1) from None
        raise
    return made


def card_changes(old: Iterable[Rate], new: Iterable[Rate]) -> list[tuple[Rate | None, Rate | None]]:
    """Each kind that is on either card: its rate before, and its rate now."""
    before, now = ({rate.kind: rate for rate in card} for card in (old, new))
    return [(before.get(kind), now.get(kind)) for kind in Rate.KINDS if kind in before or kind in now]


def _tell(made: Terms) -> None:
    notices.tell_members(
        f"New terms: version {made.version}",
        f"Version {made.version} of the program's terms is in force from {made.in_force_at:%-d %B %Y} on. Read "
        "what has changed, and accept it before you make something new. Whatever you have stays open to you meanwhile: "
        "to see, download, withdraw, export and appeal.",
        path="/terms/accept",
    )
