"""What the line costs in a gateway that has a million generations behind it: the claim, a place in the line, the end
of a clip foretold, the sweep, the metrics page; with 100,000 waiting and with 1,000, of 1,000 artists.

In a PostgreSQL of its own on this machine. The floor, in the same run: one row by its primary key, locked and written.

    python -m benchmarks.line [generations] [waiting …]
"""

import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from benchmarks import place

ARTISTS = 1000
MODELS = ("sketch", "cogvideox-2b", "cogvideox-5b", "mochi-1-preview", "ltx-video", "flux-1-schnell")
WORKERS = 8
FLOOR = "select id from generation_generation where id = %s and state = 'queued' for update"
WRITTEN = """
update generation_generation set state = 'in_progress', fence = fence + 1, step = 0, worker = 'floor',
       started_at = statement_timestamp(), lease_until = statement_timestamp() + interval '30 seconds' where id = %s
"""
MADE = """
insert into generation_generation ({columns})
select {values} from generation_generation t, generate_series(1, %s) n
  join (select row_number() over (order by id) - 1 as nth, id from gateway_membership) who on who.nth = n %% {artists}
  join (select row_number() over (order by position) - 1 as nth, id, pool, steps, credits_per_second as price
          from generation_modelprofile where slug = any(%s)) model on model.nth = (n / {artists}) %% {models}
 where t.id = %s
"""


