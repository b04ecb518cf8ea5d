"""Secrets that people carry."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import keys

KINDS = ("artist", "service", "invitation", "signin")
secrets_ = st.builds(keys.make, st.sampled_from(KINDS))


def test_a_secret_says_what_it_is_and_ends_in_six_letters_of_checksum():
    secret = keys.make("artist")
    assert secret.startswith("bat_artist_")
    assert len(secret) == len("bat_artist_") + 30 + 6
    assert set(secret.removeprefix("bat_artist_")) <= set(keys.ALPHABET)
    assert len({keys.make("artist") for _ in range(1000)}) == 1000


def test_the_checksum_is_the_one_that_scanners_are_told_of():
    """CRC-32 over all that stands before, in base62, six letters: fixed here, because others rely on it."""
    assert keys._checksum("bat_artist_" + "A" * 30) == "1OoZCE"
    assert keys.well_formed("bat_artist_" + "A" * 30 + "1OoZCE", "artist")


@given(secrets_)
def test_every_secret_is_well_formed_for_its_own_kind_alone(secret: str):
    kind = secret.split("_")[1]
    assert keys.well_formed(secret, kind)
    assert keys.well_formed(secret, *KINDS)
    assert not keys.well_formed(secret, *(other for other in KINDS if other != kind))
    assert not keys.well_formed(secret)


@given(secrets_, st.data())
def test_one_wrong_letter_is_noticed(secret: str, data: st.DataObject):
    place = data.draw(st.integers(0, len(secret) - 1))
    letter = data.draw(st.sampled_from(keys.ALPHABET).filter(lambda letter: letter != secret[place]))
    assert not keys.well_formed(secret[:place] + letter + secret[place + 1 :], *KINDS)


@given(secrets_, st.data())
def test_two_swapped_letters_are_noticed(secret: str, data: st.DataObject):
    place = data.draw(st.integers(11, len(secret) - 2).filter(lambda place: secret[place] != secret[place + 1]))
    swapped = secret[:place] + secret[place + 1] + secret[place] + secret[place + 2 :]
    assert not keys.well_formed(swapped, *KINDS)


@given(st.text() | st.from_regex(r"bat_artist_[0-9A-Za-z]{0,40}\n?"))
def test_what_somebody_made_up_is_not_well_formed(text: str):
    assert not keys.well_formed(text, *KINDS)


@pytest.mark.parametrize("around", ["{} ", " {}", "{}\n", "x{}", "{}x", "{}\x00"])
def test_nothing_may_stand_around_a_secret(around: str):
    assert not keys.well_formed(around.format(keys.make("artist")), "artist")


def test_only_the_digest_is_stored():
    secret = keys.make("artist")
    assert len(keys.digest(secret)) == 32
    assert keys.digest(secret) == keys.digest(secret)
    assert keys.digest(secret) != keys.digest(keys.make("artist"))
