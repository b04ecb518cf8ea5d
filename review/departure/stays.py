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
from review.models import Appeal, Decision, Publication, Report, Signal

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
        "every prompt, and every picture that a clip began from",
        "title, credit line and description of every work" + (" that is not on view" if keeps_public else ""),
        "the facts and notes of decisions, your appeals, the letters that you were written",
        "addresses and programs from which you came, labels and networks of tokens and guest passes",
        "addresses and secrets of your webhook endpoints, and what was sent there",
        "title and text of what you reported, and what was said about it",
        "every detail in the log of what you did: nobody can guess from its digests what they were of",
    ]
    lines = [
        Line("An account without a name", "All that follows hangs on its number. Nobody can sign in with it."),
        *(Line(what.format(_count(rows, noun)), why) for rows, noun, what, why in _counted(user) if rows.exists()),
        Line(
            "Tokens, guest passes, webhook endpoints, brakes and sightings as numbers and dates",
            "Entries of the log refer to them. Their labels, addresses and words are erased.",
        ),
    ]
    drawn = Generation.objects.filter(membership__user=user, state="completed").values_list("pk", flat=True)
    clips = len(given(user, drawn.iterator())) if kind == "anonymise" else 0
    if clips:
        lines.insert(
            0,
            Line(
                f"{clips} clip{'s' if clips != 1 else ''} that you gave to train models or to study them",
                "For that alone, without name and prompt. Take the consent back first if you don’t want that.",
            ),
        )
    if public and keeps_public:
        lines.insert(
            0,
            Line(
                f"{public} work{'s' if public != 1 else ''} on view: clip, title, credit, description, signature",
                "You signed them, and leave them. A link in the last letter takes them back at any time.",
            ),
        )
    elif public:
        lines.append(_tombstones(public))
    but = ", but for those named below" if clips or (public and keeps_public) else ""
    goes.insert(1, f"the files of all your works: {_count(_files(user), 'clip, poster or sheet')}{but}")
    return Stays(goes, lines, _warnings(user, keeps_public))


def _counted(user: User) -> list[tuple[QuerySet[Any], str, str, str]]:
    """Rows that stay, what one of them is called, the line about them and why."""
    works = Generation.objects.filter(membership__user=user)
    return [
        (
            LedgerEntry.objects.filter(allowance__membership__user=user),
            "movement",
            "{} of credits",
            "The program’s accounts: kind, amount and time. The words with them are erased.",
        ),
        (
            Contribution.objects.filter(user=user),
            "contribution",
            "{}, owed and paid",
            "Accounts too: kind, minutes, amount, state, and the reference of a payment.",
        ),
        (
            Entry.objects.filter(actor_id=user.pk),
            "entry",
            "{} of the audit log",
            "Numbers, times and digests. A log that can be shortened proves nothing to anybody, not to you either.",
        ),
        (
            Decision.objects.effective().filter(revision__submission__membership__user=user),
            "decision",
            "{} about your works",
            "The program answers for how it decides: verdict, clauses, place in seconds, time and who.",
        ),
        (
            Signal.objects.filter(screening__output__generation__membership__user=user),
            "signal",
            "{} of the screening of your works",
            "What it measured: kind, value and second. What it read in a prompt is erased.",
        ),
        (
            Consent.objects.filter(user=user),
            "answer",
            "{} to what your works may be used for",
            "They prove what was allowed, and when that ended; the receipts keep their numbers.",
        ),
        (
            TermsAcceptance.objects.filter(user=user),
            "acceptance",
            "{} of the terms",
            "Which version, and when: it is what both sides agreed to.",
        ),
        (
            works,
            "work",
            "Settings of {}",
            "Model, seed, size, times and price: what was charged for. Without the prompt they tell nothing.",
        ),
        (
            _files(user),
            "file",
            "SHA-256 and size of {}",
            "A copy that turns up can be told to have come from here. No picture can be made of it.",
        ),
        (
            Report.objects.filter(publication__submission__membership__user=user),
            "report",
            "{} about works that were on view",
            "What others wrote is theirs, and they are owed an answer; their names are erased in time.",
        ),
    ]


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


def _files(user: User) -> QuerySet[Output]:
    return Output.objects.filter(generation__membership__user=user)


MANY = {"entry": "entries", "clip, poster or sheet": "clips, posters and sheets"}


def _count(rows: QuerySet[Any], one: str) -> str:
    number = rows.count()
    return f"{number} {one}" if number == 1 else f"{number} {MANY.get(one, one + 's')}"
