"""Everything of an artist's in one ZIP: whole, theirs alone, and with what proves it."""

import hashlib
import io
import json
import subprocess
import sys
import tracemalloc
from datetime import timedelta
from pathlib import Path
from zipfile import ZipFile

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from gateway import actors, allowances, consents, contributions, impersonations, members, refusals, webhooks
from gateway.actors import Actor
from gateway.models import Entry, Export
from review import appeals, decisions, dossier, queue
from tests import makers

pytestmark = pytest.mark.django_db

#: Where each kind of row stands in a dossier, or why it does not.
TABLES = {
    "gateway.User": "artist.json",
    "account.EmailAddress": "artist.json",
    "mfa.Authenticator": "artist.json",
    "gateway.Membership": "artist.json",
    "gateway.MembershipChange": "artist.json",
    "gateway.Allowance": "artist.json",
    "gateway.Invitation": "artist.json",
    "gateway.AccessRequest": "artist.json",
    "gateway.Export": "artist.json",
    "gateway.Departure": "artist.json",
    "gateway.KeyedRequest": "not: kept for a day, and readable only to who has its key",
    "review.Report": "not: what others wrote; what came of it stands in submissions/",
    "gateway.Cohort": "artist.json: its name",
    "gateway.Terms": "terms/",
    "gateway.TermsAcceptance": "terms/",
    "gateway.Rate": "terms/",
    "gateway.LedgerEntry": "credits/",
    "gateway.Contribution": "contributions.json",
    "gateway.Consent": "consents.json",
    "gateway.Token": "access/",
    "gateway.GuestPass": "access/",
    "gateway.WebhookEndpoint": "access/: without its secrets",
    "gateway.WebhookEvent": "access/: in its deliveries",
    "gateway.WebhookDelivery": "access/",
    "usersessions.UserSession": "access/",
    "gateway.Sighting": "access/",
    "gateway.Brake": "access/",
    "gateway.Impersonation": "looked/",
    "gateway.Notice": "notices.jsonl",
    "gateway.Entry": "audit/",
    "gateway.Detail": "audit/",
    "generation.Generation": "works/",
    "generation.Output": "works/",
    "generation.Picture": "works/",
    "generation.Worker": "not: nobody's",
    "generation.ModelProfile": "works/: its name and revision",
    "review.Submission": "submissions/",
    "review.Revision": "submissions/",
    "review.Decision": "submissions/",
    "review.Signal": "submissions/",
    "review.Screening": "submissions/: its signals",
    "review.Fingerprint": "not: made from the clip, to find copies of it",
    "review.Phrase": "not: nobody's",
    "review.Clause": "submissions/",
    "review.SignOff": "submissions/",
    "review.Publication": "submissions/",
    "review.Appeal": "submissions/",
    "review.Conflict": "artist.json: those that the artist named, without the reviewer's name",
    "review.Opening": "looked/",
    "review.ReviewPolicy": "not: nobody's",
    "review.Preferences": "not: reviewers'",
    "review.Figures": "not: nobody's",
    "review.Skip": "not: reviewers'",
    "account.EmailConfirmation": "not: secrets",
    "gateway.SignInLink": "not: secrets",
    "sessions.Session": "not: secrets; what is known of a session stands in usersessions",
    "generation.Share": "not: the turn in the line, a number that changes with each clip",
    "gateway.Canary": "not: nobody's",
    "gateway.Program": "not: nobody's",
    "gateway.Pulse": "not: nobody's",
    "admin.LogEntry": "not: what admins changed",
    "auth.Group": "not: unused",
    "auth.Permission": "not: unused",
    "contenttypes.ContentType": "not: nobody's",
}


def test_every_kind_of_row_is_in_it_or_has_a_reason():
    """A new table fails this: whoever makes one says where it stands in what an artist takes along."""
    models = {model._meta.label for model in apps.get_models()}
    assert models - TABLES.keys() == set()


