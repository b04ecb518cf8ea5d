"""Somebody goes for good: nothing that could name them is left but what was said to stay, whatever dies midway."""

import io
from datetime import timedelta
from pathlib import Path

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import IntegrityError, connection, models
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client
from PIL import Image

from gateway import (
    actors,
    allowances,
    audit,
    brakes,
    consents,
    contributions,
    impersonations,
    members,
    notices,
    refusals,
    sightings,
    webhooks,
)
from gateway.actors import Actor
from gateway.models import (
    Brake,
    Departure,
    Detail,
    Entry,
    LedgerEntry,
    Notice,
    Token,
    User,
    WebhookDelivery,
)
from gateway.triggers import ERASED
from generation import media
from generation.models import ModelProfile
from review import appeals, conflicts, decisions, departure, publishing, queue
from review.departure import steps
from review.departure.texts import TABLES
from review.models import Decision, Publication, Revision, Submission
from tests import makers

pytestmark = pytest.mark.django_db

NAME, PROMPT, TITLE, ADDRESS = "Ines Marchetti", "a very private kiln", "Kiln at the quay", "203.0.113.77"
WORDS = "which only Ines would say"


@pytest.fixture
def rich(artist, stranger, reviewer, admin, no_undo, settings, browser_of) -> Actor:
    """An artist who has left something in every table, under needles that can be searched for."""
    settings.DEPARTURE_DAYS = 0
    makers.policy()
    user = artist.user
    shown = makers.completed(artist, prompt=PROMPT)
    submission = makers.submitted(artist, shown, title=TITLE, credit=NAME, description=WORDS)
    makers.decided(submission, by=reviewer)
    browser = browser_of(artist)
    browser.post(f"/submissions/{submission.pk.hex}/sign-off", {"revision": 1, "name": NAME}, REMOTE_ADDR=ADDRESS)
    browser.get("/dashboard", REMOTE_ADDR=ADDRESS)
    refused = makers.submitted(artist, makers.completed(artist, prompt=f"{PROMPT} again"), title=TITLE, credit=NAME)
    queue.take(refused, by=reviewer)
    by = makers.reviewer("Rui Tanaka")
    told = makers.reasons(facts=f"{NAME} shows {PROMPT}", region=WORDS)
    decision = decisions.reject(refused, by=reviewer, reasons=told, note=f"{NAME}: {WORDS}")
    appeals.file(decision, by=actors.person(user), words=f"{WORDS}, {NAME}")
    appeals.uphold(queue.take_next(by=by, lane="appeal"), by=by, message=f"No, {NAME}")
    makers.submitted(artist, makers.completed(artist, prompt=PROMPT), title=TITLE, credit=NAME)
    makers.queued(artist, prompt=PROMPT)
    makers.completed(makers.visitor(makers.lent(artist, label=WORDS)), prompt=PROMPT)
    token = makers.with_token(artist, networks=["203.0.113.0/24"]).token
    Token.objects.filter(pk=token.pk).update(label=WORDS, last_address=ADDRESS, last_use=WORDS, last_used_at=Now())
    listening, _ = webhooks.create(by=artist, url="https://marchetti.example/hooks", name=WORDS)
    webhooks.happened("video.completed", f"video_{shown.pk.hex}", user=user.pk)
    WebhookDelivery.objects.update(answer=WORDS, error=NAME)
    webhooks.disable(listening, by=artist, reason=f"{NAME} stopped it")
    webhooks.create(by=artist, url="https://marchetti.example/other")
    consents.grant("train", by=artist, work=shown.pk)
    consents.grant("exhibit", by=artist)
    consents.revoke("exhibit", by=artist)
    done = contributions.report(by=artist, kind="feedback", title=WORDS, body=WORDS)
    contributions.decline(done, by=admin, reason=f"No, {NAME}")
    contributions.dispute(done, by=artist, why=WORDS)
    sighting = makers.sighting(artist)
    sightings.explain(sighting, WORDS, by=artist)
    brakes.pull("artist", user.pk, by=admin, label=NAME, reason=f"{NAME} asked")
    brakes.release(user_brake(user), by=admin, why=f"{NAME} is back")
    impersonations.begin(user, by=admin, reason=f"To help {NAME}")
    allowances.grant(artist.membership, 5, by=admin, reason=f"For {NAME}")
    members.suspend(artist.membership, by=admin, reason=f"{NAME} wanted a pause")
    members.resume(artist.membership, by=admin)
    makers.published(stranger)
    conflicts.name_address(user.email, by=reviewer, as_reviewer=True)
    for relative in ("mother", "father"):
        conflicts.name_address(f"{relative}@marchetti.example", by=artist)
    User.objects.filter(pk=user.pk).update(studio=WORDS)
    user.refresh_from_db()
    return actors.person(user)


