"""Twenty reviewers clear five thousand submissions at once; then, what the next one costs with 100,000 waiting.

In a PostgreSQL of its own on this machine. The floor, in the same run: the first row of the same index that is free.
The reviewers are threads of one Python, so of twenty at once the statement's own time is told beside the whole call's.

    python -m benchmarks.review [waiting] [works]
"""

import os
import random
import statistics
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from benchmarks import place

REVIEWERS = 20
LANES = {"first": 0.7, "second": 0.1, "escalated": 0.1, "appeal": 0.1}
FLOOR = """
select id from review_submission where lane = %s and holder_id is null order by due_at, id limit 1
for update skip locked
"""

# Nobody's work twice, and nobody's forgotten.
DOUBLE = """
select count(*) from (
    select revision_id from review_decision where undone_at is null and decides group by 1 having count(*) > 1
    union all
    select revision_id from review_decision where undone_at is null and role in ('sole', 'first', 'second', 'final')
    group by revision_id, role having count(*) > 1
) twice
"""
FORGOTTEN = """
select count(*) from review_submission s where lane is not null or holder_id is not null or not exists (
    select from review_decision d where d.revision_id = s.current_id and d.decides and d.undone_at is null
)
"""


def scalar(sql: str, *values: Any) -> Any:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()[0]


def copies(row: Any, number: int, **columns: str) -> None:
    """So many copies of `row`; a column is what its SQL says, in which `n` is the copy's number from 1 on."""
    from django.db import connection

    table = row._meta.db_table
    names = [field.column for field in row._meta.concrete_fields if not field.generated]
    values = [columns.get(name, f"t.{name}") for name in names]
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into {table} ({', '.join(names)}) select {', '.join(values)} "
            f"from {table} t, generate_series(1, %s) n where t.id = %s",
            [number, row.pk],
        )


def fill(works: int, *, artists: int = 50) -> None:
    """So many submissions wait, of so many artists in four cohorts; every fourth cohort's works are looked at twice.

    Rows only: there are no files, and nobody has paid.
    """
    from django.db import connection
    from django.utils import timezone

    from gateway.models import Cohort, Membership, User
    from generation import catalogue
    from generation.models import Generation, ModelProfile, Output
    from review import founding
    from review.models import ReviewPolicy, Revision, Submission

    catalogue.load()
    founding.lay()
    cohorts = [
        Cohort.objects.create(name=f"Cohort {random.random()}", credits=1, daily=1, concurrent=1) for _ in range(4)
    ]
    ReviewPolicy.objects.create(cohort=cohorts[0], reviewers=2)
    people = User.objects.bulk_create(
        [User(email=f"artist{random.random()}@example.org", name=f"Artist {nth}") for nth in range(artists)]
    )
    members = Membership.objects.bulk_create(
        [Membership(user=user, cohort=cohorts[nth % 4], credits=1) for nth, user in enumerate(people)]
    )
    with connection.cursor() as cursor:  # who pays for a clip is not measured here
        cursor.execute("alter table generation_generation disable trigger charged_once")
    size = {"width": 256, "height": 256, "frames": 9}
    clip = Generation.objects.create(
        membership=members[0],
        model=ModelProfile.objects.get(slug="sketch"),
        pool="default",
        prompt="a red circle",
        seconds=1,
        fps=8,
        steps=4,
        guidance=1.0,
        credits=1,
        seed=0,
        **size,
    )
    file = Output.objects.create(
        generation=clip,
        path=str(clip.pk),
        kind="video",
        media_type="video/mp4",
        sha256="0" * 64,
        size=1,
        seconds=1.0,
        **size,
    )
    row = Submission.objects.create(
        membership=members[0], generation=clip, second="policy", due_at=timezone.now() + timedelta(hours=24)
    )
    words = {"title": "Kiln", "credit": "An artist", "licence": "CC-BY-4.0"}
    revision = Revision.objects.create(submission=row, number=1, output=file, sha256=file.sha256, **words)

    def key(table: int) -> str:
        """Ids in the order of the copies, as UUIDv7 has them."""
        mine = clip.pk.hex
        return f"('{mine[:8]}-{table:04x}-{mine[12:16]}-{mine[16:20]}-' || lpad(to_hex(n), 12, '0'))::uuid"

    def of(values: list[Any]) -> str:
        return f"(array[{', '.join(repr(str(value)) for value in values)}])[1 + n %% {len(values)}]"

    whose = f"({of([member.pk for member in members])})::uuid"
    copies(clip, works - 1, id=key(1), membership_id=whose, seed="n")
    copies(file, works - 1, id=key(2), generation_id=key(1), path=f"{key(2)}::text")
    due = "now() + interval '24 hours' + random() * interval '48 hours'"
    twice = of(["policy" if member.cohort == cohorts[0] else "" for member in members])
    copies(row, works - 1, id=key(3), generation_id=key(1), membership_id=whose, due_at=due, second=twice)
    copies(revision, works - 1, id=key(4), submission_id=key(3), output_id=key(2))
    with connection.cursor() as cursor:
        cursor.execute(
            "update review_submission s set current_id = r.id from review_revision r "
            "where r.submission_id = s.id and s.current_id is null"
        )
        cursor.execute("alter table generation_generation enable trigger charged_once")


