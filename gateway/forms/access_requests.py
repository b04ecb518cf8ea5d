"""Asking for access, and the answer."""

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from gateway.forms.members import CohortField

LINKS = 5
is_address = URLValidator(schemes=["http", "https"])


class AskForm(forms.Form):
    email = forms.EmailField(
        label="E-mail address",
        help_text="The answer goes there.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    name = forms.CharField(label="Your name", max_length=120, widget=forms.TextInput(attrs={"autocomplete": "name"}))
    links = forms.CharField(
        label="Links to your work, one on each line",
        help_text="One to five; they begin with https://",
        max_length=2600,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
    )
    words = forms.CharField(
        label="A few words: what would you like to make?",
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 5}),
    )

    def clean_links(self) -> list[str]:
        links = list(dict.fromkeys(self.cleaned_data["links"].split()))
        if len(links) > LINKS:
            raise ValidationError("Five links at most: choose those that say most.")
        for link in links:
            try:
                is_address(link)
            except ValidationError:
                raise ValidationError(f"“{link[:80]}” is no address: it begins with https:// or http://.") from None
            if len(link) > 500:
                raise ValidationError("A link is too long: 500 characters at most.")
        return links


class DoorForm(forms.Form):
    takes_requests = forms.BooleanField(label="Anybody may ask for access, at /apply", required=False)
    hours = forms.IntegerField(label="Hours until an answer is due", min_value=1, max_value=24 * 90)


class AcceptForm(forms.Form):
    cohort = CohortField()
    credits = forms.IntegerField(
        label="Credits a month", min_value=0, max_value=1_000_000, required=False, help_text="Empty: the cohort's own."
    )
    note = forms.CharField(
        label="A personal word, for the letter",
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class DeclineForm(forms.Form):
    reason = forms.CharField(
        label="Why not?",
        max_length=2000,
        help_text="They read it in the letter, and that they may ask again.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
