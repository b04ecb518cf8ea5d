"""What is remembered: every request and every change of state, in a log that nobody can rewrite."""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from html import unescape
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, connection
from django.db.transaction import atomic
from django.http import HttpResponse
from django.test import Client
from hypothesis import given, settings
from hypothesis import strategies as st
from rest_framework.test import APIClient

from gateway import actors, audit, members, sign_in_links, states
from gateway.actors import Actor
from gateway.audit.record import canonical
from gateway.models import Detail, Entry, Membership, Notice
from gateway.models.base import new_id
from generation.models import Generation
from tests import makers

pytestmark = pytest.mark.django_db

UNKNOWN = "0" * 32
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=4)


def body(entry: Entry) -> dict[str, Any]:
    return json.loads(bytes(entry.body))


def left_by(response: HttpResponse) -> list[dict[str, Any]]:
    """The entries of one request, oldest first."""
    found = Entry.objects.filter(request_id=UUID(response["X-Request-ID"])).order_by("id")
    return [body(entry) for entry in found]


def sql(statement: str, *values: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


# ---------------------------------------------------------------- every request


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "/", 200),
        ("head", "/nothing/here", 404),
        ("get", "/nothing/here", 404),
        ("get", "/home", 302),
        ("get", f"/works/{UNKNOWN}", 404),
        ("get", "/v1/videos", 401),
        ("options", "/v1/videos", 401),
        ("get", "/invitations/bat_invitation_guessed", 410),
        ("get", "/admin/", 302),
        ("get", "/studio/live", 302),
    ],
)
def test_a_safe_request_leaves_one_entry(guest: Client, method: str, path: str, status: int):
    response = getattr(guest, method)(path)
    assert response.status_code == status
    (entry,) = left_by(response)
    assert entry["action"] == "request.answered"
    assert (entry["facts"]["method"], entry["facts"]["status"]) == (method.upper(), status)
    assert entry["actor"] == {"kind": "nobody"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("post", "/studio", 302),
        ("post", "/nothing/here", 404),
        ("post", "/", 405),
        ("post", "/v1/videos", 401),
        ("put", "/v1/videos", 401),
        ("delete", f"/v1/videos/video_{UNKNOWN}", 401),
        ("post", "/accounts/login/", 200),
        ("post", f"/access/tokens/{UNKNOWN}/revoke", 302),
    ],
)
def test_a_request_that_may_change_something_leaves_two(guest: Client, method: str, path: str, status: int):
    response = getattr(guest, method)(path)
    assert response.status_code == status
    received, answered = left_by(response)
    assert (received["action"], answered["action"]) == ("request.received", "request.answered")
    assert received["facts"] == {"method": method.upper()}
    assert answered["facts"]["status"] == status


