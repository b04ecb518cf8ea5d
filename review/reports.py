"""Anybody can report a published work, in words, and gets an answer with its reasons (after Art. 16 of the EU's DSA).

A person decides, never a machine. Upheld, the work is taken down, and its artist gets the letter and the appeal of any
refusal, but never learns who reported it. Declined, the reporter may ask once that somebody else looks again.
"""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.utils.crypto import salted_hmac

from gateway import actors, addresses, audit, keys, limits, notices, refusals, states
from gateway.actors import Actor
from gateway.models import Notice
from review import publishing, reasons
from review.models import Clause, Decision, Publication, Report
from review.reasons import Reasons

AN_HOUR = 5  # reports from one place
A_WORK = 3  # waiting reports about one work from one place
A_DAY = 5  # letters of receipt to one address
KEPT = timedelta(days=183)  # after the last answer: as long as one may ask for another
SUBJECT = "Your report about"  # what each letter to a reporter begins with


def file(
    publication: Publication,
    *,
    by: Actor,
    sender: str,
    words: str,
    good_faith: bool,
    clause: Clause | None = None,
    name: str = "",
    email: str = "",
) -> tuple[Report, str]:
    """Report a work that is on view; return the report and the secret of its page. `sender` is from where it came.

    Who gives an address is written to at once. Raises WordsMissing, GoodFaithMissing, UnknownClause, ReportedTooOften,
    ReportedAlready, NotShownNow, GoneByItsArtist, TakenDown; then nothing was kept.
    """
    words = words.strip()
    if not words:
        raise refusals.WordsMissing(what="why the work should not be public", param="words")
    if not good_faith:
        raise refusals.GoodFaithMissing(param="good_faith")
    if clause is not None and clause.retired_at is not None:
        raise refusals.UnknownClause(param="clause")
    if limits.too_often("report", sender, an_hour=AN_HOUR):
        raise refusals.ReportedTooOften(retry_after=3600)
    email, mark, secret = email.strip().lower(), _mark(sender), keys.make("report")
    with atomic():
        # The work's row is held: its withdrawal waits, and so does the next report from the same place.
        locked = Publication.objects.select_for_update(no_key=True, of=("self",)).get(pk=publication.pk)
        _must_be_on_view(locked)
        waiting = Report.objects.waiting().filter(publication=locked)
        if waiting.filter(Q(sender=mark) | Q(email=email) & ~Q(email="")).count() >= A_WORK:
            raise refusals.ReportedAlready(most=A_WORK)
        if email and Report.objects.filter(email=email, created_at__gt=Now() - timedelta(days=1)).count() >= A_DAY:
            raise refusals.ReportedTooOften
        first = not Report.objects.waiting().exists()
        made = Report.objects.create(
            publication=locked,
            clause=clause,
            words=words,
            good_faith=True,
            name=" ".join(name.split()),
            email=email,
            sender=mark,
            digest=keys.digest(secret),
            due_at=Now() + timedelta(hours=settings.REPORT_HOURS),
        )
        made.refresh_from_db(fields=["due_at", "created_at"])
        facts = {"publication": locked.pk, **({"clause": clause.number} if clause else {})}
        audit.record("report.filed", by=by, subject=made, facts=facts)
        _write(
            made,
            "is here",
            f"A person reads it and decides, no machine. The answer, with its reasons, is due by {_when(made)}.\n\n"
            "The link below leads to the page of your report: there the answer will stand, and until it comes you can "
            "take the report back. It is for you alone; the artist never learns who reported their work.",
            path=f"/reports/{secret}",
        )
        if first:  # the others are seen with it
            notices.tell_admins("A work was reported", f"The answer is due by {_when(made)}.", path="/program/reports")
    return made, secret


def find(secret: str) -> Report:
    """The report whose page this link opens. Raises NotFound."""
    found = None
    if keys.well_formed(secret, "report"):
        found = Report.objects.listed().filter(digest=keys.digest(secret)).first()
    if found is None:
        raise refusals.NotFound
    return found


def withdraw(report: Report, *, by: Actor) -> None:
    """Take a report back before it is answered: who holds its link may. Raises WrongState."""
    states.move(report, "withdrawn", by=by, closed_at=Now())


def decline(report: Report, *, by: Actor, reason: str) -> None:
    """The work stays public, for this reason, which the reporter is told with what they can do about it.

    Of a report that was disputed this is the second answer, by somebody else, and the last one.
    Raises AdminsOnly, OwnWork, NotYoursToHear, ReasonNeeded, WrongState.
    """
    admin = _must_be_impartial(report, by)
    reason = reason.strip()
    if not reason:
        raise refusals.ReasonNeeded(param="reason")
    with atomic():
        if report.state == "disputed":
            told = {"heard_by": admin, "finding": reason, "closed_at": Now()}
            states.move(report, "confirmed", by=by, when=~Q(answered_by=admin), **told)
            _write(
                report,
                "was looked at again",
                f"Somebody else has looked at it again, and the answer stands: the work stays public.\n\n{reason}\n\n"
                f"{_redress()}",
            )
            return
        told = {"answered_by": admin, "answered_at": Now(), "reason": reason, "closed_at": Now()}
        states.move(report, "declined", by=by, **told)
        _write(
            report,
            "is answered",
            f"The work stays public, for this reason:\n\n{reason}\n\n"
            "If you think that this is wrong, you can ask within six months that somebody else looks at it again, free "
            f"of charge: on the page of your report, whose link is in the letter of {report.created_at:%-d %B %Y}. "
            f"{_redress()}",
        )


