"""Which generation is next. The claim is the one writer of `state` outside gateway.states.

1. One claim at a time in a pool (a transaction's advisory lock, held for about a millisecond while a clip takes
   seconds): two workers never weigh the same shares.
2. The member who has been served least, in credits over the cohort's weight, goes first: one artist's burst never
   starves another. What costs nothing counts as one credit here.
3. Of that member's queue a model that is warm on this worker goes before a cold one, unless something has waited for
   over a minute; then age decides.
4. What a brake is on keeps its place and is passed over.
5. A worker that an admin drains takes nothing.
6. What its artist wanted begun by a moment that has passed is not begun any more; the sweep cancels it.
7. One UPDATE takes the row, raises its fence and starts its lease; every later write of the worker carries the fence.
"""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import F
from django.db.transaction import atomic

from gateway import actors, audit
from generation.models import Generation, Share

CLAIM = """
update generation_generation g
   set state = 'in_progress', fence = g.fence + 1, step = 0, worker = %(worker)s,
       started_at = statement_timestamp(), lease_until = statement_timestamp() + make_interval(secs => %(lease)s)
 where g.state = 'queued' and g.id = (
    select next.id
      from generation_share s
      join gateway_membership m on m.id = s.membership_id and m.state = 'active'
     cross join lateral (
        select q.id from generation_generation q
         where q.state = 'queued' and q.pool = %(pool)s and q.membership_id = s.membership_id
           and not braked(q.token_id, q.guest_pass_id, m.user_id, m.cohort_id, q.model_id)
           and (q.cancel_after is null or q.cancel_after > statement_timestamp())
         order by (q.model_id = any(%(warm)s) or q.created_at < statement_timestamp() - interval '1 minute') desc, q.id
         limit 1
           for update skip locked
     ) next
     where s.pool = %(pool)s
       and not exists (select from generation_worker w where w.name = %(worker)s and w.draining_since is not null)
     order by s.served, next.id
     limit 1
 )
returning g.id
"""

# The k-th of a member's queue begins when all before it are served: that point of the member's share orders the line.
LINE = """
select pool, row_number() over (partition by pool order by begins, id) as place,
       id, model_id, width, height, frames, preset, steps
  from (
    select q.*, s.served + coalesce(
        sum(greatest(q.credits, 1)::float / c.weight) over (
            partition by q.pool, q.membership_id order by q.id rows between unbounded preceding and 1 preceding
        ), 0) as begins
      from generation_generation q
      join generation_share s on s.membership_id = q.membership_id and s.pool = q.pool
      join gateway_membership m on m.id = q.membership_id and m.state = 'active'
      join gateway_cohort c on c.id = m.cohort_id
     where q.state = 'queued' and q.pool = any(%s)
       and not braked(q.token_id, q.guest_pass_id, m.user_id, m.cohort_id, q.model_id)
       and (q.cancel_after is null or q.cancel_after > statement_timestamp())
) line
 order by pool, place
"""


def join_line(generation: Generation) -> None:
    """Give its member a share in the pool. Who comes back after a pause begins where the others are, not far behind."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            insert into generation_share (membership_id, pool, served)
            values (%(member)s, %(pool)s, coalesce((
                select min(s.served) from generation_share s
                  join gateway_membership m on m.id = s.membership_id and m.state = 'active'
                 where s.pool = %(pool)s and exists (
                    select from generation_generation q
                     where q.state = 'queued' and q.pool = %(pool)s and q.membership_id = s.membership_id
                )), (select max(served) from generation_share where pool = %(pool)s), 0))
            on conflict (membership_id, pool) do update
                set served = greatest(generation_share.served, excluded.served)
            """,
            {"member": generation.membership_id, "pool": generation.pool},
        )


def claim(pool: str, *, worker: str, warm: list[UUID] | None = None) -> Generation | None:
    """Take the next generation of `pool` for `worker`, with a lease of LEASE_SECONDS; None when nothing waits."""
    with atomic(), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(7001, hashtext(%s))", [pool])
        cursor.execute(CLAIM, {"worker": worker, "lease": settings.LEASE_SECONDS, "pool": pool, "warm": warm or []})
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


@dataclass(frozen=True)
class Place:
    """Where a generation stands in its pool's line, from 1, and what kind of clip it will be."""

    pool: str
    place: int
    pk: UUID
    model_id: UUID
    width: int
    height: int
    frames: int
    preset: str
    steps: int


def line(pools: list[str]) -> list[Place]:
    """All that waits in these pools and may be begun, in the order in which `claim` will take it."""
    with connection.cursor() as cursor:
        cursor.execute(LINE, [pools])
        return [Place(*row) for row in cursor.fetchall()]


def positions(pool: str) -> dict[UUID, int]:
    """Each waiting generation's place in line, from 1."""
    return {row.pk: row.place for row in line([pool])}
