"""Which generation is next. The claim is the one writer of `state` outside gateway.states.

1. One claim at a time in a pool (a transaction's advisory lock, held for about a millisecond while a clip takes
   seconds): two workers never weigh the same shares.
2. The member who has been served least, in credits over the cohort's weight, goes first: one artist's burst never
   starves another. What costs nothing counts as one credit here.
3. Of that member's queue a model that is warm on this worker goes before a cold one, unless something has waited for
   over a minute; then age decides.
4. What a brake is on keeps its place and is passed over.
5. A worker that an admin drains takes nothing, and none takes what its machine has no files for.
6. What its artist wanted begun by a moment that has passed is not begun any more; the sweep cancels it.
7. One UPDATE takes the row, raises its fence and starts its lease; every later write of the worker carries the fence.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.transaction import atomic

from gateway import actors, audit
from generation.models import Generation, Share

# Asked once a statement: `braked()` row by row takes longer than all else here together. No two things share an id.
HELD = """
held as materialized (
    select scope, target from gateway_brake
     where state = 'pulled' and (ends_at is null or ends_at > statement_timestamp())
),
shares as (
    select s.*, m.user_id, m.cohort_id, c.weight from generation_share s
      join gateway_membership m on m.id = s.membership_id and m.state = 'active'
      join gateway_cohort c on c.id = m.cohort_id
     where s.pool = %(pool)s and not exists (select from held where scope = 'all')
       -- a scalar, so that who has nothing waiting is passed by in the index, before anything is joined
       and (select true from generation_generation q
             where q.state = 'queued' and q.pool = %(pool)s and q.membership_id = s.membership_id limit 1)
       and (m.user_id in (select target from held)) is not true
       and (m.cohort_id in (select target from held)) is not true
)
"""
# What of a member's queue may be begun at this moment, where `s` is their share.
READY = """
q.state = 'queued' and q.pool = %(pool)s and q.membership_id = s.membership_id
           and (q.cancel_after is null or q.cancel_after > statement_timestamp())
           and (q.model_id in (select target from held)) is not true
           and (q.token_id in (select target from held)) is not true
           and (q.guest_pass_id in (select target from held)) is not true
"""

# Who is next is asked before which of theirs is: only that one member's queue is sorted, and only its rows are locked.
CLAIM = """
with HELD
update generation_generation g
   set state = 'in_progress', fence = g.fence + 1, step = 0, worker = %(worker)s,
       started_at = statement_timestamp(), lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
 where g.state = 'queued' and g.id = (
    select next.id
      from (
        select s.membership_id, s.served, oldest.id as oldest from shares s cross join lateral (
            select q.id from generation_generation q
             where READY and (%(has)s::uuid[] is null or q.model_id = any(%(has)s)) order by q.id limit 1
        ) oldest
         where not exists (select from generation_worker w where w.name = %(worker)s and w.draining_since is not null)
         order by s.served, oldest.id
         limit 8  -- the first; the others are for the moment in which its row is locked by who cancels it
      ) s
     cross join lateral (
        select q.id from generation_generation q
         where READY and (%(has)s::uuid[] is null or q.model_id = any(%(has)s))
         order by (q.model_id = any(%(warm)s) or q.created_at < statement_timestamp() - interval '1 minute') desc, q.id
         limit 1
           for update skip locked
     ) next
     order by s.served, s.oldest
     limit 1
 )
