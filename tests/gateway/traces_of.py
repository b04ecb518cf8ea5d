"""Traces as data: who asks when, from where, with what, and how long the answer takes. Time is a number in them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID, uuid4

from gateway import traces
from gateway.traces import Use

NOON = 1_790_000_000.0
HOUR, DAY = 3600.0, 86400.0
NOTEBOOK = "OpenAI/Python 2.8.1"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Safari/605.1"
LAPTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@dataclass(frozen=True)
class Call:
    """One request: it begins at `at`, and is answered `seconds` later."""

    at: float
    use: Use
    seconds: float = 0.03
    refused: bool = False


@dataclass
class Seen:
    """What was thought of it: the highest score, and the call (counted from 1) and time at which it froze."""

    score: int = 0
    slowed: bool = False
    froze_at: float | None = None
    calls: int = 0
    signals: frozenset[str] = frozenset()


def use(
    target: UUID,
    owner: UUID,
    *,
    scope: str = "token",
    address: str = "203.0.113.7",
    agent: str = NOTEBOOK,
    **told: object,
) -> Use:
    return Use(
        scope,
        target,
        owner,
        address=address,
        agent=agent,
        print=str(told.pop("print", agent)),
        **{"act": "watch", **told},
    )  # type: ignore[arg-type]


def replay(*calls: Call) -> dict[UUID, Seen]:
    """Each call begins and ends in its order; what is frozen is asked no more."""
    moments = [(call.at, 1, n, call) for n, call in enumerate(calls)]
    moments += [(call.at + call.seconds, 0, n, call) for n, call in enumerate(calls)]
    seen: dict[UUID, Seen] = {}
    open_: dict[int, traces.Noted] = {}
    for at, begins, n, call in sorted(moments, key=lambda moment: moment[:3]):
        found = seen.setdefault(call.use.target, Seen())
        if not begins:
            if n in open_:
                traces.ended(open_.pop(n), refused=call.refused, at=at)
            continue
        if found.froze_at is not None:
            continue
        noted = traces.note(call.use, at=at)
        assert noted is not None
        open_[n] = noted[0]
        found.calls += 1
        signals = traces.judge(call.use.scope, noted[1])
        score = sum(signal.weight for signal in signals)
        if score > found.score:
            found.score, found.signals = score, frozenset(signal.code for signal in signals)
        if score >= traces.SLOW:
            found.slowed = True
            traces.slow(call.use, at=at)
        if score >= traces.FREEZE:
            found.froze_at = at
    for target in seen:
        for scope in traces.BY_SCOPE:
            traces.forget(scope, target)
    return seen


# ---------------------------------------------------------------- people at work


def travel(chance: random.Random) -> Iterator[Call]:
    """Six days, two countries a day apart: a hotel, a café, a telephone's network, a train that changes cells."""
    who, token = uuid4(), uuid4()
    for day in range(6):
        places = [
            f"{chance.randrange(11, 220)}.{chance.randrange(256)}.{chance.randrange(256)}.{n}" for n in range(1, 4)
        ]
        for _ in range(chance.randrange(3, 7)):
            begin = NOON + day * DAY + chance.uniform(8, 22) * HOUR
            for n in range(chance.randrange(5, 30)):
                # On the way the network changes under one's feet, at most every few minutes.
                place = places[int((n * 20) // 300) % 3]
                yield Call(
                    begin + n * 20 + chance.random(),
                    use(token, who, address=place, act="ask" if n % 10 == 0 else "watch", work=str(n // 10)),
                )


def studio(chance: random.Random, people: int = 10) -> Iterator[Call]:
    """Ten artists behind one address, each with a token and a browser."""
    for _ in range(people):
        who, token, session = uuid4(), uuid4(), uuid4()
        agent = chance.choice([NOTEBOOK, "python-requests/2.34", LAPTOP])
        begin = NOON + chance.uniform(0, 120)
        for n in range(60):
            yield Call(
                begin + n * chance.uniform(2, 6),
                use(token, who, agent=agent, act="ask" if n % 20 == 0 else "watch", work=str(n // 20)),
            )
            yield Call(begin + n * chance.uniform(2, 6), use(session, who, scope="session", agent=LAPTOP, act="page"))


def notebook(
    chance: random.Random, hours: float = 1.0, together: int = 4, pause: tuple[float, float] = (0.2, 0.5)
) -> Iterator[Call]:
    """One program, which waits for each answer: asks for a few clips, polls them in turn without rest, and begins anew."""
    who, token, at, asked = uuid4(), uuid4(), NOON, 0
    while at < NOON + hours * HOUR:
        for _ in range(together):
            seconds = chance.uniform(0.02, 0.3)
            yield Call(at, use(token, who, act="ask"), seconds)
            at += seconds + 0.01
            asked += 1
        for n in range(chance.randrange(5, 40) * together):
            seconds = chance.uniform(0.01, 0.15)
            yield Call(at, use(token, who, work=str(asked - n % together)), seconds)
            at += seconds + chance.uniform(*pause)


def gathered(chance: random.Random, together: int = 10) -> Iterator[Call]:
    """A notebook that asks for ten clips at the same time and polls each by itself: many, but one person."""
    who, token = uuid4(), uuid4()
    for n in range(together):
        yield Call(NOON + chance.uniform(0, 0.05), use(token, who, act="ask"), chance.uniform(0.03, 0.3))
        at = NOON + chance.uniform(0.5, 1.0)
        for _ in range(60):
            yield Call(at, use(token, who, work=str(n)), chance.uniform(0.01, 0.05))
            at += 1 + chance.uniform(0, 0.1)


def phone_and_laptop(chance: random.Random) -> Iterator[Call]:
    """Two browsers on two networks, both polling at the same time, for an afternoon; and a token in between."""
    who, phone, laptop, token = uuid4(), uuid4(), uuid4(), uuid4()
    for target, agent, address in ((phone, PHONE, "198.51.100.20"), (laptop, LAPTOP, "203.0.113.7")):
        at = NOON + chance.uniform(0, 60)
        for n in range(700):
            act = "ask" if n % chance.randrange(40, 80) == 0 else "watch" if n % 5 else "page"
            yield Call(
                at,
                use(
                    target, who, scope="session", agent=agent, address=address, act=act, work=str(n // 80), paced=False
                ),
            )  # type: ignore[arg-type]
            if n % 20 == 0:
                for _ in range(6):
                    yield Call(
                        at + 0.02, use(target, who, scope="session", agent=agent, address=address, act="file"), 0.5
                    )
            yield Call(at + chance.uniform(0, 1), use(token, who, agent=agent, address=address, work=str(n // 80)))
            at += chance.uniform(0.8, 3)


def night(chance: random.Random) -> Iterator[Call]:
    """One program for eight hours: a clip every half minute, looked at every two seconds until it is there."""
    who, token, at = uuid4(), uuid4(), NOON + 10 * HOUR
    for n in range(960):
        yield Call(at, use(token, who, act="ask"), chance.uniform(0.02, 0.1))
        for k in range(1, 9):
            yield Call(at + 2 * k + chance.uniform(-0.3, 0.3), use(token, who, work=str(n)))
        at += 30 + chance.uniform(-3, 3)


# ---------------------------------------------------------------- a leak


def proxy(
    chance: random.Random,
    clients: int = 50,
    addresses: int = 1,
    within: float = 1.0,
    scope: str = "token",
    allowed: int = 10,
    slowest: float = 0.2,
    **told: object,
) -> Iterator[Call]:
    """A page behind which `clients` strangers ask for clips with one credential: one address, one set of headers."""
    who, target = uuid4(), uuid4()
    for n in range(clients):
        address = f"192.0.{n % addresses}.{n % 200}" if addresses > 1 else "192.0.2.1"
        at = NOON + chance.uniform(0, within)
        given = n < allowed
        for k in range(15):
            act = "watch" if k and given else "ask"
            seconds = chance.uniform(slowest / 6, slowest)
            yield Call(
                at,
                use(target, who, scope=scope, address=address, act=act, work=str(n) if act == "watch" else "", **told),
                seconds,
                refused=act == "ask" and not given,
            )
            at += seconds + chance.uniform(0.5, 2)
