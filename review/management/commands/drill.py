"""`manage.py drill leak`: a token leaks while twenty artists work. How soon is it seen, how soon does each door shut?

It plays against a running gateway, through its real HTTP doors, in the smoke cohort of `journey`, with people of its
own who can't sign in afterwards. Fifty clients stand behind one address, as behind a proxy, and don't wait for each
other. Nobody pulls a brake on the token: the sighting has to. Then brakes are pulled on a session and on a guest pass.
"""

import json
import math
import re
import secrets
import subprocess
import sys
import threading
import time
from argparse import ArgumentParser
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from datetime import datetime
from itertools import count
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import requests
from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from requests.adapters import HTTPAdapter

from gateway import actors, brakes, guest_passes, keys, sightings, terms, tokens
from gateway.actors import Actor
from gateway.models import Brake, Cohort, Membership, Sighting, User
from generation import generations, guests
from generation.leases import PROGRESS_SECONDS
from generation.models import Generation, ModelProfile
from review import founding
from review.management.commands import journey
from review.management.commands.journey import Browser, Failed

CLIENTS, OTHERS = 50, 20
DETECTED_S, DETECTED_CALLS, DOOR_MS, P95 = 30, 50, 1000, 1.5
LOOK = 0.1  # seconds between two looks at a door
ARRIVE = 3.0  # seconds within which the clients come
BEFORE, AFTER = 10.0, 20.0  # seconds in which the others are timed before the leak, and from its begin on at least
PATIENCE = 240
PROMPT = "a red circle drifting left over a blue field"


@dataclass(frozen=True)
class Call:
    """One request: when it was sent, when answered, with what."""

    sent: float
    answered: float
    status: int
    code: str = ""

    @property
    def ms(self) -> float:
        return 1000 * (self.answered - self.sent)


@dataclass
class Caller:
    """Somebody who asks again and again, in a thread of their own, until they are stopped."""

    ask: Callable[[requests.Session], requests.Response]
    pause: float
    address: str = ""
    begin: float = 0  # seconds to wait before the first
    calls: list[Call] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        session = _from(self.address)
        self.stop.wait(self.begin)
        while not self.stop.is_set():
            sent = time.time()
            try:
                answer = self.ask(session)
                self.calls.append(Call(sent, time.time(), answer.status_code, _code(answer)))
            except requests.RequestException:
                self.calls.append(Call(sent, time.time(), 0))
            self.stop.wait(self.pause)

    def refused_after(self, moment: float) -> float | None:
        """Milliseconds from `moment` to the first refusal; None for never, or when one was let in later still."""
        refused = [call for call in self.calls if call.status in {401, 403}]
        late = [call for call in self.calls if call.status < 400 and refused and call.sent > refused[0].answered]
        return None if not refused or late else max(0.0, 1000 * (refused[0].answered - moment))


