"""Who may be told, where and of what: by the pages, by REST and by openai's own client, which knows these resources."""

import json
import re

import httpx2
import pytest
from django.db import connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openai import NotFoundError, OpenAI, PermissionDeniedError

from gateway import actors, impersonations, members, refusals, terms, tokens, webhooks
from gateway.models import Detail, Entry, Notice, WebhookDelivery, WebhookEndpoint, WebhookEvent
from gateway.models.base import new_id
from tests import makers

pytestmark = pytest.mark.django_db
URL = "https://example.org/hooks"
OF_OPENAI = ["video.completed", "video.failed"]


class Here(httpx2.BaseTransport):
    """To the gateway in this process, whose database is the test's."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        path = request.url.raw_path.decode()
        answer = Client().generic(
            request.method, path, request.read(), headers.get("content-type", ""), headers=headers
        )
        return httpx2.Response(answer.status_code, headers=list(answer.items()), content=answer.content)


@pytest.fixture
def sdk_of():
    """OpenAI's client, which nobody changed, with this person's token."""

    def made(actor, *scopes):
        http = httpx2.Client(transport=Here())
        key = makers.token(actor, *scopes)
        return OpenAI(api_key=key, base_url="http://localhost/v1", http_client=http, max_retries=0)

    return made


def test_openais_client_manages_endpoints(artist, sdk_of):
    hooks = sdk_of(artist, "webhooks").webhooks
    made = hooks.create(name="My site", url=URL, event_types=OF_OPENAI)
    assert made.signing_secret.startswith("whsec_")
    assert made.signing_secret_hint == f"whsec_…{made.signing_secret[-4:]}"
    assert (made.object, made.name, made.url, made.event_types) == ("webhook_endpoint", "My site", URL, OF_OPENAI)
    found = hooks.retrieve(made.id)
    assert (found.id, found.created_at) == (made.id, made.created_at)
    assert "signing_secret" not in found.model_dump()
    changed = hooks.update(made.id, event_types=["video.failed"], name="")
    assert (changed.event_types, changed.name, changed.url) == (["video.failed"], "example.org", URL)
    others = [hooks.create(name=f"{nth}", url=URL, event_types=OF_OPENAI).id for nth in range(4)]
    assert [each.id for each in hooks.list(limit=2)] == [*reversed(others), made.id]
    row = WebhookEndpoint.objects.get(name="example.org")
    rotated = hooks.rotate_secret(made.id)
    row.refresh_from_db()
    assert webhooks.secrets_of(row) == [rotated.signing_secret] != [made.signing_secret]
    again = hooks.rotate_secret(made.id, keep_old_secret_active_for_24_hours=True)
    row.refresh_from_db()
    assert webhooks.secrets_of(row) == [again.signing_secret, rotated.signing_secret]
    tested = hooks.test(made.id, event_type="video.completed")
    assert (tested.object, tested.webhook_endpoint_id, tested.event_type) == (
        "webhook_endpoint.test", made.id, "video.completed",
    )  # fmt: skip
    assert set(OF_OPENAI) < set(hooks.event_types.list().data) == set(webhooks.EVENTS)
    gone = hooks.delete(made.id)
    assert (gone.deleted, gone.object) == (True, "webhook_endpoint.deleted")
    with pytest.raises(NotFoundError):
        hooks.retrieve(made.id)
    row.refresh_from_db()
    assert (row.state, row.url, row.secret, row.old_secret, row.hint) == ("removed", "", "", "", "")


def test_a_token_without_the_scope_does_nothing_with_them_and_strangers_see_nothing(
    artist, stranger, sdk_of, client_of
):
    own, _ = webhooks.create(by=artist, url=URL)
    deliveries_of = f"/v1/webhook_endpoints/webhook_endpoint_{own.pk.hex}"
    for act in (
        lambda sdk: sdk.webhooks.list(),
        lambda sdk: sdk.webhooks.create(name="x", url=URL, event_types=OF_OPENAI),
        lambda sdk: sdk.webhooks.delete(f"webhook_endpoint_{own.pk.hex}"),
    ):
        with pytest.raises(PermissionDeniedError, match="lacks the scope “webhooks”"):
            act(sdk_of(artist, "generate", "submit", "publish"))
    theirs = client_of(stranger, "webhooks")
    sent = webhooks.test(own, by=artist)
    replay = f"{deliveries_of}/deliveries/webhook_delivery_{sent.pk.hex}/replay"
    other, _ = webhooks.create(by=stranger, url=URL)
    through = f"/v1/webhook_endpoints/webhook_endpoint_{other.pk.hex}/deliveries/webhook_delivery_{sent.pk.hex}/replay"
    answers = [
        theirs.get(deliveries_of),
        theirs.patch(deliveries_of, {"url": "https://evil.example/"}, format="json"),
        theirs.delete(deliveries_of),
        theirs.get(f"{deliveries_of}/deliveries"),
        *(theirs.post(path) for path in (f"{deliveries_of}/test", f"{deliveries_of}/rotate_secret", replay, through)),
    ]
    assert [answer.status_code for answer in answers] == [404] * 8
    for act in (webhooks.remove, webhooks.disable, webhooks.rotate, webhooks.test, webhooks.enable, webhooks.change):
        changes = {"url": URL + "2"} if act is webhooks.change else {}
        with pytest.raises(refusals.NotFound):
            act(own, by=stranger, **changes)


def test_what_was_sent_is_listed_and_can_be_sent_again(artist, client_of):
    client = client_of(artist, "webhooks")
    made = client.post("/v1/webhook_endpoints", {"url": URL}, format="json")
    assert (made.status_code, made["Cache-Control"]) == (201, "no-store")
    path = f"/v1/webhook_endpoints/{made.json()['id']}"
    for _ in range(3):
        webhooks.happened("video.failed", f"video_{new_id().hex}", user=artist.user.pk)
    first = client.get(f"{path}/deliveries?limit=2").json()
    assert first["has_more"]
    rest = client.get(f"{path}/deliveries?after={first['last_id']}").json()
    assert [row["status"] for row in first["data"] + rest["data"]] == ["waiting"] * 3
    waiting = first["data"][0]
    assert waiting["event"]["type"] == "video.failed"
    assert client.post(f"{path}/deliveries/{waiting['id']}/replay").json()["id"] == waiting["id"], "it waits already"
    WebhookDelivery.objects.update(state="failed", status=500, tried_at=Now(), answer="oh", ms=3)
    again = client.post(f"{path}/deliveries/{waiting['id']}/replay")
    assert (again.status_code, again.json()["replay"]) == (202, True)
    assert again.json()["event"] == waiting["event"]
    shown = client.get(f"{path}/deliveries").json()["data"]
    assert (shown[0]["id"], shown[1]["id"]) == (again.json()["id"], waiting["id"])
    assert shown[1]["last_attempt"]["status_code"] == 500
    stopped = client.patch(path, {"status": "disabled"}, format="json").json()
    assert (stopped["status"], stopped["actions"]) == ("disabled", ["enable", "rotate_secret", "delete"])
    assert client.post(f"{path}/test").json()["error"]["code"] == "webhook_disabled"
    assert client.post(f"{path}/deliveries/{waiting['id']}/replay").json()["error"]["code"] == "webhook_disabled"
    assert client.patch(path, {"status": "active"}, format="json").json()["reason"] is None
    assert client.post(f"{path}/test").status_code == 202


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://example.org/",
            "ftp://example.org/",
            "example.org",
            "https://",
            "https:///x",
            "https://exa mple.org/",
        ),
        *(
            "https://user:word@example.org/",
            "https://example.org/#part",
            "https://example.org:0/",
            "https://127.0.0.1/",
        ),
        *("https://[::1]/", "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/latest", "https://exämple.org/"),
        *("https://example.org:99999/", f"https://example.org/{'x' * 500}", "https://example.org/\nHost: evil"),
        *("https://[fe80::1%25eth0]/", "javascript:alert(1)", "https://[::1", "https://-.-/ "),
    ],
)
def test_what_is_no_address_for_it_is_refused(artist, url, settings):
    settings.WEBHOOK_NETWORKS = []
    with pytest.raises(refusals.BadWebhookUrl):
        webhooks.create(by=artist, url=url)


def test_without_https_only_into_a_listed_network(artist, settings):
    settings.WEBHOOK_NETWORKS = ["10.0.0.0/8"]
    for url in ("http://10.1.2.3:8080/x", "http://hooks.intern/x", "https://[2606:2800:21f::1]:8443/x?y=z"):
        assert webhooks.create(by=artist, url=f" {url} ")[0].url == url
    with pytest.raises(refusals.BadWebhookUrl):
        webhooks.create(by=artist, url="http://127.0.0.1/")


def test_an_event_that_there_is_not_is_refused(artist):
    for names in (["video.exploded"], []):
        with pytest.raises(refusals.UnknownEventType):
            webhooks.create(by=artist, url=URL, event_types=names)
    endpoint, _ = webhooks.create(by=artist, url=URL, event_types=["video.failed", "video.failed"])
    assert endpoint.event_types == ["video.failed"]
    with pytest.raises(refusals.UnknownEventType):
        webhooks.test(endpoint, by=artist, event_type="batch.completed")


def test_ten_at_most_also_when_five_ask_for_the_last_at_once(at_once):
    artist = makers.artist()
    for _ in range(9):
        webhooks.create(by=artist, url=URL)
    ask = lambda: webhooks.create(by=actors.person(artist.user), url=URL)  # noqa: E731
    told = sorted(type(answer).__name__ for answer in at_once(*[ask] * 5))
    assert told == ["TooManyWebhooks"] * 4 + ["tuple"]
    webhooks.remove(WebhookEndpoint.objects.first(), by=artist)
    webhooks.create(by=artist, url=URL)


def test_a_secret_is_nowhere_in_the_clear(artist, client_of, settings):
    made = client_of(artist, "webhooks").post("/v1/webhook_endpoints", {"url": URL}, format="json").json()
    secret = made["signing_secret"]
    row = WebhookEndpoint.objects.get()
    everything = json.dumps(list(WebhookEndpoint.objects.values()), default=str)
    everything += "".join(bytes(each.body).decode() for each in (*Entry.objects.all(), *Detail.objects.all()))
    assert secret not in everything
    assert secret.removeprefix("whsec_")[:20] not in everything
    assert webhooks.secrets_of(row) == [secret]
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another"
    assert webhooks.secrets_of(row) == [secret]
    made = Entry.objects.get(action="webhook_endpoint.made")
    assert URL.encode() in bytes(Detail.objects.get(entry_id=made.pk).body)
    assert URL.encode() not in bytes(made.body)


def test_only_members_listen_and_who_may_not_can_still_stop_it(artist, reviewer, admin, no_undo):
    with pytest.raises(refusals.NotAMember):
        webhooks.create(by=reviewer, url=URL)
    endpoint, _ = webhooks.create(by=artist, url=URL)
    makers.policy()
    members.suspend(artist.membership, by=admin, reason="A question.")
    by = actors.person(artist.user)
    for act in (webhooks.test, webhooks.rotate):
        with pytest.raises(refusals.Suspended):
            act(endpoint, by=by)
    with pytest.raises(refusals.Suspended):
        webhooks.create(by=by, url=URL)
    webhooks.disable(endpoint, by=by)
    with pytest.raises(refusals.Suspended):
        webhooks.enable(endpoint, by=by)
    webhooks.remove(endpoint, by=by)
    assert not webhooks.visible_to(by).exists()


def test_terms_come_first(artist, admin):
    terms.publish(by=admin, after=0, body="x", rates=[terms.Price("feedback", "Words", 100)])
    with pytest.raises(refusals.TermsNotAccepted):
        webhooks.create(by=artist, url=URL)


def test_what_a_token_changes_tells_its_person_and_hangs_on_the_token(artist):
    by = makers.with_token(artist, "webhooks")
    endpoint, _ = webhooks.create(by=artist, url=URL)
    webhooks.change(endpoint, by=by, name="x")
    assert (endpoint.token, Notice.objects.count()) == (None, 0)
    webhooks.change(endpoint, by=by, url=URL + "/2")
    webhooks.rotate(endpoint, by=by)
    assert endpoint.token == by.token
    assert Notice.objects.filter(user=artist.user).count() == 2
    webhooks.change(endpoint, by=artist, url=URL + "/3")
    assert endpoint.token is None
    webhooks.change(endpoint, by=by, url=URL + "/4")
    tokens.revoke(by.token, by=artist)
    endpoint.refresh_from_db()
    assert (endpoint.state, endpoint.reason) == (
        "disabled", "The token “test”, which set its address, was revoked.",
    )  # fmt: skip


def test_who_looks_as_an_artist_changes_nothing(artist, admin):
    endpoint, _ = webhooks.create(by=artist, url=URL)
    visit = impersonations.begin(artist.user, by=admin, reason="To help")
    by = actors.Actor("person", user=artist.user, impersonation=visit)
    for act in (webhooks.test, webhooks.rotate, webhooks.disable, webhooks.remove):
        with pytest.raises(refusals.ReadOnlyWhileImpersonating), atomic():
            act(endpoint, by=by)


def test_what_is_rolled_back_is_told_to_nobody_and_who_does_not_listen_costs_no_row(artist, stranger):
    webhooks.create(by=artist, url=URL, event_types=["video.failed"])
    webhooks.happened("video.completed", "video_1", user=artist.user.pk)
    webhooks.happened("video.failed", "video_1", user=stranger.user.pk)
    with pytest.raises(ZeroDivisionError), atomic():
        webhooks.happened("video.failed", "video_1", user=artist.user.pk)
        raise ZeroDivisionError
    assert WebhookEvent.objects.count() == 0
    webhooks.happened("video.failed", "video_1", user=artist.user.pk)
    assert (WebhookEvent.objects.count(), WebhookDelivery.objects.count()) == (1, 1)


def test_a_freeze_is_told(artist):
    webhooks.create(by=artist, url=URL, event_types=["sighting.frozen"])
    seen = makers.sighting(artist)
    assert WebhookEvent.objects.get().subject == f"sighting_{seen.pk.hex}"


# ---------------------------------------------------------------- pages


def secret_in(answer) -> str:
    found = re.search(r"whsec_[A-Za-z0-9+/=]+", answer.content.decode())
    return found[0] if found else ""


def test_the_pages(artist, browser_of, admin):
    browser = browser_of(artist)
    assert "Nobody is told yet" in browser.get("/access/webhooks").content.decode()
    wrong = browser.post("/access/webhooks", {"url": "http://example.org", "event_types": OF_OPENAI})
    assert (wrong.status_code, wrong.refusal) == (400, "bad_webhook_url")
    assert 'value="http://example.org"' in wrong.content.decode()
    made = browser.post("/access/webhooks", {"url": URL, "name": "My site", "event_types": OF_OPENAI})
    assert made["Cache-Control"] == "no-store"
    endpoint = WebhookEndpoint.objects.get()
    assert webhooks.secrets_of(endpoint) == [secret_in(made)]
    path = f"/access/webhooks/{endpoint.pk.hex}"
    assert secret_in(browser.get(path)) == ""
    assert "Nothing yet" in browser.get(path).content.decode()
    rotated = browser.post(f"{path}/rotate", {"overlap_hours": "168"})
    endpoint.refresh_from_db()
    assert webhooks.secrets_of(endpoint)[0] == secret_in(rotated)
    assert "with the one before it" in rotated.content.decode()
    assert browser.post(f"{path}/test")["Location"] == path
    WebhookDelivery.objects.update(state="failed", status=500, tried_at=Now(), answer="<b>no</b>", ms=3, attempts=1)
    page = browser.get(path).content.decode()
    assert "answered 500 in 3 ms" in page
    assert "&lt;b&gt;no&lt;/b&gt;" in page
    sent = WebhookDelivery.objects.get()
    assert browser.post(f"{path}/deliveries/{sent.pk.hex}/replay").status_code == 302
    assert WebhookDelivery.objects.filter(state="waiting", again=True).count() == 1
    changed = {"url": URL + "/2", "name": "Other", "event_types": ["video.failed"]}
    assert browser.post(path, changed).status_code == 302
    endpoint.refresh_from_db()
    assert (endpoint.url, endpoint.name, endpoint.event_types) == (URL + "/2", "Other", ["video.failed"])
    assert browser.post(path, {**changed, "url": "https://10.0.0.1/"}).status_code == 400
    browser.post(f"{path}/disable")
    assert "Its owner has stopped it." in browser.get("/access/webhooks").content.decode()
    browser.post(f"{path}/enable")
    endpoint.refresh_from_db()
    assert endpoint.state == "active"
    assert browser.post(f"{path}/remove")["Location"] == "/access/webhooks"
    assert browser.get(path).status_code == 404
    actions = Entry.objects.filter(subject_id=endpoint.pk).order_by("id").values_list("action", flat=True)
    assert [each.removeprefix("webhook_endpoint.") for each in actions] == [
        *("made", "rotated", "tested", "replayed", "changed", "disabled", "active", "removed"),
    ]


def test_a_page_costs_the_same_however_much_was_sent(artist, browser_of, client_of):
    endpoint, _ = webhooks.create(by=artist, url=URL)
    doors = [
        (browser_of(artist), f"/access/webhooks/{endpoint.pk.hex}"),
        (client_of(artist, "webhooks"), f"/v1/webhook_endpoints/webhook_endpoint_{endpoint.pk.hex}/deliveries"),
    ]
    costs = []
    for _ in range(3):
        for _ in range(3):
            webhooks.happened("video.failed", f"video_{new_id().hex}", user=artist.user.pk)
        counted = []
        for client, path in doors:
            with CaptureQueriesContext(connection) as queries:
                assert client.get(path).status_code == 200
            counted.append(len(queries))
        costs.append(counted)
    assert costs[1] == costs[2]


def test_the_form_for_a_token_leaves_the_scope_to_be_ticked(artist, browser_of):
    page = browser_of(artist).get("/access").content.decode()
    box = re.search(r"<input[^>]*value=\"webhooks\"[^>]*>", page)
    assert box
    assert "checked" not in box[0]
