"""Plain makers of rows, by the rules where there are rules."""

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import numpy as np
from allauth.account.models import EmailAddress
from django.db import connection
from django.db.models import F, Q
from django.db.models.functions import Now
from django.db.transaction import atomic

from gateway import access_requests, actors, allowances, guest_passes, sightings, states, terms, tokens, traces
from gateway.actors import Actor
from gateway.models import AccessRequest, Allowance, Cohort, Membership, Program, Sighting, Terms, User
from gateway.models.base import new_id
from gateway.traces import Use
from generation import catalogue, fleet, generations, guests, media
from generation.engines import Clip
from generation.media import encode
from generation.models import Generation, ModelProfile, Output, Worker
from review import decisions, founding, publishing, queue, reports, submissions
from review import policy as clauses
from review.models import Clause, Decision, Publication, Report, Screening, Signal, Submission
from review.reasons import Reasons

number = count(1)
PASSWORD = "a long enough password"


def user(name: str = "", **fields: Any) -> User:
    name = name or f"Person {next(number)}"
    plain = unicodedata.normalize("NFKD", name.lower()).encode("ascii", "ignore").decode()
    email = f"{plain.replace(' ', '.')}.{next(number)}@example.org"
    made = User.objects.create_user(email, None, name=name, **fields)
    EmailAddress.objects.create(user=made, email=email, verified=True, primary=True)
    return made


def cohort(**fields: Any) -> Cohort:
    return Cohort.objects.create(
        **{"name": f"Cohort {next(number)}", "credits": 20, "daily": 1000, "concurrent": 100, **fields}
    )


def artist(name: str = "", *, credits: int = 20, cohort: Cohort | None = None) -> Actor:
    """Somebody with a membership, who has accepted the terms that there are."""
    made = user(name)
    Membership.objects.create(user=made, cohort=cohort or globals()["cohort"](), credits=credits)
    accepting(made)
    return actors.person(made)


def accepting(*people: User) -> None:
    """They accept the terms in force, if the program has any by now."""
    if (in_force := terms.current()) is not None:
        for person in people:
            terms.accept(in_force, person, by=actors.person(person))


def reviewer(name: str = "") -> Actor:
    return actors.person(user(name, is_reviewer=True))


def admin(name: str = "") -> Actor:
    return actors.person(user(name, is_staff=True, is_superuser=True))


def token(actor: Actor, *scopes: str) -> str:
    """A token's secret, with all that its owner may have unless `scopes` says less."""
    everything = ["generate", "submit", "publish", "webhooks"] if actor.membership else []
    everything += ["review"] if actor.is_reviewer else []
    return tokens.issue(by=actor, label="test", scopes=list(scopes) or everything)[1]


def with_token(actor: Actor, *scopes: str, **told: Any) -> Actor:
    """The same person, by a new token."""
    made, _ = tokens.issue(by=actor, label="test", scopes=list(scopes) or ["generate"], **told)
    return Actor("token", user=actor.user, token=made)


def door(*, takes_requests: bool = True, hours: int = 72) -> None:
    """The public form is open."""
    Program.objects.update_or_create(only=True, defaults={"takes_requests": takes_requests, "request_hours": hours})


def asked(email: str = "", **words: Any) -> AccessRequest:
    """Somebody's request for access, each from a place of their own."""
    door()
    nth = next(number)
    email = email or f"applicant{nth}@example.org"
    words = {"name": "Noor Haddad", "links": ["https://example.org/noor"], "words": "Slow water.", **words}
    access_requests.ask(by=actors.NOBODY, sender=f"2001:db8:{nth % 65536:x}::1", email=email, **words)
    return AccessRequest.objects.filter(email=email.lower()).latest("created_at")


def lent(artist: Actor, **terms: Any) -> str:
    """The secret of a guest pass that this artist has issued."""
    sketch()
    named = {"label": "Workshop", "generations": 5, "credits": 10, "days": 7, "per_address": 100}
    return guests.lend(by=artist, **{**named, **terms})[1]


def visitor(secret: str, who: str = "somebody", address: str = "192.0.2.1") -> Actor:
    """A guest with this pass."""
    return guest_passes.guest(guest_passes.find(secret), visitor=who, address=address)


