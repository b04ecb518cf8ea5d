"""Records of the review: decisions, states and clauses are made by rules."""

from django.contrib import admin

from gateway.admin import ReadOnly
from review.models import Clause, Decision, Publication, Report, ReviewPolicy, Submission


@admin.register(Clause)
class ClauseAdmin(ReadOnly):
    """Every wording that was ever in force; new ones are written at /program/policy."""

    list_display = ("number", "version", "title", "created_at", "retired_at")


@admin.register(ReviewPolicy)
class ReviewPolicyAdmin(ReadOnly):
    """How each cohort's works are reviewed; it is set at /program/review."""

    list_display = ("cohort", "reviewers", "sample_percent", "second_clauses", "by_default")
    list_select_related = ("cohort",)


@admin.register(Submission)
class SubmissionAdmin(ReadOnly):
    list_display = ("id", "membership", "state", "due_at", "holder", "lease_until")
    list_select_related = ("membership__user", "membership__cohort", "holder")
    list_filter = ("state",)


@admin.register(Decision)
class DecisionAdmin(ReadOnly):
    list_display = ("created_at", "verdict", "reviewer", "effective_at", "undone_at")
    list_select_related = ("reviewer",)
    list_filter = ("verdict",)


@admin.register(Publication)
class PublicationAdmin(ReadOnly):
    list_display = ("id", "state", "created_at", "ended_at")


@admin.register(Report)
class ReportAdmin(ReadOnly):
    list_display = ("created_at", "state", "publication", "due_at", "answered_by", "heard_by")
    list_select_related = ("publication", "answered_by", "heard_by")
    list_filter = ("state",)
