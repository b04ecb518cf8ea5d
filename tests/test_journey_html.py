"""One work's whole journey, as people make it with a browser and without scripts; each refused step says why."""

import json
import re

import pytest
from django.core import mail
from django.db.models import Q

from gateway import actors, members, notices
from gateway.models import Entry, User
from generation.models import Generation
from review import decisions
from review.models import Decision, Publication, Submission
from tests import makers
from tests.browser import Browser

pytestmark = pytest.mark.django_db
PROMPT = "a pale sun over a grey field"


@pytest.fixture(autouse=True)
def quick_passwords(settings) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.ACCOUNT_RATE_LIMITS = False  # all of these people have one address


def signed_in(user: User) -> Browser:
    """By the sign-in page, as everybody."""
    user.set_password(makers.PASSWORD)
    user.save()
    browser = Browser().goes_to("/accounts/login/")
    return browser.sends("/accounts/login/", login=user.email, password=makers.PASSWORD)


def inside(user: User) -> Browser:
    """Signed in already."""
    browser = Browser()
    browser.client.force_login(user)
    return browser.goes_to("/home")


def actions_on(*rows) -> list[str]:
    subjects = [row.pk for row in rows]
    told = Entry.objects.filter(subject_id__in=subjects).order_by("id").values_list("action", flat=True)
    return [action for place, action in enumerate(told) if place == 0 or told[place - 1] != action]


