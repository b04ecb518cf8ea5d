"""How many requests a second the interface serves, beside a floor on the same server in the same run.

Asking for a clip, looking at it, looking again with the ETag that one has: each with all that belongs to it (who asks,
limits, credits, rows, audit log, bell). The floor is a bare Django view that asks nobody who they are and writes a row,
or reads one and writes one. Eight clients that keep their connections; floor and gateway take turns; a PostgreSQL and a
Valkey of its own, the gateway's own granian, with so many generations behind it.

    python -m benchmarks.api [generations …]
"""

import http.client
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import line, place
from gateway.services.places import APP_ROLE

CLIENTS, SECONDS, TURNS = 8, 3.0, 5
ROOT = Path(__file__).resolve().parents[1]
PORT = 8971
BODY = json.dumps({"prompt": "a red circle over a blue field", "seconds": 1})
Ask = tuple[str, str, str | None, dict[str, str]]


def load(ask: Ask, expected: int) -> tuple[float, list[float]]:
    """Requests a second by CLIENTS at once, and the milliseconds of each."""
    until = time.perf_counter() + SECONDS
    took: list[list[float]] = [[] for _ in range(CLIENTS)]

    def client(mine: list[float]) -> None:
        method, path, body, headers = ask
        server = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
        while (began := time.perf_counter()) < until:
            server.request(method, path, body, headers)
            answer = server.getresponse()
            told = answer.read()
            mine.append(1000 * (time.perf_counter() - began))
            assert answer.status == expected, (answer.status, told[:300])

    threads = [threading.Thread(target=client, args=(mine,)) for mine in took]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [each for mine in took for each in mine]
    return len(every) / SECONDS, every


def compare(name: str, floor: tuple[Ask, int], ours: tuple[Ask, int]) -> dict[str, float]:
    """Turn by turn; prints a row of the table."""
    rates: dict[str, list[float]] = {"floor": [], "ours": []}
    times: dict[str, list[float]] = {"floor": [], "ours": []}
    for turn in range(TURNS + 1):
        for who, (ask, status) in (("floor", floor), ("ours", ours)):
            rate, took = load(ask, status)
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


def measure(generations: int) -> dict[str, float]:
    """The three, with so many generations in the table."""
    from tests import makers

    artist = makers.artist(credits=10**6, cohort=makers.cohort(daily=10**6, concurrent=10**6, requests_a_minute=10**6))
    token = {"Authorization": f"Bearer {makers.token(artist)}", "Content-Type": "application/json"}
    mine = makers.completed(artist)
    path = f"/v1/videos/video_{mine.pk.hex}"
    server = http.client.HTTPConnection("127.0.0.1", PORT, timeout=30)
    server.request("GET", path, headers=token)
    answer = server.getresponse()
    answer.read()
    etag = answer.headers["ETag"]
    least = (("GET", f"/floor/{mine.pk}", None, {}), 200)
    print(f"\n{generations:,} generations. Requests a second, and p99 in milliseconds:")
    print(f"  {'':28}{'floor':>9}{'ours':>9}{'ratio':>8}{'floor p99':>11}{'ours':>9}{'ratio':>8}")
    found = compare("poll", least, (("GET", path, None, token), 200))
    found |= compare("etag", least, (("GET", path, None, {**token, "If-None-Match": etag}), 304))
    found |= compare("submit", (("POST", "/floor", BODY, {}), 200), (("POST", "/v1/videos", BODY, token), 200))
    return found


def serving(env: dict[str, str]) -> subprocess.Popen[bytes]:
    """Granian as the gateway starts it, with the floor beside."""
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(PORT)]
    options = ["--workers", "1", "--blocking-threads", "8", "--no-ws", "benchmarks.api_server:application"]
    server = subprocess.Popen([*command, *options], env=env, cwd=ROOT, stdout=subprocess.DEVNULL)
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
    server = serving(env | {"WEB": "1", "SIGHTINGS": "0"})
    found: dict[str, float] = {}
    try:
        there: Any = None
        for size in sizes:
            there = more(there, size)
            told = measure(size)
            found |= {f"{name}_of_{size}": value for name, value in told.items()} if len(sizes) > 1 else {}
    finally:
        server.terminate()
        server.wait()
        connections.close_all()
    return {**found, **told}


def more(there: Any, size: int) -> Any:
    """As many generations as that, those of before among them."""
    if there is None:
        there = line.history(size)
    else:
        line.triggers("disable")
        line.make(there, size, id=line.key("01930000", len(str(size))), worker="'gpu-1@bench'")
    line.triggers("enable")
    line.rows("vacuum analyze")
    return there


if __name__ == "__main__":
    with place.of_its_own(LOG_LEVEL="ERROR"):
        figures = run([int(number) for number in sys.argv[1:]] or [1_000, 1_000_000])
    print(f"\non {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(" ".join(f"{name}={value:.2f}" for name, value in figures.items()))
