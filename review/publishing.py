"""What is public, and why: the artist signs one approved revision, and may withdraw it at any time."""

from django.db import IntegrityError
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import audit, brakes, refusals, states, terms
from gateway.actors import Actor
from review.models import Publication, SignOff, Submission


def sign_off(submission: Submission, *, by: Actor, revision: int, name: str) -> Publication:
    """Bon à tirer: the artist signs revision number `revision` with `name`, and with that it is public.

    Raises NotFound for somebody else's, Suspended, TermsNotAccepted, Braked, NotSignedOff without a name, NotApproved,
    OutdatedRevision, MissingScope. A second signature answers with the publication that the first one made.
    """
    by.must_have("publish")
    if by.user is None or submission.membership.user_id != by.user.pk:
        raise refusals.NotFound
    by.must_be_member()
    terms.must_have_accepted(by)
    brakes.must_be_free(by)
    if not name.strip():
        raise refusals.NotSignedOff(param="name")
    with atomic():
        locked = Submission.objects.select_for_update().select_related(None).get(pk=submission.pk)
        if existing := Publication.objects.filter(submission=locked, state="published").first():
            return existing
        current = locked.must_have_revision()
        _must_be_approved(locked)
        if current.number != revision:
            raise refusals.OutdatedRevision(asked=revision, current=current.number, param="revision")
        try:
            signature = SignOff.objects.create(revision=current, user=by.user, name=name.strip())
            audit.record(
                "sign_off.signed",
                by=by,
                subject=signature,
                facts={"revision": current.pk, "sha256": current.sha256},
                detail={"name": signature.name},
            )
            publication = Publication.objects.create(submission=locked, revision=current)
        except IntegrityError as error:  # the trigger's word: what was approved a moment ago is not any more
            raise refusals.NotApproved(state="not approved any more") from error
        audit.record("publication.published", by=by, subject=publication, facts={"revision": current.pk})
    return publication


def withdraw(publication: Publication, *, by: Actor) -> None:
    """The artist takes a work back from the public: its page is a tombstone from this moment on.

    The submission goes with it: to show the work again it is submitted again.
    Raises NotFound, MissingScope, WrongState.
    """
    by.must_have("publish")
    if by.user is None or publication.submission.membership.user_id != by.user.pk:
        raise refusals.NotFound
    with atomic():
        # The submission first, as everywhere: two doors that lock in different orders would wait for each other.
        Submission.objects.select_for_update().get(pk=publication.submission_id)
        end(publication, "withdrawn", by=by)
        states.move(publication.submission, "withdrawn", by=by, holder=None, lease_until=None)


def end(publication: Publication, to: str, *, by: Actor, reason: str = "") -> None:
    """Take it off every public door, now. Raises WrongState when it is not public."""
    states.move(publication, to, by=by, ended_at=Now(), reason=reason)


def _must_be_approved(submission: Submission) -> None:
    """Of a decision that can still be undone, and of who asked a colleague, the artist learns nothing here either."""
    seen = Submission.objects.listed().get(pk=submission.pk)
    if seen.shown_state != "approved" or seen.verdict is None:
        raise refusals.NotApproved(state=seen.shown_state.replace("_", " "))
