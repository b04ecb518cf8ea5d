"""How much at a time: clips a day, clips at once, requests a minute. A cohort's, unless a membership has its own.

Clips are counted from their rows, under the membership's lock (`hold`): no counter stands beside them that could leak.
Requests are counted in Valkey, in one round trip, by the generic cell rate algorithm: so many at once, and then one
for each part of a minute that has passed. When Valkey is away they pass, with a line in the log: this limit keeps
one client from crowding out the others; what costs anything is limited by rows.
"""

import logging
import time
from dataclasses import dataclass
from functools import cache
from uuid import UUID

import redis
from django.conf import settings
from django.core.cache import cache as cached
from django.db.transaction import atomic
from django.utils.crypto import salted_hmac

from gateway import addresses, audit, notices, refusals
from gateway.actors import Actor
from gateway.models import Membership
from gateway.prepared import Statement

log = logging.getLogger(__name__)
A_MINUTE = 600  # for a person without a membership
WINDOW = 60
PATIENCE = 0.25  # seconds: a limit never holds up what it guards
PAUSE = 5.0  # seconds in which Valkey isn't asked again after it did not answer

# For each key: when its last allowed request is used up, in milliseconds. All allow, or none is counted.
GCRA = """
local t = redis.call('time')
local now = t[1] * 1000 + t[2] / 1000
local answer, tats, allowed = {}, {}, 1
for i, key in ipairs(KEYS) do
    local each = 60000 / ARGV[i]
    local tat = math.max(tonumber(redis.call('get', key) or now), now)
    if tat + each - now > 60000.001 then allowed = 0 end
    tats[i] = tat
end
for i, key in ipairs(KEYS) do
    local each = 60000 / ARGV[i]
    local tat, wait = tats[i], 0
    if tat + each - now > 60000.001 then wait = tat + each - now - 60000 end
    if allowed == 1 then
        tat = tat + each
        redis.call('set', key, string.format('%.3f', tat), 'px', math.ceil(tat - now) + 1)
    end
    answer[#answer + 1] = math.floor((60000 - (tat - now)) / each + 0.001)
    answer[#answer + 1] = math.ceil((tat - now) / 1000)
    answer[#answer + 1] = math.ceil(wait / 1000)
end
return {allowed, answer}
"""

_silent_until = 0.0


@dataclass(frozen=True)
class Limits:
    """What a member may ask for."""

    daily: int
    concurrent: int
    requests_a_minute: int


@dataclass(frozen=True)
class Pace:
    """One policy's answer to one request: `left` of `quota` a minute, all of it again in `full_in` seconds."""

    name: str
    quota: int
    left: int
    full_in: int


def of(membership: Membership) -> Limits:
    """A membership's own limits, else its cohort's."""
    cohort = membership.cohort
    return Limits(
        daily=cohort.daily if membership.daily is None else membership.daily,
        concurrent=cohort.concurrent if membership.concurrent is None else membership.concurrent,
        requests_a_minute=membership.requests_a_minute or cohort.requests_a_minute,
    )


def hold(membership: Membership) -> Limits:
    """The limits in force at this moment; until the transaction ends nobody else counts for this membership.

    Raises Suspended, NotAMember: who was suspended while they asked.
    """
    (found,) = HELD.all(membership.pk)
    if found.state == "left":
        raise refusals.NotAMember
    if found.state == "suspended":
        raise refusals.Suspended
    return of(found)


HELD = Statement(
    lambda pk: Membership.objects.select_for_update(no_key=True, of=("self",)).select_related("cohort").filter(pk=pk),
    UUID,
)


def change(
    membership: Membership,
    *,
    by: Actor,
    daily: int | None,
    concurrent: int | None,
    requests_a_minute: int | None,
) -> None:
    """Give a member limits of their own, from now on; None is the cohort's. They are told. Raises AdminsOnly."""
    by.must_be_admin()
    own = {"daily": daily, "concurrent": concurrent, "requests_a_minute": requests_a_minute}
    with atomic():
        Membership.objects.filter(pk=membership.pk).update(**own)
        audit.record("membership.limited", by=by, subject=membership, facts=own)
        membership.refresh_from_db()
        now = of(membership)
        notices.tell(
            membership.user,
            "Your limits have changed",
            f"{now.daily} clips a day, {now.concurrent} at a time and {now.requests_a_minute} requests a minute "
            "are yours.",
            path="/access/allowance",
        )


def count_request(by: Actor) -> list[Pace]:
    """Count a request of a token's or a person's against all that limits it; nobody's is not counted.

    Raises TooManyRequests; then it was not counted.
    """
    global _silent_until
    policies = _policies(by)
    if not policies or time.monotonic() < _silent_until:
        return []
    try:
        allowed, told = _script()(
            keys=[key for _, key, _ in policies], args=[quota for _, _, quota in policies], client=_valkey()
        )
    except (redis.RedisError, OSError) as error:
        _silent_until = time.monotonic() + PAUSE
        log.warning("requests pass uncounted: %s", error)
        return []
    paces = []
    for place, (name, _, quota) in enumerate(policies):
        left, full_in, wait = map(int, told[3 * place : 3 * place + 3])
        if not allowed and wait:
            raise refusals.TooManyRequests(limit=quota, seconds=max(1, wait), retry_after=max(1, wait))
        paces.append(Pace(name, quota, max(0, left), full_in))
    return paces


def too_often(what: str, sender: str, *, an_hour: int) -> bool:
    """Count one `what` more from the household of the address `sender`, and say whether there are too many in an hour.

    While Valkey is away nobody is counted: what is kept is bounded by rows all the same.
    """
    key = f"{what}:" + salted_hmac("gateway.limits", addresses.household(sender) or "nowhere").hexdigest()
    try:
        cached.add(key, 0, timeout=3600)
        return cached.incr(key) > an_hour
    except ValueError:  # it ran out at this moment
        return False
    except (redis.RedisError, OSError) as error:
        log.warning("%ss pass uncounted: %s", what, error)
        return False


def _policies(by: Actor) -> list[tuple[str, str, int]]:
    """Name, key and requests a minute of each that limits `by`: the member's, and the token's own if it has one."""
    if by.user is None:
        return []
    quota = of(by.membership).requests_a_minute if by.membership is not None else A_MINUTE
    found = [("member", f"pace:{by.user.pk.hex}", quota)]
    if by.token is not None and by.token.requests_a_minute is not None:
        found.append(("token", f"pace:{by.token.family.hex}", by.token.requests_a_minute))
    return found


@cache
def _valkey() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)


@cache
def _script() -> "redis.commands.core.Script":
    return _valkey().register_script(GCRA)
