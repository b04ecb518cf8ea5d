"""Who comes in: an invitation is a letter to one address and a link that works once."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import DatabaseError, IntegrityError, connection
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client

from gateway import audit, keys, members, notices, refusals, states, terms
from gateway.actors import NOBODY, Actor
from gateway.models import Invitation, Membership, Notice, TermsAcceptance, User
from review import founding
from tests import makers

pytestmark = pytest.mark.django_db

SOMEBODY = "new.person@example.org"
admit = partial(members.admit, name="New Person", password=makers.PASSWORD, accepts=1)


def invited(by: Actor, email: str = SOMEBODY, **more: Any) -> tuple[Invitation, str]:
    """An invitation and its secret; the program has terms by then."""
    founding.lay()
    invitation, path = members.invite(email, by=by, **({"cohort": makers.cohort(credits=33)} | more))
    return invitation, path.rpartition("/")[2]


# ---------------------------------------------------------------- inviting


def test_an_invitation_is_stored_as_a_digest_and_opened_by_its_link(admin: Actor):
    invitation, secret = invited(admin)
    assert members.open_invitation(secret) == invitation
    assert bytes(Invitation.objects.get().digest) == keys.digest(secret)
    assert (invitation.state, invitation.credits, invitation.role) == ("sent", 33, "artist")
    assert [entry.action for entry in audit.of(invitation)] == ["invitation.sent"]


def test_the_letter_is_mailed_with_the_link_to_the_one_address(admin: Actor, settings: Any):
    _, secret = invited(admin, credits=7)
    assert mail.outbox == [], "the web process mails nothing itself"
    assert notices.send_waiting() == 1
    (letter,) = mail.outbox
    assert (letter.to, letter.cc, letter.bcc) == ([SOMEBODY], [], [])
    assert f"{settings.BASE_URL}/invitations/{secret}" in letter.body
    assert "with 7 credits a month" in letter.body
    assert "works once" in letter.body


def test_after_the_mail_has_gone_the_link_is_nowhere_in_the_database(admin: Actor):
    """Only its digest is stored: a copy of the database must not let anybody in."""
    _, secret = invited(admin)
    notices.send_waiting()
    assert secret not in repr(list(Notice.objects.values()))


@pytest.mark.parametrize("who", ["artist", "stranger", "reviewer", "guest"])
def test_only_an_admin_invites_revokes_and_suspends(
    request: pytest.FixtureRequest, admin: Actor, artist: Actor, who: str
):
    by = NOBODY if who == "guest" else request.getfixturevalue(who)
    invitation, _ = invited(admin)
    assert artist.membership is not None
    for act in (
        partial(members.invite, "another@example.org", by=by, role="reviewer"),
        partial(members.revoke, invitation, by=by),
        partial(members.suspend, artist.membership, by=by, reason="because"),
        partial(members.resume, artist.membership, by=by),
    ):
        with pytest.raises(refusals.AdminsOnly):
            act()
    assert Invitation.objects.get().state == "sent"
    assert Membership.objects.get(pk=artist.membership.pk).state == "active"


def test_nobody_is_invited_twice_at_the_same_time(at_once: Callable[..., list[Any]]):
    """A double click on "invite": one letter goes out, whatever the case of the address."""
    admin, cohort = makers.admin(), makers.cohort()
    addresses = [SOMEBODY, SOMEBODY.upper()] * 3
    answers = at_once(*[partial(members.invite, address, by=admin, cohort=cohort) for address in addresses])
    assert Invitation.objects.count() == 1
    assert sum(isinstance(answer, refusals.AlreadyInvited) for answer in answers) == 5
    assert Notice.objects.count() == 1


def test_an_invitation_that_ran_out_or_was_revoked_does_not_stand_in_the_way(admin: Actor):
    first, _ = invited(admin)
    Invitation.objects.update(expires_at=Now())
    second, _ = invited(admin)
    members.revoke(second, by=admin)
    third, secret = invited(admin)
    assert members.open_invitation(secret) == third
    assert len({first.pk, second.pk, third.pk}) == 3


@pytest.mark.parametrize("email", [SOMEBODY, "New.Person@EXAMPLE.org"])
def test_who_is_here_is_not_invited(admin: Actor, email: str):
    invitation, _ = invited(admin)
    admit(invitation)
    with pytest.raises(refusals.AlreadyAMember, match="Somebody with this e-mail address is already here"):
        members.invite(email, by=admin, cohort=makers.cohort())


@pytest.mark.parametrize(
    "change",
    [
        "cohort_id = null",
        "credits = null",
        "state = 'accepted'",
        "accepted_by_id = invited_by_id",
    ],
)
def test_the_database_refuses_half_an_invitation(admin: Actor, change: str):
    invited(admin)
    with pytest.raises(IntegrityError), atomic(), connection.cursor() as cursor:
        cursor.execute(f"update gateway_invitation set {change}")


# ---------------------------------------------------------------- coming in


def test_who_accepts_is_an_artist_of_the_cohort_with_verified_address_and_accepted_terms(admin: Actor):
    invitation, _ = invited(admin)
    user = admit(invitation)
    membership = Membership.objects.get(user=user)
    assert (membership.cohort, membership.credits, membership.state) == (invitation.cohort, 33, "active")
    assert (user.is_reviewer, user.is_staff, user.is_superuser) == (False, False, False)
    assert EmailAddress.objects.get(user=user).verified
    assert TermsAcceptance.objects.get(user=user).terms == terms.current()
    invitation.refresh_from_db()
    assert (invitation.state, invitation.accepted_by) == ("accepted", user)
    assert [entry.action for entry in audit.of(invitation)] == ["invitation.sent", "invitation.accepted"]
    assert [entry.actor_id for entry in audit.of(membership)] == [user.pk]


def test_a_reviewer_comes_in_without_a_membership(admin: Actor):
    invitation, _ = invited(admin, role="reviewer", cohort=None)
    user = admit(invitation)
    assert user.is_reviewer
    assert not Membership.objects.exists()
    assert notices.send_waiting() == 1
    assert "as a reviewer" in mail.outbox[0].body


@pytest.mark.parametrize("email", [SOMEBODY, "New.Person@Example.Org"])
def test_who_came_in_can_sign_in_again_with_their_password(admin: Actor, guest: Client, email: str):
    """However the admin wrote the address."""
    invitation, _ = invited(admin, email)
    admit(invitation)
    answer = guest.post("/accounts/login/", {"login": email, "password": makers.PASSWORD})
    assert (answer.status_code, answer.get("Location")) == (302, "/home")
    other = Client().post("/accounts/login/", {"login": email.lower(), "password": makers.PASSWORD})
    assert (other.status_code, other.get("Location")) == (302, "/home")


def test_the_link_works_once(admin: Actor):
    invitation, secret = invited(admin)
    stale = members.open_invitation(secret)
    admit(invitation)
    with pytest.raises(refusals.BadInvitation):
        members.open_invitation(secret)
    with pytest.raises((refusals.BadInvitation, refusals.AlreadyAMember)):
        admit(stale)
    assert User.objects.filter(email=SOMEBODY).count() == 1


def test_ten_use_one_link_at_once_and_one_comes_in(at_once: Callable[..., list[Any]]):
    _, secret = invited(makers.admin())
    rows = [members.open_invitation(secret) for _ in range(10)]
    answers = at_once(*[partial(admit, row, name=f"Person {number}") for number, row in enumerate(rows)])
    assert sum(isinstance(answer, User) for answer in answers) == 1
    refused = [answer for answer in answers if not isinstance(answer, User)]
    assert {type(answer) for answer in refused} <= {refusals.BadInvitation, refusals.AlreadyAMember}
    assert (Membership.objects.count(), TermsAcceptance.objects.count()) == (1, 1)
    assert EmailAddress.objects.filter(email=SOMEBODY).count() == 1


def test_one_accepts_while_the_admin_revokes_and_only_one_of_both_happens(at_once: Callable[..., list[Any]]):
    admin = makers.admin()
    for number in range(3):
        invitation, _ = invited(admin, f"person{number}@example.org")
        mine = Invitation.objects.select_related("cohort").get(pk=invitation.pk)
        came, revoked = at_once(partial(admit, mine), partial(members.revoke, invitation, by=admin))
        state = Invitation.objects.get(pk=invitation.pk).state
        assert isinstance(came, User) == (state == "accepted")
        assert (revoked is None) == (state == "revoked")
        assert User.objects.filter(email=invitation.email).exists() == (state == "accepted")


@pytest.mark.parametrize("how", ["expired", "revoked"])
def test_a_link_that_has_ended_makes_nobody(admin: Actor, how: str):
    invitation, secret = invited(admin)
    if how == "expired":
        Invitation.objects.update(expires_at=Now() - timedelta(seconds=1))
    else:
        members.revoke(Invitation.objects.get(), by=admin)
    with pytest.raises(refusals.BadInvitation):
        members.open_invitation(secret)
    with pytest.raises(refusals.BadInvitation):
        admit(invitation)
    assert not User.objects.filter(email=SOMEBODY).exists()


@pytest.mark.parametrize(
    "secret",
    ["", "x", "bat_invitation_", keys.make("invitation"), keys.make("artist")],
    ids=["empty", "a letter", "a prefix", "unknown", "of another kind"],
)
def test_a_made_up_link_opens_nothing(admin: Actor, secret: str):
    invited(admin)
    with pytest.raises(refusals.BadInvitation):
        members.open_invitation(secret)


@pytest.mark.parametrize("accepts", [None, 0, 2])
def test_nobody_comes_in_on_other_terms_than_those_in_force(admin: Actor, accepts: int | None):
    invitation, secret = invited(admin)
    with pytest.raises(refusals.TermsNotAccepted, match=r"terms \(version 1\)"):
        admit(invitation, accepts=accepts)
    assert members.open_invitation(secret), "the link still works"
    assert not User.objects.filter(email=SOMEBODY).exists()


# ---------------------------------------------------------------- suspending


def test_a_suspension_tells_the_artist_why_and_can_be_ended(artist: Actor, admin: Actor):
    membership = artist.membership
    assert membership is not None
    members.suspend(membership, by=admin, reason="We saw one token in two countries.")
    notice = Notice.objects.get(user=artist.user)
    assert notice.body == "We saw one token in two countries."
    with pytest.raises(refusals.WrongState):
        members.suspend(membership, by=admin, reason="again")
    assert Notice.objects.count() == 1
    members.resume(membership, by=admin)
    assert membership.state == "active"
    assert Notice.objects.count() == 2


def test_a_person_has_one_membership_that_is_not_left(artist: Actor, admin: Actor):
    assert artist.membership is not None
    with pytest.raises(IntegrityError, match="one_membership_a_person"), atomic():
        Membership.objects.create(user=artist.user, cohort=makers.cohort(), credits=1)
    states.move(artist.membership, "left", by=admin)
    Membership.objects.create(user=artist.user, cohort=makers.cohort(), credits=1)


def test_an_address_is_one_person_whatever_its_case():
    User.objects.create_user("a@example.org", name="A")
    with pytest.raises(IntegrityError, match="one_person_an_address"), atomic():
        User.objects.create_user("A@example.org", name="B")


# ---------------------------------------------------------------- the page


def test_the_page_asks_for_all_and_keeps_what_was_typed(admin: Actor, guest: Client):
    _, secret = invited(admin)
    path = f"/invitations/{secret}"
    assert guest.get(path).status_code == 200
    answer = guest.post(path, {"name": "New Person", "password": "tiny-pw", "version": 1})
    assert answer.status_code == 422
    assert 'value="New Person"' in answer.content.decode()
    assert "tiny-pw" not in answer.content.decode()
    assert not User.objects.filter(email=SOMEBODY).exists()


def test_the_page_brings_one_inside(admin: Actor, guest: Client):
    _, secret = invited(admin)
    form = {"name": "New Person", "password": makers.PASSWORD, "accept": "on", "version": 1}
    answer = guest.post(f"/invitations/{secret}", form)
    assert (answer.status_code, answer["Location"]) == (302, "/home")
    assert guest.get("/dashboard").status_code == 200
    assert guest.get(f"/invitations/{secret}").status_code == 410


def test_terms_that_changed_while_one_was_reading_are_shown_anew(admin: Actor, guest: Client):
    _, secret = invited(admin)
    with connection.cursor() as cursor:
        cursor.execute("insert into gateway_terms (id, version, body) values (gen_random_uuid(), 2, 'New terms.')")
    form = {"name": "New Person", "password": makers.PASSWORD, "accept": "on", "version": 1}
    answer = guest.post(f"/invitations/{secret}", form)
    assert answer.status_code == 403
    assert "terms (version 2) first" in answer.content.decode()
    assert not User.objects.filter(email=SOMEBODY).exists()


def test_nobody_can_write_themselves_an_invitation_by_a_wrong_method(guest: Client, admin: Actor):
    _, secret = invited(admin)
    assert guest.put(f"/invitations/{secret}").status_code == 405
    assert guest.delete(f"/invitations/{secret}").status_code == 405


def test_the_database_refuses_to_take_an_accepted_invitation_back(admin: Actor):
    invitation, _ = invited(admin)
    admit(invitation)
    with pytest.raises(DatabaseError), atomic(), connection.cursor() as cursor:
        cursor.execute("update gateway_invitation set state = 'sent', accepted_by_id = null")