def sighting(by: Actor) -> Sighting:
    """A token of `by`, frozen because it was used from many networks."""
    token, _ = tokens.issue(by=by, label="notebook", scopes=["generate"])
    use = Use("token", token.pk, token.user_id, address="192.0.2.1", agent="curl/8", print="curl/8", act="page")
    sightings.freeze(use, [traces.Signal("networks", 100, "12 networks within ten minutes")])
    return Sighting.objects.get(target=token.pk)


def sketch() -> ModelProfile:
    catalogue.load()
    return ModelProfile.objects.get(slug="sketch")


def twin(model: ModelProfile, slug: str) -> ModelProfile:
    """Another entry of the catalogue with the same settings."""
    kept = {field.name: getattr(model, field.name) for field in ModelProfile._meta.fields}
    return ModelProfile.objects.create(
        **{name: value for name, value in kept.items() if name not in ("id", "slug", "created_at")}, slug=slug
    )


def policy() -> list[Clause]:
    """The program is founded, and whoever is here already has accepted its terms."""
    new = not Terms.objects.exists()
    founding.lay()
    if new:
        accepting(*User.objects.filter(memberships__isnull=False))
    return clauses.in_force()


def amended(number: int, *, by: Actor, **words: str) -> Clause:
    """A clause in a new wording."""
    clause = Clause.objects.get(number=number, retired_at__isnull=True)
    now = {name: getattr(clause, name) for name in ("title", "body", "example", "category", "specification")}
    told = {**now, "body": f"{clause.body} More.", "why": "It was unclear.", **words}
    return clauses.amend(clause, by=by, **told)


def queued(by: Actor, prompt: str = "a red circle over a blue field", **asked: Any) -> Generation:
    sketch()
    return generations.submit(by=by, prompt=prompt, **{"seconds": 1, **asked})


@cache
def _files() -> dict[str, Any]:
    """A real clip of nine frames with its poster and sheet, encoded once."""
    random = np.random.default_rng(0)
    clip = Clip(frames=random.integers(0, 255, (9, 64, 64, 3), dtype=np.uint8), fps=8, seed=0)
    return encode.all_files(clip, Path(mkdtemp(prefix="clip-")), display=(256, 256))


def clip(frames: np.ndarray, fps: int = 24) -> dict[str, Any]:
    """The files of a clip of these pictures, encoded as a worker does."""
    return encode.all_files(Clip(frames=frames, fps=fps, seed=0), Path(mkdtemp(prefix="clip-")))


def worker(name: str = "", *pools: str) -> Worker:
    """A GPU worker that has started and told what its engine says."""
    name = name or f"gpu-{next(number)}@test"
    fleet.register(name, pools or ["default"])
    told = {"device": "cuda", "hardware": "A card", "warm": ["sketch"], "memory": {"total": 80 << 30, "free": 20 << 30}}
    Worker.objects.filter(name=name).update(engines={"diffusers": {**told, "versions": {"torch": "2.13.0"}}})
    return Worker.objects.get(name=name)


def damaged(folder: Path) -> None:
    """In this folder of models lies Sketch, and can't be read."""
    place = folder / "sketch"
    place.mkdir(parents=True)
    (place / "model_index.json").write_text("{")


def drawing(generation: Generation) -> Worker:
    """This queued generation is being drawn, by a worker of its own."""
    by = worker()
    Generation.objects.filter(pk=generation.pk).update(
        state="in_progress", fence=1, step=3, lease_until=Now() + timedelta(minutes=5), started_at=Now(), worker=by.name
    )
    generation.refresh_from_db()
    return by


def drawn(generation: Generation, files: dict[str, Any] | None = None) -> Generation:
    """This queued generation has ended well, with its files kept; drawn by nobody."""
    Generation.objects.filter(pk=generation.pk).update(
        state="in_progress", fence=1, lease_until=Now(), started_at=Now()
    )
    generation.refresh_from_db()
    with atomic():
        states.move(
            generation,
            "completed",
            by=actors.SYSTEM,
            when=Q(fence=1),
            ended_at=Now(),
            lease_until=None,
            step=generation.steps,
        )
        Output.objects.bulk_create(media.keep(generation, files or _files()))
        allowances.settle(generation.pk)
    return generation


def completed(by: Actor, *, files: dict[str, Any] | None = None, **asked: Any) -> Generation:
    """A generation that has ended well, with its files kept; drawn by nobody."""
    return drawn(queued(by, **asked), files)


