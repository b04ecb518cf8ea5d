"""Where to be told of what happens."""

from django import forms

from gateway import webhooks


class EndpointForm(forms.Form):
    url = forms.CharField(
        label="Address",
        max_length=600,
        widget=forms.URLInput(attrs={"placeholder": "https://example.org/hooks"}),
        help_text="Of a program of yours that takes a POST. Nothing private is sent: what happened, and an id.",
    )
    name = forms.CharField(label="What is it for?", max_length=80, required=False)
    event_types = forms.MultipleChoiceField(
        label="What should it hear of?",
        choices=[(name, f"{words} ({name})") for name, words in webhooks.EVENTS.items()],
        initial=list(webhooks.EVENTS),
        widget=forms.CheckboxSelectMultiple,
    )


class SecretForm(forms.Form):
    overlap_hours = forms.TypedChoiceField(
        label="The old one signs too for",
        choices=[(24, "a day"), (168, "a week"), (1, "an hour"), (0, "no moment")],
        coerce=int,
        initial=24,
    )