def test_the_whole_journey(admin, reviewer, stranger, settings):
    makers.policy()
    cohort = makers.cohort(name="Atelier", credits=2)
    browsers = []

    # 1. The admin invites.
    office = signed_in(admin.user)
    browsers.append(office)
    office.reads("Invitations")
    asked = {"email": "ines@example.org", "role": "artist", "cohort": str(cohort.pk), "credits": ""}
    office.goes_to("/program/invitations").sends("/program/invitations", **asked)
    link = re.search(r"/invitations/bat_invitation_\w+", office.page)[0]
    office.goes_to("/program/invitations").sends("/program/invitations", 409, **asked)
    office.reads("An invitation to ines@example.org is already open")
    assert notices.send_waiting() == 1
    assert link in mail.outbox[0].body and mail.outbox[0].to == ["ines@example.org"]

    # 2. The artist comes in.
    ines = Browser().goes_to(link)
    browsers.append(ines)
    ines.reads("Nothing that you make becomes public before you sign it")
    typed = {"name": "Ines Marchetti", "password": "a good long password"}
    ines.sends(link, 422, **typed)
    assert not User.objects.filter(email="ines@example.org").exists()
    ines.sends(link, 200, **typed, accept="on")
    assert ines.where == "/dashboard"
    guest = Browser().goes_to(link, 410)
    browsers.append(guest)
    guest.reads("This invitation is unknown, was used, was revoked or has run out.")
    artist = actors.person(User.objects.get(email="ines@example.org"))

    # 3. They ask for a clip.
    ines.goes_to("/studio").reads("Draw it · 2 credits", "2 of 2 free")
    ines.sends("/studio", 422, prompt="").reads("This field is required.")
    ines.sends("/studio", 400, prompt="word " * 40).reads("The prompt has 40 words")
    ines.sends("/studio", prompt=PROMPT)
    generation = Generation.objects.get()
    ines.goes_to("/studio").sends("/studio", 402, prompt="another one", seconds="1")
    ines.reads("This costs 1 credits, and 0 of 2 are free", "Nothing was charged.")
    assert "another one" in ines.page  # what was typed is not lost
    work = f"/mine/{generation.pk.hex}"
    ines.goes_to(work).reads(PROMPT, "In line")
    assert ines.can_send(f"/studio/{generation.pk.hex}/cancel")
    words = {"title": "Harbour", "credit": "Ines Marchetti", "licence": "CC-BY-NC-4.0", "description": "For my mother."}
    ines.forges(f"{work}/submit", 409, **words).reads("This generation is queued: only a completed one")

    # 4. It is drawn; they see it and take it home.
    makers.drawn(generation)
    ines.goes_to(work).reads("Private")
    assert f'src="/generations/{generation.pk.hex}/video.mp4' in ines.page
    ines.goes_to(f"/generations/{generation.pk.hex}/video.mp4?download=1")
    assert ines.answer["Content-Disposition"].startswith("attachment;")
    ines.goes_to(work)
    tomas = signed_in(stranger.user)
    browsers.append(tomas)
    for path in (work, f"/generations/{generation.pk.hex}/video.mp4"):
        tomas.goes_to(path, 404).reads("There is nothing here, or nothing that you may see.")
        guest.goes_to(path).reads("Sign in")

    # 5. They submit it.
    ines.sends(f"{work}/submit", 422, **{**words, "title": ""}).reads("This field is required.")
    assert "For my mother." in ines.page
    ines.sends(f"{work}/submit", **words).reads("With the reviewers", "It is with the reviewers.")
    submission = Submission.objects.get()
    ines.forges(f"{work}/submit", 409, **words).reads("This work is already with the reviewers")
    sign = f"/submissions/{submission.pk.hex}/sign-off"
    signature = {"name": "Ines Marchetti", "revision": "1"}
    ines.forges(sign, 409, **signature).reads("This submission is submitted. Only an approved one can be signed")

    # 6. The reviewer looks, refuses without reasons, asks for a change, thinks better of it, and approves.
    rosa = signed_in(reviewer.user)
    browsers.append(rosa)
    assert rosa.where == "/review"
    rosa.reads("Harbour").sends("/review/next")
    desk = f"/review/{submission.pk.hex}"
    rosa.reads(PROMPT, "Harbour", "For my mother.", "steps")
    files = [f"{desk}/{name}" for name in ("sheet.webp", "video.mp4", "poster.webp")]
    assert all(file in rosa.page for file in files)
    for file in files:
        rosa.goes_to(file)
    tomas.goes_to(desk, 403).reads("Only a reviewer may do that.")
    ines.goes_to(desk, 403).reads("Only a reviewer may do that.")
    ines.goes_to(work)
    rosa.goes_to(desk).sends(f"{desk}/reject", 400, facts="It blinks hard.")
    rosa.reads("owes the artist a clause of the policy and the place in the clip", "It blinks hard.")
    clause = str(makers.policy()[3].pk)
    rosa.sends(f"{desk}/request-changes", clauses=[clause], facts="It blinks hard.", from_seconds="0.5")
    undone = Decision.objects.get()
    ines.goes_to(work).reads("With the reviewers")
    assert "It blinks" not in ines.text
    rosa.goes_to("/review").sends(f"/review/decisions/{undone.pk.hex}/undo")
    rosa.goes_to(desk).sends(f"{desk}/approve")
    ines.goes_to(work).reads("With the reviewers")
    ines.forges(sign, 409, **signature).reads("Only an approved one can be signed; nothing was published.")
    assert not Publication.objects.exists()

    # 7. The window ends; the artist hears of it, and signs.
    verdict = makers.in_effect(Decision.objects.latest("id"))
    rosa.goes_to("/review")
    rosa.forges(f"/review/decisions/{verdict.pk.hex}/undo", 409).reads("The decision has taken effect")
    assert decisions.announce() == 1
    ines.goes_to("/dashboard").reads("“Harbour” is approved")
    ines.goes_to(work).reads("Approved: waits for your signature", "Bon à tirer")
    ines.sends(sign, 400, name=" ").reads("Sign with your name: without a signature nothing is published.")
    ines.sends(sign, 409, name="Ines Marchetti", revision="2").reads("You would be signing revision 2")
    tomas.goes_to("/dashboard").forges(sign, 404, **signature)
    assert not Publication.objects.exists()
    ines.goes_to(work).sends(sign, name="Ines Marchetti").reads("Signed. It is public now", "Public since")

    # 8. Anyone sees it; and then that it was here.
    publication = Publication.objects.get()
    page = f"/works/{publication.pk.hex}"
    guest.goes_to("/").reads("Harbour", "Ines Marchetti")
    guest.goes_to(page).reads("Harbour", "Ines Marchetti", "CC BY-NC 4.0", "For my mother.")
    assert PROMPT not in guest.page
    guest.goes_to(f"{page}/video.mp4").goes_to(f"{page}/poster.webp")
    withdraw = f"/publications/{publication.pk.hex}/withdraw"
    tomas.forges(withdraw, 404)
    ines.goes_to(work).sends(withdraw).reads("Withdrawn. Its public page is a tombstone", "Withdrawn: private")
    guest.goes_to(page, 410).reads("Harbour", "Ines Marchetti")
    assert "poster" not in guest.page and "video" not in guest.page.split("<main", 1)[1].split("</main>")[0]
    guest.goes_to(f"{page}/video.mp4", 410).reads("The artist has withdrawn this work.")
    guest.goes_to("/")
    assert "Harbour" not in guest.text
    ines.forges(withdraw, 409).reads("This publication is withdrawn, so it can't become withdrawn.")

    # 9. All of it is in the log: each request, and each change with who made it.
    for browser in browsers:
        for method, request_id in browser.asked:
            entries = list(Entry.objects.filter(request_id=request_id).order_by("id").values_list("action", flat=True))
            assert entries[-1] == "request.answered"
            assert (entries[0] == "request.received") is (method == "POST")
    assert actions_on(generation, submission, publication) == [
        "generation.queued",
        "generation.completed",
        "submission.submitted",
        "submission.taken",
        "submission.viewed",
        "submission.changes_requested",
        "submission.submitted",
        "submission.approved",
        "publication.published",
        "publication.withdrawn",
        "submission.withdrawn",
    ]
    by_artist = Entry.objects.filter(actor_id=artist.user.pk).exclude(action__startswith="request.")
    assert {"terms.accepted", "invitation.accepted", "sign_off.signed"} <= set(
        by_artist.values_list("action", flat=True)
    )
    refused = [
        json.loads(bytes(body)).get("facts", {}).get("refused")
        for body in Entry.objects.filter(action="request.answered").values_list("body", flat=True)
    ]
    assert {
        "already_invited", "bad_invitation", "prompt_too_long", "not_enough_credits", "nothing_to_submit", "not_found",
        "already_submitted", "not_approved", "reviewers_only", "reasons_missing", "too_late_to_undo", "not_signed_off",
        "outdated_revision", "gone_by_its_artist", "wrong_state",
    } <= set(refused)  # fmt: skip


