"""What is public, and why: the artist signs one approved revision, and may withdraw it at any time.

The operator may take a work down, which owes the artist what a rejection does; an appeal may bring it back.
"""

from typing import Any

from django.db import IntegrityError
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import audit, brakes, refusals, states, terms, webhooks
from gateway.actors import Actor
from review.models import Appeal, Clause, Decision, Publication, SignOff, Submission
from review.reasons import Reasons, clauses_of

UNHELD: dict[str, Any] = {"hearing": False, "holder": None, "lease_until": None, "renewals": 0}


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
        _tell("publication.published", publication)
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
        end_appeal(publication.submission, by=by)
        states.move(publication.submission, "withdrawn", by=by, **UNHELD)
        tell("withdrawn", publication.submission)


def end_appeal(submission: Submission, *, by: Actor) -> None:
    """What goes on without the answer to its appeal needs none any more."""
    for appeal in Appeal.objects.filter(decision__revision__submission=submission, state="open"):
        states.move(appeal, "withdrawn", by=by)


def take_down(publication: Publication, *, by: Actor, reasons: Reasons, note: str = "") -> Decision:
    """The operator takes a work off the public, now. The artist gets the letter, and may appeal.

    Raises AdminsOnly, ReasonsMissing, UnknownClause, WrongState when it is not public.
    """
    admin = by.must_be_admin()
    reasons.must_be_whole(publication.revision.output.seconds)
    with atomic():
        submission = Submission.objects.select_for_update().get(pk=publication.submission_id)
        if publication.submission.membership.user_id == admin.pk:
            raise refusals.OwnWork
        if not Publication.objects.filter(pk=publication.pk, state="published").exists():
            publication.refresh_from_db()
            raise refusals.WrongState(publication, "taken_down")
        decision = Decision.objects.create(
            revision=publication.revision,
            reviewer=admin,
            verdict="take_down",
            role="take_down",
            decides=False,
            clauses=list(reasons.clauses),
            facts=reasons.facts.strip(),
            from_seconds=reasons.from_seconds,
            to_seconds=reasons.to_seconds,
            region=reasons.region.strip(),
            note=note.strip(),
            state_before=submission.state,
            state_after=submission.state,
            effective_at=Now(),
        )
        decision.refresh_from_db(fields=["effective_at"])
        end(publication, "taken_down", by=by, reason=decision.facts)
        record(decision, by=by)
    return decision


def taken_down_under(publication: Publication) -> list[Clause]:
    """The clauses under which a work was taken down; none of a work that was not."""
    if publication.state != "taken_down":
        return []
    named = Decision.objects.filter(revision=publication.revision_id, role="take_down").order_by("-id").first()
    return clauses_of(named) if named else []


def restore(publication: Publication, *, by: Actor) -> None:
    """Back to the public, as its artist had signed it: an appeal has overturned the take-down. Raises WrongState."""
    with atomic():
        states.move(publication, "published", by=by, ended_at=None, reason="")
        _tell("publication.published", publication)


def tell(what: str, submission: Submission) -> None:
    """Tell its artist's programs what became of it: `submission.` and `what`, in the transaction in which it did."""
    webhooks.happened(f"submission.{what}", f"submission_{submission.pk.hex}", user=submission.membership.user_id)


def record(decision: Decision, *, by: Actor) -> None:
    """Write a new decision into the log, with its reasons beside the entry."""
    audit.record(
        f"decision.{decision.verdict}",
        by=by,
        subject=decision,
        facts={
            "submission": decision.revision.submission_id,
            "revision": decision.revision_id,
            "role": decision.role,
            "clauses": decision.clauses,
        },
        detail={"facts": decision.facts, "note": decision.note} if decision.facts or decision.note else None,
    )


def end(publication: Publication, to: str, *, by: Actor, reason: str = "") -> None:
    """Take it off every public door, now. Raises WrongState when it is not public."""
    with atomic():
        states.move(publication, to, by=by, ended_at=Now(), reason=reason)
        _tell(f"publication.{to}", publication)


def _tell(event_type: str, publication: Publication) -> None:
    artist = publication.submission.membership.user_id
    webhooks.happened(event_type, f"publication_{publication.pk.hex}", user=artist)


def _must_be_approved(submission: Submission) -> None:
    """Of a decision that can still be undone, and of who asked a colleague, the artist learns nothing here either."""
    seen = Submission.objects.listed().get(pk=submission.pk)
    if seen.shown_state != "approved" or seen.verdict is None:
        raise refusals.NotApproved(state=seen.shown_state.replace("_", " "))
