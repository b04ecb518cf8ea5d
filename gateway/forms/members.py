"""Inviting somebody, and coming in."""

from typing import Any

from django import forms
from django.contrib.auth import password_validation

from gateway.models import Cohort


class InvitationForm(forms.Form):
    email = forms.EmailField(label="E-mail address")
    role = forms.ChoiceField(choices=[("artist", "Artist"), ("reviewer", "Reviewer")], initial="artist")
    cohort = forms.ModelChoiceField(Cohort.objects.order_by("name"), required=False, empty_label=None)
    credits = forms.IntegerField(label="Credits a month", min_value=0, max_value=1_000_000, required=False)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
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
