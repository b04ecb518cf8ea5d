"""`manage.py up`, as its users know it: seeded, played through, browsed, killed, started again. One gateway for all."""

import base64
import hashlib
import hmac
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx2
import openai
import pytest
import requests
from playwright._impl._driver import compute_driver_executable
from playwright.sync_api import Browser, Page, expect, sync_playwright

from scripts import chromium
from tests.live import ROOT, Gateway, free_port

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("up")]
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NODE = compute_driver_executable()[0]  # playwright brings one along
SIZES = {"wide": {"width": 1280, "height": 900}, "narrow": {"width": 360, "height": 740}}


@pytest.fixture(scope="module")
def folder():
    # Not below pytest's own folder, which the account that runs PostgreSQL can't pass through.
    made = Path(tempfile.mkdtemp(prefix="bat-up-"))
    made.chmod(0o755)
    yield made / "data"
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def gateway(folder):
    running = Gateway(folder).start()
    yield running
    assert running.stop() == 0


@pytest.fixture(scope="module")
def browser():
    path = chromium.path()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("There is no Chromium, and in CI the browser tests must run.")
        pytest.skip("THE BROWSER TESTS DID NOT RUN: there is no Chromium. `make test` tries to install one.")
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        )


def signed_in(browser: Browser, gateway: Gateway, name: str) -> Page:
    page = browser.new_page()
    page.goto(gateway.link(name))
    page.get_by_role("button", name="Sign in as").click()
    page.wait_for_url(lambda url: "sign-in" not in url)
    return page


@pytest.fixture(scope="module")
def sessions(browser, gateway):
    """Who has signed in already: a link works once."""
    return {
        who: signed_in(browser, gateway, who).context.storage_state()
        for who in ("Ada Lindqvist", "Ines Marchetti", "Rui Tanaka")
    }


def test_ready_names_every_part(gateway):
    parts = requests.get(f"{gateway.url}/readyz", timeout=10)
    assert parts.status_code == 200
    assert parts.json() == {name: {"ok": True} for name in ("database", "broker", "gpu", "chores", "scheduler")}


def test_doctor_finds_nothing(gateway):
    found = gateway.manage("doctor")
    assert found.returncode == 0, found.stdout + found.stderr


def test_a_second_one_on_the_same_data_says_who_holds_it(gateway):
    second = gateway.manage("up")
    assert second.returncode == 2
    assert str(gateway.process.pid) in second.stderr and gateway.url in second.stderr


def test_the_journey_passes(gateway):
    played = gateway.manage("journey", "--url", gateway.url)
    assert played.returncode == 0, played.stdout + played.stderr
    assert "ok=1" in played.stdout.splitlines()[-1]