def rows(sql: str, *values: Any) -> list[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def people() -> None:
    """A thousand artists in four cohorts, one of them of twice the weight; two in three have been served before."""
    from gateway.models import Cohort, Membership, User

    cohorts = [
        Cohort.objects.create(name=f"Cohort {nth}", credits=1, daily=1, concurrent=200, weight=1 + nth // 3)
        for nth in range(4)
    ]
    users = User.objects.bulk_create(
        [User(email=f"artist{nth}@example.org", name=f"Artist {nth}") for nth in range(ARTISTS)]
    )
    Membership.objects.bulk_create(
        [Membership(user=user, cohort=cohorts[nth % 4], credits=1) for nth, user in enumerate(users)]
    )


def brakes() -> None:
    """A thousand brakes of the past, twenty in force on somebody, none of whom has anything waiting."""
    from django.utils import timezone

    from gateway.models import Brake
    from gateway.models.base import new_id

    row = {"scope": "token", "reason": "A benchmark."}
    made = [Brake(target=new_id(), state="pulled", **row) for _ in range(20)]
    made += [Brake(target=new_id(), state="released", released_at=timezone.now(), **row) for _ in range(1000)]
    rows("alter table gateway_brake disable trigger user")
    Brake.objects.bulk_create(made)
    rows("alter table gateway_brake enable trigger user")


def history(number: int) -> Any:
    """So many generations that have ended, a thirtieth of them a day, each of its own artist and model in turn."""
    from django.utils import timezone

    from gateway.models import Membership
    from generation import catalogue
    from generation.models import Generation, ModelProfile

    catalogue.load()
    ModelProfile.objects.filter(slug__in=MODELS).update(enabled=True)
    people()
    triggers("disable")
    first = Generation.objects.create(
        membership=Membership.objects.order_by("id")[0],
        model=ModelProfile.objects.get(slug="sketch"),
        pool="default",
        prompt="a red circle over a blue field",
        width=256,
        height=256,
        frames=9,
        seconds=1,
        fps=8,
        steps=20,
        guidance=1.0,
        credits=1,
        seed=0,
        state="completed",
        worker="gpu-1@bench",
        timings={"load": 0.0, "text": 0.4, "denoise": 8.0, "decode": 0.9, "encode": 0.3, "store": 0.1},
        started_at=timezone.now(),
        ended_at=timezone.now(),
    )
    state = "(case n %% 50 when 0 then 'failed' when 1 then 'cancelled' else 'completed' end)"
    ended = f"now() - n * interval '30 days' / {number}"
    make(
        first,
        number,
        id=key("01940000", 1),
        created_at=f"{ended} - interval '10 minutes'",
        started_at=f"{ended} - interval '10 seconds'",
        ended_at=ended,
        state=state,
        error_code=f"(case {state} when 'failed' then 'out_of_memory' else '' end)",
        worker=f"'gpu-' || (1 + n %% {WORKERS}) || '@bench'",
    )
    brakes()
    return first


def wait_in_line(first: Any, number: int) -> None:
    """So many wait and nothing else does: of at most a thousand artists, ten each at least. They were served about
    alike; who has nothing waiting was served less.
    """
    triggers("disable")
    rows("delete from generation_generation where state in ('queued', 'in_progress')")
    rows("truncate generation_share")
    artists = min(ARTISTS, number // 10)
    make(
        first,
        number,
        artists=artists,
        id=key("01950000", 1),
        created_at="now() - interval '1 hour' + n * interval '1 millisecond'",
        started_at="null",
        ended_at="null",
        state="'queued'",
        worker="''",
        timings="'{}'",
    )
    rows(
        "insert into generation_share (membership_id, pool, served) "
        "select m.id, pool, floor(random() * 10) + case when exists (select from generation_generation q "
        "where q.state = 'queued' and q.membership_id = m.id and q.pool = p.pool) then 600 else 0 end "
        "from gateway_membership m, (select distinct pool from generation_modelprofile where slug = any(%s)) p(pool)",
        list(MODELS),
    )
    triggers("enable")
    rows("vacuum analyze")


def triggers(word: str) -> None:
    """Off while rows are made; who pays for a clip is not measured, so that one stays off."""
    rows(f"alter table generation_generation {word} trigger user")
    rows("alter table generation_generation disable trigger charged_once")


def key(start: str, table: int) -> str:
    """Ids in the order of the rows, as UUIDv7 has them."""
    return f"('{start}-{table:04x}-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid"


def make(row: Any, number: int, *, artists: int = ARTISTS, **columns: str) -> None:
    names = [field.column for field in row._meta.concrete_fields if not field.generated]
    mine = {
        "membership_id": "who.id",
        "model_id": "model.id",
        "pool": "model.pool",
        "steps": "model.steps",
        "credits": "model.price * (1 + n %% 3)",
        "seed": "n",
        **columns,
    }
    statement = MADE.format(
        columns=", ".join(names),
        values=", ".join(mine.get(name, f"t.{name}") for name in names),
        artists=artists,
        models=len(MODELS),
    )
    rows(statement, number, list(MODELS), row.pk)


def fleet() -> None:
    """Eight workers live: all have the video models, one each the small ones too."""
    from generation import fleet
    from generation.models import Worker

    memory = {"total": 80 << 30, "free": 20 << 30}
    told = {"device": "cuda", "hardware": "A card", "warm": ["cogvideox-2b"], "memory": memory, "versions": {}}
    for nth in range(WORKERS):
        pools = {0: ["default"], 1: ["image"]}.get(nth, ["video"])
        fleet.register(f"gpu-{nth + 1}@bench", pools)
    Worker.objects.update(engines={"diffusers": told})


# ---------------------------------------------------------------- measuring


def timed(act: Callable[[], Any], times: int) -> list[float]:
    took = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        took.append((time.perf_counter() - began) * 1000)
    return took


def floor(ids: Iterator[UUID]) -> Callable[[], None]:
    from django.db.transaction import atomic

    def act() -> None:
        pk = next(ids)
        with atomic():
            rows(FLOOR, pk)
            rows(WRITTEN, pk)

    return act


def put_back() -> None:
    """All that was claimed waits again, so that each measurement meets the same line."""
    rows(
        "update generation_generation set state = 'queued', fence = 0, worker = '', lease_until = null, "
        "started_at = null where state = 'in_progress'"
    )
    rows("vacuum analyze generation_generation")


def begin(number: int) -> None:
    """So many clips are being drawn, on the workers of the pool `video`."""
    from generation import scheduling

    for nth in range(number):
        scheduling.claim("video", worker=f"gpu-{nth + 3}@bench")


def of_artist(nth: int) -> list[Any]:
    from generation.models import Generation

    member = rows("select id from gateway_membership order by id offset %s limit 1", nth)[0][0]
    return list(Generation.objects.filter(membership_id=member, state="queued").listed().order_by("id"))


@contextmanager
def heard(sent: list[tuple[str, Any]]) -> Iterator[None]:
    """Each statement that reads or writes generations."""
    from django.db import connection

    def listen(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        if "generation_generation" in sql:
            sent.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(listen):
        yield


def explain(name: str, act: Callable[[], Any]) -> list[str]:
    """Print how the database carries out each statement of `act`; return the scans of all generations among them."""
    from django.db import transaction

    sent: list[tuple[str, Any]] = []
    with transaction.atomic(), heard(sent):
        act()
        transaction.set_rollback(True)
    found = []
    for sql, values in dict.fromkeys((sql, repr(values)) for sql, values in sent):
        params = next(params for text, params in sent if (text, repr(params)) == (sql, values))
        with transaction.atomic():
            plan = planned(sql, params)
            transaction.set_rollback(True)
        shown = " ".join(sql.split())
        print(f"\n{name}: {shown[:110]}{'…' if len(shown) > 110 else ''}\n")
        print("\n".join(line[:160] for line in plan))
        found += [line for line in plan if "Seq Scan on generation_generation" in line]
    return found


def planned(sql: str, params: Any) -> list[str]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"explain (analyze, buffers) {sql}", params)
        return [line for (line,) in cursor.fetchall()]


def measure(waiting: int, *, times: int = 100) -> dict[str, float]:
    from generation import metrics, scheduling, views, worker
    from generation.models import ModelProfile

    found: dict[str, float] = {}
    warm = [ModelProfile.objects.get(slug="cogvideox-2b").pk]

    def tell(name: str, words: str, took: list[float]) -> None:
        hundredths = statistics.quantiles(took, n=100)
        found.update({f"{name}_ms": hundredths[49], f"{name}_p99_ms": hundredths[98]})
        print(f"  {words:<66} {hundredths[49]:9.2f} {hundredths[98]:9.2f}", flush=True)

    def claim(mine: list[UUID]) -> Any:
        claimed = scheduling.claim("video", worker="gpu-3@bench", warm=mine)
        assert claimed is not None

    print(f"\n{waiting:,} waiting. Milliseconds:\n  {'':<66} {'p50':>9} {'p99':>9}")
    ids = iter([pk for (pk,) in rows("select id from generation_generation where state = 'queued' limit 500")])
    tell("floor", "floor: one row by its key, locked and written", timed(floor(ids), times))
    put_back()
    tell("claim_cold", "claim, nothing warm", timed(lambda: claim([]), times))
    put_back()
    tell("claim_warm", "claim, one of four models warm", timed(lambda: claim(warm), times))
    put_back()
    begin(WORKERS - 2)
    few, many = of_artist(0)[:1], of_artist(1)
    tell("join", "joining the line", timed(lambda: scheduling.join_line(few[0]), times))
    tell("first", "place and end of an artist's first", timed(lambda: views.with_places(few), 20))
    tell("all", f"places and ends of an artist's {len(many)}", timed(lambda: views.with_places(many), 20))
    tell("sweep", "sweep, with nothing to return", timed(worker.sweep, 20))
    tell("metrics", "the metrics page", timed(metrics.text, 20))
    scans: list[str] = []
    for name, act in (
        ("claim", lambda: claim(warm)),
        ("join", lambda: scheduling.join_line(few[0])),
        ("places", lambda: views.with_places(many)),
        ("sweep", worker.sweep),
        ("metrics", metrics.text),
    ):
        scans += explain(name, act)
    found["scans"] = len(scans)
    return {f"{name}_of_{waiting}": value for name, value in found.items()}


def run(generations: int, lines: list[int]) -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    began = time.perf_counter()
    first = history(generations - max(lines))
    fleet()
    found: dict[str, float] = {}
    for waiting in lines:
        wait_in_line(first, waiting)
        print(f"{generations:,} generations, made in {time.perf_counter() - began:.0f} s")
        found |= measure(waiting)
        began = time.perf_counter()
    print(f"\non {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    print(" ".join(f"{name}={value:.2f}" for name, value in found.items()))


if __name__ == "__main__":
    with place.of_its_own(LOG_LEVEL="ERROR"):
        run(
            int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000,
            [int(number) for number in sys.argv[2:]] or [100_000, 1_000],
        )