def user_brake(user: User) -> Brake:
    return Brake.objects.get(scope="artist", target=user.pk)


def gone(departed: Departure) -> Departure:
    """Brought to its end, with its last letter mailed."""
    for _ in range(200):
        if departure.run(Departure.objects.select_related("user").get(pk=departed.pk), budget=0):
            break
        notices.send_waiting()
    departed.refresh_from_db()
    assert departed.state == "done"
    return departed


def needles(user: User) -> list[str]:
    return [NAME, "Marchetti", user.email, PROMPT, TITLE, ADDRESS, "203.0.113", WORDS]


def everywhere(words: list[str]) -> dict[str, list[str]]:
    """Every column of every table, bytes too, in which one of these words stands."""
    found: dict[str, list[str]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select table_schema, table_name, column_name, data_type from information_schema.columns"
            " where table_schema in ('public', 'audit') and data_type not in ('uuid', 'boolean', 'xid8')"
        )
        for schema, table, column, kind in cursor.fetchall():
            text = f"encode({column}, 'escape')" if kind == "bytea" else f'"{column}"::text'
            cursor.execute(
                f'select {text} from "{schema}"."{table}" where {text} ilike any(%s)',
                [[f"%{word}%" for word in words]],
            )
            if rows := [row[0] for row in cursor.fetchall()]:
                found[f"{table}.{column}"] = rows
    return found


def files() -> set[str]:
    root = Path(default_storage.path(""))
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_nothing_that_names_them_is_left_anywhere(rich, stranger, mailoutbox):
    user = rich.user
    words = needles(user)
    before = everywhere(words)
    assert len(before) > 30, before.keys()
    entries = list(Entry.objects.order_by("id").values_list("id", "body"))
    ledger = list(LedgerEntry.objects.order_by("id").values("id", "kind", "amount", "subject"))
    verdicts = list(Decision.objects.order_by("id").values("id", "verdict", "clauses", "reviewer", "effective_at"))
    done = gone(departure.ask(by=rich, kind="delete"))
    assert everywhere(words) == {}
    # What was said to stay is there, unchanged.
    assert list(Entry.objects.order_by("id").values_list("id", "body"))[: len(entries)] == entries
    kept = [row["id"] for row in ledger]
    assert list(LedgerEntry.objects.filter(pk__in=kept).order_by("id").values(*ledger[0])) == ledger
    assert list(Decision.objects.order_by("id").values(*verdicts[0])) == verdicts
    theirs = {
        path for work in stranger.membership.generations.all() for path in work.outputs.values_list("path", flat=True)
    }
    assert files() == theirs
    assert not Detail.objects.filter(entry_id__in=Entry.objects.filter(actor_id=user.pk).values("id")).exists()
    user.refresh_from_db()
    assert (user.is_active, user.name, user.has_usable_password()) == (False, "Somebody who left", False)
    assert user.email == f"departed-{user.pk.hex}@departed.invalid"
    assert {row.state for row in Publication.objects.filter(submission__membership__user=user)} == {"withdrawn"}
    assert done.figures == {"works": 5, "clips_kept": 0, "on_view": 0}
    (last,) = [mail for mail in mailoutbox if "being erased" in mail.subject]
    for line in departure.what_stays(user, "delete").lines:
        assert line.why in last.body
    with connection.cursor() as cursor:
        cursor.execute("select sum(details) from audit.erasure where cause = %s", [done.pk])
        assert cursor.fetchone()[0] > 10
    assert Publication.objects.filter(submission__membership__user=stranger.user, state="published").exists()
    assert Revision.objects.filter(submission__membership__user=stranger.user, title="Kiln").exists()