class Command(BaseCommand):
    help = "Play a leak against a running gateway: how soon it is seen, how soon each door shuts, what others notice."

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.callers: list[Caller] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=["leak", "clients"], help="leak; it starts the clients by itself")
        parser.add_argument("--url", default=settings.BASE_URL, help="the gateway (default: %(default)s)")

    def handle(self, *args: Any, what: str, url: str, **options: Any) -> None:
        if what == "clients":
            self.url = url
            return self._clients()
        if not settings.SIGHTINGS:
            raise CommandError("SIGHTINGS is off, so nobody would see the leak.")
        self.url = url.rstrip("/")
        if urlsplit(self.url).hostname == "localhost":
            self.url = self.url.replace("localhost", "127.0.0.1")  # many addresses of this machine, all of IPv4
        self.rows: list[tuple[str, str, bool]] = []
        self.figures: dict[str, str] = {}
        self.skew = _skew()
        self.proxy: subprocess.Popen[str] | None = None
        run = secrets.token_hex(4)
        try:
            self._play(run)
        except (Failed, requests.RequestException) as failed:
            self._table()
            raise CommandError(str(failed)) from failed
        finally:
            if self.proxy is not None:
                self.proxy.kill()
            for caller in self.callers:
                caller.stop.set()
            for caller in self.callers:
                caller.thread.join(timeout=10)
            journey._close(run)
            _tidy(run)
        self._table()
        well = all(good for _, _, good in self.rows)
        said = " ".join(f"{name}={value}" for name, value in self.figures.items())
        self.stdout.write(f"\nok={int(well)} {said}")
        if not well:
            raise CommandError("A bound is broken.")

    def _play(self, run: str) -> None:
        password = secrets.token_urlsafe(24)
        artist = _artist(run, "artist", password)
        token, secret = tokens.issue(by=artist, label="leaked", scopes=["generate"], days=1)
        lent = guests.lend(by=artist, label="drill", generations=5, credits=20, days=1)[1]
        leaked = Actor("token", user=artist.user, token=token)
        clip = self._clip(artist)
        others = [self._other(_artist(run, f"other{n}", None), n) for n in range(OTHERS)]
        # The looks at the doors begin before the leak too, so that they weigh on both times of the others alike.
        api = self._caller(lambda http: http.get(f"{self.url}/v1/models", headers=_bearer(secret), timeout=10))
        path = f"{self.url}/v1/videos/video_{clip.hex}/content"
        part = _bearer(secret) | {"Range": "bytes=4-11"}
        media = self._caller(lambda http: http.get(path, headers=part, timeout=10))
        self.proxy = _proxy(self.url, secret)
        began = time.time()
        time.sleep(BEFORE)
        # Each lasts longer than it takes to see the leak, so that one is being drawn in that moment.
        long = [_ask(leaked, steps=50, longest=True) for _ in range(3)]
        self._until(lambda: Generation.objects.filter(pk__in=long, state="in_progress", step__gte=1).exists())

        drawing = dict(Generation.objects.filter(pk__in=long).values_list("pk", "step"))
        leak = time.time()
        _say(self.proxy, "go")
        brake = self._brake(token.pk)
        frozen = self._moment(brake.created_at)
        running = Generation.objects.filter(pk__in=long, state="in_progress").first()
        at_pull = running.step if running else 0
        queued_ms = self._line_is_shut(token.pk, frozen)
        self._until(lambda: not Generation.objects.filter(token=token).exclude(state__in=Generation.ENDED).exists())
        time.sleep(max(1.0, leak + AFTER - time.time()))
        for caller in (*others, api, media):
            caller.stop.set()
        for caller in (*others, api, media):
            caller.thread.join(timeout=15)

        calls = [Call(*told) for told in json.loads(self.proxy.communicate("stop\n", timeout=60)[0])]
        seen = sum(call.code != "braked" for call in calls)
        self._row("detection_s", "seen after", frozen - leak, "s", DETECTED_S)
        self._row("detection_calls", "abusive calls let in", seen, "", DETECTED_CALLS)
        self._row("api_ms", "API", api.refused_after(frozen), "ms", DOOR_MS)
        session_ms = self._by_hand("session", artist, password)
        self._row("session_ms", "browser session", session_ms, "ms", DOOR_MS)
        self._row("range_ms", "media range request", media.refused_after(frozen), "ms", DOOR_MS)
        self._row("queued_ms", "queued: not claimed any more", queued_ms, "ms", DOOR_MS)
        self._running(running, at_pull, frozen, leak, drawing)
        self._row("guest_ms", "guest page", self._by_hand("guest_pass", artist, lent), "ms", DOOR_MS)
        started = Generation.objects.filter(token=token, started_at__gt=brake.created_at).count()
        self._row("started_after", "begun after the freeze", started, "", 0)
        self._others([call for other in others for call in other.calls], began, leak)

    # ------------------------------------------------------------ who asks

    def _caller(
        self,
        ask: Callable[[requests.Session], requests.Response],
        *,
        pause: float = LOOK,
        n: int = 1,
        begin: float = 0,
    ) -> Caller:
        caller = Caller(ask, pause, _address(self.url, n), begin)
        self.callers.append(caller)
        caller.thread.start()
        return caller

    def _other(self, artist: Actor, n: int) -> Caller:
        secret = tokens.issue(by=artist, label="at work", scopes=["generate"], days=1)[1]
        if n < 2:
            _ask(artist, steps=50)  # the machine draws without a rest, before the leak as in it
        turn = count(n)
        paths = ("/v1/videos", "/v1/models", "/v1/videos?limit=3&order=asc")

        def ask(http: requests.Session) -> requests.Response:
            return http.get(self.url + paths[next(turn) % len(paths)], headers=_bearer(secret), timeout=30)

        return self._caller(ask, pause=1.0, n=10 + n)

    def _client(self, secret: str, n: int) -> Caller:
        """One of those behind the proxy: asks for a clip, then looks at it; all from one address, by one program."""
        made: list[str] = []
        headers = _bearer(secret) | {"User-Agent": "python-requests/2.32.3"}

        def ask(http: requests.Session) -> requests.Response:
            if made:
                return http.get(f"{self.url}/v1/videos/{made[0]}", headers=headers, timeout=30)
            prompt = f"{PROMPT}, number {n}"
            answer = http.post(
                f"{self.url}/v1/videos", json={"prompt": prompt, "seconds": 1}, headers=headers, timeout=30
            )
            if answer.status_code == 200:
                made.append(answer.json()["id"])
            return answer

        return self._caller(ask, pause=3.0, n=2, begin=ARRIVE * n / CLIENTS)

    def _clients(self) -> None:
        """The proxy's side: the secret, “go” and “stop” come in as lines, what was answered goes out as JSON."""
        secret = sys.stdin.readline().strip()
        self.stdout.write("ready")
        self.stdout.flush()
        sys.stdin.readline()
        clients = [self._client(secret, n) for n in range(CLIENTS)]
        sys.stdin.readline()
        for client in clients:
            client.stop.set()
        for client in clients:
            client.thread.join(timeout=30)
        self.stdout.write(json.dumps([astuple(call) for client in clients for call in client.calls]))

    def _by_hand(self, scope: str, artist: Actor, key: str) -> float | None:
        """A brake is pulled by its rule on a session (`key`: the password) or a guest pass (`key`: its secret)."""
        assert artist.user is not None
        browser = Browser(self.url)
        if scope == "session":
            browser.sign_in(artist.user.email, key)
            cookie = next(cookie.value for cookie in browser.session.cookies if cookie.name.startswith("bat_session"))
            target, page = keys.alias(cookie or ""), "/mine"
        else:
            target, page = _pass(key), f"/g/{key}"
        caller = self._caller(
            lambda http: http.get(self.url + page, cookies=browser.session.cookies, timeout=10, allow_redirects=False)
        )
        self._until(lambda: len(caller.calls) >= 3)
        if caller.calls[-1].status != 200:
            raise Failed(f"{page} answers {caller.calls[-1].status} before any brake")
        told: dict[str, Any] = {"label": "the drill", "reason": "A drill", "source": "command"}
        brake = brakes.pull(scope, target, by=actors.SYSTEM, **told)
        moment = self._moment(brake.created_at)
        with suppress(Failed):
            self._until(lambda: caller.refused_after(moment) is not None, patience=10)
        time.sleep(3 * LOOK)
        caller.stop.set()
        caller.thread.join(timeout=15)
        brakes.release(brake, by=actors.SYSTEM)
        return caller.refused_after(moment)

    # ------------------------------------------------------------ what is measured

    def _clip(self, artist: Actor) -> UUID:
        """A finished clip of theirs, so that there is a file to ask for."""
        pk = _ask(artist)
        self._until(lambda: Generation.objects.filter(pk=pk, state="completed").exists())
        return pk

    def _brake(self, token: UUID) -> Brake:
        until = time.monotonic() + DETECTED_S + 10
        while time.monotonic() < until:
            brake = Brake.objects.in_force().filter(scope="token", target=token, source="sighting").first()
            if brake is not None:
                return brake
            time.sleep(0.02)
        raise Failed(f"the leak was not seen within {DETECTED_S + 10} s")

    def _line_is_shut(self, token: UUID, frozen: float) -> float | None:
        """Milliseconds until the question that each claim asks is answered with no."""
        with connection.cursor() as cursor:
            for _ in range(100):
                cursor.execute("select braked(%s, null, null, null, null)", [token])
                if cursor.fetchone()[0]:
                    return max(0.0, 1000 * (time.time() - frozen))
                time.sleep(0.01)
        return None

    def _running(
        self, running: Generation | None, at_pull: int, frozen: float, leak: float, at_leak: dict[UUID, int]
    ) -> None:
        if running is None:
            raise Failed("nothing of the leaked token was being drawn when it was frozen")
        running.refresh_from_db()
        if running.state != "cancelled" or running.ended_at is None or running.started_at is None:
            raise Failed(f"what was being drawn is {running.state}")
        since = max(leak, self._moment(running.started_at))
        one = (frozen - since) / max(1, at_pull - at_leak[running.pk])
        ended = self._moment(running.ended_at)
        # It ends with the step that is under way, which takes as long as it takes.
        self._row("step_ms", "running step", 1000 * (ended - frozen), "ms", round(DOOR_MS + 1000 * one))
        # What was drawn and not yet written when it was frozen, the step in which it heard of it, and one for the
        # figure above, which is made of such steps itself.
        bound = math.ceil(PROGRESS_SECONDS / one) + 2
        self._row("steps_after", "steps written after the freeze", running.step - at_pull, "", bound)
        self.rows.append(("one step takes about", f"{1000 * one:.0f} ms", True))

    def _others(self, calls: list[Call], began: float, leak: float) -> None:
        refused = sum(call.status >= 400 or call.status == 0 for call in calls)
        before = [call.ms for call in calls if began + 1 <= call.sent < began + BEFORE]
        after = [call.ms for call in calls if call.sent >= leak]
        self._row("others_refused", "the others: refused", refused, "", 0)
        self.rows.append(("the others: p95 before", f"{_p95(before):.0f} ms", True))
        self.rows.append(("the others: p95 from the leak on", f"{_p95(after):.0f} ms", True))
        self._row("p95_ratio", "the others: p95 by that of before", _p95(after) / _p95(before), "×", P95)

    def _row(self, name: str, what: str, value: float | None, unit: str, bound: float) -> None:
        shown = "never" if value is None else f"{value:.2f}" if unit in {"s", "×"} else f"{value:.0f}"
        self.figures[name] = shown
        good = value is not None and value <= bound
        self.rows.append((what, f"{shown} {unit}".strip() + f" (at most {bound:g})", good))

    def _table(self) -> None:
        width = max((len(what) for what, _, _ in self.rows), default=0)
        for what, shown, good in self.rows:
            self.stdout.write(f"{' ' if good else '✗'} {what:<{width}}  {shown}")

    def _moment(self, at: datetime) -> float:
        """The database's time as this machine's clock tells it."""
        return at.timestamp() + self.skew

    def _until(self, done: Callable[[], bool], patience: float = PATIENCE) -> None:
        until = time.monotonic() + patience
        while not done():
            if time.monotonic() > until:
                raise Failed(f"not within {patience:.0f} s")
            time.sleep(0.05)


