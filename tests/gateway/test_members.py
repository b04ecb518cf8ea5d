"""Who comes in: an invitation is a letter to one address and a link that works once."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core import mail
from django.db import DatabaseError, IntegrityError, connection
from django.db.models import Q
from django.db.models.functions import Now
from django.db.transaction import atomic
from django.test import Client
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway import actors, allowances, audit, keys, members, notices, refusals, states, terms
from gateway.actors import NOBODY, Actor
from gateway.models import Cohort, Invitation, Membership, MembershipChange, Notice, TermsAcceptance, Token, User
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
    assert notice.body.startswith("We saw one token in two countries.\n\n")
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


# ---------------------------------------------------------------- seats


def filled(cohort: Cohort) -> int:
    """Seats that are taken or promised, counted here by hand."""
    members_in = Membership.objects.filter(cohort=cohort).exclude(state="left").count()
    return members_in + Invitation.objects.filter(cohort=cohort, state="sent", expires_at__gt=Now()).count()


def test_an_open_invitation_promises_a_seat_until_it_is_revoked_or_has_run_out(admin: Actor):
    cohort = makers.cohort(seats=1)
    first, _ = invited(admin, cohort=cohort)
    with pytest.raises(refusals.NoSeatLeft, match=r"All 1 seats of Cohort \d+ are taken or promised"):
        members.invite("b@example.org", by=admin, cohort=cohort)
    assert not Notice.objects.filter(email="b@example.org").exists()
    members.revoke(first, by=admin)
    members.invite("b@example.org", by=admin, cohort=cohort)
    Invitation.objects.filter(state="sent").update(expires_at=Now())
    members.invite("c@example.org", by=admin, cohort=cohort)
    assert filled(cohort) == 1


def test_a_seat_is_taken_once_by_the_invitation_and_whom_it_brought(admin: Actor):
    cohort = makers.cohort(seats=2)
    invitation, _ = invited(admin, cohort=cohort)
    admit(invitation)
    assert filled(cohort) == 1
    members.invite("b@example.org", by=admin, cohort=cohort)
    with pytest.raises(refusals.NoSeatLeft):
        members.invite("c@example.org", by=admin, cohort=cohort)


def test_a_reviewer_needs_no_seat(admin: Actor):
    makers.cohort(seats=0)
    members.invite("a@example.org", by=admin, role="reviewer")


def test_eight_are_invited_at_once_into_three_seats(at_once: Callable[..., list[Any]]):
    admin, cohort = makers.admin(), makers.cohort(seats=3)
    calls = [partial(members.invite, f"p{n}@example.org", by=admin, cohort=cohort) for n in range(8)]
    answers = at_once(*calls)
    assert sum(isinstance(answer, tuple) for answer in answers) == 3
    assert sum(isinstance(answer, refusals.NoSeatLeft) for answer in answers) == 5
    assert filled(cohort) == 3


def test_the_last_seat_is_wanted_by_all_ways_at_once_and_given_once(at_once: Callable[..., list[Any]]):
    """An invitation, a move, a new place and somebody who comes in, while another gives theirs up."""
    admin, full = makers.admin(), makers.cohort(seats=2)
    invitation, _ = invited(admin, cohort=full)
    mover, homeless, leaver = makers.artist(), makers.reviewer(), makers.artist(cohort=full)
    assert mover.membership and homeless.user and leaver.membership
    answers = at_once(
        partial(admit, invitation),
        partial(members.invite, "b@example.org", by=admin, cohort=full),
        partial(members.move, mover.membership, full, by=admin),
        partial(members.place, homeless.user, full, by=admin),
        partial(members.leave, by=leaver),
    )
    assert isinstance(answers[0], User), "who was promised a seat has it"
    assert answers[4] is None
    others = answers[1:4]
    assert sum(isinstance(answer, refusals.NoSeatLeft) for answer in others) >= 2, others
    assert filled(full) <= 2


def test_an_invitation_is_sent_anew_while_it_is_accepted(at_once: Callable[..., list[Any]]):
    """One of both, and nobody waits for the other forever."""
    admin = makers.admin()
    for number in range(3):
        invitation, _ = invited(admin, f"person{number}@example.org")
        mine = Invitation.objects.select_related("cohort").get(pk=invitation.pk)
        came, anew = at_once(partial(admit, mine), partial(members.invite_anew, invitation, by=admin))
        assert isinstance(came, User) != isinstance(anew, tuple), (came, anew)


@pytest.mark.parametrize(
    "statement",
    [
        "insert into gateway_membership (id, user_id, cohort_id, state, credits) values (gen_random_uuid(), %(user)s, %(full)s, 'active', 1)",
        "update gateway_membership set cohort_id = %(full)s where cohort_id <> %(full)s",
        "update gateway_invitation set cohort_id = %(full)s",
        "update gateway_cohort set seats = 0 where id = %(full)s",
    ],
    ids=["a new member", "a move", "an invitation", "fewer seats"],
)
def test_the_database_keeps_the_seats_whoever_asks(admin: Actor, artist: Actor, statement: str):
    full = makers.cohort(seats=1)
    makers.artist(cohort=full)
    invited(admin)
    assert admin.user is not None
    with pytest.raises(IntegrityError, match="seats of the cohort are taken"), atomic(), connection.cursor() as cursor:
        cursor.execute(statement, {"user": admin.user.pk, "full": full.pk})


def test_an_admin_sets_the_seats_and_never_below_what_is_taken(admin: Actor, artist: Actor):
    assert artist.membership is not None
    cohort = artist.membership.cohort
    members.set_seats(cohort, 1, by=admin)
    with pytest.raises(refusals.NoSeatLeft):
        members.invite("b@example.org", by=admin, cohort=cohort)
    with pytest.raises(refusals.TooFewSeats, match="1 seats of"):
        members.set_seats(cohort, 0, by=admin)
    members.set_seats(cohort, None, by=admin)
    members.invite("b@example.org", by=admin, cohort=cohort)
    assert [entry.action for entry in audit.of(cohort)] == ["cohort.seats_set"] * 2


class Seats(RuleBasedStateMachine):
    """Whatever is done in whatever order, no cohort has more than its seats, and who was promised one gets it."""

    def __init__(self) -> None:
        super().__init__()
        self.admin = makers.admin()
        self.cohorts = [makers.cohort(seats=n) for n in (1, 2)]
        founding.lay()
        self.open: list[Invitation] = []
        self.placed: list[Membership] = [artist.membership for artist in (makers.artist(),) if artist.membership]

    def full(self, cohort: Cohort) -> bool:
        return filled(cohort) >= (Cohort.objects.get(pk=cohort.pk).seats or 0)

    @rule(where=st.integers(0, 1))
    def invite(self, where: int) -> None:
        cohort = self.cohorts[where]
        full = self.full(cohort)
        try:
            sent, _ = members.invite(f"p{next(makers.number)}@example.org", by=self.admin, cohort=cohort)
            assert not full
            self.open.append(sent)
        except refusals.NoSeatLeft:
            assert full

    @precondition(lambda self: self.open)
    @rule(data=st.data(), how=st.sampled_from(["admit", "revoke", "anew", "expire"]))
    def end_an_invitation(self, data: Any, how: str) -> None:
        sent = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        if how == "admit":
            self.placed.append(Membership.objects.get(user=admit(sent)))
        elif how == "revoke":
            members.revoke(sent, by=self.admin)
        elif how == "anew":
            self.open.append(members.invite_anew(sent, by=self.admin)[0])
        else:
            Invitation.objects.filter(pk=sent.pk).update(expires_at=Now())

    @precondition(lambda self: self.placed)
    @rule(data=st.data(), where=st.integers(0, 1), how=st.sampled_from(["move", "suspend", "resume", "end", "place"]))
    def change_a_member(self, data: Any, where: int, how: str) -> None:
        membership = data.draw(st.sampled_from(self.placed))
        try:
            if how == "move":
                members.move(membership, self.cohorts[where], by=self.admin)
            elif how == "place":
                self.placed.append(members.place(membership.user, self.cohorts[where], by=self.admin))
            elif how == "resume":
                members.resume(membership, by=self.admin)
            else:
                {"suspend": members.suspend, "end": members.end}[how](membership, by=self.admin, reason="So.")
        except (refusals.NoSeatLeft, refusals.WrongState, refusals.MemberLeft, refusals.AlreadyAMember):
            pass

    @rule(where=st.integers(0, 1), seats=st.integers(0, 3))
    def set_seats(self, where: int, seats: int) -> None:
        cohort = self.cohorts[where]
        taken = filled(cohort)
        try:
            members.set_seats(cohort, seats, by=self.admin)
            assert seats >= taken
        except refusals.TooFewSeats:
            assert seats < taken

    @invariant()
    def no_cohort_has_more_than_its_seats(self) -> None:
        for cohort in Cohort.objects.seated().filter(pk__in=[cohort.pk for cohort in self.cohorts]):
            assert filled(cohort) == cohort.taken <= cohort.seats

    @invariant()
    def every_suspension_and_end_has_a_reason_and_a_name(self) -> None:
        silent = MembershipChange.objects.filter(kind__in=["suspended", "ended"])
        assert not silent.filter(Q(reason="") | Q(made_by__isnull=True)).exists()


def test_no_order_of_things_gives_a_seat_twice():
    few = hypothesis_settings(max_examples=12, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(Seats, settings=few)


# ---------------------------------------------------------------- how an invitation goes out


def test_a_link_is_handed_over_and_nothing_is_mailed(admin: Actor):
    invitation, secret = invited(admin, by_mail=False, days=3)
    assert not Notice.objects.exists()
    assert members.open_invitation(secret) == invitation
    assert timedelta(days=2, hours=23) < invitation.expires_at - invitation.created_at <= timedelta(days=3)


def test_a_personal_word_stands_in_the_letter_and_on_the_page(admin: Actor, guest: Client):
    _, secret = invited(admin, note="  Your tides would be at home here. ")
    (letter,) = Notice.objects.all()
    assert "Ada Lindqvist writes:\n\nYour tides would be at home here.\n\n" in letter.body
    assert "Your tides would be at home here." in guest.get(f"/invitations/{secret}").content.decode()


def test_one_click_revokes_an_invitation_and_sends_the_same_anew(admin: Actor, browser_of: Callable[..., Client]):
    first, old = invited(admin, credits=5, days=4, note="Do come.")
    page = browser_of(admin).post(f"/program/invitations/{first.pk.hex}/again")
    assert page.status_code == 200
    new = page.context["link"].rpartition("/")[2]
    first.refresh_from_db()
    again = members.open_invitation(new)
    assert first.state == "revoked"
    assert (again.email, again.credits, again.note, again.cohort) == (first.email, 5, "Do come.", first.cohort)
    assert abs(again.expires_at - again.created_at - timedelta(days=4)) < timedelta(seconds=5)
    with pytest.raises(refusals.BadInvitation):
        members.open_invitation(old)
    assert Notice.objects.filter(email=SOMEBODY).count() == 2
    assert browser_of(admin).post(f"/program/invitations/{first.pk.hex}/again").status_code == 409


def test_the_page_shows_who_invited_when_they_came_and_the_seats_that_are_left(
    admin: Actor, browser_of: Callable[..., Client]
):
    cohort = makers.cohort(name="Atelier", seats=2)
    invitation, _ = invited(admin, cohort=cohort)
    admit(invitation)
    invitation.refresh_from_db()
    page = browser_of(admin).get("/program/invitations").content.decode()
    assert f"Accepted on {invitation.accepted_at:%-d %B %Y}" in page
    assert "invited by Ada Lindqvist" in page
    assert "Atelier: 1 seat left" in page


# ---------------------------------------------------------------- what is done to a member


@pytest.mark.parametrize("reason", ["", "  \n "])
def test_nobody_is_suspended_or_let_go_without_a_reason(artist: Actor, admin: Actor, reason: str):
    assert artist.membership is not None
    for act in (members.suspend, members.end):
        with pytest.raises(refusals.ReasonNeeded):
            act(artist.membership, by=admin, reason=reason)
    for kind in ("suspended", "ended"):
        with pytest.raises(IntegrityError, match="has_a_reason"), atomic():
            MembershipChange.objects.create(membership=artist.membership, kind=kind, made_by=admin.user)
    assert Membership.objects.get(pk=artist.membership.pk).state == "active"


def test_the_artist_reads_on_the_dashboard_and_on_a_page_of_their_own_who_suspended_them_and_why(
    artist: Actor, admin: Actor, stranger: Actor, browser_of: Callable[..., Client]
):
    assert artist.membership is not None
    members.suspend(artist.membership, by=admin, reason="One token in two countries.")
    notices.send_waiting()
    assert "One token in two countries." in mail.outbox[0].body
    for path in ("/dashboard", "/membership", "/studio"):
        page = browser_of(artist).get(path).content.decode()
        assert "One token in two countries." in page, path
        assert "Ada Lindqvist" in page, path
    assert "countries" not in browser_of(stranger).get("/membership").content.decode()
    members.resume(artist.membership, by=admin)
    assert "is suspended.</strong>" not in browser_of(artist).get("/dashboard").content.decode()
    assert "The suspension was ended by Ada Lindqvist" in browser_of(artist).get("/membership").content.decode()


def test_what_was_done_is_written_once(artist: Actor, admin: Actor):
    assert artist.membership is not None
    members.suspend(artist.membership, by=admin, reason="A question.")
    for statement in ("update gateway_membershipchange set reason = 'x'", "delete from gateway_membershipchange"):
        with pytest.raises(IntegrityError), atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_the_reason_is_in_no_audit_entry(artist: Actor, admin: Actor):
    assert artist.membership is not None
    members.suspend(artist.membership, by=admin, reason="Grievous misconduct")
    members.end(artist.membership, by=admin, reason="Grievous misconduct")
    entries = audit.of(artist.membership)
    assert [entry.action for entry in entries] == ["membership.suspended", "membership.left"]
    assert not any(b"Grievous" in bytes(entry.body) for entry in entries)


def test_credits_change_from_next_month_on(artist: Actor, admin: Actor):
    assert artist.membership is not None
    members.set_credits(artist.membership, 7, by=admin)
    assert allowances.current(artist.membership).granted == 20, "this month was promised already"
    assert artist.membership.credits == 7
    change = MembershipChange.objects.get()
    assert (change.kind, change.before, change.after) == ("credits", "20", "7")


def test_a_member_moves_to_another_cohort_and_takes_all_along(artist: Actor, admin: Actor):
    assert artist.membership is not None
    generation = makers.queued(artist)
    cohort = makers.cohort(seats=1)
    members.move(artist.membership, cohort, by=admin)
    members.move(artist.membership, cohort, by=admin)  # they are there: nothing is done or told
    assert artist.membership.cohort == cohort
    assert MembershipChange.objects.count() == 1
    generation.refresh_from_db()
    assert generation.membership == artist.membership


# ---------------------------------------------------------------- leaving


def test_who_leaves_keeps_what_is_theirs_and_their_tokens_are_dead_at_once(
    artist: Actor, client_of: Callable[..., Any], browser_of: Callable[..., Client]
):
    client, browser = client_of(artist), browser_of(artist)
    assert browser.post("/leave", {"word": "stay"}).status_code == 422
    assert client.get("/v1/videos").status_code == 200
    answer = browser.post("/leave", {"word": "Leave "})
    assert (answer.status_code, answer["Location"]) == (302, "/membership")
    assert client.get("/v1/videos").status_code == 401
    assert Token.objects.live().count() == 0
    page = browser.get("/membership").content.decode()
    assert "Ines Marchetti left." in page
    assert browser.get("/dashboard").status_code == 200
    assert "You have left." in browser.get("/dashboard").content.decode()
    assert "/mine" in browser.get("/dashboard").content.decode()
    assert "nothing to leave" in browser.get("/leave").content.decode()
    assert browser.post("/leave", {"word": "leave"}).status_code == 403


def test_no_token_leaves(artist: Actor):
    makers.token(artist)
    with pytest.raises(refusals.MissingScope):
        members.leave(by=Actor("token", user=artist.user, token=Token.objects.get()))
    with pytest.raises(refusals.NotAMember):
        members.leave(by=NOBODY)


def test_an_artist_leaves_while_an_admin_lets_them_go(at_once: Callable[..., list[Any]]):
    admin, artist = makers.admin(), makers.artist()
    membership = artist.membership
    assert membership is not None
    answers = at_once(
        partial(members.leave, by=artist), partial(members.end, membership, by=admin, reason="It is over.")
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType", "WrongState"]
    assert (MembershipChange.objects.count(), Notice.objects.count()) == (1, 1)


def test_a_token_that_reviews_and_has_no_membership_outlives_the_place(reviewer: Actor, admin: Actor):
    makers.token(reviewer)
    assert reviewer.user is not None
    members.place(reviewer.user, makers.cohort(), by=admin)
    members.leave(by=actors.person(reviewer.user))
    assert Token.objects.live().count() == 1


def test_who_has_left_can_be_given_a_place_again(artist: Actor, admin: Actor, browser_of: Callable[..., Client]):
    assert artist.membership is not None and artist.user is not None
    members.leave(by=artist)
    with pytest.raises(refusals.MemberLeft):
        members.move(artist.membership, makers.cohort(), by=admin)
    path = f"/program/members/{artist.membership.pk.hex}"
    answer = browser_of(admin).post(f"{path}/place", {"cohort": makers.cohort(credits=9).pk})
    assert (answer.status_code, answer["Location"]) == (302, "/program/members")
    again = actors.person(artist.user).membership
    assert again is not None and again.credits == 9 and again.pk != artist.membership.pk
    with pytest.raises(refusals.AlreadyAMember):
        members.place(artist.user, makers.cohort(), by=admin)


# ---------------------------------------------------------------- the admins' pages


def test_an_admin_does_all_of_it_by_the_pages(artist: Actor, admin: Actor, browser_of: Callable[..., Client]):
    membership, office = artist.membership, browser_of(admin)
    assert membership is not None
    other = makers.cohort(name="Second floor", seats=1)
    path = f"/program/members/{membership.pk.hex}"
    page = office.get("/program/members").content.decode()
    assert "Ines Marchetti" in page and "Second floor" in page and "1 left" in page
    said = {"suspend": {"reason": "A question."}, "resume": {}, "credits": {"credits": 3}, "move": {"cohort": other.pk}}
    for act, typed in said.items():
        answer = office.post(f"{path}/{act}", typed)
        assert (answer.status_code, answer["Location"]) == (302, path), act
    assert office.post(f"{path}/end", {"reason": " "}).status_code == 422
    assert office.post(f"{path}/end", {"reason": "The year is over."}).status_code == 302
    kinds = MembershipChange.objects.order_by("id").values_list("kind", "made_by")
    assert admin.user is not None
    assert list(kinds) == [(kind, admin.user.pk) for kind in ("suspended", "resumed", "credits", "moved", "ended")]
    page = office.get(path).content.decode()
    for told in ("A question.", "The year is over.", "Moved from", "From 20 to 3 credits a month"):
        assert told in page
    assert office.get("/program/members?show=left").content.decode().count("Ines Marchetti") == 1
    assert "Ines Marchetti" not in office.get("/program/members?show=active").content.decode()


def test_a_refused_change_keeps_what_was_typed_and_says_why(
    artist: Actor, admin: Actor, browser_of: Callable[..., Client]
):
    membership, office = artist.membership, browser_of(admin)
    assert membership is not None
    full = makers.cohort(seats=0)
    answer = office.post(f"/program/members/{membership.pk.hex}/move", {"cohort": full.pk})
    assert answer.status_code == 409
    assert "All 0 seats of" in answer.content.decode()
    answer = office.post(f"/program/cohorts/{membership.cohort_id.hex}/seats", {"seats": 0})
    assert answer.status_code == 409
    assert "it can&#x27;t have fewer" in answer.content.decode()
    assert office.post(f"/program/cohorts/{membership.cohort_id.hex}/seats", {"seats": 4}).status_code == 302
    membership.cohort.refresh_from_db()
    assert membership.cohort.seats == 4


def test_a_work_page_offers_nothing_that_would_be_refused(
    artist: Actor, admin: Actor, browser_of: Callable[..., Client], no_undo: None
):
    """Whoever is suspended or has gone still downloads and withdraws there."""
    submission = makers.submitted(artist)
    makers.decided(submission)
    private = makers.completed(artist)
    browser = browser_of(artist)
    work, other = f"/mine/{submission.generation_id.hex}", f"/mine/{private.pk.hex}"

    def offers(path: str) -> set[str]:
        page = browser.get(path).content.decode()
        return {act for act in ("sign-off", "/submit", "/withdraw", "download=1") if act in page}

    assert (offers(work), offers(other)) == ({"sign-off", "/withdraw", "download=1"}, {"/submit", "download=1"})
    assert artist.membership is not None
    members.suspend(artist.membership, by=admin, reason="A question.")
    assert (offers(work), offers(other)) == ({"/withdraw", "download=1"}, {"download=1"})
    assert "while your membership is suspended" in browser.get(work).content.decode()
    members.leave(by=actors.person(artist.membership.user))
    assert (offers(work), offers(other)) == ({"/withdraw", "download=1"}, {"download=1"})
    assert "without a place in the program" in browser.get(work).content.decode()