def test_who_becomes_nobody_leaves_what_they_want_and_takes_it_back_by_the_link(rich, mailoutbox, guest: Client):
    user = rich.user
    publication = Publication.objects.get(submission__membership__user=user)
    done = gone(departure.ask(by=rich, kind="anonymise", keeps_public=True))
    left = everywhere(needles(user))
    stays = {"review_revision.title", "review_revision.credit", "review_revision.description", "review_signoff.name"}
    assert left.keys() == stays
    assert all(len(rows) == 1 for rows in left.values())
    assert done.figures == {"works": 5, "clips_kept": 1, "on_view": 1}
    page = guest.get(f"/works/{publication.pk.hex}")
    assert page.status_code == 200
    assert NAME in page.content.decode()
    assert guest.get(f"/works/{publication.pk.hex}/video.mp4").status_code == 200
    (last,) = [mail for mail in mailoutbox if "being erased" in mail.subject]
    (link,) = [word for word in last.body.split() if "/departed/" in word]
    path = link[link.index("/departed/") :]
    assert TITLE in guest.get(path).content.decode()
    assert guest.post(f"{path}/take-back", {"publication": "x"}).status_code == 404
    assert guest.post(f"{path}/take-back", {"publication": publication.pk.hex}).status_code == 302
    assert guest.get(f"/works/{publication.pk.hex}").status_code == 410
    assert "Nothing of yours" in guest.get(path).content.decode()
    gone(Departure.objects.get(state="asked"))
    assert everywhere(needles(user)) == {}
    clip = publication.revision.output.generation
    assert default_storage.exists(clip.outputs.get(kind="video").path), "given to train, it stays"
    assert guest.post(f"{path}/take-back").status_code == 302
    gone(Departure.objects.get(state="asked"))
    assert not any(clip.pk.hex in path for path in files())
    assert guest.get("/departed/bat_departure_made-up").status_code == 404


def test_it_goes_on_after_every_kill(rich, stranger, monkeypatch):
    """Each batch is cut off once before its transaction and once at its end; what was lost is done again."""
    user, words = rich.user, needles(rich.user)
    asked = departure.ask(by=rich, kind="delete")

    class Killed(BaseException):
        pass

    real_record, real_erase = audit.record, media.erase
    alive = {"calls": 0, "dies": 1}

    def dying(real):
        def called(*args, **told):
            alive["calls"] += 1
            if alive["calls"] == alive["dies"]:
                raise Killed
            return real(*args, **told)

        return called

    monkeypatch.setattr(audit, "record", dying(real_record))
    monkeypatch.setattr(media, "erase", dying(real_erase))
    kills = 0
    for _ in range(400):
        alive["calls"] = 0
        try:
            with atomic():  # a killed process leaves no transaction behind
                ended = departure.run(Departure.objects.select_related("user").get(pk=asked.pk), budget=0)
        except Killed:
            kills += 1
            alive["dies"] += 1
            continue
        alive["dies"] = 1
        notices.send_waiting()
        if ended:
            break
    assert kills > 15
    asked.refresh_from_db()
    assert asked.state == "done"
    assert everywhere(words) == {}
    assert EmailAddress.objects.filter(user=user).count() == 0
    actions = Entry.objects.filter(subject_id=asked.pk).values_list("action", flat=True)
    assert [actions.filter(action=f"departure.{what}").count() for what in ("asked", "begun", "done")] == [1, 1, 1]


