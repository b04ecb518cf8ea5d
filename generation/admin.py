"""Records of generation. Prompts and files are private: they are not shown here."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from gateway.admin import ReadOnly
from generation.models import Generation, ModelProfile, Output, Worker


@admin.register(ModelProfile)
class ModelProfileAdmin(ModelAdmin):
    list_display = ("name", "slug", "modality", "preset", "pool", "credits_per_second", "enabled", "position")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Generation)
class GenerationAdmin(ReadOnly):
    list_display = ("id", "membership", "model", "state", "step", "steps", "credits", "worker", "created_at")
    list_select_related = ("membership__user", "membership__cohort", "model")
    list_filter = ("state", "model")
    exclude = ("prompt", "seed", "notes", "guest", "guest_address", "guest_clip")


@admin.register(Output)
class OutputAdmin(ReadOnly):
    list_display = ("generation_id", "kind", "sha256", "size", "width", "height", "created_at")
    fields = ("generation_id", "kind", "media_type", "sha256", "size", "width", "height", "frames", "seconds")


@admin.register(Worker)
class WorkerAdmin(ReadOnly):
    list_display = ("name", "pools", "started_at", "seen_at", "draining_since", "done", "last_error", "failed_at")
