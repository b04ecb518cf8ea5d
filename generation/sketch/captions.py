"""What Sketch can be asked for: scenes, the sentences that ask for them, and which of them it must never have seen.

Nothing here imports torch or numpy.
"""

import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

COLOURS = {
    "red": (220, 40, 40),
    "green": (40, 180, 70),
    "blue": (50, 80, 220),
    "yellow": (240, 210, 40),
    "white": (245, 245, 245),
    "black": (15, 15, 15),
    "orange": (245, 130, 30),
    "purple": (140, 60, 190),
}
SHAPES = ("circle", "square", "triangle", "ring")
STILL = ""
MOTIONS = ("drifting left", "drifting right", "drifting up", "drifting down", "growing", "shrinking", STILL)
MIDDLING = ""
SIZES = ("small", MIDDLING, "large")

# Other ways to say the same, met in training only. The first of each is the one that captions and the evaluation use.
DRIFTING = ("drifting", "moving", "floating", "sliding")
TOWARDS = {
    "left": ("left", "to the left"),
    "right": ("right", "to the right"),
    "up": ("up", "upwards"),
    "down": ("down", "downwards"),
}
GROWING = {"growing": ("growing", "getting larger"), "shrinking": ("shrinking", "getting smaller")}
OVER = ("over", "on", "against")
FIELD = ("field", "background")
NOT_MOVING = ("", "", "standing still")

# How many of the 256 first bytes of a digest mean "held out": one scene in ten.
HELD_OUT = 26


@dataclass(frozen=True, slots=True)
class Scene:
    """One shape over a plain field. `motion` and `size` may be empty: it stands still, it is of middling size."""

    colour: str
    shape: str
    motion: str
    field: str
    size: str = MIDDLING


def article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def caption(scene: Scene) -> str:
    """The one sentence that names a scene: "a large red circle drifting left over a blue field"."""
    thing = " ".join(filter(None, (scene.size, scene.colour, scene.shape)))
    moving = f"{scene.motion} " if scene.motion else ""
    return f"{article(thing)} {thing} {moving}over {article(scene.field)} {scene.field} field"


def held_out(scene: Scene) -> bool:
    """Whether a scene is kept for the evaluation and never trained on, in no words. Fixed before the first training."""
    return hashlib.sha256(caption(scene).encode()).digest()[0] < HELD_OUT


def scenes() -> Iterator[Scene]:
    """Every scene there is, in a fixed order; shape and field never have the same colour."""
    for colour, shape, motion, field, size in product(COLOURS, SHAPES, MOTIONS, COLOURS, SIZES):
        if colour != field:
            yield Scene(colour, shape, motion, field, size)


def reworded(scene: Scene, rng: random.Random, unknown: str) -> str:
    """A scene in other words: synonyms, the field named first, articles left out, words that nobody taught Sketch.

    A colour stays beside what it colours. Half of the time it is the plain caption.
    """
    if rng.random() < 0.5:
        words = caption(scene).split()
    else:
        verb, _, way = scene.motion.partition(" ")
        if way:
            moving = f"{rng.choice(DRIFTING)} {rng.choice(TOWARDS[way])}"
        else:
            moving = rng.choice(GROWING[verb] if verb else NOT_MOVING)
        thing = " ".join(filter(None, (scene.size, scene.colour, scene.shape)))
        ground = f"{scene.field} {rng.choice(FIELD)}"
        if rng.random() < 0.7:
            thing, ground = f"{article(thing)} {thing}", f"{article(ground)} {ground}"
        form = rng.random()
        if form < 0.7:
            text = f"{thing} {moving} {rng.choice(OVER)} {ground}"
        elif form < 0.85:
            text = f"{thing} {moving} , {ground}"
        else:
            text = f"{ground} , {thing} {moving}"
        words = text.split()
    if rng.random() < 0.15:
        for _ in range(rng.randint(1, 4)):
            words.insert(rng.randint(0, len(words)), unknown)
    return " ".join(words)


def vocabulary() -> list[str]:
    """Each word and sign that a scene can be asked for by, in a fixed order."""
    ways = [way for ways in TOWARDS.values() for way in ways]
    changes = [change for changes in GROWING.values() for change in changes]
    phrases = ["a an , .", *SIZES, *COLOURS, *SHAPES, *MOTIONS, *DRIFTING, *ways, *changes, *OVER, *FIELD, *NOT_MOVING]
    return list(dict.fromkeys(word for phrase in phrases for word in phrase.split()))
