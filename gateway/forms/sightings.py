"""What is said about a sighting, and where a canary is planted."""

from django import forms


class ExplanationForm(forms.Form):
    explanation = forms.CharField(
        label="What happened?",
        help_text="For example: my studio moved behind a new proxy, or a workshop worked with it for an hour.",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class AnswerForm(forms.Form):
    answer = forms.CharField(
        label="What you found out",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class CanaryForm(forms.Form):
    label = forms.CharField(
        label="Where will it lie?", help_text="For example: .env in the old sketches repository.", max_length=200
    )
