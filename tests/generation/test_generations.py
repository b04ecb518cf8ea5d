"""An artist asks for a clip, or no longer wants it."""

import pytest

from gateway import allowances, refusals
from gateway.actors import Actor
from generation import generations
from generation.models import Generation
from tests import makers

pytestmark = pytest.mark.django_db


def test_twenty_submits_at_once_on_an_allowance_for_ten(at_once, transactional_db):
    artist = makers.artist(credits=10)
    makers.sketch()

    answers = at_once(*[lambda: generations.submit(by=artist, prompt="a red circle", seconds=1)] * 20)

    assert sum(isinstance(answer, Generation) for answer in answers) == 10
    assert sum(isinstance(answer, refusals.NotEnoughCredits) for answer in answers) == 10
    allowance = allowances.current(artist.membership)
    assert (allowance.held, allowance.spent, allowance.free) == (10, 0, 0)
    assert Generation.objects.count() == 10


def test_cancelling_gives_the_credits_back(artist: Actor):
    generation = makers.queued(artist)
    generations.cancel(generation, by=artist)
    assert generation.state == "cancelled"
    assert allowances.current(artist.membership).free == 20


def test_the_whole_way_to_the_public(artist: Actor, no_undo, guest):
    publication = makers.published(artist)
    assert publication.state == "published"
