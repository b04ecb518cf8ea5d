"""Making a token."""

from typing import Any

from django import forms

from gateway.models import Token

SCOPE_LABELS = {
    "generate": "Generate and watch clips",
    "submit": "Submit works for approval and withdraw them",
    "publish": "Sign approved works and publish them",
    "review": "Review other artists' submissions",
}


class TokenForm(forms.Form):
    label = forms.CharField(label="What is it for?", max_length=80)
    scopes = forms.MultipleChoiceField(label="What may it do?", widget=forms.CheckboxSelectMultiple)
    days = forms.TypedChoiceField(
        label="How long?",
        choices=[(7, "A week"), (90, "Three months"), (365, "A year")],
        coerce=int,
        initial=90,
    )

    def __init__(self, *args: Any, reviewer: bool, member: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [scope for scope in Token.SCOPES if (reviewer if scope == "review" else member)]
        field = self.fields["scopes"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(scope, SCOPE_LABELS[scope]) for scope in offered]
        field.initial = offered
