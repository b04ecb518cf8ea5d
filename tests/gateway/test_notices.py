"""What people are told: a row now, a mail as soon as the chores worker comes by."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db.models.functions import Now

from gateway import notices
from gateway.actors import Actor
from gateway.models import Notice
from gateway.tasks import mail as mail_task
from review import decisions
from tests import makers

pytestmark = pytest.mark.django_db


class Away(BaseEmailBackend):
    """A mail server that does not answer."""

    def send_messages(self, email_messages: Any) -> int:
        raise ConnectionRefusedError("nobody listens there")


AWAY = f"{__name__}.Away"


def older(seconds: int) -> None:
    """As if each notice had been written so long ago: a test moves the row, not the clock."""
    Notice.objects.update(created_at=Now() - timedelta(seconds=seconds))


def test_a_notice_stands_in_the_application_and_is_mailed_once(artist: Actor, stranger: Actor, settings: Any):
    assert artist.user is not None
    notices.tell(artist.user, "Your work is approved", "It waits for your signature.", path="/mine/1")
    assert [notice.subject for notice in notices.unread(artist)] == ["Your work is approved"]
    assert not notices.unread(stranger).exists()
    mail_task()
    mail_task()
    (letter,) = mail.outbox
    assert letter.to == [artist.user.email]
    assert letter.subject == f"[{settings.PROGRAM_NAME}] Your work is approved"
    assert letter.body == f"It waits for your signature.\n\n{settings.BASE_URL}/mine/1\n"


def test_reading_is_ones_own(artist: Actor, stranger: Actor):
    assert artist.user is not None
    notices.tell(artist.user, "A", "a")
    notices.mark_read(stranger)
    assert notices.unread(artist).count() == 1
    notices.mark_read(artist)
    assert notices.unread(artist).count() == 0
    assert notices.send_waiting() == 1, "read here or not, the mail goes out"


def test_a_mail_that_fails_is_tried_again_with_growing_gaps_and_then_given_up(settings: Any):
    notices.write_to("a@example.org", "A", "a")
    good, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, AWAY
    for attempt in range(notices.ATTEMPTS):
        if attempt:
            older(30 * attempt * attempt - 5)
            assert notices.send_waiting() == 0
            assert Notice.objects.get().attempts == attempt, "too early for the next attempt"
        older(30 * attempt * attempt + 1)
        assert notices.send_waiting() == 0
        assert Notice.objects.get().attempts == attempt + 1
    settings.EMAIL_BACKEND = good
    older(10**6)
    assert notices.send_waiting() == 0
    assert mail.outbox == []


def test_a_mail_server_that_comes_back_gets_every_mail(settings: Any):
    for number in range(3):
        notices.write_to(f"{number}@example.org", "A", "a")
    good, settings.EMAIL_BACKEND = settings.EMAIL_BACKEND, AWAY
    assert notices.send_waiting() == 0
    assert [notice.attempts for notice in Notice.objects.all()] == [1, 1, 1]
    settings.EMAIL_BACKEND = good
    older(31)
    assert notices.send_waiting() == 3
    assert Notice.objects.filter(mailed_at__isnull=True).count() == 0


@pytest.mark.parametrize("subject", ["two\nlines", "two\r\nBcc: everybody@example.org"])
def test_one_mail_that_can_not_be_written_holds_up_no_other(subject: str):
    """A work's title comes from a client; with a line break in it no mail header can be made of it."""
    notices.write_to("a@example.org", subject, "a")
    notices.write_to("b@example.org", "B", "b")
    notices.send_waiting()
    assert ["b@example.org"] in [letter.to for letter in mail.outbox]
    assert not [letter for letter in mail.outbox if letter.bcc or "everybody" in letter.to]


def test_the_oldest_goes_first_and_no_more_than_asked_for():
    for number in range(4):
        notices.write_to(f"{number}@example.org", "A", "a")
    assert notices.send_waiting(limit=3) == 3
    assert [letter.to for letter in mail.outbox] == [[f"{number}@example.org"] for number in range(3)]


def test_four_workers_send_each_mail_once(at_once: Callable[..., list[Any]]):
    for number in range(12):
        notices.write_to(f"{number}@example.org", "A", "a")
    assert sum(at_once(*[notices.send_waiting] * 4)) == 12
    assert sorted(letter.to[0] for letter in mail.outbox) == sorted(f"{number}@example.org" for number in range(12))


def test_who_is_told_of_a_title_with_a_line_break_is_still_told(artist: Actor, no_undo: None):
    submission = makers.submitted(artist, title="Kiln\nnight")
    makers.decided(submission)
    decisions.announce()
    assert notices.send_waiting() == Notice.objects.count() > 0