def test_what_stays_on_view_leaves_the_picture_that_it_began_from(artist, reviewer, no_undo, settings):
    """That was never on view."""
    settings.DEPARTURE_DAYS = 0
    model = makers.sketch()
    ModelProfile.objects.filter(pk=model.pk).update(modality="image-to-video")
    brought = io.BytesIO()
    Image.new("RGB", (320, 320), "red").save(brought, "PNG")
    picture = SimpleUploadedFile("me.png", brought.getvalue(), "image/png")
    work = makers.drawn(makers.queued(artist, model="sketch", picture=picture))
    submission = makers.submitted(artist, work)
    makers.decided(submission, by=reviewer)
    publishing.sign_off(Submission.objects.get(pk=submission.pk), by=artist, revision=1, name="An artist")
    assert default_storage.exists(work.picture.path)
    gone(departure.ask(by=artist, kind="anonymise", keeps_public=True))
    assert not default_storage.exists(work.picture.path)
    assert default_storage.exists(work.outputs.get(kind="video").path)


def test_the_last_letter_waits_for_the_mail_as_long_as_a_link_is_in_it(rich):
    asked = departure.ask(by=rich, kind="anonymise", keeps_public=True)
    while asked.figures.get("step") != len(steps.STEPS):
        departure.run(Departure.objects.select_related("user").get(pk=asked.pk), budget=0)
        asked.refresh_from_db()
    hour_ago = Now() - timedelta(hours=1)
    Notice.objects.filter(pk=asked.farewell).update(attempts=notices.ATTEMPTS, created_at=hour_ago)
    assert not departure.run(asked)
    assert Notice.objects.get(pk=asked.farewell).attempts < notices.ATTEMPTS
    gone(asked)


def test_one_changes_their_mind_until_it_begins(artist, settings, browser_of, mailoutbox):
    settings.DEPARTURE_DAYS = 7
    work = makers.completed(artist, prompt=PROMPT)
    waiting = makers.submitted(artist, work)
    browser = browser_of(artist)
    page = browser.get("/leave?how=delete").content.decode()
    assert "What stays, and why" in page
    assert "delete" in page
    assert browser.post("/leave?how=delete", {"how": "delete", "word": "leave"}).status_code == 422
    assert browser.post("/leave?how=delete", {"how": "delete", "word": "Delete"}).status_code == 302
    asked = Departure.objects.get()
    assert artist.user.memberships.get().state == "left"
    waiting.refresh_from_db()
    assert waiting.state == "withdrawn"
    departure.run_due()
    assert Departure.objects.get().begun_at is None
    assert browser.post("/leave?how=anonymise", {"how": "anonymise", "word": "anonymise"}).status_code == 409
    assert "I changed my mind" in browser.get("/leave").content.decode()
    notices.send_waiting()
    assert any("change your mind" in mail.body and "What stays, and why" in mail.body for mail in mailoutbox)
    assert browser.post("/leave/stay").status_code == 302
    asked.refresh_from_db()
    assert asked.state == "cancelled"
    work.refresh_from_db()
    assert work.prompt == PROMPT
    assert browser.post("/leave/stay").status_code == 404
    again = departure.ask(by=actors.person(artist.user), kind="delete")
    Departure.objects.filter(pk=again.pk).update(due_at=Now() - timedelta(seconds=1))
    departure.run(Departure.objects.get(pk=again.pk), budget=0)
    with pytest.raises(refusals.TooLateToStay):
        departure.cancel(again, by=actors.person(artist.user))
    assert browser.get("/leave").status_code == 302, "signed out everywhere, for good"


def test_who_is_on_duty_or_comes_by_token_does_not_go(reviewer, artist, stranger):
    with pytest.raises(refusals.StillOnDuty):
        departure.ask(by=reviewer, kind="delete")
    with pytest.raises(refusals.MissingScope):
        departure.ask(by=makers.with_token(artist), kind="delete")
    asked = departure.ask(by=artist, kind="delete")
    with pytest.raises(refusals.NotFound):
        departure.cancel(asked, by=stranger)