@pytest.fixture
def rich(artist, stranger, reviewer, admin, no_undo) -> Actor:
    """An artist with something of everything, beside a stranger who has the same."""
    makers.policy()
    hearer = makers.reviewer("Rui Tanaka")
    for person in (stranger, artist):
        makers.published(person)
        refused = makers.decided(makers.submitted(person, title="Smoke"), "reject", by=reviewer)
        appeals.file(refused, by=actors.person(person.user), words="It does not blink.")
        appeals.uphold(queue.take_next(by=hearer, lane="appeal"), by=hearer, message="It does.")
        makers.completed(makers.visitor(makers.lent(person)), prompt="a guest's blue tide")
        makers.queued(person, prompt="waiting")
        by_token = makers.with_token(person)
        makers.completed(by_token, prompt="a private kiln")
        consents.grant("train", by=person)
        consents.revoke("train", by=person)
        contributions.report(by=person, kind="feedback", title="Too warm", body="The reds are too warm.")
        makers.sighting(person)
        webhooks.create(by=person, url="https://example.org/hooks")
        webhooks.happened("video.completed", "video_1", user=person.user.pk)
        impersonations.begin(person.user, by=admin, reason=f"To help {person.user.name}")
        allowances.grant(person.membership, 5, by=admin, reason="For the workshop")
    return artist


def made(by: Actor, folder: Path) -> ZipFile:
    body = b"".join(dossier.stream(dossier.begin(by=by), by=by))
    (folder / "all.zip").write_bytes(body)
    found = ZipFile(io.BytesIO(body))
    assert found.testzip() is None
    return found


def text(archive: ZipFile, path: str) -> str:
    return archive.read(path).decode()


def rows(archive: ZipFile, path: str) -> list[dict]:
    return [json.loads(line) for line in text(archive, path).splitlines()]


def test_it_is_whole_and_other_peoples_tools_say_so(rich, tmp_path):
    archive = made(rich, tmp_path)
    manifest = json.loads(text(archive, "manifest.json"))
    listed = {file["path"]: file for file in manifest["files"]}
    assert set(archive.namelist()) == {*listed, "manifest.json", "SHA256SUMS"}
    assert archive.namelist()[-2:] == ["manifest.json", "SHA256SUMS"]
    assert manifest["missing"] == []
    for path, file in listed.items():
        body = archive.read(path)
        assert (len(body), hashlib.sha256(body).hexdigest()) == (file["bytes"], file["sha256"]), path
    archive.extractall(tmp_path / "out")
    checked = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True, check=True, text=True
    )
    assert checked.stdout.count(": OK") == len(listed) + 1
    row = Export.objects.get()
    assert row.whole
    assert (row.files, row.size) == (len(listed) + 2, (tmp_path / "all.zip").stat().st_size)
    assert row.sha256 == hashlib.sha256(archive.read("manifest.json")).hexdigest()
    entry = Entry.objects.get(action="export.streamed", subject_id=row.pk)
    assert json.loads(bytes(entry.body))["facts"]["manifest"] == row.sha256
    clips = [path for path in listed if path.endswith("clip.mp4")]
    assert len(clips) == rich.membership.generations.filter(state="completed").count() == 4
    assert all(archive.getinfo(path).compress_type == 0 for path in clips)


def test_it_says_what_there_is(rich, tmp_path, admin):
    archive = made(rich, tmp_path)
    artist = json.loads(text(archive, "artist.json"))
    assert (artist["name"], artist["email"]) == ("Ines Marchetti", rich.user.email)
    works = [json.loads(text(archive, path)) for path in archive.namelist() if path.endswith("work.json")]
    assert {work["prompt"] for work in works} >= {"a guest's blue tide", "a private kiln", "waiting"}
    assert [work["by_a_guest"] for work in works if "guest" in work["prompt"]] == [True]
    said = [json.loads(text(archive, path)) for path in archive.namelist() if path.startswith("submissions/")]
    public, refused = sorted(said, key=lambda row: row["state"])
    assert [row["role"] for row in public["revisions"][0]["decisions"]] == ["sole"]
    assert public["publication"]["state"] == "published"
    assert public["revisions"][0]["signed"]["as"] == "An artist"
    decision, heard = refused["revisions"][0]["decisions"]
    assert (decision["appeal"]["words"], decision["appeal"]["state"]) == ("It does not blink.", "upheld")
    assert decision["appeal"]["answer"] == heard["id"]
    assert decision["facts"] in decision["letter"]["body"]
    assert decision["clauses"][0]["number"] == 4
    assert decision["statement"]["decision_facts"] == decision["facts"]
    answers = json.loads(text(archive, "consents.json"))
    assert [row["answer"] for row in answers] == ["given", "revoked"]
    assert answers[1]["stops"]
    ledger = rows(archive, "credits/ledger.jsonl")
    assert sum(row["effect"] for row in ledger) == allowances.current(rich.membership).free
    assert len(text(archive, "credits/ledger.csv").splitlines()) == len(ledger) + 1
    assert json.loads(text(archive, "contributions.json"))[0]["title"] == "Too warm"
    assert "accept" in text(archive, "terms/version-1.txt")
    (visit,) = json.loads(text(archive, "looked/visits.json"))
    assert (visit["admin"], visit["reason"]) == ("Ada Lindqvist", "To help Ines Marchetti")
    assert {row["who"] for row in rows(archive, "looked/reviewers.jsonl")} <= {"a reviewer"}
    assert {row["subject"] for row in rows(archive, "notices.jsonl")} >= {"Ada Lindqvist looks as you"}
    assert json.loads(text(archive, "access/sightings.json"))[0]["frozen"]
    assert len(json.loads(text(archive, "access/brakes.json"))) == 1
    (told,) = json.loads(text(archive, "access/webhooks.json"))
    assert told["url"] == "https://example.org/hooks"
    assert not {"secret", "old_secret"} & told.keys()
    assert [row["event"] for row in rows(archive, "access/webhook-deliveries.jsonl")] == ["video.completed"]


