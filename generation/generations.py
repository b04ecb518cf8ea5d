"""An artist asks for a clip, or no longer wants it. The web side: nothing here loads an engine."""

import secrets
from datetime import datetime, timedelta
from typing import Any, BinaryIO, TypeVar, cast
from uuid import UUID, uuid4, uuid5

from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.db import IntegrityError, InterfaceError, OperationalError
from django.db.models.functions import Now
from django.db.transaction import atomic, on_commit
from django.utils import timezone

from gateway import allowances, audit, brakes, refusals, terms
from gateway import limits as gateway_limits
from gateway.actors import Actor
from gateway.models import Membership
from gateway.models.base import new_id
from gateway.prepared import Statement
from gateway.retries import Attempt
from generation import endings, engines, guests, limits, media, pictures, room, scheduling, tasks
from generation.models import KEPT, Generation, ModelProfile

SEED_LIMIT = 2**32
MOST_GUIDANCE = 100
LONGEST_WAIT = timedelta(days=7)
SENT_AGAIN = timedelta(minutes=15)  # clients wait ten minutes for an answer before they ask again
TEST_MODEL = "sketch"  # what test tokens draw with
T = TypeVar("T", int, str)


class _AskedBefore(Exception):
    """The same request came before, and this is what it asked for."""

    def __init__(self, first: Generation) -> None:
        self.first = first


def offered(by: Actor | None = None) -> list[ModelProfile]:
    """The models that can be asked for, by a guest those of their pass; the first is the default."""
    if by is None or by.guest_pass is None:
        return ENABLED.all()
    slugs = by.guest_pass.slugs
    return list(guests.lendable().filter(slug__in=slugs) if slugs else guests.lendable())


ENABLED = Statement(lambda: ModelProfile.objects.filter(enabled=True))


def submit(
    *,
    by: Actor,
    prompt: str,
    model: str | None = None,
    seconds: int | None = None,
    size: str | None = None,
    seed: int | None = None,
    steps: int | None = None,
    guidance: float | None = None,
    picture: UploadedFile | None = None,
    cancel_after: timedelta | datetime | None = None,
    once: UUID | None = None,
    attempt: Attempt | None = None,
    remixed_from: Generation | None = None,
) -> Generation:
    """Set the price aside and queue a clip; whatever is left out is the model's default, the seed is drawn.

    With `once`, asking for the same again answers with the first one's: a form that is sent twice draws once. So does
    an `attempt` that its client calls a repetition, and one that its own repetition has overtaken.
    `size` is "256x256" as delivered, `seconds` the length, `seed` 0 to 2³²−1, `picture` what an image-to-video model
    begins from. What still waits at `cancel_after`, a moment or a time from now, is cancelled. Raises NotAMember,
    Suspended, TermsNotAccepted, MissingScope, Braked, UnknownModel, NotOffered, DeadlineOutOfReach, PromptMissing,
    PromptTooLong, PictureNeeded, PictureNotTaken, PictureUnreadable, PictureTooLarge, PictureSides, DiskFull,
    NotEnoughCredits, TokenSpent, TooManyToday, TooManyAtOnce, and for guests GuestPassUsedUp, EnoughForToday,
    ArtistOutOfCredits, ArtistHasNoRoom; then nothing was charged. A test token asks for a test clip, which costs
    nothing: TestsUseSketch.
    """
    by.must_have("generate")
    membership = by.must_be_member()
    terms.must_have_accepted(by)
    test = by.is_test
    profile = _test_profile(model, by) if test else _profile(model, by)
    brakes.must_be_free(by, model=profile.pk)
    prompt = _readable(prompt, profile)
    seconds = _one_of(profile, "seconds", seconds, profile.seconds)
    width, height = map(int, _one_of(profile, "size", size, profile.sizes).split("x"))
    steps = profile.steps if steps is None else steps
    if not 1 <= steps <= profile.max_steps:
        raise _not_offered(profile, "steps", steps, f"1 to {profile.max_steps}")
    brought = _picture(picture, profile)
    if once is not None:  # of these words and settings: another prompt from the same page is another generation
        shown = brought.sha256 if brought else None
        asked = (prompt, profile.slug, seconds, width, height, steps, seed, guidance, cancel_after, shown)
        once = uuid5(once, repr(asked) + by.visitor.hex())
        if first := Generation.objects.filter(membership=membership, once=once).first():
            return first
    if attempt is not None and attempt.count and (first := _asked_before(membership, by, attempt)):
        return first
    room.must_be_enough()
    seed = secrets.randbelow(SEED_LIMIT) if seed is None else seed
    if not 0 <= seed < SEED_LIMIT:
        raise _not_offered(profile, "seed", seed, f"0 to {SEED_LIMIT - 1}")
    guidance = profile.guidance if guidance is None else guidance
    if not 0 <= guidance <= MOST_GUIDANCE:  # "not a number" is refused by this too
        raise _not_offered(profile, "guidance", guidance, f"0 to {MOST_GUIDANCE}")
    generation = Generation(
        id=new_id(),
        membership=membership,
        token=by.guest_pass.token if by.guest_pass else by.token,  # a brake on it is on what it has lent, too
        model=profile,
        model_revision=profile.revision,
        pool=profile.pool,
        prompt=prompt,
        width=width,
        height=height,
        seconds=seconds,
        fps=profile.fps,
        frames=seconds * profile.fps + 1,
        steps=steps,
        guidance=guidance,
        seed=seed,
        credits=0 if test else profile.price(seconds),
        cancel_after=_deadline(cancel_after),
        preset=profile.preset,
        test=test,
        notes=engines.unknown(profile.strange(prompt)),
        once=once,
        asked=attempt.digest if attempt else None,
        attempt=attempt.count if attempt else 0,
        remixed_from=remixed_from,
        guest_pass=by.guest_pass,
        guest=by.visitor or None,
        guest_address=by.visitor_address or None,
        guest_clip=uuid4() if by.guest_pass else None,
    )
    generation.picture = pictures.keep(brought, membership) if brought else None
    try:
        _queue(generation, by, attempt)
    except (OperationalError, InterfaceError):
        raise  # perhaps it was committed: rather a file too many than one that a row names and is gone
    except BaseException as error:
        media.discard([generation.picture] if generation.picture else [])
        if isinstance(error, _AskedBefore):
            return error.first
        if isinstance(error, IntegrityError) and "one_press_is_one_generation" in str(error):
            # The other press was quicker, at this moment.
            return Generation.objects.get(membership=membership, once=once)
        raise
    return generation