def uphold(report: Report, *, by: Actor, reasons: Reasons, note: str = "") -> Decision:
    """The reporter is right: the work is taken down, and its artist gets the letter with `reasons`.

    Raises what publishing.take_down does, NotYoursToHear, WrongState; then the work stays as it was.
    """
    admin = _must_be_impartial(report, by)
    with atomic():
        decision = publishing.take_down(report.publication, by=by, reasons=reasons, note=note)
        told: dict[str, Any] = {"decision": decision, "closed_at": Now()}
        told |= {"heard_by": admin} if report.state == "disputed" else {"answered_by": admin, "answered_at": Now()}
        states.move(report, "upheld", by=by, when=Q(state=report.state), **told)
        _write(
            report,
            "was right",
            f"The work is not public any more: we took it down under {_named(decision)}. Its artist was told why, not "
            "who reported it, and can appeal; should that bring it back, the page of your report says so.",
        )
    return decision


def dispute(report: Report, *, by: Actor, words: str) -> None:
    """Ask that somebody else looks at a declined report again: once, within six months; who holds its link may.

    Raises WordsMissing, TooLateToDispute, WrongState.
    """
    words = words.strip()
    if not words:
        raise refusals.WordsMissing(what="why somebody else should look at it", param="words")
    due = Now() + timedelta(hours=settings.REPORT_HOURS)
    with atomic():
        if report.state == "declined" and not _can_dispute(report):
            raise refusals.TooLateToDispute
        told: dict[str, Any] = {"dispute": words, "due_at": due, "reminded_at": None, "closed_at": None}
        states.move(report, "disputed", by=by, when=Q(answered_at__gt=Now() - KEPT), **told)
        _write(
            report,
            "will be looked at again",
            f"Somebody who has not decided on it looks at it. The answer is due by {_when(report)}.",
        )
        notices.tell_admins(
            "A report will be looked at again",
            f"Its answer was disputed; somebody else decides by {_when(report)}.",
            path=f"/program/reports/{report.pk.hex}",
        )


def settle() -> int:
    """Answer the reports whose work is not public any more, whoever ended it; return how many."""
    gone = Report.objects.waiting().exclude(publication__state="published").select_related("publication__revision")
    settled = 0
    for report in gone:
        try:
            with atomic():
                states.move(report, "settled", by=actors.SYSTEM, closed_at=Now())
                who = "Its artist withdrew it" if report.publication.state == "withdrawn" else "We took it down"
                _write(report, "is settled", f"The work is not public any more. {who}; nothing is left to decide.")
        except refusals.WrongState:  # answered at this moment
            continue
        settled += 1
    return settled


def remind() -> int:
    """Tell every admin, once, of reports that are due within a day; return of how many."""
    with atomic():
        due = Report.objects.waiting().filter(reminded_at__isnull=True, due_at__lt=Now() + timedelta(days=1))
        rows = list(due.select_for_update(skip_locked=True).order_by("due_at"))
        if not rows:
            return 0
        Report.objects.filter(pk__in=[row.pk for row in rows]).update(reminded_at=Now())
        many = "1 report waits" if len(rows) == 1 else f"{len(rows)} reports wait"
        first = f"An answer, with its reason, is due by {_when(rows[0])}."
        notices.tell_admins(f"{many} for an answer", first, path="/program/reports")
    return len(rows)


def forget() -> int:
    """Erase who reported, and the letters to them, six months after the last answer; return of how many reports."""
    old = Report.objects.filter(closed_at__lt=Now() - KEPT, forgotten_at__isnull=True)
    forgotten = 0
    for report in old:
        with atomic():
            letters = Notice.objects.filter(user__isnull=True, email=report.email, subject__startswith=SUBJECT)
            letters.filter(created_at__lt=Now() - KEPT, mailed_at__isnull=False).delete()
            empty = {name: b"" if name == "sender" else "" for name in Report.PERSONAL}
            if Report.objects.filter(pk=report.pk, forgotten_at__isnull=True).update(forgotten_at=Now(), **empty):
                audit.record("report.forgotten", by=actors.SYSTEM, subject=report)
                forgotten += 1
    return forgotten


def open_to(report: Report) -> list[str]:
    """What who holds its link can do now: withdraw, dispute."""
    if report.state in Report.WAITING:
        return ["withdraw"]
    return ["dispute"] if _can_dispute(report) else []


def _can_dispute(report: Report) -> bool:
    return Report.objects.filter(pk=report.pk, state="declined", answered_at__gt=Now() - KEPT).exists()


def _must_be_impartial(report: Report, by: Actor) -> Any:
    admin = by.must_be_admin()
    if report.publication.submission.membership.user_id == admin.pk:
        raise refusals.OwnWork
    if report.state == "disputed" and report.answered_by_id == admin.pk:
        raise refusals.NotYoursToHear
    return admin


def _must_be_on_view(publication: Publication) -> None:
    if publication.state != "published":
        raise refusals.GoneByItsArtist if publication.state == "withdrawn" else refusals.TakenDown
    if not Publication.objects.public().filter(pk=publication.pk).exists():
        raise refusals.NotShownNow


def _mark(sender: str) -> bytes:
    place = addresses.household(sender) or "nowhere"
    return salted_hmac("review.reports", place, algorithm="sha256").digest()


def _write(report: Report, came: str, body: str, *, path: str = "") -> None:
    if report.email:
        title = report.publication.revision.title
        notices.write_to(report.email, f"{SUBJECT} “{title}” {came}", body, path=path)


def _named(decision: Decision) -> str:
    return "; ".join(f"clause {clause.number}, {clause.title.lower()}" for clause in reasons.clauses_of(decision))


def _redress() -> str:
    return "Out-of-court dispute settlement, where the law offers it, and the courts are open to you besides."


def _when(report: Report) -> str:
    return f"{report.due_at:%-d %B %Y, %H:%M} UTC"
