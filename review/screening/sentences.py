"""Signals in words."""

from collections.abc import Callable

from review.models import Signal

HARDLY = 0.1  # of a clip: less is not worth a sentence


def sentence(row: Signal) -> str:
    """A signal as a reviewer reads it."""
    if row.failed:
        return f"{NAMES[row.kind]}: could not be measured."
    return WORDS[row.kind](row)


def _flashes(row: Signal) -> str:
    flashes = "red flashes" if row.kind == "red_flashes" else "flashes"
    if (row.value or 0) < 1:  # a change without a way back is none
        return f"No {flashes}."
    return f"{row.value:g} {flashes} a second at {row.at_seconds:.1f} s, limit {row.limit:g}."


def _share(nothing: str, much: str) -> Callable[[Signal], str]:
    def words(row: Signal) -> str:
        if (row.value or 0) < HARDLY:
            return nothing
        return f"{much.format(f'{row.value:.0%}')} from {row.at_seconds:.1f} s on, limit {row.limit:.0%}."

    return words


def _copy(row: Signal) -> str:
    if not row.raised:
        return "No earlier submitted work is like it."
    whose = {"same": " of the same artist", "another": " of another artist"}.get(row.evidence.get("whose", ""), "")
    moments = ", ".join(f"{seconds:.1f}" for seconds in row.evidence.get("seconds", []))
    at = f" at {moments} s" if moments else ""
    return (
        f"Near copy of an earlier submitted work{whose}: its colours{at} differ by {row.value:.1f} of 255 on average, "
        f"limit {row.limit:g}."
    )


def _phrases(row: Signal) -> str:
    found = row.evidence.get("phrases", [])
    if not row.value:
        return "No phrases of the policy in the prompt."
    if not found:
        return "Phrases of the policy in the prompt."  # which ones was erased with the prompt
    named = [f"“{each['words']}”" + (f" (clause {each['clause']})" if each["clause"] else "") for each in found]
    return f"In the prompt: {', '.join(named)}."


def _told(row: Signal) -> str:
    return str(row.evidence.get("words", ""))


NAMES = {
    "flashes": "Flashes",
    "red_flashes": "Red flashes",
    "blank": "Blank frames",
    "frozen": "Movement",
    "noise": "Noise",
    "near_copy": "Near copies",
    "phrases": "Phrases in the prompt",
    "classifier": "Classifier",
}
WORDS: dict[str, Callable[[Signal], str]] = {
    "flashes": _flashes,
    "red_flashes": _flashes,
    "blank": _share("There is something to see.", "Nothing to see on {} of the frames,"),
    "frozen": _share("It moves.", "Nothing moves for {} of the clip,"),
    "noise": _share("No noise.", "Nothing but noise on {} of the frames looked at,"),
    "near_copy": _copy,
    "phrases": _phrases,
    "classifier": _told,
}
