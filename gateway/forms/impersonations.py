"""Why an admin looks as an artist."""

from django import forms

from gateway import impersonations


class LookForm(forms.Form):
    """Who, and the reason that they read."""

    artist = forms.ModelChoiceField(impersonations.artists(), widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Why", max_length=500, widget=forms.Textarea(attrs={"rows": 3}), help_text="They read this, at once."
    )
