"""What became of a text: which words of it stayed, came and went."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Literal

ALIKE = 0.4  # two paragraphs that share less than this are one removed and one added, not one rewritten


@dataclass(frozen=True)
class Run:
    """Words of a paragraph that stayed, came or went."""

    kind: Literal["same", "added", "removed"]
    text: str


def changes(old: str, new: str) -> list[list[Run]]:
    """Both texts in one: its paragraphs, each as the words that stayed, came and went."""
    before, now = _paragraphs(old), _paragraphs(new)
    told: list[list[Run]] = []
    for kind, i, j, k, m in SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if kind == "equal":
            told += [[Run("same", text)] for text in before[i:j]]
        else:
            for was, is_now in zip_longest(before[i:j], now[k:m]):
                told += _rewritten(was, is_now)
    return told


def _rewritten(was: str | None, is_now: str | None) -> list[list[Run]]:
    if was is None or is_now is None:
        return [[Run("removed", was) if was is not None else Run("added", is_now or "")]]
    old, new = was.split(), is_now.split()
    matcher = SequenceMatcher(None, old, new, autojunk=False)
    if matcher.ratio() < ALIKE:
        return [[Run("removed", was)], [Run("added", is_now)]]
    runs = []
    for kind, i, j, k, m in matcher.get_opcodes():
        if kind == "equal":
            runs.append(Run("same", " ".join(old[i:j])))
            continue
        runs += [Run("removed", " ".join(old[i:j]))] if j > i else []
        runs += [Run("added", " ".join(new[k:m]))] if m > k else []
    return [runs]


def _paragraphs(text: str) -> list[str]:
    return [" ".join(part.split()) for part in text.replace("\r\n", "\n").split("\n\n") if part.strip()]