def submitted(by: Actor, generation: Generation | None = None, **words: Any) -> Submission:
    words = {"title": "Kiln", "credit": "An artist", "licence": "CC-BY-4.0", **words}
    return submissions.submit(generation or completed(by), by=by, **words)


def screened(submission: Submission, *raised: str) -> Screening:
    """The program has looked at it, and saw this much."""
    output = submission.must_have_revision().output
    screening = Screening.objects.create(output=output, version=1, done_at=Now())
    seen = {"raised": True, "value": 4, "limit": 3, "at_seconds": 0, "frames": [1]}
    for kind in raised:
        Signal.objects.create(screening=screening, kind=kind, other=output if kind == "near_copy" else None, **seen)
    return screening


def reasons(**told: Any) -> Reasons:
    policy()
    clause = Clause.objects.get(number=4, retired_at__isnull=True)
    return Reasons(**{"clauses": [clause.pk], "facts": "It blinks.", "from_seconds": 0.5, **told})


def decided(submission: Submission, verdict: str = "approve", *, by: Actor | None = None) -> Decision:
    """Taken and decided; in effect at once when the test has set UNDO_SECONDS to 0."""
    by = by or reviewer()
    taken = queue.take(Submission.objects.get(pk=submission.pk), by=by)
    if verdict == "approve":
        return decisions.approve(taken, by=by)
    if verdict == "escalate":
        return decisions.escalate(taken, by=by)
    return {"reject": decisions.reject, "request_changes": decisions.request_changes}[verdict](
        taken, by=by, reasons=reasons()
    )


def published(by: Actor) -> Publication:
    """The whole way; needs UNDO_SECONDS = 0."""
    submission = submitted(by)
    decided(submission)
    return publishing.sign_off(Submission.objects.get(pk=submission.pk), by=by, revision=1, name="An artist")


def taken_down(publication: Publication, *, by: Actor | None = None) -> Decision:
    """The operator took it down, with reasons."""
    return publishing.take_down(publication, by=by or admin(), reasons=reasons())


def reported(publication: Publication, **said: Any) -> tuple[Report, str]:
    """A report of this work and the secret of its page, each from a place of its own."""
    nth = next(number)
    said = {"words": "It shows my house.", "good_faith": True, "email": f"reporter{nth}@example.org", **said}
    sender = f"2001:db8:{new_id().hex[20:24]}:{nth % 65536:x}::1"
    return reports.file(publication, by=actors.NOBODY, sender=sender, **said)


def month_over(membership: Membership) -> Allowance:
    """This month's allowance of a member is last month's by now."""
    allowance = allowances.current(membership)
    start, _ = allowances.period(allowance.starts_at - timedelta(days=1))
    Allowance.objects.filter(pk=allowance.pk).update(starts_at=start, ends_at=allowance.starts_at)
    allowance.refresh_from_db()
    return allowance


@contextmanager
def _time_moves() -> Iterator[None]:
    """A test moves the row, not the clock, so the trigger that fixes it rests."""
    with atomic(), connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute("alter table review_decision disable trigger fixed")
        yield
        cursor.execute("alter table review_decision enable trigger fixed")
        cursor.execute("set constraints all deferred")


def in_effect(decision: Decision) -> Decision:
    """Its undo window ended a moment ago."""
    with _time_moves():
        Decision.objects.filter(pk=decision.pk).update(effective_at=Now() - timedelta(seconds=1))
    decision.refresh_from_db()
    return decision


def windows_over(**ago: int) -> None:
    """Every undo window ended, a second or so long `ago`; what ended before goes back as far."""
    past = timedelta(**(ago or {"seconds": 1}))
    with _time_moves():
        Decision.objects.filter(effective_at__gt=Now()).update(effective_at=Now() - past)
        if ago:
            Decision.objects.update(effective_at=F("effective_at") - past)


def lease_over(submission: Submission) -> Submission:
    """Its reviewer's lease ran out a moment ago."""
    Submission.objects.filter(pk=submission.pk).update(lease_until=Now() - timedelta(seconds=1))
    submission.refresh_from_db()
    return submission


def seen(submission: Submission) -> Submission:
    """The row as pages and resources read it."""
    return Submission.objects.told().get(pk=submission.pk)
