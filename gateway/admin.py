"""Records for admins to read. States are moved by rules, not edited here; what is edited sets the program up."""

from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.auth.models import Group
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from gateway.models import (
    AccessRequest,
    Allowance,
    Brake,
    Canary,
    Cohort,
    Consent,
    Contribution,
    Departure,
    Entry,
    Export,
    GuestPass,
    Impersonation,
    Invitation,
    LedgerEntry,
    Membership,
    MembershipChange,
    Notice,
    Program,
    Rate,
    Sighting,
    Terms,
    TermsAcceptance,
    Token,
    User,
    WebhookEndpoint,
)


class ReadOnly(ModelAdmin):
    """To look at, not to change."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


# An address is verified by the one who reads its mail, never by hand; and nothing here hangs on groups.
admin.site.unregister(EmailAddress)
admin.site.unregister(Authenticator)  # removed by second_factors.remove, with a reason; never seen
admin.site.unregister(UserSession)  # ended by the person who is signed in there
admin.site.unregister(Group)


@admin.register(User)
class UserAdmin(ReadOnly):
    list_display = ("name", "email", "is_reviewer", "is_staff", "is_active", "created_at")
    search_fields = ("name", "email")
    exclude = ("password",)


@admin.register(Cohort)
class CohortAdmin(ModelAdmin):
    list_display = (
        *("name", "credits", "daily", "concurrent", "requests_a_minute"),
        *("weight", "review_hours", "seats", "smoke"),
    )

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Seats and hours of a cohort that is in use are rules' business: see the pages on which the program is run."""
        return ("seats", "review_hours") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Terms)
class TermsAdmin(ReadOnly):
    """Published at /program/terms, where the members are told."""

    list_display = ("version", "in_force_at", "currency", "created_at")


@admin.register(Consent)
class ConsentAdmin(ReadOnly):
    list_display = ("created_at", "user", "purpose", "answer", "work", "text_version", "expires_at")
    list_select_related = ("user",)


@admin.register(Departure)
class DepartureAdmin(ReadOnly):
    list_display = ("created_at", "user", "kind", "keeps_public", "state", "due_at", "begun_at", "ended_at")
    list_select_related = ("user",)
    list_filter = ("state",)
    exclude = ("digest", "farewell")


@admin.register(Export)
class ExportAdmin(ReadOnly):
    """That it was made: what was in it is its person's."""

    list_display = ("created_at", "user", "ended_at", "files", "size")
    list_select_related = ("user",)


@admin.register(Contribution)
class ContributionAdmin(ReadOnly):
    """Decided and paid at /program/contributions."""

    list_display = ("created_at", "user", "kind", "title", "minutes", "amount", "state", "paid_at", "reference")
    list_select_related = ("user",)
    list_filter = ("state", "kind")


@admin.register(Rate)
class RateAdmin(ReadOnly):
    list_display = ("terms", "kind", "words", "amount")
    list_select_related = ("terms",)


@admin.register(TermsAcceptance)
class TermsAcceptanceAdmin(ReadOnly):
    list_display = ("user", "terms", "created_at")
    list_select_related = ("user", "terms")


@admin.register(Membership)
class MembershipAdmin(ReadOnly):
    list_display = ("user", "cohort", "state", "credits", "daily", "concurrent", "requests_a_minute", "created_at")
    list_select_related = ("user", "cohort")
    list_filter = ("state", "cohort")


@admin.register(Invitation)
class InvitationAdmin(ReadOnly):
    list_display = ("email", "role", "cohort", "credits", "state", "expires_at", "invited_by", "accepted_at")
    list_select_related = ("cohort", "invited_by")
    exclude = ("digest",)


@admin.register(MembershipChange)
class MembershipChangeAdmin(ReadOnly):
    list_display = ("created_at", "membership", "kind", "made_by", "before", "after", "reason")
    list_select_related = ("membership__user", "membership__cohort", "made_by")
    list_filter = ("kind",)


@admin.register(AccessRequest)
class AccessRequestAdmin(ReadOnly):
    list_display = ("email", "name", "state", "due_at", "answered_at", "answered_by")
    list_select_related = ("answered_by",)
    list_filter = ("state",)
    exclude = ("digest",)


@admin.register(Program)
class ProgramAdmin(ReadOnly):
    list_display = ("takes_requests", "request_hours")


@admin.register(Impersonation)
class ImpersonationAdmin(ReadOnly):
    list_display = ("created_at", "admin", "artist", "reason", "ends_at", "ended_at")
    list_select_related = ("admin", "artist")


@admin.register(Token)
class TokenAdmin(ReadOnly):
    list_display = ("label", "user", "mode", "last_four", "scopes", "expires_at", "revoked_at", "last_used_at")
    list_select_related = ("user",)
    list_filter = ("mode",)
    exclude = ("digest",)


@admin.register(GuestPass)
class GuestPassAdmin(ReadOnly):
    list_display = ("last_four", "membership", "generations", "credits", "state", "ends_at", "created_at")
    list_select_related = ("membership__user", "membership__cohort")
    list_filter = ("state",)
    exclude = ("digest", "label")


@admin.register(WebhookEndpoint)
class WebhookEndpointAdmin(ReadOnly):
    """Whose, and how it stands: where it leads is its owner's business."""

    list_display = ("created_at", "user", "event_types", "state", "reason", "changed_at")
    list_select_related = ("user",)
    list_filter = ("state",)
    exclude = ("name", "url", "secret", "old_secret")


@admin.register(Allowance)
class AllowanceAdmin(ReadOnly):
    list_display = ("membership", "starts_at", "granted", "held", "spent", "expired")
    list_select_related = ("membership__user", "membership__cohort")


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnly):
    list_display = ("created_at", "kind", "amount", "allowance_id", "subject", "by", "reason")
    list_select_related = ("by",)


@admin.register(Brake)
class BrakeAdmin(ReadOnly):
    list_display = ("created_at", "label", "scope", "source", "closes", "state", "ends_at", "pulled_by")
    list_select_related = ("pulled_by",)
    list_filter = ("state", "scope", "source")


@admin.register(Sighting)
class SightingAdmin(ReadOnly):
    list_display = ("created_at", "label", "owner", "kind", "score", "state", "answered_by")
    list_select_related = ("owner", "answered_by")
    list_filter = ("state", "kind", "scope")


@admin.register(Canary)
class CanaryAdmin(ReadOnly):
    list_display = ("created_at", "label", "last_four", "planted_by", "uses", "last_used_at")
    list_select_related = ("planted_by",)
    exclude = ("digest",)


@admin.register(Notice)
class NoticeAdmin(ReadOnly):
    list_display = ("created_at", "email", "subject", "mailed_at", "attempts")
    fields = ("created_at", "email", "subject", "mailed_at", "attempts", "read_at")


@admin.register(Entry)
class EntryAdmin(ReadOnly):
    list_display = ("at", "action", "actor_id", "subject_id", "request_id")
    ordering = ("-id",)
    search_fields = ("subject_id__exact", "actor_id__exact", "request_id__exact")
    fields = ("id", "at", "action", "actor_id", "subject_id", "request_id", "body_text")

    @admin.display(description="body")
    def body_text(self, entry: Entry) -> str:
        return bytes(entry.body).decode()
