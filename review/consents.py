"""What artists allow, for works that may be public: given and taken back here, obeyed by every public door."""

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from django.db.models import Exists, OuterRef
from django.db.transaction import atomic

from gateway import consents, refusals
from gateway.actors import Actor
from gateway.consents import Answers
from gateway.models import Consent
from generation.models import Generation
from review.models import Publication


def give(purpose: str, *, by: Actor, work: Generation | None = None, expires_at: datetime | None = None) -> Consent:
    """Allow a use of all one's works, or of one. Raises NotFound for somebody else's, and what consents.grant does."""
    return consents.grant(purpose, by=by, work=_own(work, by), expires_at=expires_at)


def take_back(purpose: str, *, by: Actor, work: Generation | None = None) -> Consent:
    """Take it back; the receipt counts the public works for which the use stops, and those whose own yes keeps it.

    Raises NotFound for somebody else's, and what consents.revoke does.
    """
    about = _own(work, by)
    with atomic():
        return consents.revoke(purpose, by=by, work=about, reach=_reach(purpose, by, about))


def of(publication: Publication) -> frozenset[str]:
    """The purposes that are allowed for a published work: for its clip too, when that came from another one's page."""
    works = _works(publication)
    return consents.given(publication.submission.membership.user, *works)


def of_each(publications: Iterable[Publication]) -> dict[UUID, frozenset[str]]:
    """The purposes that are allowed for each of these published works, by its id: one query for them all."""
    rows = list(publications)
    said = consents.answers_of({row.submission.membership.user_id for row in rows})
    return {row.pk: said[row.submission.membership.user_id].given(*_works(row)) for row in rows}


def open_to_training() -> list[Publication]:
    """The public works whose artists allow to train models on them."""
    said_so = Consent.objects.filter(user=OuterRef("submission__membership__user"), purpose="train", answer="given")
    rows = list(Publication.objects.public().filter(Exists(said_so)).listed().order_by("id"))
    allowed = of_each(rows)
    return [row for row in rows if "train" in allowed[row.pk]]


def robots(publication: Publication, allowed: frozenset[str]) -> str:
    """What its page and files tell machines: not to learn from it, unless its artist allows that."""
    smoke = ["noindex"] if publication.submission.membership.cohort.smoke else []
    return ", ".join([*smoke, *([] if "train" in allowed else ["noai", "noimageai"])])


def _reach(purpose: str, by: Actor, work: UUID | None) -> dict[str, int]:
    if by.user is None:
        return {}
    public = Publication.objects.public().filter(submission__membership__user=by.user).listed()
    before = consents.answers(by.user)
    after = before.without(purpose, work)
    shown = [_works(row) for row in public]

    def allowed(answers: Answers) -> int:
        return sum(purpose in answers.given(*works) for works in shown)

    return {"stopped": allowed(before) - allowed(after), "kept": allowed(after)}


def _works(publication: Publication) -> tuple[UUID, ...]:
    return tuple({publication.submission.generation_id, publication.revision.output.generation_id})


def _own(work: Generation | None, by: Actor) -> UUID | None:
    if work is None:
        return None
    if by.user is None or work.membership.user_id != by.user.pk:
        raise refusals.NotFound
    return work.pk
