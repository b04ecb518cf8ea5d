"""Making a token, and rotating one."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django import forms

from gateway.models import Token

SCOPE_LABELS = {
    "generate": "Generate and watch clips",
    "submit": "Submit works for approval and withdraw them",
    "publish": "Sign approved works and publish them",
    "review": "Review other artists' submissions",
    "webhooks": "Say where you are told of what happens: by whoever holds it, so only where it is needed",
}


class TokenForm(forms.Form):
    label = forms.CharField(label="What is it for?", max_length=80)
    scopes = forms.MultipleChoiceField(label="What may it do?", widget=forms.CheckboxSelectMultiple)
    test = forms.BooleanField(
        label="Test mode: it draws with Sketch only, for no credits, and nothing of it reaches a reviewer",
        required=False,
        help_text="Of what is ticked above, it then only generates.",
    )
    days = forms.TypedChoiceField(
        label="How long?",
        choices=[(7, "A week"), (90, "Three months"), (365, "A year")],
        coerce=int,
        initial=90,
    )
    last_day = forms.DateField(
        label="Or: its last day",
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text="A day here wins.",
    )
    networks = forms.CharField(
        label="From where? One network a line",
        widget=forms.Textarea(attrs={"rows": 2, "placeholder": "192.0.2.0/24"}),
        required=False,
        max_length=3000,
        help_text="Left empty, it works from anywhere.",
    )
    credits_limit = forms.IntegerField(
        label="Credits a month, at most",
        min_value=0,
        max_value=1_000_000,
        required=False,
        help_text="Left empty: as many as you have.",
    )
    requests_a_minute = forms.IntegerField(
        label="Requests a minute, at most",
        min_value=1,
        max_value=100_000,
        required=False,
        help_text="Left empty: as many as you may.",
    )

    def __init__(self, *args: Any, reviewer: bool, member: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [scope for scope in Token.SCOPES if (reviewer if scope == "review" else member)]
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(scope, SCOPE_LABELS[scope]) for scope in offered]
        field.initial = [scope for scope in offered if scope != "webhooks"]
        if not member:
            del self.fields["test"], self.fields["credits_limit"]

    def facts(self) -> dict[str, Any]:
        """What the rule takes."""
        told = dict(self.cleaned_data)
        last_day: date | None = told.pop("last_day")
        if last_day is not None:
            told["expires_at"] = datetime.combine(last_day + timedelta(days=1), time(), UTC)
        told["networks"] = told["networks"].splitlines()
        if told.pop("test", False):
            told |= {"mode": "test", "scopes": ["generate"]}
        return told


class RotationForm(forms.Form):
    overlap_hours = forms.TypedChoiceField(
        label="The old one works on for",
        choices=[(24, "a day"), (168, "a week"), (1, "an hour"), (0, "no moment")],
        coerce=int,
        initial=24,
    )
