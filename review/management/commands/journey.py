"""`manage.py journey`: one work's whole journey against a running gateway, through its real HTTP doors.

It plays in a smoke cohort of its own, whose works never reach the public feed or any figure, with people of its own,
whose passwords are drawn anew each time and who can't sign in afterwards. So it can serve after an upgrade too.
"""

import re
import secrets
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models.functions import Now

from gateway.models import Cohort, Token, User
from review import founding

COHORT = "Smoke"
PROMPT = "a red circle drifting left over a blue field"
HIDDEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
PATIENCE = 180  # seconds for one clip


class Failed(Exception):
    """A step did not go as it should."""


class Browser:
    """A person at the pages: cookies, forms with their CSRF tokens, redirects followed."""

    def __init__(self, url: str) -> None:
        self.url, self.session = url, requests.Session()

    def get(self, path: str, status: int = 200, **kwargs: Any) -> requests.Response:
        return self.expect(self.session.get(self.url + path, timeout=30, **kwargs), status)

    def post(self, page: str, to: str = "", *, status: int = 200, **fields: Any) -> requests.Response:
        """Fill in a form on `page` and send it to `to`."""
        token = HIDDEN.search(self.get(page).text)
        if token is None:
            raise Failed(f"{page} has no form")
        answer = self.session.post(
            self.url + (to or page),
            data={"csrfmiddlewaretoken": token[1], **fields},
            headers={"Referer": self.url + page},
            timeout=30,
        )
        return self.expect(answer, status)

    def sign_in(self, email: str, password: str) -> None:
        self.post("/accounts/login/", login=email, password=password)
        if not any(cookie.name.startswith("bat_session") for cookie in self.session.cookies):
            raise Failed(f"{email} could not sign in")

    @staticmethod
    def expect(answer: requests.Response, status: int) -> requests.Response:
        if answer.status_code != status:
            raise Failed(
                f"{answer.request.method} {answer.url}: {answer.status_code} instead of {status}: {_why(answer)}"
            )
        return answer


