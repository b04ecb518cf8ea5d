"""What Valkey remembers of how each credential is used, in sliding windows, and what that looks like.

1. A request is noted by one script, in one round trip: who, from where, with what program, asking for what. When its
   answer is ready, a second one says so, because a single person's program waits for its answers and fifty people
   behind a proxy don't wait for each other: requests that overlap tell a busy notebook from a leak.
2. Addresses are kept as keyed digests and as network ranges, programs by the name that they give themselves, prompts
   not at all. Each window forgets by itself: that is how a score decays.
3. Weights are added up (`judge`). Each group of signals counts by its strongest, so that one habit is not counted
   twice; what people do who travel, share a studio or work all night adds up to less than SLOW.
4. Valkey away: requests go on unseen, and the log says so. Limits and brakes are rows, and hold all the same.
"""

import logging
import time
from dataclasses import dataclass, fields
from functools import cache
from hashlib import blake2b
from ipaddress import ip_address, ip_network
from typing import Literal
from uuid import UUID

import redis
from django.conf import settings

from gateway.models.base import new_id

log = logging.getLogger(__name__)
SLOW, FREEZE = 50, 100
SLOW_SECONDS = 60  # how long a credential is slowed after it last looked like a leak
CALM_SECONDS = 10  # how long nothing is asked of the database again, when a freeze was not to be
EACH, BURST = 2, 5  # a slowed credential: one request in so many seconds, after so many
PATIENCE = 0.25  # seconds: watching never holds up what it watches
PAUSE = 5.0  # seconds in which Valkey isn't asked again after it did not answer
Act = Literal["ask", "watch", "page", "file"]

NOTE = f"""
local c, at = KEYS[1], tonumber(ARGV[1])
if at == 0 then local t = redis.call('time'); at = t[1] + t[2] / 1000000 end
local id, act, work, owner, address, network, print, agent, claimed, bare, paced = unpack(ARGV, 2)

local function count(name, member, seconds, most)
    local key, new = c .. name, 0
    redis.call('zremrangebyscore', key, '-inf', at - seconds)
    if member ~= '' then
        new = redis.call('zadd', key, at, member)
        redis.call('zremrangebyrank', key, 0, -1 - (most or 200))
        redis.call('expire', key, seconds)
    end
    return redis.call('zcard', key), new
end

-- How many others are being answered at this moment. Files don't count: a page fetches six pictures at once.
local others = 0
if act ~= 'file' then
    others = count('open', id, 60) - 1
end
local overlaps = others > 0

-- Slowed: one request in EACH seconds. Whoever is refused is given a turn at which to come back.
local wait, turned_away = 0, ''
if paced == '1' and tonumber(redis.call('get', c .. 'slow') or '0') > at then
    local each, burst, turns = {EACH}, {BURST}, c .. 'turns'
    redis.call('zremrangebyscore', turns, '-inf', at - 30)
    local due = redis.call('zrangebyscore', turns, '-inf', at, 'limit', 0, 1)
    if due[1] then
        redis.call('zrem', turns, due[1])
    else
        local turn = math.max(tonumber(redis.call('get', c .. 'turn') or '0'), at - burst * each) + each
        wait = math.min(turn - at, 60)
        if wait > 0 then turned_away = id end
        if turn <= at + 60 then
            redis.call('set', c .. 'turn', turn, 'ex', 120)
            if wait > 0 then redis.call('zadd', turns, turn, id); redis.call('expire', turns, 120) end
        end
    end
end

local _, new = count('known', network, 30 * 86400, 60)
if redis.call('zcard', c .. 'known') == 1 then new = 0 end
local answer = {{
    count('asks', act == 'ask' and id or '', 30),
    count('asks_at_once', act == 'ask' and overlaps and id or '', 30),
    count('works_at_once', act == 'watch' and overlaps and work or '', 30),
    count('crowded', others >= 7 and id or '', 30),
    count('refused', '', 30),
    count('ignored', turned_away, 30),
    count('addresses', address, 600),
    count('networks', network, 600),
    count('prints', print, 600),
    count('claimed', claimed, 600),
    count('new_networks', new == 1 and network or '', 3600),
    count('hours', tostring(math.floor(at / 3600)), 86400, 26),
    0,
    count('asks_a_minute', act == 'ask' and id or '', 60),
    count('bare', bare == '1' and id or '', 600),
    count('dressed', bare == '0' and id or '', 600),
    math.ceil(math.max(wait, 0)),
    redis.call('exists', c .. 'calm'),
}}
count('agents', agent, 600, 20)

-- Whose credentials come from this address.
redis.call('zremrangebyscore', KEYS[2], '-inf', at - 600)
redis.call('zadd', KEYS[2], at, owner)
redis.call('expire', KEYS[2], 600)
answer[13] = redis.call('zcard', KEYS[2])
return answer
"""

