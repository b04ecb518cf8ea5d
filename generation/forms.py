"""What an artist types in the studio. What a model takes is the rules' to say; here only the shape is checked."""

from typing import Any
from uuid import uuid4

from django import forms

from generation.generations import SEED_LIMIT
from generation.models import ModelProfile


class StudioForm(forms.Form):
    prompt = forms.CharField(label="What should it show?", widget=forms.Textarea(attrs={"rows": 3}), max_length=2000)
    model = forms.ChoiceField()
    seconds = forms.TypedChoiceField(label="Length", coerce=int)
    size = forms.ChoiceField()
    seed = forms.IntegerField(
        min_value=0, max_value=SEED_LIMIT - 1, required=False, help_text="Left empty, one is drawn."
    )
    steps = forms.IntegerField(label="Denoising steps", min_value=1, required=False)

    once = forms.UUIDField(widget=forms.HiddenInput, required=False, initial=uuid4)

    def __init__(self, *args: Any, models: list[ModelProfile], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._choose("model", [(model.slug, model.name) for model in models])
        lengths = sorted({length for model in models for length in model.seconds})
        self._choose("seconds", [(length, f"{length} s") for length in lengths])
        sizes = dict.fromkeys(size for model in models for size in model.sizes)
        self._choose("size", [(size, size.replace("x", " × ")) for size in sizes])
        if models:
            self.initial.setdefault("seconds", models[0].seconds[0])

    def _choose(self, name: str, choices: list[tuple[Any, str]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices
