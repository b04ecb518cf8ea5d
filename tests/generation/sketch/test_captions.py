"""What can be asked for, and what is kept from training."""

import random
import re
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from generation.sketch import train
from generation.sketch.captions import (
    COLOURS,
    MOTIONS,
    SHAPES,
    SIZES,
    Scene,
    caption,
    held_out,
    reworded,
    scenes,
    vocabulary,
)

SCENES = list(scenes())


def test_a_scene_has_one_caption_and_a_caption_one_scene() -> None:
    assert caption(Scene("red", "circle", "drifting left", "blue")) == "a red circle drifting left over a blue field"
    assert caption(Scene("orange", "ring", "", "white", "large")) == "a large orange ring over a white field"
    assert caption(Scene("orange", "ring", "growing", "orange")).startswith("an orange ring growing over an orange")
    assert len(SCENES) == len(COLOURS) * (len(COLOURS) - 1) * len(SHAPES) * len(MOTIONS) * len(SIZES) == 4704
    assert len({caption(scene) for scene in SCENES}) == len(SCENES)


def test_no_held_out_caption_is_in_the_training_set() -> None:
    """Neither as the training draws from it, nor in other words; and the split is the one fixed before training."""
    kept = {caption(scene) for scene in SCENES if held_out(scene)}
    trained = train.seen()
    assert len(kept) == 468
    assert not kept & {caption(scene) for scene in trained}
    assert len(trained) + len(kept) == len(SCENES)
    rng = random.Random(1)
    said = {reworded(scene, rng, "<unk>") for scene in rng.choices(trained, k=5000)}
    assert not kept & said


def test_what_is_held_out_is_mixed() -> None:
    kept = [scene for scene in SCENES if held_out(scene)]
    for name, values in (
        ("colour", COLOURS),
        ("field", COLOURS),
        ("shape", SHAPES),
        ("motion", MOTIONS),
        ("size", SIZES),
    ):
        counted = Counter(getattr(scene, name) for scene in kept)
        assert set(counted) == set(values)
        assert min(counted.values()) > 0.6 * len(kept) / len(values)


@given(scene=st.sampled_from(SCENES), seed=st.integers(0, 2**32))
def test_other_words_say_the_same_in_known_words(scene: Scene, seed: int) -> None:
    said = reworded(scene, random.Random(seed), "<unk>")
    words = [word for word in said.split() if word != "<unk>"]
    assert set(words) <= set(vocabulary())
    text = " ".join(words)
    assert f"{scene.colour} {scene.shape}" in text
    assert re.search(rf"{scene.field} (field|background)", text)
    assert (scene.size in words) if scene.size else not {"small", "large"} & set(words)
