"""`manage.py seed`: a cast and their works, drawn by the real workers, so that every page has something to show."""

import time
from typing import Any

from allauth.account.models import EmailAddress
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db.transaction import atomic

from gateway import actors, terms
from gateway.actors import Actor
from gateway.models import Cohort, Membership, User
from generation import generations
from generation.models import Generation
from review import decisions, founding, publishing, queue, submissions
from review.models import Clause, Submission
from review.reasons import Reasons

CAST = (
    # name, address, is_reviewer, is_staff, is artist
    ("Ada Lindqvist", "admin@example.org", False, True, False),
    ("Rosa Velázquez", "rosa@example.org", True, False, False),
    ("Rui Tanaka", "rui@example.org", True, False, False),
    ("Ines Marchetti", "ines@example.org", False, False, True),
    ("Tomás Okafor", "tomas@example.org", False, False, True),
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
    ("tomas@example.org", "a large white square growing over a black field", 23, "Strobe study", "rejected"),
    (
        "ines@example.org",
        "a green triangle drifting right over an orange field",
        29,
        "Red thread",
        "submitted",
    ),
    ("tomas@example.org", "a purple circle shrinking over a green field", 31, "Slow door", "submitted"),
    ("ines@example.org", "a yellow ring drifting up over a purple field", 37, "", "private"),
)
PATIENCE = 180  # seconds for all of it to be drawn


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
            drawn = there or generations.submit(by=artist, prompt=prompt, seed=seed, seconds=2)
            works.append((artist, title, goal, drawn))
        self._wait([generation for *_, generation in works])
        reviewer = actors.person(people["rosa@example.org"])
        for artist, title, goal, generation in works:
            if not generation.submissions.exists():
                _bring(artist, reviewer, generation, title, goal)
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
    for name, email, is_reviewer, is_staff, is_artist in CAST:
        if there := User.objects.filter(email=email).first():
            people[email] = there
            continue
        user = User.objects.create_user(
            email, None, name=name, is_reviewer=is_reviewer, is_staff=is_staff, is_superuser=is_staff
        )
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
        if is_artist:
            Membership.objects.create(user=user, cohort=cohort, credits=cohort.credits)
        if is_artist or is_reviewer:
            terms.accept(in_force, user, by=actors.person(user))
        people[email] = user
    return people


def _bring(artist: Actor, reviewer: Actor, generation: Generation, title: str, goal: str) -> None:
    """Take a work as far as it shall go, by the rules that everybody uses."""
    if goal == "private":
        return
    generation.refresh_from_db()
    assert artist.user is not None
    submission = submissions.submit(generation, by=artist, title=title, credit=artist.user.name, licence="CC-BY-NC-4.0")
    if goal == "submitted":
        return
    submission = queue.take(Submission.objects.get(pk=submission.pk), by=reviewer)
    if goal in ("approved", "published"):
        decisions.approve(submission, by=reviewer)
    else:
        reasons = Reasons(
            clauses=[Clause.objects.get(number=4, retired_at__isnull=True).pk],
            facts="Where the loop begins again the light jumps with the shape. Please let it end where it begins.",
            from_seconds=0.5,
            to_seconds=1.5,
        )
        verdict = decisions.request_changes if goal == "changes_requested" else decisions.reject
        verdict(submission, by=reviewer, reasons=reasons)
    if goal == "published":
        publishing.sign_off(submission, by=artist, revision=1, name=artist.user.name)
