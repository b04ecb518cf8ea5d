"""What it costs to find out whose token it is, with a million of them: the very statement that `tokens.find` sends, in
a PostgreSQL of its own on this machine. The floor, in the same run and on the same connection: one row by its primary
key.

    python -m benchmarks.authentication [tokens] [asked]
"""

import os
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks import place

TOKENS_A_PERSON = 50
FLOOR = "select id from gateway_token where id = %s"

PEOPLE = """
insert into gateway_cohort (id, name, credits, daily, concurrent, requests_a_minute, weight, review_hours, smoke)
select gen_random_uuid(), 'Cohort ' || n, 120, 200, 10, 600, 1, 24, false from generate_series(1, 50) n;
insert into gateway_user (id, email, name, studio, password, is_active, is_reviewer, is_staff, is_superuser)
select gen_random_uuid(), 'person.' || n || '@example.org', 'Person ' || n, '', '!', true, false, false, false
  from generate_series(1, %(people)s) n;
insert into gateway_membership (id, user_id, cohort_id, state, credits)
select gen_random_uuid(), u.id, c.id, 'active', 120
  from (select id, row_number() over () n from gateway_user) u
  join (select id, row_number() over () n from gateway_cohort) c on c.n = u.n %% 50 + 1
"""

# In an order by chance, so that those that are asked for lie anywhere in the table.
TOKENS = """
insert into gateway_token (id, user_id, membership_id, mode, label, digest, last_four, scopes, networks, last_use,
                           family, self_made, expires_at, last_used_at)
select gen_random_uuid(), m.user_id, m.id, 'live', 'notebook', d.digest, 'abcd', '{generate,submit,publish}', '{}',
       'GET /v1/videos', gen_random_uuid(), false, now() + interval '90 days', now()
  from (select digest, row_number() over (order by random()) n from (
            select digest from ours
            union all
            select sha256(convert_to(n::text, 'UTF8')) from generate_series(1, %(others)s) n) digests) d
  join (select id, user_id, row_number() over () n from gateway_membership) m on m.n = d.n %% %(people)s + 1
"""


def fill(secrets: list[str], tokens: int) -> float:
    """Put so many tokens in, among them those of `secrets`; return the seconds that it took."""
    from django.db import connection

    from gateway import keys

    began = time.perf_counter()
    figures = {"people": max(50, tokens // TOKENS_A_PERSON), "others": tokens - len(secrets)}
    with connection.cursor() as cursor:
        for statement in PEOPLE.split(";"):
            cursor.execute(statement, figures)
        cursor.execute("create temporary table ours (digest bytea)")
        with cursor.copy("copy ours from stdin") as copy:
            for secret in secrets:
                copy.write_row([keys.digest(secret)])
        cursor.execute(TOKENS, figures)
        cursor.execute("drop table ours")
        cursor.execute("vacuum analyze")
    return time.perf_counter() - began


def statement_of(secret: str) -> tuple[str, list[Any], int]:
    """The statement by which `find` finds it, its values, and which of them is the digest."""
    from django.db import connection

    from gateway import keys, tokens

    sent: list[tuple[str, list[Any]]] = []

    def listen(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        sent.append((sql, list(params)))
        return execute(sql, params, many, context)

    tokens.find(secret)  # notes its use, which it does once a minute
    with connection.execute_wrapper(listen):
        tokens.find(secret)
    ((sql, values),) = sent
    plain = [getattr(value, "obj", value) for value in values]  # the driver wraps bytes
    return sql, values, plain.index(keys.digest(secret))


def milliseconds(ask: Callable[[Any], object], things: Iterable[Any]) -> list[float]:
    took = []
    for thing in things:
        began = time.perf_counter()
        ask(thing)
        took.append((time.perf_counter() - began) * 1000)
    return sorted(took)


def measure(count: int, asked: int) -> dict[str, float]:
    from django.db import connection

    from gateway import keys, tokens
    from gateway.prepared import prepared

    secrets = [keys.make("artist") for _ in range(asked)]
    filled = fill(secrets, count)
    sql, values, place = statement_of(secrets[0])
    with connection.cursor() as cursor:
        cursor.execute(f"explain (analyze, buffers) {sql}", values)
        print(f"{sql}\n\n" + "\n".join(line for (line,) in cursor.fetchall()) + "\n")
        cursor.execute("select count(*) from gateway_token")
        print(f"{cursor.fetchone()[0]:,} tokens of {count // TOKENS_A_PERSON:,} people, put in within {filled:.0f} s")
        cursor.execute(
            "select id from gateway_token where digest = any(%s)", [[keys.digest(secret) for secret in secrets]]
        )
        ids = [pk for (pk,) in cursor.fetchall()]

        def by_statement(secret: str) -> None:
            with prepared(), connection.cursor() as its_own:
                its_own.execute(sql, [*values[:place], keys.digest(secret), *values[place + 1 :]])
                its_own.fetchall()

        def planned_anew(secret: str) -> None:
            cursor.execute(sql, [*values[:place], keys.digest(secret), *values[place + 1 :]])
            cursor.fetchall()

        def by_key(pk: Any) -> None:
            cursor.execute(FLOOR, [pk])
            cursor.fetchall()

        random.shuffle(ids)
        random.shuffle(secrets)
        took: dict[str, list[float]] = {"floor": [], "query": [], "anew": [], "find": []}
        milliseconds(tokens.find, secrets)  # each use is noted once a minute, and that is a second statement
        for part in range(0, asked, 500):  # turn by turn, so that a busy moment of the machine falls on all of them
            took["floor"] += milliseconds(by_key, ids[part : part + 500])
            took["query"] += milliseconds(by_statement, secrets[part : part + 500])
            took["anew"] += milliseconds(planned_anew, secrets[part : part + 500])
            took["find"] += milliseconds(tokens.find, secrets[part : part + 500])
    found: dict[str, float] = {"tokens": count, "asked": asked}
    for name, values_of in took.items():
        hundredths = statistics.quantiles(values_of, n=100)
        found |= {f"{name}_ms": hundredths[49], f"{name}_p99_ms": hundredths[98]}
    return found


def run(count: int, asked: int) -> None:
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    found = measure(count, asked)
    print(f"Milliseconds, {asked:,} by chance of {count:,}, on {os.cpu_count()} cores:      median     p99")
    for name, words in {
        "query": "the statement of tokens.find, sent and read",
        "anew": "the same, planned anew each time",
        "find": "tokens.find as a whole, in Python",
        "floor": "floor: one row by its primary key",
    }.items():
        print(f"  {words:<52} {found[f'{name}_ms']:8.3f} {found[f'{name}_p99_ms']:8.3f}")
    print(" ".join(f"{name}={value:.3f}" for name, value in found.items()))


if __name__ == "__main__":
    with place.of_its_own():
        run(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, int(sys.argv[2]) if len(sys.argv) > 2 else 5_000)
