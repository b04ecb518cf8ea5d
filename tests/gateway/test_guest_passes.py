"""What an artist lends by link: issued once, found at each request, taken back at once, and never the artist."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test.utils import CaptureQueriesContext

from gateway import actors, audit, guest_passes, keys, members, notices, refusals, tokens
from gateway.actors import NOBODY, Actor
from gateway.models import GuestPass, Membership, Notice, Token, User
from generation import generations
from generation.models import Generation
from review.models import Submission
from tests import makers

pytestmark = pytest.mark.django_db
TERMS: dict[str, Any] = {"label": "Workshop", "generations": 5, "credits": 10, "days": 7}


def issue(by: Actor, **terms: Any) -> tuple[GuestPass, str]:
    return guest_passes.issue(by=by, **{**TERMS, **terms})


# ---------------------------------------------------------------- issuing


def test_its_secret_is_told_from_others_and_stored_as_a_digest(artist: Actor):
    row, secret = issue(artist)
    assert keys.well_formed(secret, "guest")
    assert (bytes(row.digest), row.last_four) == (keys.digest(secret), secret[-4:])
    assert guest_passes.find(secret) == row


def test_issuing_switching_and_revoking_are_recorded_without_secret_and_label(artist: Actor):
    row, secret = issue(artist)
    guest_passes.allow_downloads(row, True, by=artist)
    guest_passes.allow_downloads(row, True, by=artist)
    guest_passes.revoke(row, by=artist)
    guest_passes.revoke(row, by=artist)
    entries = list(audit.of(row))
    assert [entry.action for entry in entries] == ["guest_pass.open", "guest_pass.switched", "guest_pass.revoked"]
    bodies = b"".join(bytes(entry.body) for entry in entries)
    assert secret.encode() not in bodies and b"Workshop" not in bodies


def test_only_a_member_who_is_active_lends(artist: Actor, reviewer: Actor, admin: Actor):
    for by in (reviewer, admin):
        with pytest.raises(refusals.NotAMember):
            issue(by)
    with pytest.raises(refusals.SignInFirst):
        issue(NOBODY)
    assert artist.membership is not None
    members.suspend(artist.membership, by=admin, reason="A conversation is due.")
    with pytest.raises(refusals.Suspended):
        issue(actors.person(artist.user))  # type: ignore[arg-type]


def test_a_token_lends_what_it_may_spend_and_no_longer_than_itself(artist: Actor):
    narrow, _ = tokens.issue(by=artist, label="x", scopes=["submit"])
    with pytest.raises(refusals.MissingScope, match="lacks the scope “generate”"):
        issue(Actor("token", user=artist.user, token=narrow))
    token, _ = tokens.issue(by=artist, label="x", scopes=["generate"], days=1)
    row, _ = issue(Actor("token", user=artist.user, token=token), days=30)
    assert row.ends_at == token.expires_at


def test_a_test_token_lends_nothing(artist: Actor):
    token, _ = tokens.issue(by=artist, label="x", scopes=["generate"], mode="test")
    with pytest.raises(refusals.TestsOnlyGenerate):
        issue(Actor("token", user=artist.user, token=token))


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_pass_that_a_token_issued_ends_with_it(artist: Actor, end: str):
    """Else who holds a leaked token would stay in after it was revoked."""
    token, _ = tokens.issue(by=artist, label="x", scopes=["generate"], days=None)
    _, secret = issue(Actor("token", user=artist.user, token=token))
    _, other = issue(artist)
    guest_passes.find(secret)
    if end == "revoked":
        tokens.revoke(token, by=artist)
    else:
        Token.objects.filter(pk=token.pk).update(expires_at=Now())
    with pytest.raises(refusals.GuestPassEnded):
        guest_passes.find(secret)
    guest_passes.find(other)


@pytest.mark.parametrize("wrong", [{"generations": 0}, {"credits": 0}, {"per_address": 0}, {"days": -1}])
def test_the_database_refuses_a_pass_that_lends_nothing(artist: Actor, wrong: dict[str, int]):
    with pytest.raises(IntegrityError, match="a_guest_pass"), atomic():
        issue(artist, **wrong)


@pytest.mark.parametrize("column", ["generations", "credits", "per_address", "slugs", "membership_id", "digest"])
def test_what_was_lent_is_never_changed_afterwards(artist: Actor, stranger: Actor, column: str):
    row, _ = issue(artist)
    assert stranger.membership is not None
    other = {"slugs": ["x"], "membership_id": stranger.membership.pk, "digest": b"x" * 32}
    with pytest.raises(IntegrityError, match="append-only"), atomic():
        GuestPass.objects.filter(pk=row.pk).update(**{column: other.get(column, 7)})


# ---------------------------------------------------------------- the next request


def refusal_of(secret: str) -> str:
    with pytest.raises(refusals.Refused) as refused:
        guest_passes.find(secret)
    return refused.value.code


@pytest.mark.parametrize(
    ("happens", "code"),
    [
        ("revoked", "guest_pass_revoked"),
        ("ended", "guest_pass_ended"),
        ("suspended", "guest_pass_paused"),
        ("left", "guest_pass_ended"),
        ("switched off", "guest_pass_paused"),
    ],
)
def test_a_pass_that_is_over_says_which(artist: Actor, admin: Actor, happens: str, code: str):
    row, secret = issue(artist)
    assert guest_passes.find(secret) == row
    membership = Membership.objects.get(user=artist.user)
    if happens == "revoked":
        guest_passes.revoke(row, by=artist)
    elif happens == "ended":
        GuestPass.objects.filter(pk=row.pk).update(created_at=Now() - timedelta(days=1), ends_at=Now())
    elif happens == "suspended":
        members.suspend(membership, by=admin, reason="x")
    elif happens == "left":
        Membership.objects.filter(pk=membership.pk).update(state="left")
    else:
        User.objects.filter(pk=membership.user_id).update(is_active=False)
    assert refusal_of(secret) == code


def test_what_nobody_issued_is_unknown(artist: Actor):
    token = makers.token(artist)
    for secret in ("", "x", token, keys.make("guest"), keys.make("guest")[:-1]):
        assert refusal_of(secret) == "unknown_guest_pass"


def test_finding_is_one_statement_and_a_mistyped_link_is_none(artist: Actor):
    _, secret = issue(artist)
    with CaptureQueriesContext(connection) as queries:
        found = guest_passes.find(secret)
        assert found.membership.user.name and found.membership.cohort.name
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries, pytest.raises(refusals.UnknownGuestPass):
        guest_passes.find(secret[:-1] + ("a" if secret[-1] != "a" else "b"))
    assert len(queries) == 0


# ---------------------------------------------------------------- whose it is


def test_no_stranger_and_no_guest_takes_it_back(artist: Actor, stranger: Actor, reviewer: Actor, admin: Actor):
    row, secret = issue(artist)
    for by in (stranger, reviewer, NOBODY, makers.visitor(secret)):
        with pytest.raises(refusals.AdminsOnly):
            guest_passes.revoke(row, by=by)
        with pytest.raises(refusals.AdminsOnly):
            guest_passes.allow_downloads(row, True, by=by)
    assert guest_passes.find(secret).may_download is False
    guest_passes.revoke(row, by=admin)
    assert refusal_of(secret) == "guest_pass_revoked"


def test_an_artist_sees_their_own_and_nobody_else_sees_one(artist: Actor, stranger: Actor, admin: Actor):
    row, secret = issue(artist)
    assert list(guest_passes.visible_to(artist)) == [row]
    for other in (stranger, admin, NOBODY, makers.visitor(secret)):
        assert not guest_passes.visible_to(other).exists()


def test_a_guest_is_not_the_artist_at_any_rule_that_asks(artist: Actor):
    """Nothing of the artist's is visible, and nothing but asking for a clip is allowed."""
    theirs = makers.completed(artist)
    makers.submitted(artist, theirs)
    _, secret = issue(artist)
    guest = makers.visitor(secret)
    assert guest.user is None
    assert not Generation.objects.visible_to(guest).exists()
    assert not Submission.objects.visible_to(guest).exists()
    for scope in (scope for scope in Token.SCOPES if scope != "generate"):
        with pytest.raises(refusals.NotForGuests):
            guest.must_have(scope)
    with pytest.raises(refusals.SignInFirst):
        tokens.issue(by=guest, label="x", scopes=[])
    with pytest.raises(refusals.SignInFirst):
        issue(guest)
    with pytest.raises(refusals.NotFound):
        generations.cancel(makers.queued(artist), by=guest)
    assert (guest.is_admin, guest.is_reviewer) == (False, False)
    Notice.objects.create(user=artist.user, email="x@example.org", subject="x", body="x")
    assert not notices.unread(guest)


