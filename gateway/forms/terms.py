"""Accepting terms, and drafting a new version of them."""

from datetime import UTC, datetime, time
from decimal import Decimal
from typing import Any

from django import forms

from gateway.models import Rate, Terms
from gateway.terms import Price

LABELS = {
    "test_hour": ("Test hours", "Paid an hour"),
    "bug_report": ("Reports of a fault", "Paid for each"),
    "feedback": ("Written feedback", "Paid for each"),
    "showcase": ("Showcases", "Paid for each"),
}


class AcceptForm(forms.Form):
    accept = forms.BooleanField(label="I have read these terms and accept them")
    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)


class TermsForm(forms.Form):
    """A draft: the text, a line for each kind of contribution, and from when. A line without an amount is not paid."""

    after = forms.IntegerField(widget=forms.HiddenInput, min_value=0)
    body = forms.CharField(
        label="The text",
        widget=forms.Textarea(attrs={"rows": 16}),
        max_length=50_000,
        help_text="An empty line begins a new paragraph.",
    )
    currency = forms.RegexField(r"^[A-Z]{3}\Z", label="Currency, in three letters", initial="EUR", max_length=3)
    from_day = forms.DateField(
        label="In force from",
        widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        required=False,
        help_text="The beginning of that day, UTC. Empty: at once.",
    )

    def __init__(self, data: Any = None, *, base: Terms | None, **kwargs: Any) -> None:
        initial: dict[str, Any] = {"after": base.version if base else 0}
        if base is not None:
            initial |= {"body": base.body, "currency": base.currency}
            for rate in base.card():
                initial |= {f"{rate.kind}_words": rate.words, f"{rate.kind}_amount": Decimal(rate.cents).scaleb(-2)}
        super().__init__(data, initial=initial, **kwargs)
        for kind in Rate.KINDS:
            what, paid = LABELS[kind]
            self.fields[f"{kind}_words"] = forms.CharField(label=what, max_length=200, required=False)
            self.fields[f"{kind}_amount"] = forms.DecimalField(
                label=paid, min_value=0, max_digits=8, decimal_places=2, required=False
            )

    def lines(self) -> list[tuple[Any, Any]]:
        """The two fields of each line of the card."""
        return [(self[f"{kind}_words"], self[f"{kind}_amount"]) for kind in Rate.KINDS]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for kind in Rate.KINDS:
            if cleaned.get(f"{kind}_amount") is not None and not cleaned.get(f"{kind}_words"):
                self.add_error(f"{kind}_words", "Say what is paid for, in the words that artists will read.")
        return cleaned

    def as_rule(self) -> dict[str, Any]:
        """Of a valid form: what the rule takes."""
        cleaned = self.cleaned_data
        day = cleaned["from_day"]
        return {
            "after": cleaned["after"],
            "body": cleaned["body"],
            "currency": cleaned["currency"],
            "rates": [
                Price(kind, cleaned[f"{kind}_words"], int(cleaned[f"{kind}_amount"] * 100))
                for kind in Rate.KINDS
                if cleaned[f"{kind}_amount"] is not None
            ],
            "in_force_at": datetime.combine(day, time(), UTC) if day else None,
        }