def test_a_forged_request_changes_nothing_and_says_why(artist, reviewer):
    """Each form of the journey without its token, as another site would send it."""
    submission = makers.submitted(artist)
    browser = inside(artist.user)
    before = list(Submission.objects.values()), list(Generation.objects.values())
    for action in (
        "/studio",
        f"/mine/{submission.generation_id.hex}/submit",
        f"/submissions/{submission.pk.hex}/withdraw",
        f"/submissions/{submission.pk.hex}/sign-off",
        "/access/tokens",
        "/accounts/logout/",
    ):
        browser.forges(action, 403, csrfmiddlewaretoken="", prompt="a red circle")
        assert browser.text
    desk = inside(reviewer.user)
    desk.goes_to("/review").sends("/review/next")
    desk.forges(f"/review/{submission.pk.hex}/approve", 403, csrfmiddlewaretoken="x" * 64)
    after = list(Submission.objects.exclude(pk=submission.pk).values()), list(Generation.objects.values())
    assert after[1] == before[1] and not Decision.objects.exists()
    assert Submission.objects.get().state == "submitted"
    browser.goes_to("/dashboard")  # still signed in


@pytest.mark.parametrize("field", [{"revision": ""}, {"revision": "one"}, {"name": "x" * 121}])
def test_a_signature_that_can_not_be_read_is_refused_in_words_and_not_lost(artist, no_undo, field):
    """A page that comes back without a word looks as if the work had been signed."""
    submission = makers.submitted(artist)
    makers.decided(submission)
    browser = inside(artist.user).goes_to(f"/mine/{submission.generation_id.hex}")
    sent = {"name": "Ines Marchetti", "revision": "1", **field}
    browser.sends(f"/submissions/{submission.pk.hex}/sign-off", 422, **sent)
    assert 'role="alert"' in browser.page or "errorlist" in browser.page
    assert sent["name"] in browser.page
    assert not Publication.objects.exists()


def test_a_rejection_is_read_as_a_letter_and_the_work_stays_private(artist, reviewer, guest):
    submission = makers.submitted(artist)
    desk = inside(reviewer.user).sends("/review/next")
    clause = makers.policy()[3]
    desk.goes_to(f"/review/{submission.pk.hex}").sends(
        f"/review/{submission.pk.hex}/reject", clauses=[str(clause.pk)], facts="It blinks hard.", whole="on"
    )
    makers.in_effect(Decision.objects.get())
    decisions.announce()
    work = f"/mine/{submission.generation_id.hex}"
    browser = inside(artist.user).goes_to(work)
    browser.reads(
        "Not approved", f"We can't approve it under clause 4, {clause.title.lower()}, the whole clip:",
        "It blinks hard.", "Criticism is never a reason.",
    )  # fmt: skip
    assert not browser.can_send(f"/submissions/{submission.pk.hex}/sign-off")
    browser.forges(f"/submissions/{submission.pk.hex}/sign-off", 409, name="Ines", revision="1")
    browser.reads("This submission is rejected. Only an approved one can be signed")
    assert guest.get("/v1/publications").json()["data"] == []
    browser.goes_to(work).sends(f"{work}/submit", title="Kiln again").reads("With the reviewers")