def test_its_own_entries_are_the_stored_bytes_and_can_be_checked_as_the_readme_says(rich, tmp_path):
    archive = made(rich, tmp_path)
    (own,) = [path for path in archive.namelist() if path.endswith("own.entries.jsonl")]
    stored = Entry.objects.filter(actor_id=rich.user.pk).exclude(action__startswith="export.").order_by("id")
    assert archive.read(own).splitlines() == [bytes(entry.body) for entry in stored]
    archive.extractall(tmp_path / "out")
    readme = text(archive, "README.txt")
    script = readme[readme.index("    import hashlib") : readme.index("    END")]
    script = "\n".join(line[4:] for line in script.splitlines())
    checked = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path / "out", capture_output=True, check=True, text=True
    ).stdout.split()
    assert len(checked) > 10
    assert set(checked[1::2]) == {"True"}
    prompts = [json.loads(row["detail"]).get("prompt") for row in rows(archive, own.replace("entries", "details"))]
    assert "a private kiln" in prompts
    assert "a guest's blue tide" in text(archive, own.replace("own.entries", "works.details"))


def test_nothing_of_anybody_else_is_in_it(rich, stranger, reviewer, admin, tmp_path, settings, client_of, browser_of):
    refused = makers.decided(makers.submitted(rich, title="Appealed"), "reject", by=reviewer)
    appeals.file(refused, by=actors.person(rich.user), words="Look again.")
    settings.UNDO_SECONDS = 30
    other = makers.reviewer("Mikel Etxeberria")
    hearing = appeals.overturn(queue.take_next(by=other, lane="appeal"), by=other, message="Not told yet")
    secret = "what only colleagues read"
    taken = queue.take(makers.submitted(rich, title="Undecided"), by=reviewer)
    decided = decisions.reject(taken, by=reviewer, reasons=makers.reasons(facts="Not told yet"), note=secret)
    escalated = makers.decided(makers.submitted(rich, title="Asked of a colleague"), "escalate", by=reviewer)
    visitor = browser_of(admin)
    visitor.post("/program/impersonation", {"artist": rich.user.pk, "reason": "Again"})
    visitor.get("/studio", REMOTE_ADDR="203.0.113.77")
    archive = made(rich, tmp_path)
    whole = b"\n".join(archive.read(path) for path in archive.namelist())
    for person in (stranger, reviewer):
        for row in (person.user, *person.user.memberships.all(), *person.user.tokens.all()):
            assert str(row.pk).encode() not in whole, row
            assert row.pk.hex.encode() not in whole, row
        assert person.user.name.encode() not in whole
        assert person.user.email.encode() not in whole
    for row in stranger.membership.generations.all():
        assert str(row.pk).encode() not in whole
        assert row.pk.hex.encode() not in whole
    for hidden in (
        secret,
        "Not told yet",
        str(decided.pk),
        str(escalated.pk),
        str(hearing.pk),
        "escalated",
        "203.0.113.77",
    ):
        assert hidden.encode() not in whole, hidden
    states = {
        row["revisions"][0]["title"]: row["state"]
        for path in archive.namelist()
        if path.startswith("submissions/") and (row := json.loads(text(archive, path)))
    }
    assert states["Appealed"] == "rejected"
    assert states["Undecided"] == states["Asked of a colleague"] == "submitted"
    for token in rich.user.tokens.all():
        assert bytes(token.digest).hex().encode() not in whole


