"""`manage.py seed`: a cast and their works, drawn by the real workers, so that every page has something to show."""

import time
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import actors, terms
from gateway.actors import Actor
from gateway.models import Cohort, Membership, User
from generation import generations
from generation.models import Generation
from review import appeals, clock, decisions, founding, policies, publishing, queue, submissions
from review.models import Clause, Submission
from review.reasons import Reasons

RESIDENTS = "Residents 2026"  # a cohort of whose works two people look at some
CAST = (
    # name, address, is_reviewer, is_staff, the cohort of an artist ("": the first there is)
    ("Ada Lindqvist", "admin@example.org", False, True, None),
    ("Rosa Velázquez", "rosa@example.org", True, False, None),
    ("Rui Tanaka", "rui@example.org", True, False, None),
    ("Ines Marchetti", "ines@example.org", False, False, ""),
    ("Tomás Okafor", "tomas@example.org", False, False, RESIDENTS),
)

WORKS = (
    # artist, prompt, seed, title, where it shall stand
    (
        "ines@example.org",
        "a small yellow circle drifting up over an orange field",
        7,
        "Harbour, before anyone",
        "published",
    ),
    ("tomas@example.org", "a large white ring over a blue field", 11, "Moon, held still", "published"),
    ("ines@example.org", "a purple circle growing over a white field", 13, "Plum hour", "published"),
    ("ines@example.org", "a blue ring drifting left over a black field", 17, "Low tide, twice", "approved"),
    ("tomas@example.org", "an orange square drifting up over a black field", 19, "Kiln", "changes_requested"),
    ("tomas@example.org", "a large white square growing over a black field", 23, "Strobe study", "appealed"),
    (
        "ines@example.org",
        "a green triangle drifting right over an orange field",
        29,
        "Red thread",
        "submitted",
    ),
    ("tomas@example.org", "a purple circle shrinking over a green field", 31, "Slow door", "submitted"),
    ("ines@example.org", "a yellow ring drifting up over a purple field", 37, "", "private"),
    ("ines@example.org", "a red square shrinking over a white field", 41, "Ember, late", "late"),
    ("ines@example.org", "a small white circle drifting left over a blue field", 43, "Gull", "rejected"),
    ("tomas@example.org", "a yellow circle growing over a black field", 47, "Flare", "taken_down"),
    ("tomas@example.org", "a large red circle drifting right over a white field", 53, "A face at noon", "second"),
)
LONG = ("published", "approved", "private")  # these clips are two seconds long, the others one
PATIENCE = 180  # seconds for all of it to be drawn
TWICE = 1  # the clause for which two look at a work


class Command(BaseCommand):
    help = "Add a cast and works in every state, once. Needs a running worker."

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.UNDO_SECONDS:
            raise CommandError("Examples need no window to undo decisions in: run this with UNDO_SECONDS=0.")
        if User.objects.exclude(email__in=[email for _, email, *_ in CAST]).exists():
            self.stdout.write("There are people here already: nothing is seeded.")
            return
        founding.lay()
        people = _cast()
        works = []
        for email, prompt, seed, title, goal in WORKS:
            artist = actors.person(people[email])
            # A start that was interrupted left some of them: those are used.
            there = Generation.objects.filter(membership__user=artist.user, prompt=prompt, seed=seed).first()
            drawn = there or generations.submit(by=artist, prompt=prompt, seed=seed, seconds=2 if goal in LONG else 1)
            works.append((artist, title, goal, drawn))
        self._wait([generation for *_, generation in works])
        reviewer, admin = actors.person(people["rosa@example.org"]), actors.person(people["admin@example.org"])
        for artist, title, goal, generation in works:
            if goal == "second":  # after all others: from here on one in five is drawn by lot, and would wait too
                _two_look(admin)
            if not generation.submissions.exists():
                _bring(generation, title, goal, artist=artist, reviewer=reviewer, admin=admin)
        clock.strike()
        decisions.announce()
        self.stdout.write(f"{len(people)} people, {len(works)} works.")

    def _wait(self, drawn: list[Generation]) -> None:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            states = list(Generation.objects.filter(pk__in=[g.pk for g in drawn]).values_list("state", flat=True))
            done = states.count("completed")
            if done == len(drawn):
                return
            if "failed" in states:
                raise CommandError("A clip could not be drawn; the log of the gpu worker says why.")
            self.stdout.write(f"{done} of {len(drawn)} clips drawn")
            self.stdout.flush()
            time.sleep(1)
        raise CommandError(f"The clips were not drawn within {PATIENCE} s; is a gpu worker running?")


@atomic
def _cast() -> dict[str, User]:
    cohort = Cohort.objects.filter(smoke=False).earliest("created_at")
    in_force = terms.current()
    assert in_force is not None
    people = {}
    for name, email, is_reviewer, is_staff, place in CAST:
        if there := User.objects.filter(email=email).first():
            people[email] = there
            continue
        user = User.objects.create_user(
            email, None, name=name, is_reviewer=is_reviewer, is_staff=is_staff, is_superuser=is_staff
        )
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        if place is not None:
            theirs = Cohort.objects.get_or_create(name=place)[0] if place else cohort
            Membership.objects.create(user=user, cohort=theirs, credits=theirs.credits)
        if place is not None or is_reviewer:
            terms.accept(in_force, user, by=actors.person(user))
        people[email] = user
    return people


def _two_look(admin: Actor) -> None:
    """The residents' works are looked at by one person, one in five by two, and any for which clause 1 is named."""
    cohort = Cohort.objects.get(name=RESIDENTS)
    looks: dict[str, Any] = {"reviewers": 1, "sample_percent": 20, "second_clauses": [TWICE], "by_default": False}
    policies.set(cohort, by=admin, hours=cohort.review_hours, **looks)


def _bring(generation: Generation, title: str, goal: str, *, artist: Actor, reviewer: Actor, admin: Actor) -> None:
    """Take a work as far as it shall go, by the rules that everybody uses."""
    if goal == "private":
        return
    generation.refresh_from_db()
    assert artist.user is not None
    submission = submissions.submit(generation, by=artist, title=title, credit=artist.user.name, licence="CC-BY-NC-4.0")
    if goal == "submitted":
        return
    if goal == "late":  # an answer was due by now; the clock passes it on
        Submission.objects.filter(pk=submission.pk).update(due_at=Now())
        return
    submission = queue.take(Submission.objects.get(pk=submission.pk), by=reviewer)
    if goal in ("changes_requested", "rejected", "appealed"):
        verdict = decisions.request_changes if goal == "changes_requested" else decisions.reject
        decision = verdict(submission, by=reviewer, reasons=_reasons())
        if goal == "appealed":
            appeals.file(
                decision,
                by=artist,
                words="Clause 4 speaks of more than three flashes within a second. This is one square that grows, and "
                "the light changes once, where the loop begins again.",
            )
        return
    considered = Clause.objects.filter(number=TWICE, retired_at__isnull=True) if goal == "second" else ()
    decisions.approve(submission, by=reviewer, considered=[clause.pk for clause in considered])
    if goal in ("published", "taken_down"):
        publication = publishing.sign_off(submission, by=artist, revision=1, name=artist.user.name)
        if goal == "taken_down":
            publishing.take_down(publication, by=admin, reasons=_reasons())


def _reasons() -> Reasons:
    return Reasons(
        clauses=[Clause.objects.get(number=4, retired_at__isnull=True).pk],
        facts="Where the loop begins again the light jumps with the shape. Please let it end where it begins.",
        from_seconds=0.5,
        to_seconds=0.9,
    )