def test_a_change_is_asked_for_and_answered_by_a_new_revision(artist, reviewer, no_undo):
    submission = makers.submitted(artist)
    makers.decided(submission, "request_changes", by=reviewer)
    decisions.announce()
    work = f"/mine/{submission.generation_id.hex}"
    browser = inside(artist.user).goes_to("/dashboard").reads("Kiln")
    browser.goes_to(work).reads("A change is asked for", "Answer with a new revision")
    browser.sends(f"{work}/submit", title="Kiln, softer").reads("With the reviewers", "Kiln, softer")
    assert makers.seen(submission).current.number == 2


def test_a_suspended_artist_reads_why_and_keeps_what_they_have(artist, admin, no_undo):
    publication = makers.published(artist)
    members.suspend(artist.membership, by=admin, reason="A conversation is due.")
    browser = inside(artist.user).goes_to("/studio")
    if browser.can_send("/studio"):
        browser.sends("/studio", 403, prompt="a red circle")
    browser.reads("Your membership is suspended")
    generation = publication.submission.generation
    browser.goes_to(f"/generations/{generation.pk.hex}/video.mp4?download=1")
    browser.goes_to(f"/mine/{generation.pk.hex}").sends(f"/publications/{publication.pk.hex}/withdraw")
    assert not Publication.objects.public().exists()


def test_whoever_is_not_a_member_reads_that_there_is_nothing_to_draw_on(reviewer):
    makers.sketch()
    browser = inside(reviewer.user).goes_to("/studio").reads("you are in none")
    browser.forges("/studio", 403, prompt="a red circle", seconds="1", model="sketch", size="256x256")
    browser.reads("You have no membership in a cohort, so there is nothing to draw on.")


@pytest.mark.parametrize("twice", ["submit", "sign-off", "withdraw", "approve", "next", "studio"])
def test_a_double_click_is_one_click(artist, reviewer, twice, settings):
    """The second of two quick presses of a button sends the same form again."""
    settings.UNDO_SECONDS = 0
    generation = makers.completed(artist)
    work = f"/mine/{generation.pk.hex}"
    ines, rosa = inside(artist.user), inside(reviewer.user)
    if twice == "studio":
        before = Generation.objects.count()
        ines.goes_to("/studio")
        page = ines.page
        ines.sends("/studio", prompt="a red circle", seconds="1")
        ines.page = page
        ines.sends("/studio", prompt="a red circle", seconds="1")
        assert Generation.objects.count() == before + 1
        return
    pressed = ines.goes_to(work)
    if twice != "submit":
        submission = makers.submitted(artist, generation)
    if twice in ("sign-off", "withdraw"):
        makers.decided(submission, by=reviewer)
        pressed = ines.goes_to(work)
    if twice == "withdraw":
        ines.sends(f"/submissions/{submission.pk.hex}/sign-off", name="Ines")
    action, fields = {
        "submit": lambda: (f"{work}/submit", {"title": "Kiln"}),
        "sign-off": lambda: (f"/submissions/{submission.pk.hex}/sign-off", {"name": "Ines"}),
        "withdraw": lambda: (f"/publications/{Publication.objects.get().pk.hex}/withdraw", {}),
        "approve": lambda: (f"/review/{submission.pk.hex}/approve", {}),
        "next": lambda: ("/review/next", {}),
    }[twice]()
    if twice in ("approve", "next"):
        pressed = rosa.goes_to("/review")
    if twice == "approve":
        rosa.sends("/review/next")
    page = pressed.page
    pressed.sends(action, **fields)
    first = Entry.objects.exclude(Q(action__startswith="request.") | Q(action="submission.viewed")).count()
    pressed.page = page
    again = pressed.client.post(action, {**fields, "csrfmiddlewaretoken": pressed.token, "revision": "1"})
    assert again.status_code in (302, 404, 409, 422)
    assert Entry.objects.exclude(Q(action__startswith="request.") | Q(action="submission.viewed")).count() == first
