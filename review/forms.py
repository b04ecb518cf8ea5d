"""What artists and reviewers type about a work."""

from typing import Any

from django import forms

from gateway.models.brakes import SCOPES
from review import shortcuts
from review.models import LICENCES, Clause, Preferences
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


class AppealForm(forms.Form):
    words = forms.CharField(
        label="What did the answer get wrong?",
        widget=forms.Textarea(attrs={"rows": 5}),
        max_length=5000,
        error_messages={"required": "Say it in a few words: somebody else will read them."},
    )
    decision = forms.UUIDField(widget=forms.HiddenInput)


class OpeningForm(forms.Form):
    reason = forms.CharField(
        label="Why?",
        widget=forms.Textarea(attrs={"rows": 3}),
        max_length=2000,
        help_text="The artist reads this, word for word.",
    )


class StudioForm(forms.Form):
    studio = forms.CharField(
        label="Your studio or collective",
        max_length=120,
        required=False,
        help_text="As the others of it write it. Leave it empty if there is none.",
    )


class AddressForm(forms.Form):
    email = forms.EmailField(label="Their e-mail address", max_length=254)
    side = forms.ChoiceField(choices=[("artist", ""), ("reviewer", "")], widget=forms.HiddenInput)


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


class HearingForm(forms.Form):
    """The answer to an appeal."""

    message = forms.CharField(
        label="What you saw, and why",
        widget=forms.Textarea(attrs={"rows": 5}),
        max_length=5000,
        required=False,
    )
    note = forms.CharField(
        label="Note for colleagues; the artist does not read it",
        widget=forms.Textarea(attrs={"rows": 2}),
        max_length=2000,
        required=False,
    )


class KeysForm(forms.Form):
    """A key for each act. What is no key, and what would do two things, is the rules' to say."""

    def __init__(self, *args: Any, preferences: Preferences, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "key-%s", **kwargs})
        chosen = shortcuts.chosen(preferences)
        for act in shortcuts.ACTS:
            self.fields[act.name] = forms.CharField(
                label=act.does,
                max_length=5,
                required=False,
                strip=False,
                initial=chosen[act.name],
                widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
            )
        self.fields["keys_on"] = forms.BooleanField(label="Use these keys", required=False, initial=preferences.keys_on)

    def keys(self) -> dict[str, str]:
        """Of a valid form."""
        return {act.name: self.cleaned_data[act.name] for act in shortcuts.ACTS}


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


class TakeDownForm(DecisionForm):
    """Why a published work comes down: it owes what a refusal does."""

    field_order = ("clauses", "facts", "from_seconds", "to_seconds", "whole", "note")


class ReportForm(forms.Form):
    """Why a published work should not be public, in the words of somebody from outside."""

    clause = forms.ModelChoiceField(
        Clause.objects.none(),
        label="Does it break a rule of ours?",
        empty_label="None of these: the law, or something else",
        required=False,
    )
    words = forms.CharField(
        label="What is wrong with it?",
        max_length=5000,
        help_text="Say what you see and where in the clip, and which right or law it concerns, if it is one.",
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    name = forms.CharField(
        label="Your name · optional",
        max_length=120,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    email = forms.EmailField(
        label="Your e-mail address · optional",
        required=False,
        help_text="The receipt and the answer go there. Without one no letter can reach you: keep the address of the "
        "page that comes next, where the answer will stand.",
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )
    good_faith = forms.BooleanField(
        label="As far as I know, what I write here is accurate and complete",
        error_messages={"required": "No report counts without that."},
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["clause"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Clause.objects.filter(retired_at__isnull=True)


class DisputeForm(forms.Form):
    words = forms.CharField(
        label="What did the answer overlook?",
        max_length=5000,
        help_text="Somebody who has not decided on it reads this, your report and the first answer.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )


class DeclineForm(forms.Form):
    reason = forms.CharField(
        label="Why does it stay public?",
        max_length=5000,
        help_text="They read it in the letter, with what they can do if they think that it is wrong.",
        widget=forms.Textarea(attrs={"rows": 4}),
    )


class LeaveForm(forms.Form):
    """The word that confirms it; `how` is what one chose on the page before."""

    WORDS = {"": "leave", "anonymise": "anonymise", "delete": "delete"}

    how = forms.ChoiceField(choices=[(how, how) for how in WORDS], required=False, widget=forms.HiddenInput)
    keeps_public = forms.BooleanField(label="Leave what I published and signed on view", required=False)
    word = forms.CharField(
        max_length=20,
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}),
    )

    def __init__(self, *args: Any, how: str = "", public: int = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.expected = self.WORDS[how]
        self.fields["how"].initial = how
        self.fields["word"].label = f"Type “{self.expected}” to confirm"
        if how != "anonymise" or not public:
            del self.fields["keeps_public"]

    def clean_word(self) -> str:
        word: str = self.cleaned_data["word"].strip().lower()
        if word != self.expected:
            raise forms.ValidationError(f"Type the word “{self.expected}”, and nothing else.")
        return word
