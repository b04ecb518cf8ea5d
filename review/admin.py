"""Records of the review: decisions, states and clauses are made by rules."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from gateway import access
from gateway.admin import ReadOnly
from review.models import (
    Appeal,
    Clause,
    Conflict,
    Decision,
    Opening,
    Phrase,
    Publication,
    Report,
    ReviewPolicy,
    Signal,
    Submission,
)
from review.screening import phrases


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


@admin.register(Appeal)
class AppealAdmin(ReadOnly):
    list_display = ("created_at", "state", "original_reviewer", "heard_by", "due_at")
    list_select_related = ("original_reviewer", "heard_by")
    list_filter = ("state",)


@admin.register(Opening)
class OpeningAdmin(ReadOnly):
    """Which private works admins have opened, at /program/works."""

    list_display = ("created_at", "admin", "generation_id", "reason", "ends_at")
    list_select_related = ("admin",)


@admin.register(Conflict)
class ConflictAdmin(ReadOnly):
    """Who does not judge whose works; both sides say so under Access."""

    list_display = ("created_at", "reviewer", "artist", "email", "named_by", "lifted_at")
    list_select_related = ("reviewer", "artist", "named_by")


@admin.register(Publication)
class PublicationAdmin(ReadOnly):
    list_display = ("id", "state", "created_at", "ended_at")


@admin.register(Report)
class ReportAdmin(ReadOnly):
    list_display = ("created_at", "state", "publication", "due_at", "answered_by", "heard_by")
    list_select_related = ("publication", "answered_by", "heard_by")
    list_filter = ("state",)


@admin.register(Phrase)
class PhraseAdmin(ReadOnly):
    """What prompts are searched for. Added here and retired here, never rewritten: each by its rule."""

    list_display = ("words", "clause", "created_at", "retired_at")
    list_filter = (("retired_at", admin.EmptyFieldListFilter),)
    fields = ("words", "clause")
    actions = ("retire",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return access.actor_of(request).is_admin

    def save_model(self, request: HttpRequest, obj: Phrase, form: Any, change: bool) -> None:
        obj.pk = phrases.add(obj.words, by=access.actor_of(request), clause=obj.clause).pk

    @admin.action(description="Search for it no more")
    def retire(self, request: HttpRequest, chosen: QuerySet[Phrase]) -> None:
        for phrase in chosen.filter(retired_at__isnull=True):
            phrases.retire(phrase, by=access.actor_of(request))


@admin.register(Signal)
class SignalAdmin(ReadOnly):
    list_display = ("created_at", "kind", "raised", "failed", "value", "limit", "at_seconds")
    list_filter = ("kind", "raised", "failed")
