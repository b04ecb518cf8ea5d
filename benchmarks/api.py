"""How many requests a second the interface serves, beside a floor on the same server in the same run.

Asking for a clip, looking at it, looking again with the ETag that one has: each with all that belongs to it (who asks,
limits, sightings, credits, rows, audit log, bell). The floor is a bare Django view that asks nobody who they are and
writes a row, or reads one and writes one. Eight clients that keep their connections and ask as a thousand artists in
turn; floor and gateway take turns; a PostgreSQL and a Valkey of its own, the gateway's own granian, with so many
generations behind it.

    python -m benchmarks.api [generations …]
"""

import cProfile
import http.client
import itertools
import json
import os
import pstats
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks import line, place
from gateway.services import programs
from gateway.services.places import APP_ROLE

CLIENTS, SECONDS, TURNS = 8, 3.0, 5
PROFILED = 200
# Functions that call none of the others, by where they stand.
PARTS = {
    "who asks: token, person, cohort, brakes": ("gateway/tokens.py:find",),
    "how often: the limit, in Valkey": ("gateway/limits.py:count_request",),
    "from where: sightings, in Valkey": ("gateway/sightings.py:note", "gateway/traces.py:ended"),
    "audit log": ("gateway/audit/record.py:record",),
    "reading the clip": ("generation/views.py:read",),
    "terms, model, brakes": (
        "gateway/terms.py:must_have_accepted",
        "generation/generations.py:_profile",
        "gateway/brakes.py:must_be_free",
    ),
    "room: clips a day and at a time": ("generation/limits.py:make_room",),
    "credits": ("gateway/allowances.py:reserve",),
    "place in line": ("generation/scheduling.py:join_line",),
    "bell, by Celery": ("generation/tasks.py:ring",),
    "begin and commit": ("backends/base/base.py:set_autocommit", "backends/base/base.py:commit"),
}
ROOT = Path(__file__).resolve().parents[1]
PORT = 8971
BODY = json.dumps({"prompt": "a red circle over a blue field", "seconds": 1})
Ask = tuple[str, str, str | None, dict[str, str]]