def test_the_journey_in_a_browser(gateway, browser, sessions, tmp_path):
    """Invite, accept, generate, submit, approve by keyboard, sign, see, withdraw: by clicks alone."""
    admin = browser.new_context(storage_state=sessions["Ada Lindqvist"]).new_page()
    admin.goto(f"{gateway.url}/program/invitations")
    admin.get_by_label("E-mail address").fill("yuki@example.org")
    admin.get_by_label("Credits a month").fill("10")
    admin.get_by_role("button", name="Invite", exact=True).click()
    link = admin.locator("main").inner_html().split("/invitations/bat_invitation_")[1][:36]

    artist = browser.new_context().new_page()
    artist.goto(f"{gateway.url}/invitations/bat_invitation_{link}")
    artist.get_by_label("Your name").fill("Yuki Brandt")
    artist.locator("input[type=password]").fill("a long enough password")
    artist.get_by_role("checkbox").check()
    artist.locator("main form button").last.click()
    artist.wait_for_url("**/dashboard")

    artist.goto(f"{gateway.url}/studio")
    artist.get_by_label("What should it show?").fill("a red circle drifting left over a blue field")
    expect(artist.get_by_role("button", name="Draw it")).to_contain_text("2 credits")
    artist.get_by_role("button", name="Draw it").dblclick()
    card = artist.locator("#lately a.work")
    expect(card).to_have_count(1, timeout=60_000)  # live, and one of it although the button was pressed twice
    card.click()
    expect(artist.locator("video")).to_be_visible()
    artist.locator("video").evaluate("v => v.play()")
    artist.wait_for_function("document.querySelector('video').readyState >= 2", timeout=20_000)

    artist.get_by_label("Title").fill("Red, leaving")
    artist.get_by_role("button", name="Submit").dblclick()
    expect(artist.locator("main")).to_contain_text("With the reviewers")

    reviewer = signed_in(browser, gateway, "Rosa Velázquez")
    reviewer.goto(f"{gateway.url}/review")
    row = reviewer.locator("li, article, tr").filter(has_text="Red, leaving").last
    row.get_by_role("button", name="Take").click()
    reviewer.wait_for_url("**/review/*")
    expect(reviewer.locator("h1")).to_contain_text("Red, leaving")
    reviewer.keyboard.press("a")
    reviewer.wait_for_url("**/review")

    sign = artist.get_by_role("button", name="Sign and publish")
    for _ in range(20):
        artist.reload()
        if sign.count():
            break
        time.sleep(0.5)
    if not artist.locator("input[name=name]").input_value():
        artist.locator("input[name=name]").fill("Yuki Brandt")
    sign.dblclick()
    expect(artist.locator("main")).to_contain_text("It is public")
    public = artist.locator("main a[href^='/works/']").first.get_attribute("href")

    guest = browser.new_context().new_page()
    assert guest.goto(gateway.url + public).status == 200
    expect(guest.locator("main")).to_contain_text("Yuki Brandt")

    artist.get_by_text("Take it off the wall").click()
    artist.locator("form[action$='/withdraw'] button").click()
    expect(artist.locator("main")).to_contain_text("Withdrawn")
    assert guest.goto(gateway.url + public).status == 410
    expect(guest.locator("main video, main img")).to_have_count(0)


@pytest.mark.parametrize(
    ("size", "theme"),
    [
        ("wide", "light"),
        ("narrow", "dark"),
        pytest.param("wide", "dark", marks=pytest.mark.soak),
        pytest.param("narrow", "light", marks=pytest.mark.soak),
    ],
)
def test_no_page_overflows_or_complains(gateway, browser, sessions, theme, size, tmp_path_factory):
    """Each page in both themes, wide and narrow, with its screenshot kept beside the others of the run."""
    shots = tmp_path_factory.getbasetemp() / "screenshots"
    shots.mkdir(exist_ok=True)
    for who, paths in {
        None: ["/", "/terms", "/docs/refusals", "/v1/docs", "/accounts/login/", "/apply"],
        "Ines Marchetti": [
            *("/dashboard", "/studio", "/mine", "/access", "/access/guest-passes", "/access/security"),
            *("/access/consents", "/access/conflicts", "/access/allowance", "/membership", "/contributions"),
        ],
        "Ada Lindqvist": [
            *(
                "/program",
                "/program/works?q=Ines",
                "/program/fleet",
                "/program/invitations",
                "/program/members",
                "/program/brakes",
                "/program/terms",
            ),
            *("/program/contributions", "/program/sightings"),
        ],
        "Rui Tanaka": ["/review"],
    }.items():
        context = browser.new_context(
            storage_state=sessions.get(who), color_scheme=theme, viewport=SIZES[size], reduced_motion="reduce"
        )
        page, complaints = context.new_page(), []
        page.on(
            "console", lambda message, into=complaints: into.append(message.text) if message.type == "error" else None
        )
        page.on("pageerror", lambda error, into=complaints: into.append(str(error)))
        for path in paths:
            assert page.goto(gateway.url + path).status == 200, path
            wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, (path, wide)
            page.screenshot(
                path=shots / f"{path.strip('/').replace('/', '-') or 'home'}-{theme}-{size}.png", full_page=True
            )
        assert complaints == []
        context.close()


