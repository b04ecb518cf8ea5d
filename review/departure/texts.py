"""Which columns hold what somebody wrote or is known by, whose they are, and what is left in them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from django.contrib.postgres.fields import ArrayField
from django.db.models import Case, JSONField, Model, Q, QuerySet, Value, When

from gateway.models import (
    AccessRequest,
    Allowance,
    Brake,
    Consent,
    Contribution,
    Departure,
    Export,
    GuestPass,
    Impersonation,
    Invitation,
    LedgerEntry,
    Membership,
    MembershipChange,
    Sighting,
    Token,
    User,
    WebhookEndpoint,
)
from gateway.triggers import ERASED
from generation.models import Generation, Output
from review.models import Appeal, Conflict, Decision, Opening, Publication, Revision, Signal, SignOff, Submission

Whose = Callable[[User], Q]


@dataclass(frozen=True)
class Texts:
    """One table: which rows are somebody's, and which of its columns are erased. No columns: only the log's details."""

    model: type[Model]
    whose: Whose
    columns: tuple[str, ...] = ()
    public: str = ""  # by which lookup a row belongs to a publication that stays on view with its words

    def rows(self, user: User) -> QuerySet[Any]:
        """All of theirs."""
        return self.model._default_manager.filter(self.whose(user))

    def written(self, user: User, shown: Iterable[UUID] = ()) -> QuerySet[Any]:
        """Those with something left to erase; what is `shown` keeps its words."""
        left = Q()
        for column in self.columns:
            left |= ~Q(**_nothing(self.model._meta.get_field(column)))
        rows = self.rows(user).filter(left) if self.columns else self.rows(user).none()
        return rows.exclude(**{f"{self.public}__in": list(shown)}) if self.public and shown else rows

    def erased(self) -> dict[str, Any]:
        """What is written instead: nothing where there was nothing, else a word that says so."""
        return {column: _instead(self.model._meta.get_field(column)) for column in self.columns}


def _empty(field: Any) -> Any:
    """What a column holds that says nothing."""
    if field.null:
        return None
    if isinstance(field, ArrayField):
        return []
    return {} if isinstance(field, JSONField) else ""


def _nothing(field: Any) -> dict[str, Any]:
    if field.null:
        return {f"{field.name}__isnull": True}
    if isinstance(field, (ArrayField, JSONField)):
        return {field.name: _empty(field)}
    return {f"{field.name}__in": ["", ERASED]}


def _instead(field: Any) -> Any:
    if field.null or isinstance(field, (ArrayField, JSONField)):
        return _empty(field)
    return Case(When(**{field.name: ""}, then=Value("")), default=Value(ERASED))


def _by(lookup: str) -> Whose:
    return lambda user: Q(**{lookup: user})


def _addressed(user: User, **further: Any) -> Q:
    found = Q(email__iexact=user.email) | Q(email__in=EmailAddress.objects.filter(user=user).values("email"))
    for lookup, value in further.items():
        found |= Q(**{lookup: value})
    return found


def _brakes(user: User) -> Q:
    shown = Publication.objects.filter(submission__membership__user=user)
    return (
        Q(scope="artist", target=user.pk)
        | Q(scope="token", target__in=Token.objects.filter(user=user).values("pk"))
        | Q(scope="guest_pass", target__in=GuestPass.objects.filter(membership__user=user).values("pk"))
        | Q(scope="publication", target__in=shown.values("pk"))
        | Q(pk__in=Sighting.objects.filter(owner=user, brake__isnull=False).values("brake"))
    )


#: Every table with rows of a person's, in the order in which they are gone through. What they keep, and why: `stays`.
TABLES = (
    Texts(User, lambda user: Q(pk=user.pk)),  # erased last, and by itself: see departure.finish
    Texts(Membership, _by("user")),
    Texts(MembershipChange, _by("membership__user"), ("reason",)),
    Texts(Invitation, lambda user: _addressed(user, accepted_by=user), ("email", "note")),
    Texts(
        AccessRequest,
        lambda user: _addressed(user, membership__user=user, invitation__accepted_by=user),
        ("email", "name", "links", "words", "reason"),
    ),
    Texts(Token, _by("user"), ("label", "networks", "last_address", "last_use")),
    Texts(GuestPass, _by("membership__user"), ("label",)),
    Texts(WebhookEndpoint, _by("user"), ("name", "reason")),  # its address and secrets: see departure.begin
    Texts(Allowance, _by("membership__user")),
    Texts(LedgerEntry, _by("allowance__membership__user"), ("reason",)),
    Texts(Contribution, _by("user"), ("title", "body", "reason", "dispute", "answer")),
    Texts(Consent, _by("user")),
    Texts(Brake, _brakes, ("label", "reason", "why_released")),
    Texts(Sighting, _by("owner"), ("label", "seen", "explanation", "answer")),
    Texts(Impersonation, _by("artist"), ("reason",)),
    Texts(Export, _by("user")),
    Texts(Departure, _by("user")),
    Texts(Generation, _by("membership__user")),  # with its files: see departure.works
    Texts(Output, _by("generation__membership__user")),
    Texts(Opening, _by("generation__membership__user"), ("reason",)),
    Texts(Submission, _by("membership__user")),
    Texts(Revision, _by("submission__membership__user"), ("title", "credit", "description"), public="publication"),
    Texts(SignOff, _by("user"), ("name",), public="revision__publication"),
    Texts(Decision, _by("revision__submission__membership__user"), ("facts", "region", "note")),
    Texts(Appeal, _by("decision__revision__submission__membership__user"), ("words",)),
    Texts(Signal, _by("screening__output__generation__membership__user"), ("evidence",)),
    Texts(Publication, _by("submission__membership__user"), ("reason",)),
    Texts(Conflict, lambda user: _addressed(user, artist=user, named_by=user), ("email",)),
)