def test_a_request_without_its_csrf_token_is_recorded_too(browser_of: Callable[..., Client], artist: Actor):
    browser = browser_of(artist)
    browser.handler.enforce_csrf_checks = True
    response = browser.post("/studio", {"prompt": "a red circle"})
    assert response.status_code == 403
    assert [entry["action"] for entry in left_by(response)] == ["request.received", "request.answered"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/static/site.css"])
def test_health_probes_and_static_files_are_not_recorded(guest: Client, path: str):
    before = Entry.objects.count()
    response = guest.get(path)
    assert "X-Request-ID" not in response
    assert Entry.objects.count() == before


@pytest.mark.parametrize("path", ["/healthz/../v1/videos", "/healthzzz", "/readyz.php"])
def test_what_only_begins_like_a_health_probe_is_recorded(guest: Client, path: str):
    response = guest.get(path)
    assert response.status_code == 404
    assert len(left_by(response)) == 1


def test_a_refusal_is_recorded_by_its_code(client_of: Callable[..., APIClient], artist: Actor):
    client = client_of(artist)
    makers.sketch()
    refused = client.post("/v1/videos", {"prompt": "", "seconds": 1})
    assert left_by(refused)[-1]["facts"]["refused"] == "prompt_missing"
    unseen = client.get(f"/v1/videos/video_{UNKNOWN}")
    assert left_by(unseen)[-1]["facts"]["refused"] == "not_found"
    mistyped = APIClient(headers={"authorization": "Bearer bat_artist_mistyped"}).get("/v1/videos")
    assert left_by(mistyped)[-1]["facts"]["refused"] == "bad_token"


def test_an_entry_says_who_asked_and_by_which_token(
    client_of: Callable[..., APIClient], browser_of: Callable[..., Client], artist: Actor
):
    assert artist.user is not None
    (by_hand,) = left_by(browser_of(artist).get("/studio"))
    assert by_hand["actor"] == {"kind": "person", "id": str(artist.user.pk)}
    assert by_hand["facts"]["route"] == "studio"
    (by_token,) = left_by(client_of(artist).get("/v1/videos"))
    token = artist.user.tokens.get()
    assert by_token["actor"] == {"kind": "token", "id": str(artist.user.pk), "token": str(token.pk)}


def test_the_changes_of_a_request_name_it(client_of: Callable[..., APIClient], artist: Actor):
    makers.sketch()
    response = client_of(artist).post("/v1/videos", {"prompt": "a red circle", "seconds": 1})
    actions = [entry["action"] for entry in left_by(response)]
    assert actions == ["request.received", "generation.queued", "request.answered"]
    audit.record("program.checked", by=actors.SYSTEM)
    assert "request" not in body(Entry.objects.latest("id")), "a request's id must not stay behind"


def test_a_rollback_of_the_view_erases_its_changes_but_not_its_request(
    client_of: Callable[..., APIClient], no_undo: None
):
    poor = makers.artist(credits=0)
    makers.sketch()
    response = client_of(poor).post("/v1/videos", {"prompt": "a red circle", "seconds": 1})
    assert response.status_code == 402
    assert [entry["action"] for entry in left_by(response)] == ["request.received", "request.answered"]
    assert not Generation.objects.exists()


# ---------------------------------------------------------------- every change


def test_a_change_and_its_entry_stand_or_fall_together(artist: Actor, admin: Actor):
    membership = artist.membership
    assert membership is not None

    class Broken(Exception):
        pass

    with pytest.raises(Broken), atomic():
        members.suspend(membership, by=admin, reason="A test.")
        assert audit.of(membership).filter(action="membership.suspended").exists()
        raise Broken
    assert Membership.objects.get(pk=membership.pk).state == "active"
    assert not audit.of(membership).exists()

    membership.refresh_from_db()
    members.suspend(membership, by=admin, reason="A test.")
    members.resume(membership, by=admin)
    assert [entry.action for entry in audit.of(membership)] == ["membership.suspended", "membership.active"]


def test_the_columns_are_read_off_the_body(artist: Actor):
    generation = makers.queued(artist)
    states.move(
        generation, "in_progress", by=actors.worker("gpu@here"), fence=1,
        lease_until=datetime.now(UTC), started_at=datetime.now(UTC),
    )  # fmt: skip
    entry = audit.of(generation).last()
    assert entry is not None
    written = body(entry)
    assert written["id"] == str(entry.id)
    assert written["subject"] == {"noun": "generation", "id": str(generation.pk)}
    assert (entry.action, entry.subject_id) == ("generation.in_progress", generation.pk)
    liar = canonical({"v": 1, "id": new_id(), "action": "a.true", "actor": {"kind": "system"}})
    sql(
        "insert into audit.entry (id, action, subject_id, body) values (%s, 'a.lie', %s, %s)",
        new_id(), generation.pk, liar,
    )  # fmt: skip
    assert not Entry.objects.filter(action="a.lie").exists()
    assert Entry.objects.get(action="a.true").subject_id is None


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(WORDS, st.none() | st.integers() | WORDS | st.lists(WORDS, max_size=2), max_size=3))
def test_a_value_has_one_spelling(value: dict[str, Any]):
    spelt = canonical(value)
    assert json.loads(spelt) == value
    assert canonical(dict(reversed(value.items()))) == spelt
    assert canonical(json.loads(spelt)) == spelt


# ---------------------------------------------------------------- nothing personal in what can't be erased


def test_no_body_holds_anything_personal(client_of: Callable[..., APIClient], admin: Actor, no_undo: None):
    artist = makers.artist("Ines Marchetti")
    assert artist.user is not None
    makers.published(artist)
    client, secret = client_of(artist), makers.token(artist)
    headers = {"HTTP_USER_AGENT": "curious-browser/7", "REMOTE_ADDR": "203.0.113.77"}
    asked = client.post("/v1/videos", {"prompt": "my grandmother kneading", "seconds": 1, "seed": 271828182}, **headers)
    assert asked.status_code == 200
    client.get("/v1/videos/video_mistyped", **headers)
    _, path = members.invite("new.person@example.org", by=admin, cohort=makers.cohort())
    Client().get(path, **headers)
    members.suspend(Membership.objects.get(user=artist.user), by=admin, reason="Grievous misconduct")
    personal = [
        *("grandmother", "kneading", "271828182", "curious-browser", "203.0.113.77", "new.person", "video_mistyped"),
        *("Marchetti", artist.user.email, secret, path.rpartition("/")[2], "Grievous", "Kiln", "An artist"),
    ]
    bodies = b"\n".join(bytes(found) for found in Entry.objects.values_list("body", flat=True))
    assert b"generation.queued" in bodies
    assert [word for word in personal if word.encode() in bodies] == []