def remix(source: Generation, *, by: Actor, prompt: str, **asked: Any) -> Generation:
    """A new clip out of an own one: other words; model, size, length, steps, guidance, seed and picture are the same.

    `asked` is `once` and `attempt`, as of `submit`. Raises what that raises, also where the model is not offered as it
    was then, and NotFound for somebody else's.
    """
    if by.user is None or source.membership.user_id != by.user.pk:
        raise refusals.NotFound
    return submit(
        by=by,
        prompt=prompt,
        model=source.model.slug,
        seconds=source.seconds,
        size=source.size,
        seed=source.seed,
        steps=source.steps,
        guidance=source.guidance,
        picture=_picture_of(source, by),
        remixed_from=source,
        **asked,
    )


def delete(generation: Generation, *, by: Actor) -> None:
    """Erase a clip of one's own that has ended: its files, and the picture that it began from. Once more is no error.

    What was asked for and charged stays on record, prompt included, for its artist's export alone. Raises NotFound for
    somebody else's, MissingScope, StillUnderWay, NotWithdrawn for what is with the reviewers, judged or public.
    """
    by.must_have("generate")
    if by.user is None or generation.membership.user_id != by.user.pk:
        raise refusals.NotFound
    try:
        with atomic():
            ended = Generation.objects.filter(pk=generation.pk, state__in=Generation.ENDED, deleted_at__isnull=True)
            if ended.update(deleted_at=Now()):
                audit.record("generation.deleted", by=by, subject=generation)
    except IntegrityError as error:  # the database looks at what came of it: later rooms are not known here
        if "withdrawn before it is deleted" not in str(error):
            raise
        raise refusals.NotWithdrawn from None
    generation.refresh_from_db()
    if generation.deleted_at is None:
        raise refusals.StillUnderWay(state=generation.state.replace("_", " "))
    on_commit(lambda: media.erase(generation), robust=True)  # what is left if it dies in between, a chore throws away


def can_be_deleted(generation: Generation) -> bool:
    """Whether its artist can delete it as things stand; `delete` asks again."""
    kept = Generation.objects.filter(pk=generation.pk).annotate(kept=KEPT).values_list("kept", flat=True)
    return generation.ended and not kept.get()


def _asked_before(membership: Membership, by: Actor, attempt: Attempt) -> Generation | None:
    """What an earlier attempt of the same request asked for; of a first attempt: what its own repetition asked for,
    which overtook it."""
    same = Generation.objects.filter(membership=membership, token=by.token, asked=attempt.digest)
    same = same.filter(created_at__gt=Now() - SENT_AGAIN, deleted_at__isnull=True)
    if attempt.count == 0:
        same = same.filter(attempt__gt=0, pk__gt=attempt.came)
    return same.order_by("-id").first()


