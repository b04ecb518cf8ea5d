"""Inviting somebody, and coming in."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import password_validation

from gateway.models import Cohort


class CohortField(forms.ModelChoiceField):
    """A cohort, with the seats that are left."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(Cohort.objects.seated().order_by("name"), empty_label=None, **kwargs)

    def label_from_instance(self, cohort: Any) -> str:
        if cohort.free is None:
            return cohort.name
        return f"{cohort.name}: {cohort.free or 'no'} seat{'' if cohort.free == 1 else 's'} left"


class InvitationForm(forms.Form):
    email = forms.EmailField(label="E-mail address")
    role = forms.ChoiceField(choices=[("artist", "Artist"), ("reviewer", "Reviewer")], initial="artist")
    cohort = CohortField(required=False)
    credits = forms.IntegerField(
        label="Credits a month", min_value=0, max_value=1_000_000, required=False, help_text="Empty: the cohort's own."
    )
    days = forms.IntegerField(label="Days until it ends", min_value=1, max_value=90, required=False)
    note = forms.CharField(
        label="A personal word, for the letter",
        max_length=1000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    how = forms.ChoiceField(
        label="How does it reach them?",
        choices=[("mail", "By mail"), ("link", "I hand the link over myself")],
        initial="mail",
        required=False,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["days"].help_text = f"Empty: {settings.INVITATION_DAYS}."

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["by_mail"] = cleaned.pop("how", "") != "link"
        if cleaned.get("role") == "reviewer":
            cleaned["cohort"] = cleaned["credits"] = None
        elif not cleaned.get("cohort") and "cohort" not in self.errors:
            self.add_error("cohort", "An artist is invited into a cohort: choose one.")
        return cleaned


class AdmissionForm(forms.Form):
    name = forms.CharField(label="Your name, as it should be credited", max_length=120)
    password = forms.CharField(
        label="A password, of ten characters or more",
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        strip=False,
    )
    accept = forms.BooleanField(label="I have read the terms and accept them")
    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        password_validation.validate_password(password)
        return password


class ReasonForm(forms.Form):
    """Why, of a suspension or an end."""

    reason = forms.CharField(
        label="Why?",
        max_length=2000,
        help_text="They read it, with your name, and it stays on record.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )


class MoveForm(forms.Form):
    cohort = CohortField(label="Into which cohort?")


class CreditsForm(forms.Form):
    credits = forms.IntegerField(
        label="Credits a month", min_value=0, max_value=1_000_000, help_text="From next month on; this month stays."
    )


class PlaceForm(forms.Form):
    cohort = CohortField()
    credits = forms.IntegerField(
        label="Credits a month", min_value=0, max_value=1_000_000, required=False, help_text="Empty: the cohort's own."
    )


class SeatsForm(forms.Form):
    seats = forms.IntegerField(
        label="Seats", min_value=0, max_value=1_000_000, required=False, help_text="Empty: no limit."
    )
