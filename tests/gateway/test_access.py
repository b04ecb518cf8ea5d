"""Tokens, invitations, sign-in links: who may come in, once."""

import pytest
from django.core import mail
from django.db.models.functions import Now
from hypothesis import given
from hypothesis import strategies as st

from gateway import keys, members, notices, refusals, sign_in_links, tokens
from gateway.models import Invitation, Membership, SignInLink, Token, User
from review import founding
from tests import makers

pytestmark = pytest.mark.django_db


@given(st.integers(0, 46), st.sampled_from(keys.ALPHABET))
def test_one_wrong_letter_is_seen_before_the_database_is_asked(place, letter):
    secret = "bat_artist_" + "k3Yz" * 7 + "ab"
    secret += keys._checksum(secret)
    wrong = secret[:place] + letter + secret[place + 1 :]
    assert keys.well_formed(wrong, "artist") == (wrong == secret)


def test_a_token_has_the_written_form_and_is_stored_as_a_digest(artist):
    token, secret = tokens.issue(by=artist, label="notebook", scopes=["generate"])
    assert keys.SHAPE.fullmatch(secret)
    assert bytes(token.digest) == keys.digest(secret)
    assert secret[-4:] == token.last_four
    assert secret not in str(Token.objects.filter(pk=token.pk).values().get())


def test_a_revoked_token_is_dead_on_the_next_request(artist, client_of):
    client = client_of(artist)
    assert client.get("/v1/videos").status_code == 200
    tokens.revoke(Token.objects.get(), by=artist)
    answer = client.get("/v1/videos")
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "bad_token")


def test_an_expired_token_and_one_of_a_person_who_left_are_dead(artist, client_of):
    client = client_of(artist)
    User.objects.filter(pk=artist.user.pk).update(is_active=False)
    assert client.get("/v1/videos").status_code == 401
    User.objects.filter(pk=artist.user.pk).update(is_active=True)
    Token.objects.update(expires_at=Now())
    assert client.get("/v1/videos").status_code == 401


def test_a_token_does_what_its_scopes_say(artist, client_of):
    makers.sketch()
    answer = client_of(artist, "submit").post("/v1/videos", {"prompt": "a circle"}, format="json")
    assert answer.status_code == 403
    assert answer.json()["detail"] == "This token may not do that: it lacks the scope “generate”."
    with pytest.raises(refusals.ReviewersOnly):
        tokens.issue(by=artist, label="x", scopes=["review"])


def test_a_stranger_can_not_revoke_it(artist, stranger, browser_of):
    token, _ = tokens.issue(by=artist, label="x", scopes=["generate"])
    assert browser_of(stranger).post(f"/access/tokens/{token.pk.hex}/revoke").status_code == 404
    with pytest.raises(refusals.AdminsOnly):
        tokens.revoke(token, by=stranger)


def test_an_invitation_is_mailed_with_its_link(admin):
    _, path = members.invite("new@example.org", by=admin, cohort=makers.cohort())
    assert notices.send_waiting() == 1
    assert mail.outbox[0].to == ["new@example.org"] and path in mail.outbox[0].body
    assert notices.send_waiting() == 0


def test_two_workers_send_a_mail_once(at_once, transactional_db):
    members.invite("new@example.org", by=makers.admin(), cohort=makers.cohort())
    assert sorted(at_once(notices.send_waiting, notices.send_waiting)) == [0, 1]
    assert len(mail.outbox) == 1


def test_ten_acceptances_at_once_make_one_person(at_once, transactional_db):
    founding.lay()
    members.invite("new@example.org", by=makers.admin(), cohort=makers.cohort())

    answers = at_once(
        *[lambda: members.admit(Invitation.objects.get(), name="New", password=makers.PASSWORD, accepts=1)] * 10
    )

    assert sum(isinstance(answer, User) for answer in answers) == 1
    assert Membership.objects.filter(user__email="new@example.org").count() == 1


def test_terms_are_accepted_in_the_version_in_force(admin):
    founding.lay()
    invitation, _ = members.invite("new@example.org", by=admin, cohort=makers.cohort())
    with pytest.raises(refusals.TermsNotAccepted):
        members.admit(invitation, name="New", password=makers.PASSWORD, accepts=None)


@pytest.mark.parametrize("change", [{"state": "revoked"}, {"expires_at": Now()}])
def test_a_link_that_ended_opens_nothing(admin, guest, change):
    _, path = members.invite("new@example.org", by=admin, cohort=makers.cohort())
    assert guest.get(path).status_code == 200
    Invitation.objects.update(**change)
    answer = guest.get(path)
    assert answer.status_code == 410
    assert "Ask who invited you for a new one." in answer.content.decode()


def test_only_admins_invite_and_nobody_twice(admin, artist, browser_of):
    with pytest.raises(refusals.AdminsOnly):
        members.invite("new@example.org", by=artist, cohort=makers.cohort())
    members.invite("new@example.org", by=admin, cohort=makers.cohort())
    with pytest.raises(refusals.AlreadyInvited):
        members.invite("NEW@example.org", by=admin, cohort=makers.cohort())
    with pytest.raises(refusals.AlreadyAMember):
        members.invite(artist.user.email.upper(), by=admin, cohort=makers.cohort())
    assert browser_of(artist).get("/program/invitations").status_code == 403


def test_nobody_signs_up_by_themselves(guest):
    answer = guest.post("/accounts/signup/", {"email": "x@example.org", "password1": makers.PASSWORD})
    assert not User.objects.filter(email="x@example.org").exists()
    assert answer.status_code in (200, 403)


def test_sign_in_links_are_for_the_embedded_gateway_and_work_once(artist, guest, settings):
    settings.EMBEDDED = True
    link = sign_in_links.issue(artist.user).removeprefix(settings.BASE_URL)
    assert guest.get(link).status_code == 200  # only asks
    assert guest.post(link).status_code == 302
    assert guest.get("/dashboard").status_code == 200
    assert guest.post(link).status_code == 410
    again = sign_in_links.issue(artist.user).removeprefix(settings.BASE_URL)
    settings.EMBEDDED = False
    assert guest.post(again).status_code == 410
    assert not SignInLink.objects.get(used_at=None).used_at


def test_a_link_signs_in_one_of_ten(at_once, transactional_db, settings):
    settings.EMBEDDED = True
    user = makers.user("Ines")
    secret = sign_in_links.issue(user).rsplit("/", 1)[1]
    answers = at_once(*[lambda: sign_in_links.use(secret)] * 10)
    assert sum(isinstance(answer, User) for answer in answers) == 1


@pytest.mark.parametrize("path", ["/studio", "/studio?prompt=a+red+circle&seed=7", "/studio?prompt=50%25+%26+more"])
def test_who_must_sign_in_first_comes_back_to_the_very_page_they_asked_for(guest, path):
    user = makers.user("Ines")
    user.set_password(makers.PASSWORD)
    user.save()
    page = guest.get(path, follow=True)
    sent = {"login": user.email, "password": makers.PASSWORD, "next": page.context["redirect_field_value"]}
    assert guest.post("/accounts/login/", sent)["Location"] == path
