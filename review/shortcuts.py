"""Which key does what on the reviewer's pages: everybody's own choice, which follows them, or none (WCAG 2.1.4)."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db.transaction import atomic

from gateway import audit, refusals
from gateway.actors import Actor
from gateway.models import User
from review.models import Preferences

SPACE = "Space"
CLAUSES = "123456789"  # each names a clause of the policy


@dataclass(frozen=True)
class Act:
    """Something that a key can do, and its usual key."""

    name: str
    usual: str
    does: str


ACTS = (
    Act("take", "n", "take the next"),
    Act("approve", "a", "approve"),
    Act("change", "r", "request changes"),
    Act("reject", "x", "reject"),
    Act("escalate", "e", "escalate"),
    Act("overturn", "o", "an appeal: overturn"),
    Act("uphold", "l", "an appeal: let it stand"),
    Act("undo", "u", "undo the last answer"),
    Act("on", "j", "next: skip it and take another"),
    Act("back", "k", "previous: back to the queue, kept"),
    Act("keep", "t", "keep it longer"),
    Act("play", SPACE, "play and pause"),
    Act("frame_back", ",", "a frame back"),
    Act("frame_on", ".", "a frame on"),
    Act("sheet", "g", "contact sheet"),
    Act("blur", "b", "blur"),
    Act("grey", "", "greyscale"),
    Act("policy", "p", "the policy's wording"),
    Act("help", "?", "this list"),
)
NAMES = {act.name for act in ACTS}


def preferences(user: User) -> Preferences:
    """What this person has chosen, or what is usual."""
    return Preferences.objects.filter(user=user).first() or Preferences(user=user)


def effective(preferences: Preferences) -> dict[str, str]:
    """The key of each act, and those of the clauses; none where keys are switched off."""
    if not preferences.keys_on:
        return dict.fromkeys([*NAMES, "clauses"], "")
    return {**chosen(preferences), "clauses": CLAUSES}


def chosen(preferences: Preferences) -> dict[str, str]:
    """Each act's key, whether keys are on or off; a usual key that they have given to another act is free."""
    keys = preferences.keys
    taken = set(keys.values())
    return {act.name: keys.get(act.name, "" if act.usual in taken else act.usual) for act in ACTS}


def choose(*, by: Actor, keys: Mapping[str, str], on: bool) -> Preferences:
    """A reviewer gives each act a key of their own, or none, or switches all of them off.

    Raises ReviewersOnly, BadKey, KeyTaken.
    """
    reviewer = by.must_be_reviewer()
    given = {act: _read(act, key) for act, key in keys.items()}
    owners: dict[str, str] = {}
    for act, key in given.items():
        if key and (other := owners.setdefault(key, act)) != act:
            raise refusals.KeyTaken(key=key.capitalize(), one=_does(other), other=_does(act), param=act)
    with atomic():
        made, _ = Preferences.objects.update_or_create(user=reviewer, defaults={"keys": given, "keys_on": on})
        audit.record("preferences.changed", by=by, subject=made, facts={"keys_on": on})
    return made


def _read(act: str, key: str) -> str:
    if act not in NAMES:
        raise refusals.BadKey(act=act, param="keys")
    key = SPACE if key == " " else key.strip()
    if key.lower() == SPACE.lower():
        return SPACE
    if key and (len(key) > 1 or key in CLAUSES or not key.isprintable()):
        raise refusals.BadKey(act=_does(act), param=act)
    return key.lower()


def _does(name: str) -> str:
    return next(act.does for act in ACTS if act.name == name)
