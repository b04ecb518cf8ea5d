"""Phrases in a prompt."""

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway import audit, refusals
from review.models import Phrase
from review.screening import phrases


def found(text: str, *words: str) -> list[str]:
    return [text[match.start : match.end] for match in phrases.find(text, [Phrase(words=each) for each in words])]


@pytest.mark.parametrize(
    ("text", "matched"),
    [
        ("a gas mask on a chair", ["gas mask"]),
        ("GAS\n MASK, then gas-mask and gas—mask", ["GAS\n MASK", "gas-mask", "gas—mask"]),
        ("ｇａｓ　ｍａｓｋ", ["ｇａｓ　ｍａｓｋ"]),  # full width
        ("a ga\u200bs ma\u00adsk", ["ga\u200bs ma\u00adsk"]),  # parted by what nobody sees
        ("a gas\u0308 mask", []),  # another letter
        ("gas masks, biogas mask, gas_mask2", []),
        ("gas. Mask", []),
        ("_gas mask_ (gas mask)", ["gas mask", "gas mask"]),
    ],
)
def test_words_are_found_whatever_they_wear(text, matched):
    assert found(text, "Gas mask") == matched


@pytest.mark.parametrize(
    ("words", "text", "matched"),
    [
        ("straße", "In der STRASSE", ["STRASSE"]),
        ("café", "cafe\u0301 noir", ["cafe\u0301"]),  # a letter and its mark apart
        ("cafe", "café", []),
        ("ﬁre", "Fire!", ["Fire"]),
        ("面具", "一个防毒面具在椅子上", ["面具"]),  # no spaces to go by
        ("หน้ากาก", "สวมหน้ากากสีแดง", ["หน้ากาก"]),
        ("क", "की", []),  # a sign on it makes another syllable
        ("Δίας", "ΔΊΑΣ", ["ΔΊΑΣ"]),
        (".*", "anything", []),
    ],
)
def test_in_any_script(words, text, matched):
    assert found(text, words) == matched


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=20), st.text(max_size=8), st.text(max_size=20))
def test_any_text_is_folded_and_its_parts_are_known(before, words, after):
    text = f"{before} {words} {after}"
    plain, origins = phrases.fold(text)
    assert len(plain) == len(origins)
    assert all(0 <= start < end <= len(text) for start, end in origins)
    for match in phrases.find(text, [Phrase(words=words)]):
        assert phrases.fold(text[match.start : match.end])[0].split()
    assert "".join(piece for piece, _ in phrases.marked(text, [[3, 9]])) == text


def test_marked_for_a_page():
    text = "a gas mask, a mask"
    spans = [[match.start, match.end] for match in phrases.find(text, [Phrase(words="gas mask"), Phrase(words="mask")])]
    assert phrases.marked(text, spans) == [("a ", False), ("gas mask", True), (", a ", False), ("mask", True)]


@pytest.mark.django_db
def test_phrases_are_added_and_retired_by_admins(admin, reviewer):
    phrase = phrases.add("  gas   mask ", by=admin, clause=2)
    assert (phrase.words, phrase.clause) == ("gas mask", 2)
    with pytest.raises(IntegrityError), transaction.atomic():
        phrases.add("gas mask", by=admin)
    with pytest.raises(refusals.AdminsOnly):
        phrases.add("knife", by=reviewer)
    phrases.retire(phrase, by=admin)
    assert not Phrase.objects.in_force().exists()
    with pytest.raises(refusals.NotFound):
        phrases.retire(phrase, by=admin)
    assert phrases.add("gas mask", by=admin).pk != phrase.pk
    assert [entry.action for entry in audit.of(phrase)] == ["phrase.added", "phrase.retired"]


@pytest.mark.django_db
def test_the_records_call_the_rules(admin, browser_of):
    client = browser_of(admin)
    answer = client.post("/admin/review/phrase/add/", {"words": "gas mask", "clause": "2"})
    assert answer.status_code == 302
    phrase = Phrase.objects.get()
    again = client.post("/admin/review/phrase/add/", {"words": "gas mask", "clause": ""})
    assert "Prompts are searched for these words already." in again.content.decode()
    client.post("/admin/review/phrase/", {"action": "retire", "_selected_action": str(phrase.pk)})
    phrase.refresh_from_db()
    assert phrase.retired_at is not None
    assert [entry.action for entry in audit.of(phrase)] == ["phrase.added", "phrase.retired"]
    assert client.get(f"/admin/review/phrase/{phrase.pk}/change/").status_code == 200