def test_what_a_guest_does_is_recorded_under_the_pass_and_nobodys_name(artist: Actor):
    makers.sketch()
    row, secret = issue(artist)
    generation = makers.queued(makers.visitor(secret, "a browser", "192.0.2.77"))
    entry = audit.of(generation).get()
    body = bytes(entry.body).decode()
    assert f'"actor":{{"guest_pass":"{row.pk}","kind":"guest"}}' in body
    assert entry.actor_id is None
    for told in ("192.0.2.77", secret, "a browser", str(artist.user.pk)):  # type: ignore[union-attr]
        assert told not in body


# ---------------------------------------------------------------- addresses


def test_an_address_is_kept_as_a_fingerprint_of_one_pass_and_one_day(artist: Actor, stranger: Actor):
    (mine, _), (other, _) = issue(artist), issue(artist)
    print_of = partial(guest_passes.address_of_day, mine)
    today, tomorrow = date(2030, 1, 1), date(2030, 1, 2)
    assert print_of("192.0.2.1", today) == print_of("192.0.2.1", today)
    assert len({
        print_of("192.0.2.1", today),
        print_of("192.0.2.2", today),
        print_of("192.0.2.1", tomorrow),
        guest_passes.address_of_day(other, "192.0.2.1", today),
    }) == 4  # fmt: skip
    assert b"192" not in print_of("192.0.2.1", today)


def test_a_household_has_one_address_of_the_new_kind(artist: Actor):
    row, _ = issue(artist)
    day = date(2030, 1, 1)
    prints = [guest_passes.address_of_day(row, address, day) for address in ("2001:db8::1", "2001:db8::ffff:2", "")]
    assert prints[0] == prints[1] != prints[2]
    assert guest_passes.address_of_day(row, "2001:db8:0:1::1", day) != prints[0]


def test_ten_revocations_at_once_leave_one_entry(at_once: Callable[..., list[Any]]):
    artist = makers.artist()
    row, _ = issue(artist)
    assert at_once(*[partial(guest_passes.revoke, row, by=artist)] * 10) == [None] * 10
    assert audit.of(row).filter(action="guest_pass.revoked").count() == 1
