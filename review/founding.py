"""What a program stands on before the first artist comes: catalogue, policy, terms, a first cohort."""

from gateway import terms
from gateway.actors import SYSTEM
from gateway.models import Cohort, Terms
from gateway.terms import Price
from generation import catalogue
from review.models import Clause

CLAUSES = (
    (
        "A real person, without their word",
        "The clip shows a real, living person whom a viewer would recognise, and that person has not agreed.",
        "A politician's face on somebody else's body. Not meant: a crowd, a figure nobody could name.",
        "STATEMENT_CATEGORY_CYBER_VIOLENCE",
        "KEYWORD_NON_CONSENSUAL_MATERIAL_DEEPFAKE",
    ),
    (
        "Violence shown to hurt",
        "The clip dwells on cruelty for its own sake, or threatens somebody.",
        "A torture in close-up without anything around it. Not meant: war, grief or anger as a subject.",
        "STATEMENT_CATEGORY_VIOLENCE",
        "",
    ),
    (
        "Children, sexualised",
        "The clip sexualises anybody who is, or looks like, a child. There is no exception.",
        "Any such picture, drawn ones too.",
        "STATEMENT_CATEGORY_PROTECTION_OF_MINORS",
        "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE",
    ),
    (
        "Flashing light",
        "More than three general flashes, or red flashes, within any second (WCAG 2.3.1): it can cause a seizure.",
        "A strobe over the whole frame. Not meant: a single flash, a slow pulse.",
        "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
        "KEYWORD_OTHER",
    ),
    (
        "Somebody else's work, as one's own",
        "The clip copies a particular work or a living artist's signature closely enough to be taken for it.",
        "A known logo, a film's still set in motion. Not meant: a style, an homage, a parody.",
        "STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS",
        "KEYWORD_COPYRIGHT_INFRINGEMENT",
    ),
)

TERMS = """\
What you make here is yours. The program claims no rights in your prompts, your clips or your name.

Nothing that you make becomes public before you sign it. A reviewer's approval publishes nothing: it only lays the \
work before you. You can withdraw a published work at any time, and its page becomes an empty one at once.

Private use and download never need an approval. A refusal names a clause of the policy, the facts and the place in \
the clip. Criticism of the program is never a reason.

Your works are not used to promote the program, to train models or for research, unless you say so for that purpose; \
you can take that back.

Work that you do for the program is paid, by the rate card that stands with these terms. What you did is paid at the \
rates that you had accepted when you reported it.

Every request is recorded, and so is every change of state: ids and figures in a log that nobody can change, what is \
personal beside it, where it can be erased.
"""

RATES = (
    Price("test_hour", "Testing, by the hour", 4800),
    Price("bug_report", "A report of a fault that we can repeat", 4000),
    Price("feedback", "Written feedback that we asked for", 6000),
    Price("showcase", "A work shown for the program", 20000),
)


def lay() -> None:
    """Add what is missing; what is there stays as it is."""
    catalogue.load()
    if not Clause.objects.exists():
        for number, (title, body, example, category, specification) in enumerate(CLAUSES, start=1):
            Clause.objects.create(
                number=number, title=title, body=body, example=example, category=category, specification=specification
            )
    if not Terms.objects.exists():
        terms.publish(by=SYSTEM, after=0, body=TERMS, rates=RATES)
    if not Cohort.objects.filter(smoke=False).exists():
        Cohort.objects.create(name="Atelier 2026", credits=120, review_hours=24)
