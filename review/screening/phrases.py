"""The operator's phrases: words that a prompt is searched for, whatever their case, width or spacing.

A phrase is matched in whole words. Case is folded and letters are brought to one form (NFKC), characters that nobody
sees are left out, and a space in it stands for any run of spaces and hyphens. Accents count, and so do endings: "mask"
does not find "masks". In scripts that put no spaces between words, a phrase is found anywhere.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import audit, refusals
from gateway.actors import Actor
from review.models import Phrase

#: Their letters stand side by side without spaces: `unicodedata.name` begins so.
UNSPACED = ("CJK ", "HIRAGANA ", "KATAKANA ", "THAI ", "LAO ", "KHMER ", "MYANMAR ", "TIBETAN ")
BETWEEN = r"[\s\-\u2010-\u2015_]+"


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase and where it stands in the text: from `start` up to, not including, `end`."""

    phrase: Phrase
    start: int
    end: int


def add(words: str, *, by: Actor, clause: int | None = None) -> Phrase:
    """From now on prompts are searched for these words, which a clause may be about.

    Raises AdminsOnly; IntegrityError when they are in force already.
    """
    by.must_be_admin()
    with atomic():
        phrase = Phrase.objects.create(words=" ".join(words.split()), clause=clause)
        facts = {"clause": clause} if clause is not None else None
        audit.record("phrase.added", by=by, subject=phrase, facts=facts, detail={"words": phrase.words})
    return phrase


def retire(phrase: Phrase, *, by: Actor) -> None:
    """Search for it no more; what it found stays on record. Raises AdminsOnly, NotFound for one that is retired."""
    by.must_be_admin()
    with atomic():
        if not Phrase.objects.in_force().filter(pk=phrase.pk).update(retired_at=Now()):
            raise refusals.NotFound
        audit.record("phrase.retired", by=by, subject=phrase)
    phrase.refresh_from_db()


def find(text: str, among: Iterable[Phrase]) -> list[Match]:
    """Where in the text these phrases stand, in the order of the text; some may overlap."""
    plain, origins = fold(text)
    matches = []
    for phrase in among:
        words = fold(phrase.words)[0].split()
        if not words:
            continue
        for found in re.finditer(BETWEEN.join(map(re.escape, words)), plain):
            start, end = found.span()
            if _ends(plain, start) and _ends(plain, end):
                matches.append(Match(phrase, origins[start][0], origins[end - 1][1]))
    return sorted(matches, key=lambda match: (match.start, match.end))


def fold(text: str) -> tuple[str, list[tuple[int, int]]]:
    """The text in the form in which it is compared, and where each of its characters came from."""
    plain: list[str] = []
    origins: list[tuple[int, int]] = []
    start = 0
    while start < len(text):
        end = start + 1
        # A letter and the marks on it are one, as far as they melt into each other.
        while end < len(text) and _nfkc(text[start : end + 1]) != _nfkc(text[start:end]) + _nfkc(text[end]):
            end += 1
        letters = _nfkc(_nfkc(text[start:end]).casefold())
        for letter in letters:
            if not _unseen(letter):
                plain.append(letter)
                origins.append((start, end))
        start = end
    return "".join(plain), origins


def marked(text: str, spans: Iterable[Sequence[int]]) -> list[tuple[str, bool]]:
    """The text in pieces, each with whether it lies in one of the spans: for a page that marks them."""
    inside = [False] * len(text)
    for start, end in spans:
        inside[start:end] = [True] * (min(end, len(text)) - start)
    pieces: list[tuple[str, bool]] = []
    for letter, is_marked in zip(text, inside, strict=True):
        if pieces and pieces[-1][1] == is_marked:
            pieces[-1] = (pieces[-1][0] + letter, is_marked)
        else:
            pieces.append((letter, is_marked))
    return pieces


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _unseen(letter: str) -> bool:
    """Joiners, soft hyphens and variation selectors: they would part a word that looks whole."""
    return unicodedata.category(letter) == "Cf" or "\ufe00" <= letter <= "\ufe0f"


def _ends(text: str, place: int) -> bool:
    """Whether a word may begin or end at this place: not between two letters, digits or marks of one script."""
    if place in (0, len(text)):
        return True
    before, after = text[place - 1], text[place]
    if not (_in_a_word(before) and _in_a_word(after)):
        return True
    return any(unicodedata.name(letter, "").startswith(UNSPACED) for letter in (before, after))


def _in_a_word(letter: str) -> bool:
    return unicodedata.category(letter)[0] in "LMN"