def _queue(generation: Generation, by: Actor, attempt: Attempt | None) -> None:
    with atomic():
        if attempt is not None:
            gateway_limits.hold(generation.membership)
            if first := _asked_before(generation.membership, by, attempt):  # at this moment
                raise _AskedBefore(first)
        if by.guest_pass is not None:
            guests.must_have_left(by.guest_pass, generation.credits, by=by)
        with guests.without_figures(by):
            limits.make_room(generation.membership, test=generation.test)
            allowances.reserve(generation.membership, generation.credits, subject=generation.pk, token=generation.token)
        scheduling.join_line(generation)
        if generation.picture is not None:
            generation.picture.save(force_insert=True)
        generation.save(force_insert=True)
        audit.record(
            "generation.queued",
            by=by,
            subject=generation,
            facts={
                "model": generation.model.slug,
                "credits": generation.credits,
                "seconds": generation.seconds,
                "size": generation.size,
                **({"test": True} if generation.test else {}),
                **({"cancel_after": generation.cancel_after.isoformat()} if generation.cancel_after else {}),
            },
            detail={"prompt": generation.prompt, "seed": generation.seed},
        )
        on_commit(lambda: tasks.ring(generation.pool), robust=True)


def cancel(generation: Generation, *, by: Actor) -> None:
    """Stop it, waiting or running; its credits come back whole. The worker hears it at its next step.

    Raises NotFound for somebody else's, MissingScope, WrongState when it has ended.
    """
    by.must_have("generate")
    artist = by.user is not None and generation.membership.user_id == by.user.pk
    if not artist and not (by.guest_pass is not None and guests.of_visitor(by).filter(pk=generation.pk).exists()):
        raise refusals.NotFound
    endings.give_up(generation, "cancelled", by=by)


def _deadline(asked: timedelta | datetime | None) -> datetime | None:
    if asked is None:
        return None
    now = timezone.now()
    wait = asked if isinstance(asked, timedelta) else asked - now
    if not timedelta(0) < wait <= LONGEST_WAIT:
        raise refusals.DeadlineOutOfReach(days=LONGEST_WAIT.days, param="cancel_after")
    return now + wait


def _profile(slug: str | None, by: Actor) -> ModelProfile:
    models = offered(by)
    found = next((model for model in models if slug in (None, "", model.slug)), None)
    if found is None:
        names = ", ".join(model.slug for model in models) or "none yet"
        raise refusals.UnknownModel(model=slug, models=names, param="model")
    return found


def _test_profile(slug: str | None, by: Actor) -> ModelProfile:
    if slug not in (None, "", TEST_MODEL):
        raise refusals.TestsUseSketch(model=TEST_MODEL, param="model")
    return _profile(TEST_MODEL, by)


def _readable(prompt: str, profile: ModelProfile) -> str:
    prompt = " ".join(prompt.split())
    if not prompt:
        raise refusals.PromptMissing(param="prompt")
    words = len(prompt.split())
    if words > profile.prompt_words:
        raise refusals.PromptTooLong(words=words, model=profile.name, limit=profile.prompt_words, param="prompt")
    return prompt


def _picture(picture: UploadedFile | None, profile: ModelProfile) -> pictures.Brought | None:
    if picture is None:
        if profile.takes_picture:
            raise refusals.PictureNeeded(model=profile.name, param="picture")
        return None
    if not profile.takes_picture:
        raise refusals.PictureNotTaken(model=profile.name, param="picture")
    return pictures.look(cast(BinaryIO, picture), size=picture.size or 0)


def _picture_of(source: Generation, by: Actor) -> UploadedFile | None:
    """A copy: each clip's picture goes when that clip does."""
    if source.picture is None:
        return None
    opened = media.open_for(by, "own picture", source.picture)
    with opened.file as file:
        return SimpleUploadedFile("picture", file.read(), source.picture.media_type)


def _one_of(profile: ModelProfile, what: str, value: T | None, choices: list[T]) -> T:
    if value is None:
        return choices[0]
    if value not in choices:
        raise _not_offered(profile, what, value, ", ".join(str(choice) for choice in choices))
    return value


def _not_offered(profile: ModelProfile, what: str, value: object, offered: str) -> refusals.NotOffered:
    return refusals.NotOffered(model=profile.name, what=what, value=value, offered=offered, param=what)
