"""An artist lays a work before the reviewers, sends a new version, or takes it back."""

from datetime import timedelta

from django.db import IntegrityError
from django.db.transaction import atomic
from django.utils import timezone

from gateway import audit, brakes, refusals, states, terms
from gateway.actors import Actor
from gateway.models import Membership
from generation.models import Generation, Output
from review import policies, publishing
from review.models import Publication, Revision, Submission


def submit(
    generation: Generation, *, by: Actor, title: str, credit: str, licence: str, description: str = ""
) -> Submission:
    """Ask whether this work may become public, under this credit and licence; an answer is due in the cohort's hours.

    Raises NotFound for somebody else's, Suspended, TermsNotAccepted, Braked, MissingScope, NothingToSubmit, OnlyATest,
    AlreadySubmitted.
    """
    membership = _owner(generation.membership, by)
    video = _video(generation)
    try:
        with atomic():
            # First what there is of this work, as everywhere: an undo that began in time is waited for.
            list(Submission.objects.select_for_update().filter(generation=generation).order_by("pk"))
            submission = Submission.objects.create(
                membership=membership,
                generation=generation,
                due_at=timezone.now() + timedelta(hours=membership.cohort.review_hours),
                second=policies.second_look(generation, policies.of(membership.cohort)),
            )
            revision = _revise(
                submission, video, number=1, title=title, credit=credit, licence=licence, description=description
            )
            submission.current = revision
            submission.save(update_fields=["current"])
            _record(submission, revision, by)
            # After the insert, which has waited for a reviewer who is rejecting it at this moment.
            if Submission.objects.filter(generation=generation).undecided().exclude(pk=submission.pk).exists():
                raise refusals.AlreadySubmitted
    except IntegrityError as error:
        if "one_live_submission_a_work" in str(error):
            raise refusals.AlreadySubmitted from None
        raise
    return submission


def resubmit(
    submission: Submission,
    *,
    by: Actor,
    title: str,
    credit: str,
    licence: str,
    description: str = "",
    generation: Generation | None = None,
) -> Submission:
    """Answer a request for changes with a new revision: other words, or another clip (`generation`) of the artist's.

    An appeal that is open ends with it.
    Raises NotFound, Suspended, TermsNotAccepted, MissingScope, NothingToSubmit, OnlyATest, WrongState, AnswerComing.
    """
    membership = _owner(submission.membership, by)
    if generation is not None:
        _owner(generation.membership, by)
    video = _video(generation or submission.generation)
    with atomic():
        locked = Submission.objects.select_for_update().get(pk=submission.pk)
        seen = Submission.objects.listed().get(pk=submission.pk)
        if seen.shown_state != "changes_requested":
            locked.state = seen.shown_state  # what the artist knows
            raise refusals.WrongState(locked, "submitted")
        number = locked.revisions.count() + 1
        revision = _revise(
            locked, video, number=number, title=title, credit=credit, licence=licence, description=description
        )
        if Submission.objects.undecided().filter(pk=locked.pk).exists():
            raise refusals.AnswerComing  # an appeal was heard a moment ago, and that can still be undone
        publishing.end_appeal(submission, by=by)
        states.move(
            submission,
            "submitted",
            by=by,
            current=revision,
            due_at=timezone.now() + timedelta(hours=membership.cohort.review_hours),
            overdue_at=None,
            second=policies.second_look(revision.output.generation, policies.of(membership.cohort)),
            **publishing.UNHELD,
            facts={"revision": number, "sha256": revision.sha256},
        )
    return submission


def withdraw(submission: Submission, *, by: Actor) -> None:
    """Take it back, at any point; what was published of it becomes a tombstone at once. Never refused for a state
    but `withdrawn`.

    Raises NotFound for somebody else's, MissingScope, WrongState.
    """
    by.must_have("submit")
    if by.user is None or submission.membership.user_id != by.user.pk:
        raise refusals.NotFound
    with atomic():
        Submission.objects.select_for_update().get(pk=submission.pk)
        shown = Publication.objects.filter(submission=submission, state__in=["published", "taken_down"]).first()
        if shown is not None:
            publishing.end(shown, "withdrawn", by=by)
        publishing.end_appeal(submission, by=by)
        states.move(submission, "withdrawn", by=by, **publishing.UNHELD)
        publishing.tell("withdrawn", submission)


def _owner(membership: Membership, by: Actor) -> Membership:
    by.must_have("submit")
    if by.user is None or membership.user_id != by.user.pk:
        raise refusals.NotFound
    brakes.must_be_free(by)
    member = by.must_be_member()
    terms.must_have_accepted(by)
    return member


def _video(generation: Generation) -> Output:
    video = generation.outputs.filter(kind="video").first()
    if generation.state != "completed" or video is None:
        raise refusals.NothingToSubmit(state=generation.state.replace("_", " "))
    if generation.test:
        raise refusals.OnlyATest
    return video


def _revise(
    submission: Submission, video: Output, *, number: int, title: str, credit: str, licence: str, description: str
) -> Revision:
    try:
        return Revision.objects.create(
            submission=submission,
            number=number,
            output=video,
            sha256=video.sha256,
            title=" ".join(title.split()),
            credit=" ".join(credit.split()),
            licence=licence,
            description=description.strip(),
        )
    except IntegrityError as error:
        if "a deleted work" in str(error):  # at this moment
            raise refusals.NotFound from None
        raise


def _record(submission: Submission, revision: Revision, by: Actor) -> None:
    audit.record(
        "submission.submitted",
        by=by,
        subject=submission,
        facts={"revision": revision.number, "sha256": revision.sha256},
        detail={"title": revision.title, "credit": revision.credit, "licence": revision.licence},
    )