@pytest.fixture(scope="module")
def key(gateway, sessions):
    """A token of Ines Marchetti's, made in her browser."""
    cookies = {cookie["name"]: cookie["value"] for cookie in sessions["Ines Marchetti"]["cookies"]}
    made = requests.post(
        f"{gateway.url}/v1/tokens",
        json={"label": "openai", "scopes": ["generate", "submit"]},
        cookies=cookies,
        headers={"X-CSRFToken": cookies[f"bat_csrf_{gateway.port}"], "Referer": gateway.url},
        timeout=10,
    )
    assert made.status_code == 201, made.text
    return made.json()["secret"]


class Losing(httpx2.HTTPTransport):
    """Its first answer to a POST gets lost, after the server has sent it."""

    lost = False

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        response = super().handle_request(request)
        if request.method == "POST" and not self.lost:
            self.lost = True
            response.close()
            raise httpx2.ReadError("the line broke", request=request)
        return response


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
def test_the_openai_sdk_works_unmodified(gateway, key, tmp_path):
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=key)
    assert [model.id for model in client.models.list()] == ["sketch"]
    assert client.models.retrieve("sketch").owned_by == "Apache-2.0"
    before = [video.id for video in client.videos.list(limit=3)]  # page after page
    assert len(before) == len(set(before)) > 3

    video = client.videos.create_and_poll(prompt="a red circle over a blue field", model="sora-2", seconds="1")
    assert (video.status, video.progress, video.seconds, video.model) == ("completed", 100, "1", "sketch")
    client.videos.download_content(video.id).write_to_file(tmp_path / "clip.mp4")
    assert hashlib.sha256((tmp_path / "clip.mp4").read_bytes()).hexdigest() == video.sha256
    for variant in ("thumbnail", "spritesheet"):
        assert client.videos.download_content(video.id, variant=variant).content[8:12] == b"WEBP"

    remix = client.videos.remix(video.id, prompt="a red ring over a blue field")
    assert (remix.remixed_from_video_id, remix.seed) == (video.id, video.seed)
    assert client.videos.poll(remix.id).status == "completed"
    gone = client.videos.delete(video.id)
    assert (gone.id, gone.deleted, gone.object) == (video.id, True, "video.deleted")

    losing = Losing()
    unlucky = openai.OpenAI(
        base_url=client.base_url, api_key=key, http_client=openai.DefaultHttpx2Client(transport=losing)
    )
    once = unlucky.videos.create(prompt="a green square over a white field", seconds="1")
    assert losing.lost
    assert [video.id for video in client.videos.list()][:3] == [once.id, remix.id, before[0]]
    cancelled = client.post(f"/videos/{once.id}/cancel", cast_to=openai.types.Video)
    assert (cancelled.status, cancelled.error and cancelled.error.code) == ("failed", "cancelled")

    known = {"prompt": "a red circle", "seconds": "1"}
    for call, kind, code, param in (
        (lambda: client.videos.retrieve(video.id), openai.NotFoundError, "not_found", None),
        (lambda: client.videos.create(prompt=" "), openai.BadRequestError, "prompt_missing", "prompt"),
        (
            lambda: client.videos.create(**known, input_reference=("a.png", base64.b64decode(PIXEL))),
            openai.BadRequestError,
            "picture_not_taken",
            "input_reference",
        ),
        (
            lambda: client.videos.create(
                **known, extra_body={"input_reference": {"image_url": f"data:image/png;base64,{PIXEL}"}}
            ),
            openai.BadRequestError,
            "picture_not_taken",
            "input_reference",
        ),
        (lambda: client.videos.edit(prompt="x", video=b"a clip"), openai.BadRequestError, "unsupported", None),
        (lambda: client.videos.delete(before[-1]), openai.ConflictError, "not_withdrawn", None),
        (
            client.with_options(api_key="x").videos.list,
            openai.AuthenticationError,
            "bad_token",
            None,
        ),
    ):
        with pytest.raises(kind) as no:
            call()
        assert (no.value.code, no.value.param) == (code, param)
        assert no.value.request_id and no.value.body["message"]


HIDDEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@pytest.fixture(scope="module")
def token(gateway):
    """Made by Tomás in his browser's session, by REST."""
    browser, link = requests.Session(), gateway.link("Tomás Okafor")
    form = {"csrfmiddlewaretoken": HIDDEN.search(browser.get(link, timeout=10).text)[1]}
    assert browser.post(link, form, headers={"Referer": link}, timeout=10).ok
    csrf = next(value for name, value in browser.cookies.items() if "csrf" in name)
    wanted = {"label": "the documentation", "scopes": ["generate", "submit", "publish"]}
    headers = {"X-CSRFToken": csrf, "Referer": link}
    answer = browser.post(f"{gateway.url}/v1/tokens", json=wanted, headers=headers, timeout=10)
    assert answer.status_code == 201, answer.text
    return answer.json()["secret"]


def test_what_the_documentation_of_the_interface_shows_runs(gateway, token, tmp_path):
    """Each snippet of docs/api.md, in a process of its own, in the order in which they are read."""
    snippets = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", (ROOT / "docs/api.md").read_text(), re.DOTALL | re.MULTILINE)
    run = {"sh": ["bash", "-eu"], "python": [sys.executable], "js": [NODE, "--input-type=module"]}
    env = {**os.environ, "GATEWAY": f"{gateway.url}/v1", "TOKEN": token}
    done = []
    for language, name, text in snippets:
        if name:
            (tmp_path / name).write_text(text)
        elif language in run:
            told = subprocess.run(
                run[language],
                input=text,
                env=env,
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            assert told.returncode == 0, (text, told.stdout, told.stderr)
            done.append(language)
    assert set(done) == set(run)
    assert (tmp_path / "clip.mp4").read_bytes()[4:8] == b"ftyp"
    assert (tmp_path / "first-100-bytes").stat().st_size == 100
    assert (tmp_path / "receiver.py").exists()


def test_the_receiver_of_the_documentation_takes_what_is_signed_and_nothing_else(tmp_path):
    receiver = re.search(
        r"^```python receiver.py\n(.*?)^```$", (ROOT / "docs/api.md").read_text(), re.DOTALL | re.MULTILINE
    )
    key, port = os.urandom(24), free_port()
    env = {**os.environ, "SECRET": "whsec_" + base64.b64encode(key).decode(), "PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-c", receiver[1]], env=env, stdout=subprocess.PIPE, text=True)

    def send(body: bytes, *, signed: bytes, at: int) -> int:
        signature = base64.b64encode(hmac.digest(key, f"msg_1.{at}.".encode() + signed, "sha256")).decode()
        headers = {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": f"v1,AAAA v1,{signature}"}
        return requests.post(f"http://127.0.0.1:{port}", body, headers=headers, timeout=10).status_code

    body, now = b'{"type": "video.completed", "data": {"id": "video_1"}}', int(time.time())
    try:
        until = time.monotonic() + 20
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < until
            time.sleep(0.05)
        assert send(body, signed=body, at=now) == 204
        assert send(body, signed=body, at=now) == 204  # the same again: not done twice
        assert send(body.replace(b"_1", b"_2"), signed=body, at=now) == 400
        assert send(body, signed=body, at=now - 600) == 400
    finally:
        process.terminate()
    assert process.communicate(timeout=10)[0] == "video.completed {'id': 'video_1'}\n"


def test_killed_it_leaves_nothing_and_begins_again_with_its_data(gateway, folder):
    """kill -9 of the supervisor: every child dies with it; the next start is quick and has the data."""
    works = requests.get(f"{gateway.url}/v1/publications", timeout=10).json()["data"]
    assert works
    gateway.process.send_signal(signal.SIGKILL)
    gateway.process.wait()
    until = time.monotonic() + 20
    while left := subprocess.run(
        ["pgrep", "-f", str(folder)], capture_output=True, text=True, check=False
    ).stdout.split():
        assert time.monotonic() < until, left
        time.sleep(0.2)
    gateway.start()
    assert requests.get(f"{gateway.url}/v1/publications", timeout=10).json()["data"] == works
    assert "a cast of examples" not in gateway.screen
