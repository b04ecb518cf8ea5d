"""The reviewer's screen in a real browser: by keyboard alone, by touch, against the clock, in a race, and off line."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from playwright.sync_api import Browser, Page, Route, expect

from gateway.actors import Actor
from review.models import Decision, Submission
from tests import makers
from tests.test_passkeys import at, browser, signed_in

__all__ = ["browser"]  # the fixture

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
SMALL = """() => [...document.querySelectorAll("a, button, input, select, textarea, summary")].filter((element) => {
  const box = (element.closest("label") ?? element).getBoundingClientRect();
  const inText = element.matches("p > a, dd > a");
  return box.width && box.height && !inText && element.checkVisibility() && (box.width < 24 || box.height < 24);
}).map((element) => element.outerHTML)"""


@pytest.fixture
def work(artist: Actor, settings: Any) -> Submission:
    settings.ALLOWED_HOSTS = ["localhost"]
    makers.policy()
    return makers.submitted(artist, title="Two suns")


@pytest.fixture
def opened(browser: Browser, live_server: Any) -> Iterator[Callable[..., Page]]:
    """A browser of its own in which somebody is signed in, at the queue; its console complains about nothing."""
    contexts, said = [], []

    def open_for(actor: Actor, **device: Any) -> Page:
        context = signed_in(browser, live_server, actor, **device)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(15_000)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(f"{at(live_server)}/review")
        return page

    yield open_for
    for context in contexts:
        context.close()
    assert said == []


def taken(page: Page) -> Page:
    """Took the next."""
    page.keyboard.press("n")
    page.wait_for_url("**/review/*")
    return page


def lease(left: float) -> None:
    """The hold ends in so many seconds."""
    Submission.objects.update(lease_until=Now() + timedelta(seconds=left))


def test_by_keyboard_alone(work, artist, reviewer, opened):
    """From the queue through clause, facts and place to a refusal, back, and to an approval."""
    makers.submitted(artist, title="Another")
    page = opened(reviewer)
    for _ in range(2):
        page.keyboard.press("j")
    expect(page.get_by_role("button", name="Take Another")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review/*")
    expect(page.get_by_role("heading", level=1)).to_have_text("Two suns")
    clip, place = page.locator("video"), page.locator("[data-timecode]")
    page.wait_for_function("document.querySelector('video').readyState >= 2")
    assert clip.evaluate("v => v.muted")
    for key in " ,.":
        page.keyboard.press(key)
    assert clip.evaluate("v => v.paused")
    before = place.text_content()
    page.keyboard.press(".")
    expect(place).not_to_have_text(before or "")
    for key, box in {"b": "Blur", "p": "Show every wording"}.items():
        page.keyboard.press(key)
        expect(page.get_by_role("checkbox", name=box)).to_be_checked()
    page.keyboard.press("g")
    expect(page.locator("#sheet")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")

    page.keyboard.press("x")
    expect(page.get_by_role("status")).to_contain_text("still needs a clause, what you saw, where in the clip")
    page.keyboard.press("4")
    page.keyboard.press("x")
    expect(page.get_by_label("What did you see?")).to_be_focused()
    page.keyboard.type("It blinks, I say: an axe, a key.")
    page.keyboard.press("Tab")
    page.keyboard.type("0.5")
    expect(page.locator(".letter")).to_contain_text("under clause 4, flashing light, from 0.5 s:")
    page.keyboard.press("Tab")
    page.keyboard.press("x")
    page.wait_for_url("**/review")
    refused = Decision.objects.get()
    assert (refused.verdict, refused.facts, refused.from_seconds) == ("reject", "It blinks, I say: an axe, a key.", 0.5)

    page.keyboard.press("u")
    page.wait_for_url("**/review/*")
    expect(page.get_by_label("What did you see?")).to_have_value("It blinks, I say: an axe, a key.")
    page.keyboard.press("a")
    page.wait_for_url("**/review")
    assert makers.seen(work).state == "approved"


def test_by_touch_on_a_phone(work, reviewer, opened):
    page = opened(reviewer, **PHONE)
    page.get_by_role("button", name="Take the next").tap()
    page.wait_for_url("**/review/*")
    page.wait_for_function("document.querySelector('video').readyState >= 2")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert page.evaluate(SMALL) == []
    clip = page.locator("video")
    page.locator("#sheet a").nth(4).tap()
    assert clip.evaluate("v => v.paused && Math.abs(v.currentTime - 0.5) < 0.13")
    scrub = page.get_by_label("Place in the clip")
    scrub.tap()
    assert clip.evaluate("v => Math.abs(v.currentTime / v.duration - 0.5) < 0.1"), "a touch in its middle"
    page.get_by_text("4 · Flashing light").tap()
    page.get_by_label("What did you see?").fill("It blinks.")
    page.locator("[data-here]").first.tap()
    note, bar = page.get_by_label("Note for colleagues"), page.get_by_role("region", name="Decide")
    note.focus()
    assert (note.bounding_box() or {})["y"] < (bar.bounding_box() or {})["y"], (
        "the bar hides no field that is written in"
    )
    page.get_by_role("button", name="Request changes").tap()
    page.wait_for_url("**/review")
    assert Decision.objects.get().verdict == "request_changes"
    page.get_by_role("button", name="Undo").tap()
    page.wait_for_url("**/review/*")


def test_a_hold_that_ends_warns_is_kept_and_at_last_loses_no_word(work, reviewer, opened):
    page = taken(opened(reviewer))
    lease(121)
    page.reload()
    status = page.get_by_role("status")
    expect(status).to_contain_text("Two minutes left")
    page.keyboard.press("t")
    expect(page.get_by_text("kept 1 of 10 times")).to_be_visible()
    expect(status).to_be_hidden()
    lease(31)
    page.reload()
    expect(status).to_contain_text("Half a minute left")
    lease(1)
    page.reload()
    page.get_by_label("What did you see?").fill("Half a sentence")
    expect(status).to_contain_text("Your hold has ended")
    page.get_by_text("4 · Flashing light").click()
    page.get_by_label("In the whole clip").check()
    page.keyboard.press("x")
    expect(page.get_by_role("alert")).to_contain_text("You do not hold this submission")
    expect(page.get_by_label("What did you see?")).to_have_value("Half a sentence")
    page.get_by_role("button", name="Take it again").click()
    expect(page.get_by_label("What did you see?")).to_have_value("Half a sentence")
    expect(page.get_by_label("4 · Flashing light")).to_be_checked()
    assert not Decision.objects.exists()


def test_two_who_race_for_one_work(work, reviewer, opened):
    rosa, rui = opened(reviewer), opened(makers.reviewer("Rui Tanaka"))
    rosa.keyboard.press("n")
    rui.keyboard.press("n")
    pages = [rosa, rui]
    for page in pages:
        page.wait_for_url(lambda address: not address.endswith("/review"))
    (winner,) = [page for page in pages if page.get_by_role("heading", level=1).text_content() == "Two suns"]
    (other,) = [page for page in pages if page is not winner]
    expect(other.get_by_role("alert")).to_contain_text("Nothing waits for you")
    expect(other.get_by_text("Two suns")).to_be_visible()  # with a colleague
    lease(-1)
    other.goto(winner.url.partition("/review/")[0] + "/review")
    other.keyboard.press("n")
    expect(other.get_by_role("heading", level=1)).to_have_text("Two suns")
    winner.keyboard.press("a")
    expect(winner.get_by_role("alert")).to_contain_text("You do not hold this submission")
    other.keyboard.press("a")
    other.wait_for_url("**/review")
    assert Decision.objects.count() == 1


def test_a_lost_connection_loses_no_word_and_writes_once(work, reviewer, opened):
    page, confirmations_get_lost = opened(reviewer), False

    def answer(route: Route) -> None:
        if not confirmations_get_lost:
            return route.continue_()
        route.fetch()
        return route.abort()

    # Before the page is loaded: one that is open already may send its next request past a new route.
    page.route("**/reject", answer)
    taken(page)
    page.keyboard.press("4")
    page.get_by_label("What did you see?").fill("It blinks.")
    page.get_by_label("In the whole clip").check()
    status = page.get_by_role("status")
    page.context.set_offline(True)
    page.keyboard.press("x")
    expect(status).to_contain_text("No answer came back")
    expect(page.get_by_label("What did you see?")).to_have_value("It blinks.")
    assert not Decision.objects.exists()
    page.context.set_offline(False)
    expect(status).to_contain_text("You are connected again")

    # This time it arrives, and the confirmation gets lost.
    confirmations_get_lost = True
    page.keyboard.press("x")
    expect(status).to_contain_text("No answer came back")
    assert Decision.objects.exists()
    confirmations_get_lost = False
    page.keyboard.press("x")
    page.wait_for_url("**/review")
    expect(page.get_by_text("Your answer had arrived already")).to_be_visible()
    assert Decision.objects.get().facts == "It blinks."


def test_a_key_is_given_away_in_the_dialog(work, reviewer, opened):
    page = taken(opened(reviewer))
    page.get_by_label("What did you see?").fill("Half a sentence")
    page.locator("h1").click()
    page.keyboard.press("?")
    page.get_by_label("approve", exact=True).fill("z")
    page.get_by_role("button", name="Keep these keys").click()
    page.wait_for_url("**/review/*")
    expect(page.get_by_label("What did you see?")).to_have_value("Half a sentence")
    page.keyboard.press("a")
    page.keyboard.press("z")
    page.wait_for_url("**/review")
    assert Decision.objects.get().verdict == "approve"
