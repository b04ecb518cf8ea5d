"""What stays of somebody who goes, how much of it, and why: told before they choose, and in the letters after."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from gateway import contributions
from gateway.consents import answers
from gateway.models import Consent, Contribution, Entry, GuestPass, LedgerEntry, TermsAcceptance, User
from generation.models import Generation, Output
from review.models import Appeal, Decision, Publication, Report

CLIP_STAYS = frozenset({"train", "study"})  # purposes for which a clip is kept that was given for them


@dataclass(frozen=True)
class Line:
    """One thing that stays."""

    what: str
    why: str


@dataclass(frozen=True)
class Stays:
    """What goes in any case, what stays and why, and what one should know before."""

    goes: list[str]
    lines: list[Line]
    warnings: list[str]

    def as_text(self) -> str:
        """For a letter."""
        gone = "\n".join(f"- {line}" for line in self.goes)
        kept = "\n".join(f"- {line.what}: {line.why}" for line in self.lines)
        return f"What goes:\n{gone}\n\nWhat stays, and why:\n{kept}"


def shown(user: User) -> QuerySet[Publication]:
    """What is on view of theirs."""
    return Publication.objects.filter(submission__membership__user=user, state="published")


def given(user: User, works: Iterable[UUID]) -> list[UUID]:
    """Those of `works` that were given to train or to study, by an answer that holds."""
    said = answers(user)
    return [work for work in works if CLIP_STAYS & said.given(work)]


def what_stays(user: User, kind: str, *, keeps_public: bool = False) -> Stays:
    """For this choice, counted at this moment."""
    public = shown(user).count()
    goes = [
        "your name, studio, e-mail address and password, passkeys, authenticator apps and sessions",
        "every prompt, and the title, credit line and description of every work"
        + (" that is not on view" if keeps_public else ""),
        "the facts and notes of decisions, your appeals, the letters that you were written",
        "addresses and programs from which you came, labels and networks of tokens and guest passes",
        "title and text of what you reported, and what was said about it",
        "every detail in the log of what you did: nobody can guess from its digests what they were of",
    ]
    lines = [
        Line("An account without a name", "All that follows hangs on its number. Nobody can sign in with it."),
        Line(
            f"{_count(LedgerEntry.objects.filter(allowance__membership__user=user), 'movement')} of credits",
            "The program’s accounts: kind, amount and time. The words with them are erased.",
        ),
        Line(
            f"{_count(Contribution.objects.filter(user=user), 'contribution')}, owed and paid",
            "Accounts too: kind, minutes, amount, state, and the reference of a payment.",
        ),
        Line(
            f"{_count(Entry.objects.filter(actor_id=user.pk), 'entry', 'entries')} of the audit log",
            "Numbers, times and digests. A log that can be shortened proves nothing to anybody, not to you either.",
        ),
        Line(
            f"{_count(_decided(user), 'decision')} about your works",
            "The program answers for how it decides: verdict, clauses, place in seconds, time and who.",
        ),
        Line(
            f"{_count(Consent.objects.filter(user=user), 'answer')} to what your works may be used for",
            "They prove what was allowed, and when that ended; the receipts keep their numbers.",
        ),
        Line(
            f"{_count(TermsAcceptance.objects.filter(user=user), 'acceptance')} of the terms",
            "Which version, and when: it is what both sides agreed to.",
        ),
        Line(
            f"Settings of {_count(Generation.objects.filter(membership__user=user), 'work')}",
            "Model, seed, size, times and price: what was charged for. Without the prompt they tell nothing.",
        ),
        Line(
            f"SHA-256 and size of {_count(_files(user), 'file')}",
            "A copy that turns up can be told to have come from here. No picture can be made of it.",
        ),
    ]
    reports = Report.objects.filter(publication__submission__membership__user=user)
    if reports.exists():
        lines.append(
            Line(
                f"{_count(reports, 'report')} about works that were on view",
                "What others wrote is theirs, and they are owed an answer; their names are erased in time.",
            )
        )
    if kind == "delete":
        files = _count(_files(user), "clip, poster or sheet", "clips, posters and sheets")
        goes.insert(1, f"the files of all your works: {files}")
        if public:
            lines.append(_tombstones(public))
    else:
        goes.insert(1, "the files of your works, but for those named below")
        if keeps_public and public:
            lines.insert(
                0,
                Line(
                    f"{public} work{'s' if public != 1 else ''} on view: clip, title, credit, description, signature",
                    "You signed them, and leave them. A link in the last letter takes them back at any time.",
                ),
            )
        elif public:
            lines.append(_tombstones(public))
        drawn = Generation.objects.filter(membership__user=user, state="completed").values_list("pk", flat=True)
        if clips := len(given(user, drawn.iterator())):
            lines.insert(
                0,
                Line(
                    f"{clips} clip{'s' if clips != 1 else ''} that you gave to train models or to study them",
                    "For that alone, without name and prompt. Take the consent back first if you don’t want that.",
                ),
            )
    return Stays(goes, lines, _warnings(user, keeps_public))


def _tombstones(public: int) -> Line:
    return Line(
        f"The address{'es' if public != 1 else ''} of {public} published work{'s' if public != 1 else ''}",
        "It says “no longer on view”, without title and name, so that nothing else ever stands there.",
    )


def _warnings(user: User, keeps_public: bool) -> list[str]:
    found = []
    mine = contributions.of(user)
    for figures in contributions.figures(mine):
        if figures.owed:
            found.append(
                f"{figures.shown['owed']} are owed to you. When your name is gone nobody can pay them: wait until "
                "they are paid, or agree on it with the program first."
            )
        if figures.undecided:
            found.append(f"{figures.shown['undecided']} are not decided yet: without your words they won’t be.")
    if Appeal.objects.filter(decision__revision__submission__membership__user=user, state="open").exists():
        found.append("An appeal of yours is open. It is heard until then, and withdrawn with the rest.")
    if GuestPass.objects.filter(membership__user=user).in_force().exists():  # type: ignore[attr-defined]
        found.append("Guests of yours can’t go on: their passes end at once, and their clips go with yours.")
    if not keeps_public and shown(user).exists():
        found.append("Feeds, frames and search engines drop what is withdrawn; copies that others made stay.")
    return found


def _decided(user: User) -> QuerySet[Decision]:
    return Decision.objects.effective().filter(revision__submission__membership__user=user)


def _files(user: User) -> QuerySet[Output]:
    return Output.objects.filter(generation__membership__user=user)


def _count(rows: QuerySet[Any], one: str, many: str = "") -> str:
    number = rows.count()
    return f"{number} {one}" if number == 1 else f"{number} {many or one + 's'}"
