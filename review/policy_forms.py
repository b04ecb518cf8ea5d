"""What admins type about the policy: a clause, why it goes, how a cohort's works are reviewed, which statements."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone

from review import dsa, policy
from review.models import Clause, ReviewPolicy

CATEGORIES = [(category, dsa.said(category)) for category in dsa.CATEGORIES]
SPECIFICATIONS = [
    ("", "Nothing more"),
    *(
        (dsa.said(category), [(keyword, dsa.said(keyword)) for keyword in keywords])
        for category, keywords in dsa.KEYWORDS.items()
        if keywords
    ),
    (dsa.OTHER_KEYWORD, dsa.said(dsa.OTHER_KEYWORD)),
]


class ClauseForm(forms.Form):
    """A wording to be. `after` is the version that its author had before them, 0 for a new clause."""

    after = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=32_767)
    title = forms.CharField(max_length=120)
    body = forms.CharField(
        label="The rule",
        widget=forms.Textarea(attrs={"rows": 4}),
        max_length=1500,
        help_text="In plain words: what is not published here.",
    )
    meant = forms.CharField(
        label="Meant, for example",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=1500,
        help_text="One example a line.",
    )
    not_meant = forms.CharField(
        label="Not meant, for example",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=1500,
        required=False,
        help_text="What somebody might take for it. One a line.",
    )
    category = forms.ChoiceField(
        choices=CATEGORIES,
        initial=dsa.OTHER_VIOLATION,
        help_text="What a statement of reasons calls it, in the words of the EU's transparency database.",
    )
    specification = forms.ChoiceField(label="More exactly", choices=SPECIFICATIONS, required=False)
    why = forms.CharField(
        label="Why?",
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=1000,
        help_text="Members and reviewers read this, in the application, by mail and in the clause's history.",
    )

    def __init__(self, data: Any = None, *, base: Clause | None, **kwargs: Any) -> None:
        initial: dict[str, Any] = {"after": 0}
        if base is not None:
            initial = {"after": base.version, "meant": "\n".join(base.meant), "not_meant": "\n".join(base.not_meant)}
            initial |= {name: getattr(base, name) for name in ("title", "body", "category", "specification")}
        super().__init__(data, initial=initial, **kwargs)

    def wording(self) -> dict[str, str]:
        """Of a valid form: what the rules take."""
        cleaned = {**self.cleaned_data}
        cleaned.pop("after")
        cleaned["example"] = policy.examples(cleaned.pop("meant"), cleaned.pop("not_meant"))
        return cleaned


class RetireForm(forms.Form):
    reason = forms.CharField(
        label="Why?",
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=1000,
        help_text="Members and reviewers read this.",
    )


class ReviewForm(forms.Form):
    """How a cohort's works are reviewed."""

    reviewers = forms.TypedChoiceField(
        label="Who looks at each work",
        choices=[(1, "One reviewer"), (2, "Two reviewers, the second blind to the first")],
        coerce=int,
        widget=forms.RadioSelect,
    )
    sample_percent = forms.IntegerField(
        label="Looked at by two all the same, in a hundred",
        min_value=0,
        max_value=100,
        help_text="A lot is drawn for each work, and stays the same when it is submitted anew.",
    )
    second_clauses = forms.TypedMultipleChoiceField(
        label="Two look, too, where one of these is named",
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    hours = forms.IntegerField(label="Hours until an answer is due", min_value=1, max_value=24 * 90)
    by_default = forms.BooleanField(
        label="Silence approves: what nobody has looked at in time may be signed", required=False
    )

    def __init__(self, data: Any = None, *, policy: ReviewPolicy, clauses: Sequence[Clause]) -> None:
        initial = {
            "reviewers": policy.reviewers,
            "sample_percent": policy.sample_percent,
            "second_clauses": policy.second_clauses,
            "hours": policy.cohort.review_hours,
            "by_default": policy.by_default,
        }
        super().__init__(data, initial=initial, auto_id=f"id_%s_{policy.cohort_id.hex}")
        field = self.fields["second_clauses"]
        assert isinstance(field, forms.TypedMultipleChoiceField)
        field.choices = [(clause.number, str(clause)) for clause in clauses]


class PeriodForm(forms.Form):
    """Whole days, UTC, the last one included."""

    first = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
    last = forms.DateField(label="To", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))

    @classmethod
    def of(cls, asked: QueryDict) -> "PeriodForm":
        """As asked; who asks for none in particular gets this month so far."""
        today = timezone.now().date()
        return cls(asked if {"first", "last"} & asked.keys() else {"first": today.replace(day=1), "last": today})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if "first" in cleaned and "last" in cleaned and cleaned["first"] > cleaned["last"]:
            self.add_error("last", "A period ends on the day on which it begins, or later.")
        return cleaned

    def bounds(self) -> tuple[datetime, datetime]:
        """Of a valid form: its first moment, and the first one after it."""
        first, last = self.cleaned_data["first"], self.cleaned_data["last"]
        return datetime.combine(first, time(), UTC), datetime.combine(last, time(), UTC) + timedelta(days=1)