def load(asks: Sequence[Ask], expected: int) -> tuple[float, list[float]]:
    """Requests a second by CLIENTS at once, and the milliseconds of each; each client asks its part of them in turn."""
    until = time.perf_counter() + SECONDS
    took: list[list[float]] = [[] for _ in range(CLIENTS)]
    wrong: list[str] = []

    def client(nth: int, mine: list[float]) -> None:
        server = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        for ask in itertools.cycle(asks[nth::CLIENTS]):
            if (began := time.perf_counter()) > until:
                break
            server.request(*ask)
            answer = server.getresponse()
            told = answer.read()
            mine.append(1000 * (time.perf_counter() - began))
            if answer.status != expected:
                wrong.append(f"{ask[0]} {ask[1]} was answered {answer.status}: {told[:300]!r}")
                break

    threads = [threading.Thread(target=client, args=(nth, mine)) for nth, mine in enumerate(took)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if wrong:
        raise SystemExit(wrong[0])
    every = [each for mine in took for each in mine]
    return len(every) / SECONDS, every


def compare(name: str, floor: Sequence[Ask], ours: Sequence[Ask], expected: int = 200) -> dict[str, float]:
    """Turn by turn; prints a row of the table."""
    rates: dict[str, list[float]] = {"floor": [], "ours": []}
    times: dict[str, list[float]] = {"floor": [], "ours": []}
    for turn in range(TURNS + 1):
        for who, asks, status in (("floor", floor, 200), ("ours", ours, expected)):
            rate, took = load(asks, status)
            if turn:  # the first warms up
                rates[who].append(rate)
                times[who] += took
    ratio = statistics.median(mine / least for mine, least in zip(rates["ours"], rates["floor"], strict=True))
    p99 = {who: statistics.quantiles(each, n=100)[98] for who, each in times.items()}
    print(
        f"  {name:<28}{statistics.median(rates['floor']):9.0f}{statistics.median(rates['ours']):9.0f}{ratio:8.2f}"
        f"{p99['floor']:11.1f}{p99['ours']:9.1f}{p99['ours'] / p99['floor']:8.1f}",
        flush=True,
    )
    return {f"{name}_ratio": ratio, f"{name}_p99_ratio": p99["ours"] / p99["floor"]}


def measure(generations: int, artists: Sequence[tuple[str, str]]) -> dict[str, float]:
    """The three, with so many generations in the table, by these: each a token and the id of a clip."""
    floor: list[Ask] = [("GET", f"/floor/{UUID(clip)}", None, {}) for _, clip in artists]
    asks = asks_of(artists)
    print(f"\n{generations:,} generations. Requests a second, and p99 in milliseconds:")
    print(f"  {'':28}{'floor':>9}{'ours':>9}{'ratio':>8}{'floor p99':>11}{'ours':>9}{'ratio':>8}")
    found = compare("poll", floor, asks["poll"])
    found |= compare("etag", floor, asks["etag"], 304)
    return found | compare("submit", [("POST", "/floor", BODY, {})] * CLIENTS, asks["submit"])


def shares(artists: Sequence[tuple[str, str]]) -> None:
    """Where the time of a request goes: one after the other in this process, as the profiler tells it."""
    from django.test import RequestFactory

    from benchmarks.api_server import gateway

    asks, times = asks_of(artists), {}
    for name, several in asks.items():
        profile = cProfile.Profile()
        for method, path, body, headers in several:
            told = {f"HTTP_{header.upper().replace('-', '_')}": value for header, value in headers.items()}
            request = RequestFactory(SERVER_NAME="localhost").generic(
                method, path, body or "", content_type="application/json", **told
            )
            profile.enable()
            answer = gateway(request.environ, lambda *told: None)
            b"".join(answer)
            answer.close()
            profile.disable()
        stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
        spent = {(file, function): took for (file, _, function), (*_, took, _) in stats.items()}
        whole = spent[next(key for key in spent if key[0].endswith("handlers/wsgi.py") and key[1] == "__call__")]
        times[name] = {
            part: sum(took for (file, function), took in spent.items() if f"{file}:{function}".endswith(where)) / whole
            for part, where in PARTS.items()
        }
        times[name]["all else: Django, DRF, middleware"] = 1 - sum(times[name].values())
    print(f"\n  {'Where the time goes':<44}" + "".join(f"{name:>8}" for name in times))
    for part in times["poll"]:
        print(f"  {part:<44}" + "".join(f"{share[part]:8.0%}" for share in times.values()))


def asks_of(artists: Sequence[tuple[str, str]]) -> dict[str, list[Ask]]:
    """What each of them sends."""
    keys = [{"Authorization": f"Bearer {token}"} for token, _ in artists]
    polls: list[Ask] = [
        ("GET", f"/v1/videos/video_{clip}", None, key) for (_, clip), key in zip(artists, keys, strict=True)
    ]
    return {
        "poll": polls,
        "etag": [(method, path, None, {**key, "If-None-Match": etag_of(path, key)}) for method, path, _, key in polls],
        "submit": [("POST", "/v1/videos", BODY, {**key, "Content-Type": "application/json"}) for key in keys],
    }


def etag_of(path: str, headers: dict[str, str]) -> str:
    server = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    server.request("GET", path, headers=headers)
    answer = server.getresponse()
    answer.read()
    server.close()
    return answer.headers["ETag"]


def people() -> list[tuple[str, str]]:
    """The artists of the history, with what they need to ask for clips: terms, credits, a token; and a clip of each."""
    from gateway import actors
    from gateway.models import Cohort, Membership
    from tests import makers

    Cohort.objects.update(daily=1000, concurrent=1000, requests_a_minute=10_000)
    Membership.objects.update(credits=10_000)
    makers.policy()  # with the terms, which all accept
    artists = [actors.person(each.user) for each in Membership.objects.select_related("user", "cohort")]
    return [(makers.token(artist), makers.completed(artist).pk.hex) for artist in artists]


def serving(env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Granian as the gateway starts it, with the floor beside."""
    command = programs.serving("127.0.0.1", PORT, "benchmarks.api_server:application")
    server = subprocess.Popen(command, env=env, cwd=ROOT, stdout=subprocess.DEVNULL)
    wait_for(lambda: http.client.HTTPConnection("127.0.0.1", PORT, timeout=2), server)
    return server


def wait_for(connect: Callable[[], http.client.HTTPConnection], server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            tried = connect()
            tried.request("GET", "/healthz")
            tried.getresponse().read()
            return
        except OSError:
            if time.monotonic() > until or server.poll() is not None:
                raise SystemExit("The server does not start.") from None
            time.sleep(0.2)


def run(sizes: list[int]) -> dict[str, float]:
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    line.rows("create table bench_floor (id uuid primary key, told jsonb not null)")
    line.rows(f"grant insert on bench_floor to {APP_ROLE}")
    env = {name: value for name, value in os.environ.items() if name not in ("AS_OWNER", "DATABASE_OWNER_URL")}
    server = serving(env | {"WEB": "1"})
    found: dict[str, float] = {}
    try:
        there = line.history(sizes[0])
        line.triggers("enable")
        artists = people()
        for nth, size in enumerate(sizes):
            if nth:
                grow(there, size)
            line.rows("vacuum analyze")
            told = measure(size, artists)
            found |= {f"{name}_of_{size}": value for name, value in told.items()} if len(sizes) > 1 else {}
        shares(artists[:PROFILED])
    finally:
        server.terminate()
        server.wait()
        connections.close_all()
    return {**found, **told}


def grow(first: Any, size: int) -> None:
    """As many more generations that have ended, in the thirty days before."""
    ended = f"now() - interval '31 days' - n * interval '30 days' / {size}"
    line.triggers("disable")
    line.make(
        first,
        size,
        id=line.key("01930000", len(str(size))),
        created_at=f"{ended} - interval '10 minutes'",
        started_at=f"{ended} - interval '10 seconds'",
        ended_at=ended,
        worker="'gpu-1@bench'",
    )
    line.triggers("enable")


if __name__ == "__main__":
    with place.of_its_own(LOG_LEVEL="ERROR"):
        figures = run([int(number) for number in sys.argv[1:]] or [1_000, 1_000_000])
    print(f"\non {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(" ".join(f"{name}={value:.2f}" for name, value in figures.items()))