def _proxy(url: str, secret: str) -> subprocess.Popen[str]:
    """The fifty clients, in a process of their own: their work must not weigh on the clock that times the others."""
    argv = [sys.executable, str(settings.BASE_DIR / "manage.py"), "drill", "clients", "--url", url]
    started = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    _say(started, secret)
    assert started.stdout is not None
    if started.stdout.readline().strip() != "ready":
        raise Failed("the clients did not start")
    return started


def _say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _artist(run: str, name: str, password: str | None) -> Actor:
    """An artist of this run alone, in the smoke cohort, with the terms accepted."""
    founding.lay()
    cohort, _ = Cohort.objects.get_or_create(name=journey.COHORT, defaults={"smoke": True, "credits": 20})
    user = User.objects.create_user(f"{name}.{run}@smoke.invalid", password, name=f"Smoke {name}")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    Membership.objects.create(user=user, cohort=cohort, credits=500)
    artist = actors.person(user)
    if (in_force := terms.due(artist)) is not None:
        terms.accept(in_force, user, by=artist)
    return artist


def _ask(by: Actor, *, steps: int | None = None, longest: bool = False) -> UUID:
    offered = ModelProfile.objects.get(slug="sketch").seconds
    seconds = max(offered) if longest else min(offered)
    return generations.submit(by=by, prompt=PROMPT, model="sketch", seconds=seconds, steps=steps).pk


