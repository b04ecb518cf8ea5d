"""What happened reaches a real receiver, once, signed, and as often tried as it takes; whoever dies, answers badly or lies."""

import json
import threading
import time
from collections import Counter
from datetime import timedelta

import pytest
from django.db.models import F
from django.db.models.functions import Now
from openai import InvalidWebhookSignatureError, OpenAI
from standardwebhooks import Webhook, WebhookVerificationError

from gateway import brakes, deliveries, members, tasks, tokens, webhooks
from gateway.models import Entry, Notice, WebhookDelivery, WebhookEndpoint, WebhookEvent
from gateway.models.base import new_id
from tests import makers
from tests.gateway.receiving import Receiver, say

pytestmark = pytest.mark.django_db


@pytest.fixture
def receiver(settings):
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    made = Receiver()
    yield made
    made.close()


def happens(artist, event_type="video.completed", subject=""):
    webhooks.happened(event_type, subject or f"video_{new_id().hex}", user=artist.user.pk)


def now_due():
    """A test moves the row, not the clock."""
    WebhookDelivery.objects.filter(state="waiting").update(next_at=Now())


def test_what_is_sent_is_verified_by_both_libraries_unmodified(artist, receiver):
    _, secret = webhooks.create(by=artist, url=receiver.url)
    happens(artist, subject="video_1234")
    assert deliveries.work() == 1
    (heard,) = receiver.heard
    told = Webhook(secret).verify(heard.body, heard.headers)
    assert told == {
        "id": heard.id,
        "object": "event",
        "created_at": told["created_at"],
        "type": "video.completed",
        "data": {"id": "video_1234"},
    }
    assert abs(told["created_at"] - time.time()) < 60
    client = OpenAI(api_key="none", webhook_secret=secret)
    event = client.webhooks.unwrap(heard.body, heard.headers)
    assert (event.id, event.type, event.data.id) == (heard.id, "video.completed", "video_1234")
    other = webhooks._new_secret()
    with pytest.raises(WebhookVerificationError):
        Webhook(other).verify(heard.body, heard.headers)
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.unwrap(heard.body.replace(b"1234", b"1235"), heard.headers)
    assert heard.headers["content-type"] == "application/json"
    done = WebhookDelivery.objects.get()
    assert (done.state, done.status, done.answer, done.attempts, done.error) == ("delivered", 200, "thank you", 1, "")
    assert Entry.objects.filter(action="webhook_delivery.delivered", subject_id=done.pk).count() == 1


