"""The catalogue, the request and its run, the file that it made."""

import re
import unicodedata
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Func, OuterRef, Q, Subquery

from gateway.actors import Actor
from gateway.models import GuestPass, Membership, Token, User
from gateway.models.base import Living, Row, states
from generation import engines


def pieces(text: str) -> list[str]:
    """A text's words of letters and digits and its signs, one each: as Sketch's tokenizer cuts a prompt."""
    return re.findall(r"[^\W_]+|[^\w\s]|_", text)


def words_by_kind(value: object) -> None:
    """Refuse a vocabulary of another shape than [{"kind": "colour", "words": ["red", "blue"]}]."""
    kinds = value if isinstance(value, list) else [None]
    for kind in kinds:
        words = kind.get("words") if isinstance(kind, dict) else None
        named = isinstance(kind, dict) and isinstance(kind.get("kind"), str)
        if not (named and isinstance(words, list) and all(isinstance(word, str) for word in words)):
            raise ValidationError(
                'Write it as a list of kinds, each with its words: [{"kind": "colour", "words": ["red", "blue"]}].'
            )


class ModelProfile(Row):
    """A catalogue entry: which model, what it takes, what it costs. First filled from catalogue.toml."""

    NOUN = "model"

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    engine = models.CharField(max_length=40, default="diffusers")
    pipeline = models.CharField(max_length=80)
    modality = models.CharField(
        "what it takes and gives", max_length=20, default="text-to-video", choices=[(m, m) for m in engines.MODALITIES]
    )
    source = models.CharField("folder below MODELS_DIR, or hub id", max_length=200)
    revision = models.CharField(max_length=80, blank=True)
    dtype = models.CharField("precision", max_length=20, default="float32")
    preset = models.CharField(
        "speed preset",
        max_length=20,
        default="reference",
        choices=[(preset, preset) for preset in engines.PRESETS],
        help_text="tuned: the same up to rounding. fast: changes the picture a little, and artists read so.",
    )
    offload = models.CharField(
        "what leaves the GPU while it is not needed",
        max_length=20,
        default="none",
        choices=[(offload, offload) for offload in engines.OFFLOADS],
    )
    pool = models.SlugField("pool: models that share a GPU", max_length=40, default="default")
    sizes = ArrayField(
        models.CharField(max_length=12), help_text="What is delivered, as 256x256; the first is the default."
    )
    upscale = models.PositiveSmallIntegerField("enlarged for display by", default=1)
    seconds = ArrayField(models.PositiveSmallIntegerField(), help_text="Lengths on offer; the first is the default.")
    fps = models.PositiveSmallIntegerField()
    steps = models.PositiveSmallIntegerField("denoising steps, by default")
    max_steps = models.PositiveSmallIntegerField()
    guidance = models.FloatField("guidance scale, by default")
    prompt_words = models.PositiveIntegerField("words of a prompt that it reads")
    credits_per_second = models.PositiveSmallIntegerField()
    licence = models.CharField(max_length=120)
    training_data = models.TextField("where its training data came from, as its makers state it")
    note = models.CharField("what an artist should know before using it", max_length=300, blank=True)
    examples = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    vocabulary = models.JSONField(
        "the words that it knows, by kind; empty for a model that reads any",
        default=list,
        blank=True,
        validators=[words_by_kind],
    )
    enabled = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField("place in the list; the first enabled one is the default", default=100)

    class Meta:
        ordering = ["position", "slug"]
        constraints = [
            models.CheckConstraint(
                condition=Q(upscale__gte=1, fps__gte=1, steps__gte=1), name="model_figures_are_positive"
            ),
            models.CheckConstraint(condition=Q(max_steps__gte=F("steps")), name="model_default_steps_are_allowed"),
            models.CheckConstraint(condition=Q(sizes__len__gte=1, seconds__len__gte=1), name="model_offers_something"),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse what nothing could be drawn with: a size is two even numbers, each a multiple of `upscale`."""
        for size in self.sizes or []:
            sides = re.fullmatch(r"(\d{2,4})x(\d{2,4})", size)
            if sides is None or any(int(side) % 2 or int(side) % max(self.upscale or 1, 1) for side in sides.groups()):
                multiple = f", multiples of {self.upscale}" if (self.upscale or 1) > 1 else ""
                raise ValidationError({"sizes": f"“{size}” is no size such as 720x480: two even numbers{multiple}."})
        if self.modality != "text-to-image" and 0 in (self.seconds or []):
            raise ValidationError({"seconds": "Only a picture lasts 0 seconds."})

    def strange(self, prompt: str) -> list[str]:
        """The words and signs of a prompt that this model never learned, each once, as they were written."""
        if not self.vocabulary:
            return []
        known = {word for kind in self.vocabulary for phrase in kind["words"] for word in phrase.split()}
        found = dict.fromkeys(pieces(prompt))
        return [word for word in found if not known.issuperset(pieces(unicodedata.normalize("NFKC", word).lower()))]

    @property
    def takes_picture(self) -> bool:
        """Whether a clip of it begins from a picture."""
        return self.modality == "image-to-video"

    @property
    def speed(self) -> str:
        """Its preset, as an artist reads it."""
        return SPEEDS.get(self.preset, self.preset)

    def price(self, seconds: int) -> int:
        """Credits for a clip of so many seconds; a picture costs what one second does."""
        return max(seconds, 1) * self.credits_per_second


class Picture(Row):
    """A picture that an artist brought for a clip to begin from. Immutable and private: they see it, and the worker."""

    NOUN = "picture"
    kind = "picture"  # as media names it, beside an output's kinds

    membership = models.ForeignKey(Membership, models.PROTECT, related_name="+")
    path = models.CharField("where storage keeps it", max_length=200, unique=True)
    media_type = models.CharField(max_length=60)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField("bytes")
    width = models.PositiveSmallIntegerField("width in pixels, as stored")
    height = models.PositiveSmallIntegerField("height in pixels, as stored")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="picture_has_a_sha256"),
        ]


class Share(models.Model):
    """How much of a pool a member has been served, in credits over weight: who has the least goes first."""

    membership = models.ForeignKey(Membership, models.CASCADE, related_name="+")
    pool = models.SlugField(max_length=40)
    served = models.FloatField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["membership", "pool"], name="one_share_a_pool")]
        indexes = [models.Index(fields=["pool", "served"], name="share_least_served")]


#: Whether something that came of it keeps it from being deleted, as the rooms downstream say.
KEPT = Func("pk", function="generation_is_kept", output_field=models.BooleanField())


class GenerationQuerySet(models.QuerySet["Generation"]):
    def visible_to(self, actor: Actor) -> "GenerationQuerySet":
        """An artist's own, but for what they deleted; to a test token the tests alone. Admins see figures in the admin
        panel, not by this door."""
        if actor.user is None:
            return self.none()
        return self.of_artist(actor.user.pk, tests_only=actor.is_test)

    def of_artist(self, user: UUID, *, tests_only: bool = False) -> "GenerationQuerySet":
        """All of an artist's but for what they deleted."""
        mine = self.filter(membership__user=user, deleted_at__isnull=True)
        return mine.filter(test=True) if tests_only else mine

    def deleted_by(self, actor: Actor) -> "GenerationQuerySet":
        """What this artist, or this test token, has deleted."""
        if actor.user is None:
            return self.none()
        gone = self.filter(membership__user=actor.user, deleted_at__isnull=False).select_related("membership")
        return gone.filter(test=True) if actor.is_test else gone

    def listed(self) -> "GenerationQuerySet":
        """Everything that a row of a list shows, in a constant number of queries."""
        return self.select_related(
            "model", "membership__user", "membership__cohort", "guest_pass", "picture"
        ).prefetch_related("outputs")

    def told(self) -> "GenerationQuerySet":
        """Everything that the API tells of each, in one query: also `video_sha256`, and `kept`."""
        video = Output.objects.filter(generation=OuterRef("pk"), kind="video").values("sha256")
        return self.select_related("model", "membership", "picture").annotate(video_sha256=Subquery(video), kept=KEPT)

    def of_guest(self, guest_pass: GuestPass, clip: UUID) -> "GenerationQuerySet":
        """What a guest's own address names, while the pass is in force."""
        in_force = GuestPass.objects.in_force().filter(pk=guest_pass.pk)
        return self.filter(guest_pass__in=in_force, guest_clip=clip, deleted_at__isnull=True)


#: What its artist reads of a speed preset.
SPEEDS = {
    "reference": "reference: as its makers run it",
    "tuned": "tuned: sooner, and the same up to rounding",
    "fast": "fast: much sooner, and the picture differs a little",
}
#: What the stages of a run are called to whom it was drawn for, in their order.
STAGES = {
    "load": "reading the model",
    "text": "reading the words",
    "denoise": "the steps",
    "decode": "the pictures",
    "encode": "the file",
    "store": "keeping it",
}


class Generation(Living):
    """A request and its run. The row is the order: workers claim it, hold a lease and write under its fence."""

    NOUN = "generation"
    MOVES = {
        "queued": {"in_progress", "cancelled", "failed"},
        "in_progress": {"completed", "failed", "cancelled", "queued"},
        "completed": set(),
        "failed": set(),
        "cancelled": set(),
    }
    ENDED = ("completed", "failed", "cancelled")

    membership = models.ForeignKey(Membership, models.PROTECT, related_name="generations")
    token = models.ForeignKey(Token, models.PROTECT, null=True, related_name="+")
    model = models.ForeignKey(ModelProfile, models.PROTECT, related_name="generations")
    model_revision = models.CharField(max_length=80, blank=True)
    pool = models.SlugField(max_length=40)
    prompt = models.TextField()
    width = models.PositiveSmallIntegerField("width in pixels, as delivered")
    height = models.PositiveSmallIntegerField("height in pixels, as delivered")
    seconds = models.PositiveSmallIntegerField()
    fps = models.PositiveSmallIntegerField()
    frames = models.PositiveSmallIntegerField()
    steps = models.PositiveSmallIntegerField("denoising steps")
    guidance = models.FloatField()
    seed = models.BigIntegerField()
    picture = models.OneToOneField(
        Picture, models.PROTECT, null=True, blank=True, related_name="generation", verbose_name="what it begins from"
    )
    credits = models.PositiveIntegerField()
    preset = models.CharField("speed preset", max_length=20, default="reference")
    cancel_after = models.DateTimeField("not begun by then, it is cancelled", null=True)
    test = models.BooleanField("asked for by a test token", default=False)

    state = states("queued", "in_progress", "completed", "failed", "cancelled")
    step = models.PositiveSmallIntegerField("denoising steps done", default=0)
    fence = models.PositiveIntegerField("how often it was begun", default=0)
    handed_back = models.PositiveSmallIntegerField(
        "how often it went back into the line by a brake, or because its worker left", default=0
    )
    lease_until = models.DateTimeField(null=True)
    worker = models.CharField(max_length=120, blank=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_message = models.CharField(max_length=500, blank=True)
    notes = ArrayField(models.TextField(), verbose_name="what its artist should know", default=list, blank=True)
    timings = models.JSONField("seconds that each stage of its last run took", default=dict, blank=True)

    guest_pass = models.ForeignKey(GuestPass, models.PROTECT, null=True, blank=True, related_name="works")
    guest = models.BinaryField("which of the pass's guests", max_length=32, null=True)
    guest_address = models.BinaryField("where from, on that day", max_length=32, null=True)
    guest_clip = models.UUIDField("how its guest's address names it; random", null=True, unique=True)

    once = models.UUIDField("what one press of a button, or one key of a client's, asked for", null=True)
    remixed_from = models.ForeignKey("self", models.PROTECT, null=True, related_name="+")
    asked = models.BinaryField("fingerprint of the request, by which a repetition is known", max_length=32, null=True)
    attempt = models.PositiveSmallIntegerField("how often that request had been sent before", default=0)
    deleted_at = models.DateTimeField("its artist deleted it: its files are gone", null=True)

    objects = GenerationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["membership", "-id"], name="generation_of_a_member"),
            models.Index(fields=["pool", "membership", "id"], condition=Q(state="queued"), name="generation_waiting"),
            models.Index(
                fields=["membership"], condition=Q(state__in=["queued", "in_progress"]), name="generation_under_way"
            ),
            models.Index(fields=["lease_until"], condition=Q(state="in_progress"), name="generation_leases"),
            models.Index(
                fields=["cancel_after"],
                condition=Q(state="queued", cancel_after__isnull=False),
                name="generation_cancel_after",
            ),
            models.Index(fields=["model", "-id"], condition=Q(state="completed"), name="generation_measured"),
            models.Index(fields=["ended_at"], condition=Q(ended_at__isnull=False), name="generation_by_end"),
            models.Index(fields=["id"], condition=Q(state="queued", fence__gt=0), name="generation_waits_again"),
            models.Index(fields=["membership", "asked"], condition=Q(asked__isnull=False), name="generation_asked"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    guest_pass__isnull=True, guest__isnull=True, guest_address__isnull=True, guest_clip__isnull=True
                )
                | Q(
                    guest_pass__isnull=False,
                    guest__isnull=False,
                    guest_address__isnull=False,
                    guest_clip__isnull=False,
                ),
                name="a_guests_work_says_whose",
            ),
            models.UniqueConstraint(fields=["membership", "once"], name="one_press_is_one_generation"),
            models.CheckConstraint(condition=Q(test=False) | Q(credits=0), name="a_test_costs_nothing"),
            models.CheckConstraint(condition=Q(seed__gte=0, seed__lt=2**32), name="seed_is_32_bits"),
            models.CheckConstraint(condition=Q(step__lte=F("steps")), name="no_step_after_the_last"),
            models.CheckConstraint(
                condition=~Q(state="in_progress")
                | Q(lease_until__isnull=False, fence__gte=1, started_at__isnull=False),
                name="who_draws_holds_a_lease",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["completed", "failed", "cancelled"], ended_at__isnull=False)
                | Q(state__in=["queued", "in_progress"], ended_at__isnull=True),
                name="an_ended_generation_says_when",
            ),
            models.CheckConstraint(condition=~Q(state="failed") | ~Q(error_code=""), name="a_failure_has_a_reason"),
            models.CheckConstraint(
                condition=Q(deleted_at__isnull=True) | Q(ended_at__isnull=False), name="only_what_has_ended_is_deleted"
            ),
        ]

    def __str__(self) -> str:
        return f"generation {self.pk}"  # never its prompt: admins read this

    @property
    def size(self) -> str:
        return f"{self.width}x{self.height}"

    @property
    def percent(self) -> int:
        """Progress, 0 to 100; the file is not there before 100."""
        return 100 if self.state == "completed" else min(99, 100 * self.step // self.steps)

    @property
    def speed(self) -> str:
        """Its preset, as its artist reads it."""
        return SPEEDS.get(self.preset, self.preset)

    @property
    def took(self) -> float:
        """Seconds that its last run took in all; 0 where nothing was measured."""
        return float(sum(self.timings.values()))

    @property
    def stages(self) -> list[tuple[str, float]]:
        """In the words that its artist reads, what each stage took that can be felt."""
        known = [(words, self.timings[stage]) for stage, words in STAGES.items() if stage in self.timings]
        others = [(stage, took) for stage, took in self.timings.items() if stage not in STAGES]
        return [(words, took) for words, took in known + others if took >= 0.05]

    @property
    def targets(self) -> dict[str, UUID | None]:
        """What a brake could be on that stops it, as of BrakeQuerySet.on."""
        return {
            "token": self.token_id,
            "guest_pass": self.guest_pass_id,
            "artist": self.membership.user_id,
            "cohort": self.membership.cohort_id,
            "model": self.model_id,
        }

    @property
    def ended(self) -> bool:
        return self.state in self.ENDED

    def output(self, kind: str) -> "Output | None":
        """Its video, poster or sheet, out of the prefetched outputs."""
        return next((output for output in self.outputs.all() if output.kind == kind), None)


class Output(Row):
    """A file that a generation made. Immutable: the database refuses every change."""

    NOUN = "output"
    KINDS = ("video", "poster", "sheet")

    generation = models.ForeignKey(Generation, models.PROTECT, related_name="outputs")
    kind = models.TextField(choices=[(kind, kind) for kind in KINDS])
    path = models.CharField("where storage keeps it", max_length=200, unique=True)
    media_type = models.CharField(max_length=60)
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField("bytes")
    width = models.PositiveSmallIntegerField()
    height = models.PositiveSmallIntegerField()
    frames = models.PositiveSmallIntegerField(default=1)
    seconds = models.FloatField("duration", default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["generation", "kind"], name="one_output_of_a_kind"),
            models.CheckConstraint(condition=Q(sha256__regex=r"^[0-9a-f]{64}$"), name="output_has_a_sha256"),
        ]


class Worker(Row):
    """A process that draws: its parent keeps `seen_at` fresh, what its engines say is written by its child."""

    NOUN = "worker"

    name = models.CharField(max_length=120, unique=True)
    pools = ArrayField(models.SlugField(max_length=40))
    holds = ArrayField(
        models.UUIDField(), verbose_name="models whose files its machine has; not known before it tells", null=True
    )
    engines = models.JSONField("what its engines say of themselves, by name", default=dict, blank=True)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    draining_since = models.DateTimeField("told to run empty", null=True)
    draining_by = models.ForeignKey(User, models.PROTECT, null=True, related_name="+")
    last_error = models.CharField(max_length=500, blank=True)
    failed_at = models.DateTimeField("when that was", null=True)
    done = models.PositiveIntegerField("clips that it finished", default=0)

    def __str__(self) -> str:
        return self.name
