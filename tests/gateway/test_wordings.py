"""What became of a text: which words of it stayed, came and went."""

from hypothesis import given
from hypothesis import strategies as st

from gateway import wordings


def test_changes_are_told_word_by_word_and_paragraph_by_paragraph():
    old = "It is yours.\n\nWe pay by the hour.\n\nThis goes."
    new = "It is yours.\n\nWe pay by the minute, and soon.\n\nSomething wholly different stands here now."
    told = [[(run.kind, run.text) for run in paragraph] for paragraph in wordings.changes(old, new)]
    assert told == [
        [("same", "It is yours.")],
        [("same", "We pay by the"), ("removed", "hour."), ("added", "minute, and soon.")],
        [("removed", "This goes.")],
        [("added", "Something wholly different stands here now.")],
    ]


WORDS = ("we", "pay", "you", "by", "the", "hour", "day", "not")
texts = st.lists(st.lists(st.sampled_from(WORDS), min_size=1).map(" ".join)).map("\n\n".join)


@given(texts, texts)
def test_the_changes_hold_both_texts_whole(old: str, new: str):
    told = wordings.changes(old, new)

    def side(kind: str) -> list[str]:
        return " ".join(run.text for paragraph in told for run in paragraph if run.kind in ("same", kind)).split()

    assert side("removed") == old.split()
    assert side("added") == new.split()
    assert all(run.text for paragraph in told for run in paragraph)
