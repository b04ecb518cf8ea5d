"""What artists and reviewers wrote is written once; when its artist departs it is erased, and the verdict stays."""

from django.db import migrations

from gateway.triggers import append_only, append_only_or_erased, erasable, fixed, instead

DECIDED = (
    *("revision_id", "reviewer_id", "role", "decides", "verdict", "clauses", "from_seconds"),
    *("to_seconds", "state_before", "state_after", "due_at", "effective_at"),
)
SAID = ("facts", "region", "note")


class Migration(migrations.Migration):
    dependencies = [("review", "0008_reports"), ("gateway", "0018_erasing")]
    operations = [
        *instead(
            append_only("review_revision"), append_only_or_erased("review_revision", "title", "credit", "description")
        ),
        *instead(append_only("review_signoff"), append_only_or_erased("review_signoff", "name")),
        *instead(
            fixed("review_decision", *DECIDED, *SAID),
            fixed("review_decision", *DECIDED),
            erasable("review_decision", *SAID),
        ),
        *instead(
            fixed("review_appeal", "decision_id", "original_reviewer_id", "words", "due_at"),
            fixed("review_appeal", "decision_id", "original_reviewer_id", "due_at"),
            erasable("review_appeal", "words"),
        ),
    ]
