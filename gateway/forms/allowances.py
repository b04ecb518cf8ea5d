"""What an admin gives a member."""

from django import forms

from gateway.allowances import LARGEST


class GrantForm(forms.Form):
    amount = forms.IntegerField(label="Credits", min_value=1, max_value=LARGEST)
    reason = forms.CharField(label="Why? The artist reads it", max_length=300)


class LimitsForm(forms.Form):
    daily = forms.IntegerField(label="Clips a day", min_value=0, max_value=100_000, required=False)
    concurrent = forms.IntegerField(label="Clips at a time", min_value=0, max_value=10_000, required=False)
    requests_a_minute = forms.IntegerField(label="Requests a minute", min_value=1, max_value=100_000, required=False)