def test_a_detail_is_proven_by_its_digest_and_can_be_erased(artist: Actor):
    generation = makers.queued(artist, "a green square growing")
    (entry,) = audit.of(generation)
    detail = Detail.objects.get(entry_id=entry.pk)
    assert json.loads(bytes(detail.body))["prompt"] == "a green square growing"
    digest = body(entry)["detail"]
    assert digest == hashlib.sha256(bytes(detail.salt) + bytes(detail.body)).hexdigest()
    assert digest != hashlib.sha256(bytes(detail.body)).hexdigest(), "without salt a short prompt could be guessed"
    detail.delete()
    assert body(audit.of(generation).get())["detail"] == digest


def test_two_equal_details_have_different_digests(artist: Actor):
    digests = {body(audit.of(makers.queued(artist, "the same", seed=1)).get())["detail"] for _ in range(2)}
    assert len(digests) == 2


@pytest.mark.parametrize("kind", ["invitation", "sign-in"])
def test_no_link_that_still_works_stands_in_the_log(guest: Client, admin: Actor, settings: Any, kind: str):
    """The log is read by admins and by whoever holds a copy: a secret in it would let them in."""
    if kind == "invitation":
        _, path = members.invite("new.person@example.org", by=admin, role="reviewer")
    else:
        settings.EMBEDDED = True
        assert admin.user is not None
        path = sign_in_links.issue(admin.user).removeprefix(settings.BASE_URL)
    assert guest.get(path).status_code == 200
    details = b"\n".join(bytes(found) for found in Detail.objects.values_list("body", flat=True))
    assert path.rpartition("/")[2].encode() not in details


# ---------------------------------------------------------------- append-only


def partitions() -> list[str]:
    return [
        name
        for (name,) in sql("select inhrelid::regclass::text from pg_inherits where inhparent = 'audit.entry'::regclass")
    ]


@pytest.mark.parametrize("on", ["the table", "its partition"])
@pytest.mark.parametrize(
    "statement",
    ["update {} set body = body", "update {} set at = at", "delete from {}", "truncate {}", "truncate {} cascade"],
)
def test_the_log_refuses_every_change_also_to_its_owner(on: str, statement: str):
    audit.record("program.checked", by=actors.SYSTEM)
    (where,) = sql("select distinct tableoid::regclass::text from audit.entry order by 1 desc limit 1")[0]
    assert sql(
        "select tableowner = current_user from pg_tables where schemaname = 'audit' and tablename = 'entry'"
    ) == [(True,)]
    before = Entry.objects.count()
    with pytest.raises(DatabaseError, match="append-only"), atomic():
        sql(statement.format("audit.entry" if on == "the table" else where))
    assert Entry.objects.count() == before


def test_no_partition_lacks_a_trigger_and_none_can_be_switched_off_by_a_session():
    wanted = {"read_off_body", "append_only", "no_truncate"}
    for table in ["audit.entry", *partitions()]:
        found = dict(sql("select tgname, tgenabled from pg_trigger where tgrelid = %s::regclass", table))
        assert wanted <= found.keys(), table
        assert {found[name] for name in wanted} == {"A"}, (
            f"{table}: ENABLE ALWAYS, whatever session_replication_role says"
        )


def test_a_detail_can_be_erased_but_not_rewritten():
    audit.record("program.checked", by=actors.SYSTEM, detail={"name": "Ines"})
    with pytest.raises(DatabaseError, match="append-only"), atomic():
        sql("update audit.detail set body = 'x'")


@pytest.mark.parametrize(
    "at", ["now() - interval '2 minutes'", "now() + interval '1 minute'", "now() + interval '1 month'"]
)
def test_no_entry_is_written_for_another_time(at: str):
    written = canonical({"v": 1, "id": new_id(), "action": "a.lie", "actor": {"kind": "system"}})
    with pytest.raises(DatabaseError, match="its own time"), atomic():
        sql(f"insert into audit.entry (at, body) values ({at}, %s)", written)


def test_the_application_may_write_a_body_and_read(application: psycopg.Connection[Any]):
    entry_id = new_id()
    written = canonical({"v": 1, "id": entry_id, "action": "program.checked", "actor": {"kind": "system"}})
    application.execute("insert into audit.entry (body) values (%s)", [written])
    application.execute("insert into audit.detail (entry_id, salt, body) values (%s, 's', 'b')", [entry_id])
    found = application.execute("select body, action from audit.entry where id = %s", [entry_id]).fetchone()
    assert found == (written, "program.checked")