def test_ten_ask_at_once_and_one_is_asked(at_once):
    artist = makers.artist()
    told = at_once(*[lambda: departure.ask(by=actors.person(artist.user), kind="delete")] * 10)
    assert sorted(type(answer).__name__ for answer in told) == ["AlreadyDeparting"] * 9 + ["Departure"]


def test_the_database_lets_nothing_else_be_written_and_nothing_without_a_departure(rich):
    revision = Revision.objects.filter(submission__membership__user=rich.user).first()
    rows = Revision.objects.filter(pk=revision.pk)
    with pytest.raises(IntegrityError, match="erased only when its person departs"), atomic():
        rows.update(title=ERASED)
    asked = departure.ask(by=rich, kind="delete")
    with connection.cursor() as cursor:
        cursor.execute("select set_config('gateway.departure', %s, false)", [str(asked.pk)])
        with pytest.raises(IntegrityError, match="erased only"), atomic():
            rows.update(title=ERASED)  # it has not begun
        with pytest.raises(IntegrityError), atomic():
            cursor.execute("select audit.erase_about(%s, %s::uuid[])", [asked.pk, [revision.pk]])
        Departure.objects.filter(pk=asked.pk).update(begun_at=Now())
        with pytest.raises(IntegrityError, match="erased only"), atomic():
            rows.update(title="A kinder title")
        with pytest.raises(IntegrityError, match="append-only"), atomic():
            rows.update(sha256="0" * 64)
        with pytest.raises(IntegrityError, match="append-only"), atomic():
            cursor.execute("delete from review_revision where id = %s", [revision.pk])
        assert rows.update(title=ERASED) == 1
        cursor.execute("select set_config('gateway.departure', '', false)")


#: Columns that say nothing of a person although they are texts, by what they are.
KEPT = {
    "the program's own": "Figures Brake.public_reason Cohort.name Terms.body Terms.currency Rate.words Clause ModelProfile Canary Pulse Worker Program Phrase Group Permission ContentType ReviewPolicy Share",
    "a fingerprint or a number": "Token.digest Token.last_four Token.scopes GuestPass.digest GuestPass.last_four GuestPass.slugs Invitation.digest AccessRequest.digest SignInLink Departure.digest Departure.figures Export.sha256 WebhookEndpoint.hint WebhookEndpoint.event_types WebhookEvent.type Output.sha256 Picture.sha256 Revision.sha256 Generation.guest Generation.guest_address Entry.body Entry.action",
    "what a machine set": "Generation.pool Generation.model_revision Generation.worker Generation.error_code Generation.preset Generation.timings Output.path Output.media_type Picture.path Picture.media_type Screening.error Decision.state_before Decision.state_after Consent.reach Sighting.signals MembershipChange.before MembershipChange.after",
    "how a reviewer works": "Preferences",
    "what others wrote, who are owed an answer": "Report",
    "accounts": "Contribution.currency Contribution.reference",
    "erased by itself": "WebhookEndpoint.url WebhookEndpoint.secret WebhookEndpoint.old_secret WebhookEvent WebhookDelivery User.email User.name User.studio User.password Generation.prompt Generation.error_message Generation.notes Detail Notice EmailAddress EmailConfirmation Authenticator UserSession Fingerprint Generation.asked KeyedRequest",
    "ends with the session, in two weeks": "Session",
    "what an admin changed of the program's own": "LogEntry",
}


def test_every_column_with_words_is_erased_or_has_a_reason():
    """A new text column fails this: whoever makes one says whether it goes with its person, in departure.texts."""
    erased = {f"{table.model.__name__}.{column}" for table in TABLES for column in table.columns}
    kept = {name for names in KEPT.values() for name in names.split()}
    textual = (models.CharField, models.TextField, models.JSONField, models.BinaryField, models.GenericIPAddressField)
    missing = []
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            base = getattr(field, "base_field", field)
            if isinstance(base, textual) and not field.choices and field.name != "state":
                name = f"{model.__name__}.{field.name}"
                if name not in erased and name not in kept and model.__name__ not in kept:
                    missing.append(name)
    assert missing == []
