"""The studio in a real browser, with a model that begins from a picture."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from gateway.actors import Actor
from generation.models import Generation
from tests import makers
from tests.generation.test_pictures import animate, picture
from tests.test_passkeys import at, browser, signed_in

__all__ = ["animate", "browser"]  # fixtures

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_picture_is_shown_as_it_will_be_cropped_and_refused_before_it_is_sent(
    browser: Browser, live_server: Any, animate: Any, artist: Actor, settings: Any, tmp_path: Path
):
    """On a telephone: nothing overflows, nothing typed is lost, and what is hidden is not sent."""
    settings.ALLOWED_HOSTS = ["localhost"]
    makers.sketch()
    files = {name: tmp_path / name for name in ("mine.png", "words.txt", "large.png", "damaged.png")}
    files["mine.png"].write_bytes(picture().read())
    files["words.txt"].write_text("no picture")
    files["large.png"].write_bytes(picture().read() + bytes(20_000_000))
    files["damaged.png"].write_text("no picture")
    phone = {"width": 360, "height": 740}
    context = signed_in(browser, live_server, artist, viewport=phone, color_scheme="dark")
    page, said = context.new_page(), []
    page.set_default_timeout(15_000)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)

    page.goto(f"{at(live_server)}/studio")
    brought, shown = page.get_by_label("A picture to begin from"), page.locator("canvas")
    expect(brought).to_be_hidden()
    page.get_by_label("What should it show?").fill("it turns, slowly")
    page.get_by_label("Model").select_option("animate")
    expect(brought).to_be_visible()
    draw = page.get_by_role("button", name="Draw it")
    draw.click()  # without one: the browser says so
    for file, why in ((None, "select a file"), ("words.txt", "Only PNG, JPEG"), ("large.png", "at most 20")):
        if file:
            brought.set_input_files(files[file])
        assert why in brought.evaluate("field => field.validationMessage")
        expect(shown).to_be_hidden()
    brought.set_input_files(files["mine.png"])
    expect(shown).to_be_visible()
    assert shown.evaluate("({ width, height }) => [width, height]") == [96, 64]
    ends = "c => [2, 93].map((x) => [...c.getContext('2d').getImageData(x, 32, 1, 1).data.slice(0, 3)])"
    assert shown.evaluate(ends) == [[255, 0, 0], [0, 0, 255]]
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert said == []

    brought.set_input_files(files["damaged.png"])  # only the server reads it for certain
    draw.click()
    expect(page.get_by_role("alert")).to_contain_text("can't be read as a picture")
    expect(page.get_by_label("What should it show?")).to_have_value("it turns, slowly")
    expect(page.get_by_text("Choose the picture again")).to_be_visible()
    assert [line for line in said if "400" not in line] == []

    brought.set_input_files(files["mine.png"])
    page.get_by_label("Model").select_option("sketch")
    draw.click()
    expect(page.locator("[data-drawing]")).to_have_count(1)
    assert Generation.objects.get().picture is None
    context.close()