class Client:
    """A program with a token."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.session = url + "/v1", requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method: str, path: str, status: int = 200, **kwargs: Any) -> Any:
        answer = Browser.expect(self.session.request(method, self.url + path, timeout=30, **kwargs), status)
        return answer.json() if answer.headers.get("Content-Type", "").startswith("application/json") else answer


class Command(BaseCommand):
    help = "Play one work's journey against a running gateway, by its pages and by REST; say what each step took."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--url", default=settings.BASE_URL, help="the gateway (default: %(default)s)")

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        self.rows: list[tuple[str, str, float]] = []
        self.url = url.rstrip("/")
        password = secrets.token_urlsafe(24)
        run = secrets.token_hex(4)
        staff = _staff(run, password)
        began = time.monotonic()
        try:
            self._play(run, password, staff)
        except (Failed, requests.RequestException) as failed:
            self._table()
            raise CommandError(f"{failed}") from failed
        finally:
            _close(run)
        self._table()
        steps, total = len(self.rows), time.monotonic() - began
        self.stdout.write(f"\nok=1 steps={steps} seconds={total:.1f}")

    def _play(self, run: str, password: str, staff: dict[str, User]) -> None:
        artist = self._invited(run, password, staff["admin"])
        reviewer = Browser(self.url)
        with self.step("reviewer", "signs in"):
            reviewer.sign_in(staff["reviewer"].email, password)
        self._by_pages(artist, reviewer)
        self._by_rest(artist, reviewer)

    @contextmanager
    def step(self, who: str, what: str) -> Iterator[None]:
        """One line of the table."""
        began = time.monotonic()
        try:
            yield
        except Failed as failed:
            raise Failed(f"{who} {what}: {failed}") from failed
        self.rows.append((who, what, time.monotonic() - began))
        if self.stdout.isatty():
            self.stdout.write(f"  ✓ {who} {what}")

    def _invited(self, run: str, password: str, admin: User) -> Browser:
        email = f"artist.{run}@smoke.invalid"
        boss = Browser(self.url)
        with self.step("admin", "signs in"):
            boss.sign_in(admin.email, password)
        with self.step("admin", "invites an artist"):
            cohort = Cohort.objects.get(name=COHORT)
            page = boss.post(
                "/program/invitations", email=email, role="artist", cohort=str(cohort.pk), credits="20"
            ).text
            link = re.search(r"/invitations/bat_invitation_\w+", page)
            if link is None:
                raise Failed("the page shows no link")
        artist = Browser(self.url)
        with self.step("artist", "accepts the invitation and the terms"):
            version = re.search(r'name="version" value="(\d+)"', artist.get(link[0]).text)
            fields: dict[str, Any] = {"name": "A Smoke Test", "password": password, "accept": "on"}
            artist.post(link[0], "", **fields, version=version[1] if version else "")
        with self.step("artist", "can't use the link again"):
            Browser(self.url).get(link[0], status=410)
        return artist

    def _by_pages(self, artist: Browser, reviewer: Browser) -> None:
        with self.step("artist", "asks for a clip"):
            page = artist.post("/studio", prompt=PROMPT, model="sketch", seconds="2", size="256x256").text
            work = _first(r'data-drawing="([0-9a-f]{32})"', page) or _first(r"/mine/([0-9a-f]{32})", page)
        with self.step("artist", "watches it being drawn"):
            self._until(lambda: "/video.mp4" in artist.get(f"/mine/{work}").text)
        with self.step("artist", "downloads it, and part of it"):
            clip = artist.get(f"/generations/{work}/video.mp4?download=1").content
            part = artist.get(f"/generations/{work}/video.mp4", 206, headers={"Range": "bytes=4-11"}).content
            if part != clip[4:12] or clip[4:8] != b"ftyp":
                raise Failed("the file is no mp4")
        with self.step("guest", "sees nothing of it"):
            Browser(self.url).get(f"/works/{work}", 404)
        words: dict[str, Any] = {"title": "Smoke", "credit": "A Smoke Test", "licence": "CC0-1.0"}
        with self.step("artist", "submits it"):
            page = artist.post(f"/mine/{work}", f"/mine/{work}/submit", **words).text
            submission = _first(r"/submissions/([0-9a-f]{32})/withdraw", page)
        with self.step("artist", "can't sign what is not approved"):
            token = HIDDEN.search(artist.get(f"/mine/{work}").text)
            assert token is not None
            answer = artist.session.post(
                f"{self.url}/submissions/{submission}/sign-off",
                data={"csrfmiddlewaretoken": token[1], "revision": "1", "name": "A Smoke Test"},
                headers={"Referer": self.url},
                timeout=30,
            )
            if answer.status_code != 409 or "nothing was published" not in answer.text:
                raise Failed(f"{answer.status_code}")
        with self.step("reviewer", "takes it and looks"):
            reviewer.post("/review", f"/review/{submission}/take")
            reviewer.get(f"/review/{submission}/video.mp4")
            reviewer.get(f"/review/{submission}/sheet.webp")
        with self.step("reviewer", "can't reject it without reasons"):
            reviewer.post(f"/review/{submission}", f"/review/{submission}/reject", status=400)
        with self.step("reviewer", "approves it"):
            reviewer.post(f"/review/{submission}", f"/review/{submission}/approve")
        with self.step("artist", f"waits for the undo window ({settings.UNDO_SECONDS} s)"):
            self._until(lambda: f"/submissions/{submission}/sign-off" in artist.get(f"/mine/{work}").text)
        with self.step("artist", "signs: bon à tirer"):
            page = artist.post(
                f"/mine/{work}", f"/submissions/{submission}/sign-off", revision="1", name="A Smoke Test"
            ).text
            publication = _first(r"/publications/([0-9a-f]{32})/withdraw", page)
        with self.step("guest", "sees the work and its credit, not in the list"):
            guest = Browser(self.url)
            if "A Smoke Test" not in guest.get(f"/works/{publication}").text:
                raise Failed("no credit")
            if guest.get(f"/works/{publication}/video.mp4").content != clip:
                raise Failed("not the approved file")
            if publication in guest.get("/").text:
                raise Failed("a smoke work is in the public list")
        with self.step("artist", "withdraws it"):
            artist.post(f"/mine/{work}", f"/publications/{publication}/withdraw")
        with self.step("guest", "sees a tombstone"):
            guest.get(f"/works/{publication}", 410)
            guest.get(f"/works/{publication}/video.mp4", 410)

    def _by_rest(self, artist: Browser, reviewer: Browser) -> None:
        with self.step("artist", "makes a token; so does the reviewer"):
            client = Client(self.url, _token(artist, "generate", "submit", "publish"))
            judge = Client(self.url, _token(reviewer, "review"))
        with self.step("client", "POST /v1/videos, GET until completed"):
            video = client.ask("POST", "/videos", json={"prompt": PROMPT, "seconds": 1, "seed": 7})["id"]
            self._until(lambda: client.ask("GET", f"/videos/{video}")["status"] == "completed")
        with self.step("client", "GET /v1/videos/{id}/content"):
            client.ask("GET", f"/videos/{video}/content")
        with self.step("client", "POST /v1/submissions"):
            words = {"video": video, "title": "Smoke", "credit": "A Smoke Test", "licence": "CC0-1.0"}
            submission = client.ask("POST", "/submissions", 201, json=words)["id"]
        with self.step("client", "can't review, and can't sign yet"):
            client.ask("POST", f"/reviews/{submission}/take", 403)
            client.ask("POST", f"/submissions/{submission}/sign_off", 409, json={"name": "A", "revision": 1})
        with self.step("reviewer", "POST /v1/reviews/{id}/take and /reject, by clause, facts and second"):
            judge.ask("POST", f"/reviews/{submission}/take")
            judge.ask("POST", f"/reviews/{submission}/reject", 400, json={})
            why = {"clauses": [4], "facts": "It blinks.", "from_seconds": 0.5}
            judge.ask("POST", f"/reviews/{submission}/request_changes", json=why)
        with self.step("reviewer", "POST /v1/reviews/{id}/undo, then /approve"):
            judge.ask("POST", f"/reviews/{submission}/undo")
            judge.ask("POST", f"/reviews/{submission}/approve")
        with self.step("client", f"waits for the undo window ({settings.UNDO_SECONDS} s)"):
            self._until(lambda: client.ask("GET", f"/submissions/{submission}")["status"] == "approved")
        with self.step("client", "POST /v1/submissions/{id}/sign_off"):
            signed = client.ask(
                "POST", f"/submissions/{submission}/sign_off", json={"name": "A Smoke Test", "revision": 1}
            )
            publication = signed["publication"]
        with self.step("guest", "GET /v1/publications/{id}, without a token"):
            guest = Browser(self.url)
            guest.get(f"/v1/publications/{publication}")
            guest.get(f"/v1/publications/{publication}/content")
        with self.step("client", "POST /v1/publications/{id}/withdraw"):
            client.ask("POST", f"/publications/{publication}/withdraw")
            guest.get(f"/v1/publications/{publication}", 410)
            guest.get(f"/v1/publications/{publication}/content", 410)

    def _until(self, done: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE + settings.UNDO_SECONDS
        while not done():
            if time.monotonic() > until:
                raise Failed(f"not within {PATIENCE} s")
            time.sleep(0.5)

    def _table(self) -> None:
        width = max((len(what) for _, what, _ in self.rows), default=0)
        for who, what, seconds in self.rows:
            self.stdout.write(f"{who:<9} {what:<{width}} {seconds:7.2f} s")


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match[1] if match else ""


def _why(answer: requests.Response) -> str:
    if answer.headers.get("Content-Type", "").startswith("application/json"):
        return str(answer.json().get("detail", ""))
    return " ".join(re.sub(r"<[^>]+>", " ", _first(r"(?s)<main.*?>(.*?)</main>", answer.text)).split())[:300]


def _token(browser: Browser, *scopes: str) -> str:
    page = browser.post("/access", "/access/tokens", label="journey", scopes=list(scopes), days="7").text
    return _first(r"(bat_(?:artist|service)_[0-9A-Za-z]{36})", page)


def _staff(run: str, password: str) -> dict[str, User]:
    """An admin and a reviewer for this run alone, and the smoke cohort."""
    founding.lay()
    Cohort.objects.get_or_create(name=COHORT, defaults={"smoke": True, "credits": 20})
    made = {}
    for role in ("admin", "reviewer"):
        user = User.objects.create_user(
            f"{role}.{run}@smoke.invalid",
            password,
            name=f"Smoke {role}",
            is_staff=role == "admin",
            is_reviewer=role == "reviewer",
        )
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        made[role] = user
    return made


def _close(run: str) -> None:
    """Nobody of this run can come in again."""
    people = User.objects.filter(email__endswith=f".{run}@smoke.invalid")
    for user in people:
        user.set_unusable_password()
        user.is_active = False
        user.save(update_fields=["password", "is_active"])
    Token.objects.filter(user__in=people).update(revoked_at=Now())
