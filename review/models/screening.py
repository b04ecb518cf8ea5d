"""What the program saw in a clip by itself. Signals inform; nothing here decides."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from gateway.models.base import Row
from generation.models import Output


class PhraseQuerySet(models.QuerySet["Phrase"]):
    def in_force(self) -> "PhraseQuerySet":
        return self.filter(retired_at__isnull=True)


class Phrase(Row):
    """Words that prompts are searched for, and the clause that they are about, if any. Never rewritten: retired."""

    NOUN = "phrase"

    words = models.CharField(max_length=200, validators=[RegexValidator(r"\w", "Write at least one letter or digit.")])
    clause = models.PositiveSmallIntegerField("number of the clause that it is about", null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = PhraseQuerySet.as_manager()

    class Meta:
        ordering = ["clause", "words"]
        constraints = [
            models.UniqueConstraint(
                fields=["words"],
                condition=Q(retired_at__isnull=True),
                name="one_phrase_in_force",
            ),
            models.CheckConstraint(condition=Q(words__regex=r"\S"), name="a_phrase_has_words"),
        ]

    def __str__(self) -> str:
        return self.words

    def clean(self) -> None:
        """For the form: the constraint can't be asked there, whose condition is about a column that no form has."""
        if Phrase.objects.in_force().filter(words=" ".join(self.words.split())).exclude(pk=self.pk).exists():
            raise ValidationError({"words": "Prompts are searched for these words already."})


class Screening(Row):
    """One look of the program at one output that was submitted. Of one that ended badly `error` says why."""

    NOUN = "screening"

    output = models.OneToOneField(Output, models.PROTECT, related_name="screening")
    version = models.PositiveSmallIntegerField(help_text="Of the rules that measured.")
    tries = models.PositiveSmallIntegerField(default=1)
    begun_at = models.DateTimeField(db_default=Now())
    done_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        indexes = [models.Index(fields=["begun_at"], condition=Q(done_at__isnull=True), name="screening_under_way")]


class Signal(Row):
    """One thing that was measured: the value, where, and whether it is worth a reviewer's look. Append-only."""

    NOUN = "signal"
    KINDS = ("flashes", "red_flashes", "blank", "frozen", "noise", "near_copy", "phrases", "classifier")

    screening = models.ForeignKey(Screening, models.PROTECT, related_name="signals")
    kind = models.TextField(choices=[(kind, kind.replace("_", " ")) for kind in KINDS])
    raised = models.BooleanField()
    failed = models.BooleanField("could not be measured", default=False)
    value = models.FloatField(null=True)
    limit = models.FloatField(null=True)
    at_seconds = models.FloatField(null=True)
    frames = ArrayField(models.PositiveIntegerField(), default=list)
    evidence = models.JSONField(default=dict)
    other = models.ForeignKey(
        Output,
        models.PROTECT,
        null=True,
        related_name="+",
        help_text="What it is like: told to admins alone.",
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["screening", "kind"], condition=~Q(kind="classifier"), name="one_signal_of_a_kind"
            ),
            models.CheckConstraint(condition=~Q(raised=True, failed=True), name="what_failed_raises_nothing"),
            models.CheckConstraint(
                condition=~Q(kind="near_copy", raised=True) | Q(other__isnull=False), name="a_near_copy_has_an_original"
            ),
        ]


class Fingerprint(models.Model):
    """By what near copies of a submitted output are found: see review.screening.hashes.

    `bands` is what is searched: each hash in four parts of 16 bits, the frame and the part's place in the bits above.
    """

    output = models.OneToOneField(Output, models.PROTECT, primary_key=True, related_name="+")
    version = models.PositiveSmallIntegerField()
    hashes = models.BinaryField()
    colours = models.BinaryField()
    bands = ArrayField(models.IntegerField())

    class Meta:
        indexes = [GinIndex(fields=["bands"], name="fingerprint_bands")]