NAMES = (
    *("open", "slow", "turn", "turns", "calm", "known", "asks", "asks_at_once", "works_at_once", "crowded", "refused"),
    *("ignored", "addresses", "networks", "prints", "claimed", "new_networks", "hours", "asks_a_minute", "bare"),
    *("dressed", "agents"),
)

_silent_until = 0.0


@dataclass(frozen=True)
class Use:
    """One request of a credential. `print` is what its program tells of itself, `claimed` whom it says to speak for."""

    scope: str
    target: UUID
    owner: UUID
    address: str
    agent: str
    print: str
    act: Act
    work: str = ""
    claimed: str = ""
    bare: bool = False  # nothing in it that a browser would send
    paced: bool = True  # counts when the credential is slowed


@dataclass(frozen=True)
class Window:
    """What the windows of one credential hold; in the order in which the script tells it."""

    asks: int = 0  # for something new, in half a minute
    asks_at_once: int = 0  # of those: while another request was being answered
    works_at_once: int = 0  # works looked at while another request was being answered, in half a minute
    crowded: int = 0  # requests that found seven others being answered, in half a minute
    refused: int = 0  # asks that were refused, in half a minute
    ignored: int = 0  # requests that did not wait although they were told to, in half a minute
    addresses: int = 0  # in ten minutes, as all that follow where nothing is said
    networks: int = 0
    prints: int = 0
    claimed: int = 0
    new_networks: int = 0  # in an hour
    hours: int = 0  # of the last 24 in which it was used
    owners: int = 0  # whose credentials came from this address
    asks_a_minute: int = 0
    bare: int = 0
    dressed: int = 0
    wait: int = 0  # seconds, when it is slowed
    calm: int = 0  # a freeze was considered a moment ago


@dataclass(frozen=True)
class Signal:
    """Something that was seen: `text` is for its owner to read."""

    code: str
    weight: int
    text: str


@dataclass(frozen=True)
class Noted:
    """A request that has begun, and has to be ended."""

    key: str
    id: str
    act: Act


# group → code, what is counted, (from how many, weight) …, in words. Of a group the heaviest counts.
Rung = tuple[str, str, tuple[tuple[int, int], ...], str]
RUSH: tuple[Rung, ...] = (
    (
        "at_once",
        "asks_at_once",
        ((13, 60), (20, 100)),
        "{n} clips were asked for in half a minute by callers who {apart}",
    ),
    (
        "at_once",
        "works_at_once",
        ((13, 60), (20, 100)),
        "{n} works were watched in half a minute by callers who {apart}",
    ),
    ("crowded", "crowded", ((20, 40),), "eight and more requests at the same moment, {n} times in half a minute"),
    ("asks", "asks", ((40, 50),), "{n} clips were asked for in half a minute"),
    ("refused", "refused", ((10, 50),), "it went on asking after {n} refusals in half a minute"),
)
IGNORED: tuple[Rung, ...] = (
    ("ignored", "ignored", ((20, 50),), "{n} requests did not wait although they were told to"),
)
PLACES: tuple[Rung, ...] = (
    ("addresses", "addresses", ((10, 50), (20, 100)), "{n} addresses within ten minutes"),
    ("networks", "networks", ((5, 50), (10, 100)), "{n} networks within ten minutes"),
)
PROGRAMS: tuple[Rung, ...] = (
    ("programs", "prints", ((6, 50), (12, 100)), "{n} different programs or browsers within ten minutes"),
    ("claimed", "claimed", ((6, 50), (12, 100)), "it spoke for {n} addresses within ten minutes, as a proxy does"),
)
HABITS: tuple[Rung, ...] = (("hours", "hours", ((20, 20),), "it was used in {n} of the last 24 hours"),)
COMPANY: tuple[Rung, ...] = (("company", "owners", ((5, 15),), "{n} people's credentials come from this address"),)
JOURNEY: tuple[Rung, ...] = (("new_network", "new_networks", ((1, 10),), "it came from a network that is new to it"),)
PACE: tuple[Rung, ...] = (
    (
        "pace",
        "asks_a_minute",
        ((15, 50), (30, 100)),
        "something new was asked for {n} times in a minute, faster than a hand",
    ),
)
BY_SCOPE = {
    "token": (RUSH, IGNORED, PLACES, PROGRAMS, HABITS, COMPANY, JOURNEY),
    "session": (RUSH, IGNORED, PLACES, PROGRAMS, HABITS, COMPANY, JOURNEY, PACE),
    "guest_pass": (RUSH, IGNORED, PLACES),  # meant for several people: it counts when they are a crowd
}
CROWD = 4  # so many times more than of one person's credential


