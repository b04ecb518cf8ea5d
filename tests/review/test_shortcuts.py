"""Keys of one's own: another for each act, or none at all."""

import pytest

from gateway import refusals
from gateway.models import Entry
from review import shortcuts
from review.models import Preferences
from tests import makers

pytestmark = pytest.mark.django_db
USUAL = {act.name: act.usual for act in shortcuts.ACTS}


def test_a_key_of_ones_own_is_on_every_page_and_the_usual_one_is_free(artist, reviewer, browser_of):
    submission = makers.submitted(artist)
    browser = browser_of(reviewer)
    browser.post("/review/next")
    at = f"/review/{submission.pk.hex}"
    answer = browser.post("/review/keys", {**USUAL, "reject": "Q", "keys_on": "on", "return_to": at})
    assert answer["Location"] == at
    page = browser.get(at).content.decode()
    assert 'data-key="q"' in page and 'data-key="x"' not in page and "<kbd>Q</kbd>" in page
    assert Entry.objects.filter(action="preferences.changed", actor_id=reviewer.user.pk).count() == 1


def test_keys_can_be_switched_off(artist, reviewer, browser_of):
    browser = browser_of(reviewer)
    browser.post("/review/keys", USUAL)
    keys = browser.get("/review").context["keys"]
    assert set(keys.values()) == {""}
    browser.post("/review/keys", {**USUAL, "usual": "yes", "keys_on": "on"})
    assert browser.get("/review").context["keys"]["approve"] == "a"


@pytest.mark.parametrize(
    ("keys", "refusal"),
    [
        ({"approve": "r", "change": "r"}, refusals.KeyTaken),
        ({"approve": "R", "change": "r"}, refusals.KeyTaken),
        ({"approve": "ab"}, refusals.BadKey),
        ({"approve": "4"}, refusals.BadKey),
        ({"approve": "\t\u0007"}, refusals.BadKey),
        ({"fly": "f"}, refusals.BadKey),
    ],
)
def test_a_key_does_one_thing_and_is_one_that_can_be_seen(reviewer, keys, refusal):
    with pytest.raises(refusal):
        shortcuts.choose(by=reviewer, keys=keys, on=True)
    assert not Preferences.objects.exists()


def test_a_refused_choice_stays_in_the_form(reviewer, browser_of):
    answer = browser_of(reviewer).post("/review/keys", {**USUAL, "approve": "r", "keys_on": "on"})
    page = answer.content.decode()
    assert answer.status_code == 400 and "R would do two things: “approve” and “request changes”." in page
    assert page.count('value="r"') == 2


def test_back_is_never_elsewhere(reviewer, browser_of):
    browser = browser_of(reviewer)
    for back in ("https://example.org/review", "//example.org", "/admin/", "/reviewers@example.org"):
        assert browser.post("/review/keys", {**USUAL, "return_to": back})["Location"] == "/review/keys", back
