"""What guests make with a pass: how much is left of it, who of them asked for what, and its end."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet, Sum
from django.db.models.functions import Coalesce

from gateway import actors, guest_passes, refusals
from gateway.actors import Actor
from gateway.models import GuestPass
from gateway.models.guest_passes import GuestPassQuerySet
from generation import endings
from generation.models import Generation, GenerationQuerySet, ModelProfile

GIVEN_BACK = ("failed", "cancelled")


def lend(*, by: Actor, models: list[str] | None = None, **terms: object) -> tuple[GuestPass, str]:
    """Issue a guest pass for these models (none named: all); see gateway.guest_passes.issue. Raises UnknownModel."""
    offered = set(lendable().values_list("slug", flat=True))
    if unknown := [slug for slug in models or [] if slug not in offered]:
        raise refusals.UnknownModel(model=unknown[0], models=", ".join(sorted(offered)) or "none yet", param="models")
    return guest_passes.issue(by=by, models=models, **terms)  # type: ignore[arg-type]


def lendable() -> QuerySet[ModelProfile]:
    """What guests can draw with: their page has no place for a picture to begin from."""
    return ModelProfile.objects.filter(enabled=True).exclude(modality="image-to-video")


def with_use(passes: GuestPassQuerySet) -> GuestPassQuerySet:
    """Give each pass what was used of it, `used`, `used_credits`, `guests`, `last_used_at`, and if it still `runs`.

    What was given back is not used.
    """
    counts = ~Q(works__state__in=GIVEN_BACK)
    return passes.annotate(
        used=Count("works", filter=counts),
        used_credits=Coalesce(Sum("works__credits", filter=counts), 0),
        guests=Count("works__guest", distinct=True),
        last_used_at=Max("works__created_at"),
        runs=Exists(GuestPass.objects.in_force().filter(pk=OuterRef("pk"))),
    )


def standing(guest_pass: Any) -> str:
    """Where a pass stands that was read `with_use`: open, used_up, ended or revoked."""
    if guest_pass.state == "revoked":
        return "revoked"
    if not guest_pass.runs:
        return "ended"
    used_up = guest_pass.used >= guest_pass.generations or guest_pass.used_credits >= guest_pass.credits
    return "used_up" if used_up else "open"


def made(guest_pass: GuestPass) -> GenerationQuerySet:
    """All that was asked for with a pass and not given back."""
    return Generation.objects.filter(guest_pass=guest_pass).exclude(state__in=GIVEN_BACK)


def left(guest_pass: GuestPass) -> tuple[int, int]:
    """Clips and credits that a pass has left."""
    used = made(guest_pass).aggregate(clips=Count("pk"), credits=Coalesce(Sum("credits"), 0))
    return guest_pass.generations - used["clips"], guest_pass.credits - used["credits"]


def of_visitor(actor: Actor) -> GenerationQuerySet:
    """What this guest's browser asked for with this pass, but for what its artist deleted."""
    return Generation.objects.filter(guest_pass=actor.guest_pass, guest=actor.visitor, deleted_at__isnull=True)


def must_have_left(guest_pass: GuestPass, price: int, *, by: Actor) -> None:
    """Ask whether the pass still has a clip of `price` credits for this guest. Until the transaction ends nobody else's
    is counted, so that twenty at once find as many as there are. The database counts again after the insert.

    What one address asked for today counts even if it was cancelled: nobody keeps a machine busy by taking back.
    Raises GuestPassUsedUp, EnoughForToday, and what guest_passes.find raises.
    """
    held = guest_passes.hold(guest_pass)
    today = Generation.objects.filter(guest_pass=held, guest_address=by.visitor_address).count()
    if today >= held.per_address:
        number = f"{held.per_address} clip" + ("s" if held.per_address > 1 else "")
        raise refusals.EnoughForToday(number=number, were="were" if held.per_address > 1 else "was")
    clips, credits = left(held)
    if clips < 1:
        raise refusals.GuestPassUsedUp(left="no clip", asked="one")
    if credits < price:
        raise refusals.GuestPassUsedUp(left=_credits(credits), asked=str(price))


@contextmanager
def without_figures(by: Actor) -> Iterator[None]:
    """What is left of the artist's own limits is told to the artist, and not to their guests."""
    try:
        yield
    except (refusals.NotEnoughCredits, refusals.TokenSpent) as refusal:
        raise (refusals.ArtistOutOfCredits() if by.guest_pass else refusal) from None
    except (refusals.TooManyAtOnce, refusals.TooManyToday) as refusal:
        raise (refusals.ArtistHasNoRoom() if by.guest_pass else refusal) from None


def revoke(guest_pass: GuestPass, *, by: Actor) -> None:
    """Take a pass back: nothing new from this moment on, what waits is cancelled, what is drawn stops at its next step.

    First the pass, in a transaction of its own, so that no guest slips through between; then each generation, as a
    cancel does it. What a crash leaves over is found by the sweep. Raises MissingScope, AdminsOnly.
    """
    guest_passes.revoke(guest_pass, by=by)
    _stop(Generation.objects.filter(guest_pass=guest_pass), by=by)


def stop_revoked() -> None:
    """Cancel what is left over of revoked passes."""
    _stop(Generation.objects.filter(guest_pass__in=GuestPass.objects.filter(state="revoked")), by=actors.SYSTEM)


def _stop(generations: GenerationQuerySet, *, by: Actor) -> None:
    for generation in generations.filter(state__in=["queued", "in_progress"]):  # as the index has it
        try:
            endings.give_up(generation, "cancelled", by=by)
        except refusals.WrongState:
            continue  # it ended by itself


def _credits(number: int) -> str:
    return f"{number} credit" + ("" if number == 1 else "s") if number else "no credits"
