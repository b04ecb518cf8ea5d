"""What artists and reviewers type about a work."""

from typing import Any

from django import forms

from gateway.models.brakes import SCOPES
from review.models import LICENCES, Clause
from review.reasons import Reasons


class SubmissionForm(forms.Form):
    title = forms.CharField(max_length=120)
    credit = forms.CharField(label="Credit line", max_length=120, help_text="How you want to be named.")
    licence = forms.ChoiceField(choices=LICENCES)
    description = forms.CharField(
        label="A few words to go with it",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        required=False,
    )


class SignatureForm(forms.Form):
    name = forms.CharField(label="Your name", max_length=120, required=False)
    revision = forms.IntegerField(widget=forms.HiddenInput)


class DecisionForm(forms.Form):
    """The reasons. Whether they suffice for a verdict is the rules' to say."""

    clauses = forms.ModelMultipleChoiceField(Clause.objects.none(), required=False, widget=forms.CheckboxSelectMultiple)
    facts = forms.CharField(
        label="What you saw, and where",
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=5000,
        required=False,
    )
    from_seconds = forms.FloatField(label="From second", min_value=0, required=False)
    to_seconds = forms.FloatField(label="to", min_value=0, required=False)
    whole = forms.BooleanField(label="The whole clip", required=False)
    note = forms.CharField(
        label="Note for colleagues; the artist does not read it",
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=2000,
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["clauses"]
        assert isinstance(field, forms.ModelMultipleChoiceField)
        field.queryset = Clause.objects.filter(retired_at__isnull=True)

    def reasons(self) -> Reasons:
        """Of a valid form."""
        cleaned = self.cleaned_data
        return Reasons(
            clauses=[clause.pk for clause in cleaned["clauses"]],
            facts=cleaned["facts"],
            from_seconds=None if cleaned["whole"] else cleaned["from_seconds"],
            to_seconds=None if cleaned["whole"] else cleaned["to_seconds"],
            region="the whole clip" if cleaned["whole"] else "",
        )


class BrakeForm(forms.Form):
    scope = forms.ChoiceField(label="On what?", choices=[(scope, scope.replace("_", " ")) for scope in SCOPES])
    which = forms.CharField(
        label="Which one?",
        max_length=300,
        required=False,
        help_text="A token or a guest pass by its last four characters, an artist by name or address, a model by its "
        "short name, a work by its page's address.",
    )
    reason = forms.CharField(label="Why?", widget=forms.Textarea(attrs={"rows": 3}), max_length=2000)
    minutes = forms.TypedChoiceField(
        label="For how long?",
        choices=[
            (0, "Until it is released"),
            (15, "15 minutes"),
            (60, "An hour"),
            (240, "Four hours"),
            (1440, "A day"),
        ],
        coerce=int,
        initial=0,
        required=False,
        empty_value=None,
    )
    closes = forms.BooleanField(
        label="Close pages, downloads and public works too",
        required=False,
        help_text="Otherwise people can still see, download and withdraw; only making new things stops.",
    )