def reviewers(count: int = REVIEWERS) -> list[Any]:
    from gateway import actors
    from gateway.models import User

    people = [
        User(email=f"reviewer{random.random()}@example.org", name=f"Reviewer {nth}", is_reviewer=True)
        for nth in range(count)
    ]
    return [actors.person(user) for user in User.objects.bulk_create(people)]


# ---------------------------------------------------------------- clearing


def clear(people: list[Any], done: Counter[str], *, patience: float = 60.0) -> None:
    """Each of these reviewers, all at once, takes and decides until nothing waits; `done` counts what they did."""
    from django.db import connection

    from gateway import refusals
    from review import decisions, queue
    from review.models import Clause
    from review.reasons import Reasons

    clause = Clause.objects.filter(number=4).values_list("pk", flat=True).get()
    reasons = Reasons(clauses=[clause], facts="It blinks.", from_seconds=0.5)
    lock, failed = threading.Lock(), []

    def decide(by: Any, chance: random.Random) -> str:
        taken = queue.take_next(by=by)
        verdict = chance.choices(["approve", "request_changes", "reject", "escalate"], [70, 14, 13, 3])[0]
        if verdict == "escalate" and taken.state == "escalated":
            verdict = "approve"
        told = {"reasons": reasons} if verdict in ("request_changes", "reject") else {}
        decision = getattr(decisions, verdict)(taken, by=by, **told)
        return str(decision.role)

    def work(by: Any, seed: int) -> None:
        chance, idle_since = random.Random(seed), 0.0
        try:
            while True:
                try:
                    role = decide(by, chance)
                except refusals.NothingWaiting:
                    idle_since = idle_since or time.monotonic()
                    if not any(queue.lanes().values()) or time.monotonic() - idle_since > patience:
                        return
                    time.sleep(0.02)  # somebody else holds what is left
                else:
                    idle_since = 0.0
                    with lock:
                        done[role] += 1
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(by, seed)) for seed, by in enumerate(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def measure_clearing(works: int) -> dict[str, float]:
    from review import queue

    fill(works)
    done: Counter[str] = Counter()
    began = time.perf_counter()
    clear(reviewers(), done)
    took = time.perf_counter() - began
    double, forgotten, waiting = scalar(DOUBLE), scalar(FORGOTTEN), sum(queue.lanes().values())
    print(f"{REVIEWERS} reviewers, {works:,} submissions: {sum(done.values()):,} decisions in {took:.1f} s")
    print(f"  {works / took:.0f} works a second; in which look: {dict(done)}")
    print(f"  decided twice {double}, forgotten {forgotten}, still waiting {waiting}\n")
    assert (double, forgotten, waiting) == (0, 0, 0)
    return {"works_a_second": works / took, "double": double, "forgotten": forgotten}


# ---------------------------------------------------------------- the next, of a hundred thousand


def spread(busy: Any, others: list[Any]) -> None:
    """Of what waits for a first look, some wait in the other lanes: almost all second looks follow one of `busy`'s."""
    from django.db.models.functions import Now

    from review.models import Appeal, Clause, Decision, Submission

    clause = Clause.objects.filter(number=4).values_list("pk", flat=True).get()
    rows = list(Submission.objects.filter(lane="first").order_by("due_at", "id"))
    moves = (
        ("second", "awaiting_second", "approve", "first"),
        ("escalated", "escalated", "escalate", "first"),
        ("appeal", "rejected", "reject", "sole"),
    )
    for start, (lane, state, verdict, role) in enumerate(moves):
        part = rows[start :: round(1 / LANES[lane])]
        made = [
            Decision(
                revision_id=row.current_id,
                reviewer=(others[nth % len(others)] if lane != "second" or nth % 100 == 99 else busy).user,
                role=role,
                decides=role == "sole",
                verdict=verdict,
                clauses=[clause] if verdict == "reject" else [],
                facts="It blinks." if verdict == "reject" else "",
                region="the sky" if verdict == "reject" else "",
                state_before="submitted",
                state_after=state,
                effective_at=Now() - timedelta(hours=1),
                announced_at=Now(),
            )
            for nth, row in enumerate(part)
        ]
        Submission.objects.filter(pk__in=[row.pk for row in part], second="policy").update(second="")
        Decision.objects.bulk_create(made, batch_size=5000)
        Submission.objects.filter(pk__in=[row.pk for row in part]).update(state=state)
        if lane == "appeal":
            Appeal.objects.bulk_create(
                [
                    Appeal(decision=decision, original_reviewer=decision.reviewer, words="No.", due_at=row.due_at)
                    for decision, row in zip(made, part, strict=True)
                ],
                batch_size=5000,
            )
            Submission.objects.filter(pk__in=[row.pk for row in part]).update(hearing=True)


def skip_some(by: Any, count: int) -> None:
    """This reviewer has let the oldest go, in each lane."""
    from django.db.models.functions import Now

    from review.models import Skip, Submission

    for lane in LANES:
        rows = Submission.objects.filter(lane=lane).order_by("due_at", "id").values_list("pk", flat=True)[:count]
        Skip.objects.bulk_create(
            [Skip(submission_id=pk, reviewer=by.user, until=Now() + timedelta(hours=1), renewals=0) for pk in rows]
        )


@contextmanager
def timed(statements: list[float], sent: list[tuple[str, Any]] | None = None) -> Iterator[None]:
    """How long the statement takes by which the next one is found, in milliseconds."""
    from django.db import connection

    def listen(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if "SKIP LOCKED" not in sql:
            return execute(sql, params, many, context)
        if sent is not None:
            sent.append((sql, params))
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            statements.append((time.perf_counter() - began) * 1000)

    with connection.execute_wrapper(listen):
        yield


def ask(by: Any, lane: str | None, times: int, think: float = 0.0) -> tuple[list[float], list[float]]:
    """Take the next and give it back, so often: milliseconds of the whole call, and of its statement."""
    from gateway import refusals
    from review import queue
    from review.models import Submission

    whole: list[float] = []
    statements: list[float] = []
    with timed(statements):
        for _ in range(times):
            time.sleep(random.random() * 2 * think)
            began = time.perf_counter()
            try:
                taken = queue.take_next(by=by, lane=lane)
            except refusals.NothingWaiting:
                taken = None
            whole.append((time.perf_counter() - began) * 1000)
            if taken is not None:
                Submission.objects.filter(pk=taken.pk).update(holder=None, lease_until=None, renewals=0)
    return whole, statements


def floor(lane: str, times: int) -> list[float]:
    from django.db import connection
    from django.db.transaction import atomic

    took = []
    for _ in range(times):
        began = time.perf_counter()
        with atomic(), connection.cursor() as cursor:
            cursor.execute(FLOOR, [lane])
            cursor.fetchall()
        took.append((time.perf_counter() - began) * 1000)
    return took


def at_once(people: list[Any], times: int, think: float = 0.0) -> tuple[list[float], list[float]]:
    from django.db import connection

    whole: list[float] = []
    statements: list[float] = []

    ready = threading.Barrier(len(people))

    def work(by: Any) -> None:
        try:
            ask(by, None, 1)  # with it comes the connection
            ready.wait()
            one, two = ask(by, None, times, think)
            whole.extend(one)
            statements.extend(two)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(by,)) for by in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return whole, statements


def shares(values: list[float]) -> tuple[float, float]:
    """Median and p99."""
    hundredths = statistics.quantiles(values, n=100)
    return hundredths[49], hundredths[98]


def measure_next(waiting: int, times: int = 200) -> dict[str, float]:
    people = reviewers()
    busy, newcomer = reviewers(2)
    began = time.perf_counter()
    fill(waiting)
    spread(busy, people)
    skip_some(busy, 100)
    vacuum()
    print(f"{waiting:,} waiting, made in {time.perf_counter() - began:.0f} s. Milliseconds:")
    print(f"  {'':<58} {'whole call':>16} {'its statement':>16}")
    print(f"  {'':<58} {'p50':>8}{'p99':>8} {'p50':>8}{'p99':>8}")
    found: dict[str, float] = {"waiting": waiting}

    def tell(name: str, words: str, whole: list[float], statements: list[float] | None = None) -> None:
        p50, p99 = shares(whole)
        found.update({f"{name}_ms": p50, f"{name}_p99_ms": p99})
        line = f"  {words:<58} {p50:8.2f}{p99:8.2f}"
        if statements:
            s50, s99 = shares(statements)
            found[f"{name}_statement_p99_ms"] = s99
            line += f" {s50:8.2f}{s99:8.2f}"
        print(line)

    for lane in LANES:
        tell(f"floor_{lane}", f"floor, {lane}", floor(lane, times))
    for name, words, by in (
        ("next", "next, of none", newcomer),
        ("busy", "next, of many decisions and 100 skips a lane", busy),
    ):
        for lane in (None, *LANES):
            ask(by, lane, 3)
            tell(f"{name}_{lane or 'any'}", f"{words}: {lane or 'any lane'}", *ask(by, lane, times))
    tell("at_work", f"{REVIEWERS} at work, each a decision every 4 s", *at_once(people, max(5, times // 20), think=4.0))
    tell("at_once", f"{REVIEWERS} at once, without a pause", *at_once(people, max(5, times // 10)))
    explain(newcomer, "first")
    explain(busy, "second")
    explain(busy, None)
    return found


def vacuum() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze")


def explain(by: Any, lane: str | None) -> None:
    """The very statement that finds the next, as the database carries it out."""
    from django.db import connection
    from django.db.transaction import atomic

    sent: list[tuple[str, Any]] = []
    with timed([], sent):
        ask(by, lane, 1)
    sql, values = sent[0]
    with atomic(), connection.cursor() as cursor:
        cursor.execute(f"explain (analyze, buffers) {sql}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    print(f"\nThe next in {lane or 'any lane'}, for {by.user.name}:\n\n{plan}")


# ---------------------------------------------------------------- pages


def measure_pages(times: int = 7) -> dict[str, float]:
    """The queue's page and resource, as a reviewer's browser and script get them."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from gateway import tokens

    (by,) = reviewers(1)
    browser = Client(SERVER_NAME="localhost")
    browser.force_login(by.user)
    secret = tokens.issue(by=by, label="bench", scopes=["review"])[1]
    found: dict[str, float] = {}
    for name, get in {
        "page": partial(browser.get, "/review"),
        "api": partial(Client(SERVER_NAME="localhost").get, "/v1/reviews", HTTP_AUTHORIZATION=f"Bearer {secret}"),
    }.items():
        took = []
        for _ in range(times):
            began = time.perf_counter()
            answer = get()
            took.append((time.perf_counter() - began) * 1000)
            assert answer.status_code == 200, answer.status_code
        with CaptureQueriesContext(
            connection,
        ) as sent:
            get()
        slowest = max(sent.captured_queries, key=lambda query: float(query["time"]))
        found |= {f"{name}_ms": statistics.median(took), f"{name}_queries": len(sent)}
        print(f"  {name:<6} {statistics.median(took):8.1f} ms, {len(sent)} queries; the slowest {slowest['time']} s")
        if float(slowest["time"]) > 0.1:
            print(slowest["sql"])
    return found


def run(waiting: int, works: int) -> None:
    from django.conf import settings
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    settings.REQUIRE_MFA = False
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = {**settings.STORAGES, "staticfiles": plain}
    found = measure_clearing(works) if works else {}
    found |= measure_next(waiting)
    print("\nPages:")
    found |= measure_pages()
    print(f"\non {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(" ".join(f"{name}={value:.3f}" for name, value in found.items()))


if __name__ == "__main__":
    with place.of_its_own(UNDO_SECONDS="0"):  # or each second look would wait for half a minute
        run(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000, int(sys.argv[2]) if len(sys.argv) > 2 else 5_000)