@pytest.mark.parametrize(
    "statement",
    [
        "insert into audit.entry (id, body) values (gen_random_uuid(), '{}')",
        "insert into audit.entry (at, body) values (now(), '{}')",
        "insert into audit.entry (xid, body) values ('1', '{}')",
        "insert into audit.entry (action, body) values ('a.lie', '{}')",
        "insert into {partition} (body) values ('{}')",
        "update audit.entry set body = body",
        "delete from audit.entry",
        "truncate audit.entry",
        "update {partition} set body = body",
        "delete from {partition}",
        "truncate {partition}",
        "update audit.detail set body = body",
        "delete from audit.detail",
        "delete from audit.erasure",
        "insert into audit.erasure (details) values (1)",
        "select audit.departing(gen_random_uuid())",
        "truncate audit.detail",
        "create table audit.mine (id int)",
        "create table public.mine (id int)",
        "drop table audit.detail",
        "alter table audit.entry disable trigger all",
        "alter table {partition} disable trigger append_only",
        "select audit.guard('audit.detail'::regclass)",
        "set session_replication_role = replica",
    ],
)
def test_the_application_may_do_nothing_else_to_the_log(application: psycopg.Connection[Any], statement: str):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        application.execute(statement.replace("{partition}", partitions()[0]))


# ---------------------------------------------------------------- partitions


def test_there_are_partitions_for_this_month_and_the_next_three():
    today = datetime.now(UTC)
    months = [today.year * 12 + today.month - 1 + ahead for ahead in range(4)]
    wanted = {f"audit.entry_{month // 12}_{month % 12 + 1:02}" for month in months}
    before = set(partitions())
    assert wanted <= before
    sql("select audit.ensure_partitions()")
    sql("select audit.ensure_partitions()")
    assert set(partitions()) == before


def test_a_missing_partition_is_made_again_with_its_triggers_and_the_application_can_read_it(
    application: psycopg.Connection[Any],
):
    """What the hourly chore does when a month begins, done by the application's role."""
    name = sorted(partitions())[-1]
    sql(f"alter table audit.entry detach partition {name}")
    sql(f"alter table {name} rename to put_aside")
    assert name not in partitions()
    sql("select audit.ensure_partitions()")
    assert name in partitions()
    triggers = sql("select tgname from pg_trigger where tgrelid = %s::regclass and tgenabled = 'A'", name)
    assert {row[0] for row in triggers} >= {"read_off_body", "append_only", "no_truncate"}
    assert sql("select has_table_privilege(%s, %s, 'select')", application.info.user, name) == [(True,)]


def test_the_chore_runs_with_the_applications_rights(application: psycopg.Connection[Any]):
    application.execute("select audit.ensure_partitions()")


# ---------------------------------------------------------------- no entry, no view


@contextmanager
def refusing(action: str) -> Iterator[None]:
    """For as long as it lasts, the database writes no entry of this action."""
    sql(
        f"create function no_entry() returns trigger language plpgsql as $$ begin "
        f"if convert_from(new.body, 'UTF8') like '%%\"action\":\"{action}\"%%' then raise exception 'no room'; end if; "
        "return new; end $$; create trigger a_no_entry before insert on audit.entry for each row execute function no_entry()"
    )
    try:
        yield
    finally:
        sql("drop trigger a_no_entry on audit.entry; drop function no_entry()")


@pytest.fixture
def at_the_door(transactional_db: None, client_of: Callable[..., APIClient]) -> APIClient:
    """Each statement stands for itself here, as in production: a failed one spoils no transaction around it."""
    makers.sketch()
    return client_of(makers.artist())


def test_without_an_entry_there_is_no_view(at_the_door: APIClient):
    with refusing("request.received"):
        answer = at_the_door.post("/v1/videos", {"prompt": "a red circle", "seconds": 1})
        page = Client().post("/accounts/login/", {"login": "a@example.org", "password": "x"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "log_unavailable"
    assert page.status_code == 503
    assert "The audit log can't be written" in unescape(page.content.decode())
    assert not Generation.objects.exists()
    assert not Notice.objects.exists()


def test_a_safe_answer_does_not_leave_without_its_entry(at_the_door: APIClient):
    with refusing("request.answered"):
        assert at_the_door.get("/v1/videos").status_code == 503
        assert Client().get("/").status_code == 503


def test_a_change_that_was_made_is_not_answered_by_nothing_happened(at_the_door: APIClient):
    """The view has run and committed: a 503 would make the client ask, and pay, a second time. The gap shows in the log."""
    with refusing("request.answered"):
        answer = at_the_door.post("/v1/videos", {"prompt": "a red circle", "seconds": 1})
    assert Generation.objects.count() == 1
    assert answer.status_code == 200
    assert [entry["action"] for entry in left_by(answer)] == ["request.received", "generation.queued"]
