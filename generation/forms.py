"""What an artist types in the studio or lends, and what a guest types. What a model takes is the rules' to say."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from django import forms

from generation.generations import SEED_LIMIT
from generation.models import ModelProfile
from generation.pictures import MEGABYTES, SIDES, TYPES

WAITS = [
    ("", "Whenever a machine is free"),
    (600, "10 minutes"),
    (3600, "An hour"),
    (6 * 3600, "6 hours"),
    (86400, "A day"),
]


class StudioForm(forms.Form):
    prompt = forms.CharField(label="What should it show?", widget=forms.Textarea(attrs={"rows": 3}), max_length=2000)
    model = forms.ChoiceField()
    seconds = forms.TypedChoiceField(label="Length", coerce=int)
    size = forms.ChoiceField()
    seed = forms.IntegerField(
        min_value=0, max_value=SEED_LIMIT - 1, required=False, help_text="Left empty, one is drawn."
    )
    steps = forms.IntegerField(label="Denoising steps", min_value=1, required=False)
    cancel_after = forms.TypedChoiceField(
        label="Begin it within",
        choices=WAITS,
        coerce=lambda seconds: timedelta(seconds=int(seconds)),
        empty_value=None,
        required=False,
        help_text="What has not begun by then is cancelled, and its credits come back.",
    )

    picture = forms.FileField(
        label="A picture to begin from",
        required=False,
        help_text=f"PNG, JPEG or WebP; at most {MEGABYTES} MB, {SIDES[0]} to {SIDES[1]} pixels a side. It is private.",
        widget=forms.FileInput(attrs={"accept": ", ".join(TYPES), "data-bytes": MEGABYTES * 10**6}),
    )

    once = forms.UUIDField(widget=forms.HiddenInput, required=False, initial=uuid4)

    def __init__(self, *args: Any, models: list[ModelProfile], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choose("model", [(model.slug, model.name) for model in models])
        lengths = sorted({length for model in models for length in model.seconds})
        self._choose("seconds", [(length, f"{length} s") for length in lengths])
        if "size" in self.fields:
            sizes = dict.fromkeys(size for model in models for size in model.sizes)
            self._choose("size", [(size, size.replace("x", " × ")) for size in sizes])
        if models:
            self.initial.setdefault("seconds", models[0].seconds[0])

    def _choose(self, name: str, choices: list[tuple[Any, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices


class GuestPassForm(forms.Form):
    """What an artist lends."""

    label = forms.CharField(label="What is it for? Your guests read this too.", max_length=80)
    generations = forms.IntegerField(label="Clips in all", min_value=1, max_value=10_000, initial=5)
    credits = forms.IntegerField(label="Credits in all", min_value=1, max_value=1_000_000, initial=10)
    days = forms.TypedChoiceField(
        label="How long?",
        choices=[(1, "A day"), (7, "A week"), (30, "A month"), (90, "Three months")],
        coerce=int,
        initial=7,
    )
    per_address = forms.IntegerField(
        label="Clips a day from one network address",
        min_value=1,
        max_value=1000,
        initial=3,
        help_text="Everybody in one room may share an address: raise it for a workshop.",
    )
    models = forms.MultipleChoiceField(
        label="Models; none chosen means all", widget=forms.CheckboxSelectMultiple, required=False
    )
    may_download = forms.BooleanField(label="Guests may download what they made", required=False)

    def __init__(self, *args: Any, models: list[ModelProfile], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["models"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(model.slug, model.name) for model in models]


class GuestForm(StudioForm):
    """What a guest types: a sentence and a length."""

    size = seed = steps = picture = cancel_after = None  # type: ignore[assignment]