def test_while_a_secret_is_rotated_both_sign(artist, receiver):
    endpoint, old = webhooks.create(by=artist, url=receiver.url)
    new = webhooks.rotate(endpoint, by=artist)
    happens(artist)
    deliveries.work()
    for secret in (old, new):
        Webhook(secret).verify(receiver.heard[-1].body, receiver.heard[-1].headers)
        OpenAI(api_key="none").webhooks.unwrap(receiver.heard[-1].body, receiver.heard[-1].headers, secret=secret)
    assert receiver.heard[-1].headers["webhook-signature"].count("v1,") == 2
    WebhookEndpoint.objects.update(old_secret_until=Now() - timedelta(seconds=1))
    happens(artist)
    deliveries.work()
    Webhook(new).verify(receiver.heard[-1].body, receiver.heard[-1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(receiver.heard[-1].body, receiver.heard[-1].headers)
    newest = webhooks.rotate(endpoint, by=artist, overlap_hours=0)
    happens(artist)
    deliveries.work()
    Webhook(newest).verify(receiver.heard[-1].body, receiver.heard[-1].headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(new).verify(receiver.heard[-1].body, receiver.heard[-1].headers)


def test_what_fails_is_tried_again_as_the_same_message(artist, receiver):
    webhooks.create(by=artist, url=receiver.url)
    receiver.answers = [500, lambda handler: say(handler, 302, b"", Location="http://10.0.0.1/"), 200]
    happens(artist)
    assert deliveries.work() == 1
    waiting = WebhookDelivery.objects.annotate(wait=F("next_at") - F("tried_at")).get()
    assert (waiting.state, waiting.status, waiting.attempts) == ("waiting", 500, 1)
    assert timedelta(seconds=5) <= waiting.wait <= timedelta(seconds=5.5)
    assert deliveries.work() == 0
    now_due()
    assert deliveries.work() == 1
    waiting = WebhookDelivery.objects.annotate(wait=F("next_at") - F("tried_at")).get()
    assert timedelta(minutes=5) <= waiting.wait <= timedelta(minutes=5.5)
    assert "redirects" in waiting.error
    now_due()
    assert deliveries.work() == 1
    assert WebhookDelivery.objects.get().state == "delivered"
    assert len({heard.id for heard in receiver.heard}) == 1
    assert len({heard.body for heard in receiver.heard}) == 1
    assert Notice.objects.count() == 0


def test_after_the_last_attempt_the_endpoint_is_disabled_and_its_owner_told(artist, receiver):
    endpoint, _ = webhooks.create(by=artist, url=receiver.url, name="My site")
    receiver.answers = [503]
    happens(artist)
    for _ in range(len(deliveries.GAPS) + 1):
        assert deliveries.work() == 1
        now_due()
    assert len(receiver.heard) == 10
    assert sum(deliveries.GAPS) > 3 * 24 * 3600
    endpoint.refresh_from_db()
    assert (endpoint.state, WebhookDelivery.objects.get().state) == ("disabled", "failed")
    assert endpoint.reason == "Nothing got through in 10 attempts. The last one: It answered 503."
    assert Notice.objects.get(user=artist.user).subject == "The webhook endpoint “My site” is disabled"
    happens(artist)
    assert WebhookDelivery.objects.count() == 1
    webhooks.enable(endpoint, by=artist)
    receiver.answers = [200]
    webhooks.replay(WebhookDelivery.objects.get(), by=artist)
    assert deliveries.work() == 1
    assert len({heard.id for heard in receiver.heard}) == 1


def test_one_event_that_it_cannot_take_does_not_disable_what_takes_all_else(artist, receiver):
    endpoint, _ = webhooks.create(by=artist, url=receiver.url)
    happens(artist)
    WebhookDelivery.objects.update(attempts=len(deliveries.GAPS), created_at=Now() - timedelta(hours=1))
    happens(artist)
    WebhookDelivery.objects.filter(attempts=0).update(next_at=Now() - timedelta(seconds=9))
    receiver.answers = [200, 500]
    assert deliveries.work() == 2
    assert Counter(WebhookDelivery.objects.values_list("state", flat=True)) == {"delivered": 1, "failed": 1}
    endpoint.refresh_from_db()
    assert endpoint.state == "active"


def test_410_ends_it_at_once(artist, receiver):
    endpoint, _ = webhooks.create(by=artist, url=receiver.url)
    receiver.answers = [410]
    happens(artist)
    happens(artist)
    assert deliveries.work() == 1
    endpoint.refresh_from_db()
    assert endpoint.state == "disabled"
    assert "410" in endpoint.reason
    assert {row.state for row in WebhookDelivery.objects.all()} == {"failed"}
    assert Notice.objects.filter(user=artist.user).count() == 1


def test_of_its_answer_the_first_500_characters_are_kept(artist, receiver):
    webhooks.create(by=artist, url=receiver.url)
    receiver.answers = [lambda handler: say(handler, 500, b"\0<b>\xff" + b"y" * 5000)]
    happens(artist)
    deliveries.work()
    answer = WebhookDelivery.objects.get().answer
    assert answer.startswith("<b>\N{REPLACEMENT CHARACTER}yyy")
    assert len(answer) == 500


def test_a_private_address_is_not_asked_at_any_attempt(artist, receiver, settings):
    webhooks.create(by=artist, url=receiver.url)
    settings.WEBHOOK_NETWORKS = []
    happens(artist)
    deliveries.work()
    assert receiver.heard == []
    assert "not asked" in WebhookDelivery.objects.get().error


def test_a_test_is_tried_once_and_disables_nothing(artist, receiver):
    endpoint, secret = webhooks.create(by=artist, url=receiver.url, event_types=["video.failed"])
    receiver.answers = [500]
    sent = webhooks.test(endpoint, by=artist)
    assert webhooks.test(endpoint, by=artist) == sent
    assert deliveries.work() == 1
    sent.refresh_from_db()
    assert (sent.state, sent.status) == ("failed", 500)
    endpoint.refresh_from_db()
    assert endpoint.state == "active"
    told = Webhook(secret).verify(receiver.heard[0].body, receiver.heard[0].headers)
    assert (told["type"], told["data"]) == ("webhook.test", {"id": f"webhook_endpoint_{endpoint.pk.hex}"})
    webhooks.test(endpoint, by=artist, event_type="video.completed")
    deliveries.work()
    assert json.loads(receiver.heard[-1].body)["data"] == {"id": "video_" + "0" * 32}


# ---------------------------------------------------------------- whose is held


def held(artist, receiver):
    happens(artist)
    assert deliveries.work() == 0
    assert receiver.heard == []


def test_nothing_is_sent_for_who_is_suspended_and_it_goes_out_when_that_ends(artist, receiver, admin):
    webhooks.create(by=artist, url=receiver.url)
    members.suspend(artist.membership, by=admin, reason="A question.")
    held(artist, receiver)
    members.resume(artist.membership, by=admin)
    assert deliveries.work() == 1


@pytest.mark.parametrize("scope", ["artist", "cohort", "all"])
def test_a_brake_holds_it(artist, receiver, admin, scope):
    webhooks.create(by=artist, url=receiver.url)
    target = {"artist": artist.user.pk, "cohort": artist.membership.cohort_id, "all": None}[scope]
    brake = brakes.pull(scope, target, by=admin, label="x", reason="x")
    held(artist, receiver)
    brakes.release(brake, by=admin)
    assert deliveries.work() == 1


def test_what_a_token_set_up_waits_while_it_is_frozen_and_stops_when_it_is_revoked(artist, receiver, admin):
    by = makers.with_token(artist, "webhooks")
    endpoint, _ = webhooks.create(by=by, url=receiver.url)
    own, _ = webhooks.create(by=artist, url=receiver.url.replace("/hooks", "/own"))
    assert Notice.objects.filter(user=artist.user, subject="A webhook endpoint was made by a token").count() == 1
    brake = brakes.pull("token", by.token.pk, by=admin, label="x", reason="x")
    happens(artist)
    assert deliveries.work() == 1
    assert [heard.path for heard in receiver.heard] == ["/own?of=mine"]
    brakes.release(brake, by=admin)
    assert deliveries.work() == 1
    tokens.revoke(by.token, by=artist)
    endpoint.refresh_from_db()
    own.refresh_from_db()
    assert (endpoint.state, own.state) == ("disabled", "active")
    webhooks.enable(endpoint, by=artist)
    assert endpoint.token is None


def test_who_leaves_is_told_nothing_more(artist, receiver):
    endpoint, _ = webhooks.create(by=artist, url=receiver.url)
    happens(artist)
    members.leave(by=artist)
    endpoint.refresh_from_db()
    assert endpoint.state == "disabled"
    assert deliveries.work() == 0


# ---------------------------------------------------------------- several at once


def test_several_deliverers_send_each_once_and_one_at_a_time_to_an_endpoint(at_once, receiver):
    under_way: Counter = Counter()
    most: Counter = Counter()

    def counting(handler):
        with receiver.lock:
            under_way[handler.path] += 1
            most[handler.path] = max(most[handler.path], under_way[handler.path])
        time.sleep(0.01)
        with receiver.lock:
            under_way[handler.path] -= 1
        say(handler, 200, b"")

    receiver.answers = [counting]
    people = [makers.artist() for _ in range(4)]
    for nth, person in enumerate(people):
        for number in range(2):
            webhooks.create(by=person, url=f"{receiver.url}&{nth}&{number}")
        for _ in range(5):
            happens(person)
    assert sum(at_once(*[deliveries.work] * 4)) == 40
    assert Counter((heard.id, heard.path) for heard in receiver.heard).most_common(1)[0][1] == 1
    assert len(receiver.heard) == 40
    assert set(most.values()) == {1}
    assert len(most) == 8
    assert set(WebhookDelivery.objects.values_list("state", "attempts")) == {("delivered", 1)}
    assert not WebhookEndpoint.objects.filter(busy_until__isnull=False).exists()


def test_one_thing_at_a_time_goes_to_an_endpoint_and_two_to_one_person(artist, stranger, receiver):
    for number in range(3):
        webhooks.create(by=artist, url=f"{receiver.url}&{number}")
    for _ in range(3):
        happens(artist)
    first, second = deliveries.claim(), deliveries.claim()
    assert first.endpoint_id != second.endpoint_id
    assert deliveries.claim() is None
    webhooks.create(by=stranger, url=receiver.url)
    happens(stranger)
    assert deliveries.claim().endpoint.user == stranger.user
    deliveries.attempt(first)
    assert deliveries.claim().endpoint.user == artist.user


def test_who_died_in_between_costs_one_attempt_and_comes_too_late_to_say_anything(artist, receiver):
    webhooks.create(by=artist, url=receiver.url)
    happens(artist)
    late = deliveries.claim()
    assert deliveries.claim() is None
    over = Now() - timedelta(seconds=1)
    WebhookDelivery.objects.update(next_at=over)
    WebhookEndpoint.objects.update(busy_until=over)
    again = deliveries.claim()
    assert again.attempts == 2
    receiver.answers = [500, 200]
    deliveries.attempt(late)
    assert WebhookDelivery.objects.get().status is None
    assert WebhookEndpoint.objects.get().busy_until == again.endpoint.busy_until
    deliveries.attempt(again)
    assert WebhookDelivery.objects.get().state == "delivered"


@pytest.mark.django_db(transaction=True)
def test_a_slow_receiver_holds_up_nobody_else(receiver):
    artist, stranger = makers.artist(), makers.artist()
    slow = Receiver()
    over = threading.Event()
    slow.answers = [lambda handler: over.wait(14)]
    webhooks.create(by=artist, url=slow.url)
    webhooks.create(by=stranger, url=receiver.url)
    for _ in range(5):
        happens(artist)
    happens(stranger)
    began = time.monotonic()
    tasks.deliver()  # waits for nobody
    while not (receiver.heard and slow.heard) and time.monotonic() - began < 10:
        time.sleep(0.01)
    assert (len(receiver.heard), len(slow.heard)) == (1, 1)
    webhooks.disable(WebhookEndpoint.objects.get(user=artist.user), by=artist)
    over.set()
    for thread in list(deliveries._threads):
        thread.join(10)
    slow.close()
    assert len(slow.heard) == 1


def test_something_that_breaks_here_is_tried_again_too(artist, receiver, monkeypatch):
    webhooks.create(by=artist, url=receiver.url)
    happens(artist)
    WebhookEndpoint.objects.update(secret="made under another key")
    assert deliveries.work() == 1
    waiting = WebhookDelivery.objects.get()
    assert (waiting.state, waiting.error) == ("waiting", "Something broke here. It is in the operator's log.")


def test_what_was_told_a_month_ago_is_forgotten(artist, receiver):
    webhooks.create(by=artist, url=receiver.url)
    happens(artist)
    happens(artist)
    old = WebhookEvent.objects.order_by("id").first()
    WebhookEvent.objects.filter(pk=old.pk).update(created_at=Now() - timedelta(days=31))
    webhooks.forget_old()
    assert WebhookDelivery.objects.count() == WebhookEvent.objects.count() == 1