def note(use: Use, *, at: float = 0) -> tuple[Noted, Window] | None:
    """Note a request, at the moment `at` (0: now); None when Valkey is away."""
    noted = Noted(_key(use.scope, use.target), str(new_id()), use.act)
    told = [
        noted.id,
        use.act,
        use.work[:80],
        use.owner.hex,
        _digest(use.address),
        network(use.address),
        _digest(use.print),
        use.agent[:80],
        _digest(use.claimed) if use.claimed else "",
        "1" if use.bare else "0",
        "1" if use.paced else "0",
    ]
    found = _ask(lambda: _script()(keys=[noted.key, _company(use.address)], args=[at, *told], client=_valkey()))
    return None if found is None else (noted, Window(*map(int, found)))


def ended(noted: Noted, *, refused: bool = False, at: float = 0) -> None:
    """The answer to a noted request is ready."""
    if noted.act == "file":
        return

    def tell() -> object:
        if not (refused and noted.act == "ask"):
            return _valkey().zrem(noted.key + "open", noted.id)
        with _valkey().pipeline(transaction=False) as pipe:
            pipe.zrem(noted.key + "open", noted.id)
            pipe.zadd(noted.key + "refused", {noted.id: at or time.time()})
            pipe.expire(noted.key + "refused", 30)
            return pipe.execute()

    _ask(tell)


def judge(scope: str, window: Window) -> list[Signal]:
    """What the windows of a credential look like, the heaviest first. Their weights are added up."""
    found = []
    for group in BY_SCOPE[scope]:
        signals = [signal for rung in group if (signal := _climb(rung, window, CROWD if scope == "guest_pass" else 1))]
        if signals:
            found.append(max(signals, key=lambda signal: signal.weight))
    if scope == "session" and window.bare >= 30 and window.dressed * 10 < window.bare:
        found.append(Signal("script", 40, f"{window.bare} requests within ten minutes that no browser sends so"))
    return sorted(found, key=lambda signal: -signal.weight)


def slow(use: Use, *, at: float = 0) -> None:
    """Slow this credential for the next minute."""
    _ask(
        lambda: _valkey().set(_key(use.scope, use.target) + "slow", (at or time.time()) + SLOW_SECONDS, ex=SLOW_SECONDS)
    )


def calm(use: Use) -> None:
    """A freeze was considered, and is not to be; nothing is asked again for a moment."""
    _ask(lambda: _valkey().set(_key(use.scope, use.target) + "calm", 1, ex=CALM_SECONDS))


def whereabouts(scope: str, target: UUID) -> dict[str, list[str]]:
    """From which networks and by what programs it was used within ten minutes, for its owner to judge."""
    key = _key(scope, target)
    found = _ask(lambda: [_valkey().zrevrange(key + name, 0, 19) for name in ("networks", "agents")])
    networks, agents = found or ([], [])  # type: ignore[misc]
    return {"networks": _read(networks), "agents": _read(agents)}


def forget(scope: str, target: UUID) -> None:
    """Begin anew with this credential."""
    key = _key(scope, target)
    _ask(lambda: _valkey().delete(*(key + name for name in NAMES)))


def network(address: str) -> str:
    """The range that an address lies in: /24, of IPv6 /48; "" for none."""
    try:
        wide = 24 if ip_address(address).version == 4 else 48
        return str(ip_network(f"{address}/{wide}", strict=False))
    except ValueError:
        return ""


def _climb(rung: Rung, window: Window, scale: int) -> Signal | None:
    code, counted, steps, text = rung
    n = getattr(window, counted)
    weights = [weight for least, weight in steps if n >= least * scale]
    return Signal(code, weights[-1], text.format(n=n, apart="did not wait for each other")) if weights else None


def _key(scope: str, target: UUID) -> str:
    return f"trace:{scope}:{target.hex}:"


def _company(address: str) -> str:
    return f"trace:from:{_digest(address)}"


def _digest(text: str) -> str:
    return blake2b(text.encode(), key=settings.SECRET_KEY.encode()[:64], digest_size=8).hexdigest()


def _read(members: object) -> list[str]:
    return [member.decode(errors="replace") for member in members if member]  # type: ignore[attr-defined]


def _ask(question):  # type: ignore[no-untyped-def]
    """Ask Valkey; None when it does not answer, and then it is left alone for a moment."""
    global _silent_until
    if time.monotonic() < _silent_until:
        return None
    try:
        return question()
    except (redis.RedisError, OSError) as error:
        _silent_until = time.monotonic() + PAUSE
        log.warning("requests pass unseen: %s", error)
        return None


@cache
def _valkey() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE)


@cache
def _script() -> "redis.commands.core.Script":
    return _valkey().register_script(NOTE)


assert len(fields(Window)) == 18
