"""What artists allow their works to be used for: per purpose, nothing unless they say so, revocable at any moment.

A work's own answer beats the answer for all works, in either direction; without one of its own it follows that. An
answer that has run out is none. There is no cache: a revocation holds for the next question.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError
from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import audit, refusals
from gateway.actors import Actor
from gateway.models import Consent, User


@dataclass(frozen=True)
class Purpose:
    """A use, its wordings (the last one is asked for today), and what a revocation stops."""

    name: str
    title: str
    texts: tuple[str, ...]
    stops: tuple[str, ...]

    @property
    def version(self) -> int:
        """Of today's wording."""
        return len(self.texts)

    @property
    def text(self) -> str:
        """Today's wording."""
        return self.texts[-1]


#: A wording that somebody agreed to stays here for ever; a new one is added behind it.
PURPOSES = {
    purpose.name: purpose
    for purpose in (
        Purpose(
            "promote",
            "To make the program known",
            (
                "The program may show what I have published, whole or in part and with my credit line, to make itself "
                "known: on its own pages, in its letters, in talks and to the press.",
            ),
            ("Showing it in announcements, letters, talks and material for the press from now on.",),
        ),
        Purpose(
            "train",
            "To train models",
            (
                "My clips and their prompts may be used to train, tune or measure generative models. What a model has "
                "learned can't be taken out of it again; taking this back ends every further use.",
            ),
            (
                "Taking it into any further training, tuning or measuring of models.",
                "From the next request on, the public page and its files say noai and noimageai again.",
            ),
        ),
        Purpose(
            "exhibit",
            "To exhibit",
            (
                "The program may show what I have published, with my credit line, in exhibitions and screenings that "
                "it organises or takes part in. I hear of each one beforehand.",
            ),
            ("Including it in any further exhibition or screening.",),
        ),
        Purpose(
            "study",
            "To find faults, and for research",
            (
                "People of the program and researchers who work with it may look at my clips, prompts and settings to "
                "find faults and to study how the models behave. Nothing of it is published without asking me.",
            ),
            ("Looking at clips, prompts and settings for faults and research from now on.",),
        ),
    )
}


@dataclass(frozen=True)
class Answers:
    """A person's latest answers that have not run out, by work (None: all works) and purpose."""

    latest: Mapping[tuple[UUID | None, str], Consent]

    def of(self, purpose: str, work: UUID | None = None) -> Consent | None:
        """The answer that holds for a work, its own or the one for all."""
        return self.latest.get((work, purpose)) or self.latest.get((None, purpose))

    def given(self, *works: UUID) -> frozenset[str]:
        """The purposes that are allowed for every one of `works`, or for all works when none is named."""
        asked = works or (None,)
        return frozenset(
            purpose
            for purpose in PURPOSES
            if all((row := self.of(purpose, work)) is not None and row.answer == "given" for work in asked)
        )

    def without(self, purpose: str, work: UUID | None) -> "Answers":
        """What they would be if that were taken back."""
        return replace(self, latest={**self.latest, (work, purpose): Consent(purpose=purpose, answer="revoked")})


def answers(user: User, *works: UUID) -> Answers:
    """All answers of a person, or those that matter for `works`: one query."""
    rows = Consent.objects.filter(user=user)
    if works:
        rows = rows.filter(Q(work__isnull=True) | Q(work__in=works))
    return Answers({(row.work, row.purpose): row for row in _latest(rows)})


def answers_of(users: Iterable[UUID]) -> dict[UUID, Answers]:
    """All answers of each of these people, by their ids: one query for them all."""
    latest: dict[UUID, dict[tuple[UUID | None, str], Consent]] = {pk: {} for pk in users}
    for row in _latest(Consent.objects.filter(user__in=latest)):
        latest[row.user_id][row.work, row.purpose] = row
    return {pk: Answers(rows) for pk, rows in latest.items()}


def _latest(rows: QuerySet[Consent]) -> list[Consent]:
    """The last answer of each person to each question, unless it has run out."""
    over = ExpressionWrapper(Q(expires_at__lte=Now()), output_field=BooleanField(null=True))
    question = ("user", "work", "purpose")
    latest = rows.annotate(over=over).order_by(*question, "-created_at", "-id").distinct(*question)
    return [row for row in latest if not row.over]


def given(user: User, *works: UUID) -> frozenset[str]:
    """The purposes in force for every one of `works`, or for all works when none is named."""
    return answers(user, *works).given(*works)


def grant(purpose: str, *, by: Actor, work: UUID | None = None, expires_at: datetime | None = None) -> Consent:
    """`by` allows this use of `work`, or of all their works. Again, in the same words, is no new row.

    Raises SignInFirst, MissingScope, UnknownPurpose, EndsInThePast.
    """
    asked, user = _asked(purpose, by)
    try:
        with atomic():
            _one_at_a_time(user)
            now = answers(user).latest.get((work, purpose))
            same = (now.answer, now.text_version, now.expires_at) if now else None
            if now is not None and same == ("given", asked.version, expires_at):
                return now
            row = Consent.objects.create(
                user=user,
                work=work,
                purpose=purpose,
                answer="given",
                text_version=asked.version,
                expires_at=expires_at,
            )
            facts = {"purpose": purpose, "text": asked.version, **({"work": work} if work else {})}
            audit.record("consent.given", by=by, subject=row, facts=facts)
    except IntegrityError as error:
        if "a_consent_ends_after_it_began" in str(error):
            raise refusals.EndsInThePast(param="expires_at") from None
        raise
    return row


def revoke(purpose: str, *, by: Actor, work: UUID | None = None, reach: Mapping[str, int] | None = None) -> Consent:
    """`by` takes it back, for all works or for `work` (for which it also keeps a later yes to all works away).

    Returns the receipt; `reach` counts what stands downstream and stops. Twice answers with the first receipt.
    Raises SignInFirst, MissingScope, UnknownPurpose, NothingToTakeBack.
    """
    asked, user = _asked(purpose, by)
    with atomic():
        _one_at_a_time(user)
        now = answers(user).latest.get((work, purpose))
        if now is not None and now.answer == "revoked":
            return now
        if now is None and work is None:
            raise refusals.NothingToTakeBack
        row = Consent.objects.create(
            user=user,
            work=work,
            purpose=purpose,
            answer="revoked",
            text_version=now.text_version if now else asked.version,
            reach=dict(reach or {}),
        )
        facts = {"purpose": purpose, "text": row.text_version, **row.reach, **({"work": work} if work else {})}
        audit.record("consent.revoked", by=by, subject=row, facts=facts)
    return row


def _asked(purpose: str, by: Actor) -> tuple[Purpose, User]:
    if by.user is None:
        raise refusals.SignInFirst
    by.must_have("publish")
    if purpose not in PURPOSES:
        raise refusals.UnknownPurpose(purpose=purpose, purposes=", ".join(PURPOSES), param="purpose")
    return PURPOSES[purpose], by.user


def _one_at_a_time(user: User) -> None:
    """A person's answers follow one another, so that the latest row is the one that was said last."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