def _pass(secret: str) -> UUID:
    return guest_passes.find(secret).pk


def _tidy(run: str) -> None:
    """What is still in line was never for anybody; the brakes that the drill pulled are let go."""
    people = User.objects.filter(email__endswith=f".{run}@smoke.invalid")
    for generation in Generation.objects.filter(membership__user__in=people).exclude(state__in=Generation.ENDED):
        with suppress(Exception):
            generations.cancel(generation, by=actors.person(generation.membership.user))
    for user in people:
        for sighting in Sighting.objects.filter(owner=user, state="open"):
            sightings.explain(sighting, "A drill.", by=actors.person(user))


def _from(address: str) -> requests.Session:
    """HTTP from an address of this machine's own."""
    session = requests.Session()
    if address:
        adapter = _Adapter(address)
        session.mount("http://", adapter)
    return session


class _Adapter(HTTPAdapter):
    def __init__(self, address: str) -> None:
        self.address = address
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, source_address=(self.address, 0), **kwargs)


def _address(url: str, n: int) -> str:
    """An own address for each caller, where the gateway is this machine."""
    return f"127.{n}.0.1" if urlsplit(url).hostname == "127.0.0.1" else ""


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def _code(answer: requests.Response) -> str:
    if answer.status_code < 400 or not answer.headers.get("Content-Type", "").startswith("application/json"):
        return ""
    found = re.search(r'"code": ?"(\w+)"', answer.text)
    return found[1] if found else ""


def _skew() -> float:
    """How far this machine's clock is ahead of the database's, in seconds."""
    with connection.cursor() as cursor:
        before = time.time()
        cursor.execute("select extract(epoch from clock_timestamp())::float8")
        at: float = cursor.fetchone()[0]
    return (before + time.time()) / 2 - at


def _p95(values: list[float]) -> float:
    if not values:
        raise Failed("the others were not timed")
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]
