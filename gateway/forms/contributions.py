"""Reporting what one did, and deciding about it."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms

from gateway.models import Rate


class ReportForm(forms.Form):
    kind = forms.ChoiceField(label="What was it?")
    minutes = forms.IntegerField(
        label="Minutes, for test time",
        min_value=1,
        max_value=1440,
        required=False,
        help_text="Only when you tested by the hour; paid by the minute.",
    )
    title = forms.CharField(label="In a few words", max_length=120)
    body = forms.CharField(
        label="What you did, and what came of it",
        widget=forms.Textarea(attrs={"rows": 5}),
        max_length=5000,
        help_text="For a fault: what you did, what you expected, what happened instead.",
    )

    def __init__(self, *args: Any, card: Iterable[Rate], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["kind"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [
            (rate.kind, f"{rate.words}: {rate.amount}{' an hour' if rate.unit == 'hour' else ''}") for rate in card
        ]


class DisputeForm(forms.Form):
    why = forms.CharField(label="Why?", widget=forms.Textarea(attrs={"rows": 3}), max_length=5000)


class AnswerForm(forms.Form):
    """A reason to decline, or an answer to a dispute; whether one is owed is the rules' to say."""

    words = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), max_length=5000, required=False)


class Ids(forms.TypedMultipleChoiceField):
    """Any ids: whether each is owed is the rule's to say."""

    def valid_value(self, value: Any) -> bool:
        try:
            UUID(hex=str(value))
        except ValueError:
            return False
        return True


class PayForm(forms.Form):
    pay = Ids(coerce=UUID, required=False)
    reference = forms.CharField(max_length=120, required=False)
