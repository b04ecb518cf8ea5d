"""Everything at once: artists ask and cancel, workers claim, finish, fail and die, the sweep comes by."""

import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection
from django.db.models import F, Q, Sum
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import actors, allowances, refusals, states
from gateway.models import Allowance, LedgerEntry
from generation import generations, media, scheduling, worker
from generation.models import Generation, Output
from tests import makers

ROUNDS = 12


def finish(claimed: Generation) -> None:
    """The worker's last transaction, as in generation.worker."""
    outputs = media.keep(claimed, makers._files())
    with atomic():
        states.move(
            claimed, "completed", by=actors.worker("w"), when=Q(fence=claimed.fence), ended_at=Now(), lease_until=None
        )
        Output.objects.bulk_create(outputs)
        allowances.settle(claimed.pk)


def test_of_320_who_ask_at_once_for_100_credits_exactly_100_are_served(at_once: Callable[..., list[Any]]):
    with connection.cursor() as cursor:
        cursor.execute("show max_connections")
        if int(cursor.fetchone()[0]) < 340:
            pytest.skip("this PostgreSQL takes fewer connections at a time")
    artist = makers.artist(credits=100, cohort=makers.cohort(daily=1000, concurrent=1000))
    makers.sketch()
    answers = at_once(*[partial(generations.submit, by=artist, prompt="a red circle", seconds=1)] * 320)
    assert sum(isinstance(answer, Generation) for answer in answers) == 100
    assert sum(isinstance(answer, refusals.NotEnoughCredits) for answer in answers) == 220
    allowance = Allowance.objects.get()
    assert (allowance.granted, allowance.held, allowance.spent, allowance.free) == (100, 100, 0, 0)
    assert LedgerEntry.objects.filter(kind="reserve").count() == Generation.objects.count() == 100
    assert set(LedgerEntry.objects.filter(kind="reserve").values_list("subject", flat=True)) == {
        answer.pk for answer in answers if isinstance(answer, Generation)
    }
    assert allowances.differences() == []


def test_credits_are_exact_and_nothing_is_lost_whatever_happens_at_the_same_time(at_once: Callable[..., list[Any]]):
    """No deadlock, no overdraft, no second end; what has not ended still stands in line."""
    artists = [makers.artist(credits=9) for _ in range(3)]
    makers.sketch()
    answers: list[str] = []

    def repeatedly(act: Callable[[random.Random], object], seed: int) -> Callable[[], None]:
        chance = random.Random(seed)

        def some_times() -> None:
            for _ in range(ROUNDS):
                try:
                    act(chance)
                except refusals.Refused as refused:
                    answers.append(refused.code)

        return some_times

    def ask(chance: random.Random) -> None:
        generations.submit(by=chance.choice(artists), prompt="a red circle", seconds=chance.choice([1, 2]))

    def cancel(chance: random.Random) -> None:
        artist = chance.choice(artists)
        if found := Generation.objects.visible_to(artist).exclude(state__in=Generation.ENDED).order_by("?").first():
            generations.cancel(found, by=artist)

    def draw(chance: random.Random) -> None:
        claimed = scheduling.claim("default", worker="w")
        if claimed is None or chance.random() < 0.3:
            return  # nothing to do, or it dies
        Generation.objects.filter(pk=claimed.pk).update(step=1)
        if chance.random() < 0.3:
            worker._fail(claimed, actors.worker("w"), "x", "It broke.")
        else:
            finish(claimed)

    def sweep(chance: random.Random) -> None:
        Generation.objects.filter(state="in_progress", step=0).update(lease_until=Now())
        worker.sweep()

    acts = [ask] * 4 + [cancel] * 2 + [draw] * 4 + [sweep] * 2
    assert at_once(*[repeatedly(act, seed) for seed, act in enumerate(acts)]) == [None] * len(acts)

    assert set(answers) <= {"not_enough_credits", "wrong_state"}
    for generation in Generation.objects.all():
        ends = list(
            LedgerEntry.objects.filter(subject=generation.pk).exclude(kind="reserve").values_list("kind", flat=True)
        )
        wanted = {"completed": ["settle"], "failed": ["give_back"], "cancelled": ["give_back"]}
        assert ends == wanted.get(generation.state, [])
        assert generation.outputs.count() == (3 if generation.state == "completed" else 0)
    assert Allowance.objects.count() == 3
    for allowance in Allowance.objects.all():
        mine = Generation.objects.filter(membership=allowance.membership)
        held = mine.exclude(state__in=Generation.ENDED).aggregate(sum=Sum("credits"))["sum"] or 0
        spent = mine.filter(state="completed").aggregate(sum=Sum("credits"))["sum"] or 0
        assert (allowance.held, allowance.spent) == (held, spent)
    assert not Allowance.objects.filter(granted__lt=F("held") + F("spent")).exists()
    assert Generation.objects.filter(state="completed").exists(), "or nothing of all this was tried"