returning g.id
""".replace("HELD", HELD.strip()).replace("READY", READY.strip())

# The k-th of a member's queue begins when all before it are served: that point of the member's share orders the line.
# Each queue is walked from its head to one point, so this costs what stands before it, however long the whole line is.
LINE = """
with recursive HELD,
line as (
    select s.membership_id, s.weight, s.served as begins,
           q.id, q.credits, q.model_id, q.width, q.height, q.frames, q.preset, q.steps
      from shares s
     cross join lateral (
        select q.* from generation_generation q
         where READY and q.model_id <> all(%(absent)s) order by q.id limit 1
     ) q
     where s.served <= %(until)s and (%(members)s::uuid[] is null or s.membership_id = any(%(members)s))
  union all
    select s.membership_id, s.weight, s.begins + greatest(s.credits, 1)::float / s.weight,
           q.id, q.credits, q.model_id, q.width, q.height, q.frames, q.preset, q.steps
      from line s
     cross join lateral (
        select q.* from generation_generation q
         where READY and q.model_id <> all(%(absent)s) and q.id > s.id order by q.id limit 1
     ) q
     where s.begins + greatest(s.credits, 1)::float / s.weight <= %(until)s
)
select begins, id, model_id, width, height, frames, preset, steps from line limit %(most)s
""".replace("HELD", HELD.strip()).replace("READY", READY.strip())

# From one pool to the next in the index, past all that waits in each.
POOLS = """
with recursive waiting as (
    (select pool from generation_generation where state = 'queued' order by pool limit 1)
  union all
    select next.pool from waiting w cross join lateral (
        select pool from generation_generation where state = 'queued' and pool > w.pool order by pool limit 1
    ) next
)
select pool from waiting
"""
FURTHEST = 500  # places that are told; who asks for one further back learns that it is further back


def join_line(generation: Generation) -> None:
    """Give its member a share in the pool. Who comes back after a pause begins where the others are, not far behind."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            insert into generation_share (membership_id, pool, served)
            values (%(member)s, %(pool)s, coalesce((
                select s.served from generation_share s
                  join gateway_membership m on m.id = s.membership_id and m.state = 'active'
                 where s.pool = %(pool)s and exists (
                    select from generation_generation q
                     where q.state = 'queued' and q.pool = %(pool)s and q.membership_id = s.membership_id
                 ) order by s.served limit 1), (select max(served) from generation_share where pool = %(pool)s), 0))
            on conflict (membership_id, pool) do update
                set served = greatest(generation_share.served, excluded.served)
            """,
            {"member": generation.membership_id, "pool": generation.pool},
        )


def claim(
    pool: str, *, worker: str, warm: list[UUID] | None = None, has: list[UUID] | None = None
) -> Generation | None:
    """Take the next generation of `pool` for `worker`, with a lease of LEASE_SECONDS; None when nothing waits.

    With `has`, only of these models: those whose files its machine has.
    """
    with atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(7001, hashtext(%s))", [pool])
        mine = {"worker": worker, "warm": warm or [], "has": has}
        cursor.execute(CLAIM, {**mine, "lease": settings.LEASE_SECONDS, "pool": pool})
        row = cursor.fetchone()
        if row is None:
            return None
        generation = Generation.objects.select_related("model", "membership__cohort", "picture").get(pk=row[0])
        Share.objects.filter(membership=generation.membership, pool=pool).update(
            served=F("served") + max(1, generation.credits) / generation.membership.cohort.weight
        )
        audit.record(
            "generation.in_progress",
            by=actors.worker(worker),
            subject=generation,
            facts={"fence": generation.fence, "worker": worker},
        )
    return generation


def renew(generation: Generation) -> bool:
    """Hold the lease for another LEASE_SECONDS; False when it is lost or the generation was cancelled."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update generation_generation set lease_until = statement_timestamp() + make_interval(secs => %s) "
            "where id = %s and fence = %s and state = 'in_progress'",
            [settings.LEASE_SECONDS, generation.pk, generation.fence],
        )
        return bool(cursor.rowcount)


@dataclass(frozen=True, order=True)
class Place:
    """What waits: at which point of its member's share it begins, which orders the line, and what it will be."""

    begins: float
    pk: UUID
    model_id: UUID
    width: int
    height: int
    frames: int
    preset: str
    steps: int


def line(pool: str, wanted: Collection[Generation], *, absent: Collection[UUID] = ()) -> tuple[list[Place], set[UUID]]:
    """What waits in `pool` and may be begun, in the order in which `claim` will take it, as far as the last of `wanted`
    but no further than FURTHEST; and which of `wanted` stand further back. Models in `absent` are passed over.
    """
    asked: dict[str, Any] = {"pool": pool, "absent": list(absent), "members": None, "most": FURTHEST + 1}
    pks = {generation.pk for generation in wanted}
    members = list({generation.membership_id for generation in wanted})
    own = _walk({**asked, "members": members, "until": math.inf, "most": None})
    own = sorted(place for place in own if place.pk in pks)
    # Mostly one walk: to the last of them. Where that is too far, from the first on by twice as many, then by halves.
    near, far, ask = 0, len(own) + 1, len(own)
    found: list[Place] = []
    while far - near > 1:
        walked = _walk({**asked, "until": own[ask - 1].begins})
        if len(walked) <= FURTHEST:
            near, found = ask, walked
        else:
            far = ask
        ask = min(max(2 * near, 1), (near + far) // 2)
    further = {place.pk for place in own[near:]}
    return sorted(place for place in found if place <= own[near - 1]), further


def pools() -> set[str]:
    """Where something waits, held or not."""
    with connection.cursor() as cursor:
        cursor.execute(POOLS)
        return {pool for (pool,) in cursor.fetchall()}


def _walk(asked: dict[str, Any]) -> list[Place]:
    with connection.cursor() as cursor:
        cursor.execute(LINE, asked)
        return [Place(*row) for row in cursor.fetchall()]