def test_a_work_that_goes_while_it_is_made_is_named_and_stops_nothing(artist, tmp_path):
    first, second = makers.completed(artist), makers.completed(artist)
    export = dossier.begin(by=artist)
    pieces = []
    for piece in dossier.stream(export, by=artist):
        pieces.append(piece)
        if len(pieces) == 1:
            default_storage.delete(second.outputs.get(kind="video").path)
    archive = ZipFile(io.BytesIO(b"".join(pieces)))
    assert archive.testzip() is None
    (missing,) = json.loads(text(archive, "manifest.json"))["missing"]
    assert missing["path"].endswith(f"{second.pk.hex}/clip.mp4")
    assert any(path.endswith(f"{first.pk.hex}/clip.mp4") for path in archive.namelist())


def test_a_file_that_is_not_what_was_recorded_is_named(artist, tmp_path):
    work = makers.completed(artist)
    output = work.outputs.get(kind="video")
    Path(default_storage.path(output.path)).write_bytes(b"something else")
    (missing,) = json.loads(text(made(artist, tmp_path), "manifest.json"))["missing"]
    assert output.sha256 in missing["why"]


def test_200_mb_pass_through_a_few(artist, tmp_path):
    work = makers.completed(artist)
    output = work.outputs.get(kind="video")
    with Path(default_storage.path(output.path)).open("wb") as file:
        file.truncate(200 * 2**20)
    length = 0
    tracemalloc.start()
    for piece in dossier.stream(dossier.begin(by=artist), by=artist):
        length += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert length > 200 * 2**20
    assert peak < 16 * 2**20


def test_one_at_a_time_and_a_few_a_day(artist, stranger, settings):
    settings.EXPORTS_A_DAY = 2
    settings.THREADS_EACH = 8
    first = dossier.begin(by=artist)
    with pytest.raises(refusals.ExportUnderWay):
        dossier.begin(by=artist)
    going = dossier.stream(first, by=artist)
    next(going)
    going.close()  # the reader has gone
    first.refresh_from_db()
    assert first.ended_at
    assert not first.whole
    second = dossier.begin(by=artist)
    Export.objects.filter(pk=second.pk).update(beat_at=Now() - timedelta(minutes=6))  # its process was killed
    with pytest.raises(refusals.TooManyExports) as refused:
        dossier.begin(by=artist)
    assert 0 < (refused.value.retry_after or 0) <= 86400
    Export.objects.filter(pk=first.pk).update(created_at=Now() - timedelta(hours=25))
    Export.objects.update(ended_at=Now())
    dossier.begin(by=artist)
    dossier.begin(by=stranger)
    with pytest.raises(refusals.ExportsFull):
        dossier.begin(by=makers.artist())


def test_ten_presses_make_one(at_once):
    artist = makers.artist()
    told = at_once(*[lambda: dossier.begin(by=actors.person(artist.user))] * 10)
    assert sorted(type(answer).__name__ for answer in told) == ["Export"] + ["ExportUnderWay"] * 9


@pytest.mark.parametrize("how", ["suspended", "left"])
def test_who_may_make_nothing_new_takes_everything_along(artist, admin, browser_of, how):
    makers.completed(artist)
    browser = browser_of(artist)
    if how == "suspended":
        members.suspend(artist.membership, by=admin, reason="A conversation is due.")
    else:
        members.leave(by=actors.person(artist.user))
    page = browser.get("/export").content.decode()
    assert "Download everything" in page
    answer = browser.post("/export")
    assert answer["Content-Type"] == "application/zip"
    assert answer["Content-Disposition"].startswith('attachment; filename="bon-a-tirer-2')
    archive = ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert any(path.endswith("clip.mp4") for path in archive.namelist())
    assert "Sent whole" in browser.get("/export").content.decode()


def test_nobody_else_makes_it(artist, admin, browser_of, client_of):
    visitor = browser_of(admin)
    visitor.post("/program/impersonation", {"artist": artist.user.pk, "reason": "To help"})
    assert visitor.get("/export").status_code == 200
    refused = visitor.post("/export")
    assert (refused.status_code, refused.refusal) == (403, "read_only_while_impersonating")
    assert not Export.objects.exists()
    assert client_of(artist, "generate", "submit").post("/v1/export").json()["error"]["code"] == "missing_scope"
    client = client_of(artist)
    answer = client.post("/v1/export")
    assert b"".join(answer.streaming_content).startswith(b"PK")
    told = client.get("/v1/export").json()
    assert [row["sha256"] for row in told["data"]] == [Export.objects.get().sha256]
