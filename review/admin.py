"""Records of the review. Decisions and states are made by rules; the policy's clauses are written here."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from gateway.admin import ReadOnly
from review.models import Clause, Decision, Publication, Submission


@admin.register(Clause)
class ClauseAdmin(ModelAdmin):
    """A new wording is a new version: what a decision names is never rewritten."""

    list_display = ("number", "version", "title", "retired_at")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("number", "version", "title", "body", "example") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


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
