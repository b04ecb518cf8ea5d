"""Every address of the gateway. The rooms are mounted by name."""

from django.contrib import admin
from django.urls import include, path, register_converter

from gateway import converters
from gateway.resources import terms as terms_resources
from gateway.views import coming_in, general, invitations, terms, tokens

register_converter(converters.Hex, "hex")

handler404 = "gateway.views.general.not_found"
handler429 = "gateway.views.general.too_many"  # asked for by allauth

urlpatterns = [
    path("healthz", general.healthz),
    path("readyz", general.readyz),
    path("terms", terms.terms_page),
    path("terms/accept", terms.accept_page),
    path("terms/<int:version>", terms.terms_page),
    path("docs/refusals", general.refusals_page),
    path("home", general.home),
    path("invitations/<str:secret>", coming_in.invitation),
    path("sign-in/<str:secret>", coming_in.sign_in_link),
    path("access", tokens.keys_page),
    path("access/tokens", tokens.issue_token),
    path("access/tokens/<hex:token>/revoke", tokens.revoke_token),
    path("program/invitations", invitations.invitations),
    path("program/invitations/<hex:invitation>/revoke", invitations.revoke_invitation),
    path("program/terms", terms.draft),
    path("program/terms/publish", terms.publish),
    path("v1/terms", terms_resources.InForce.as_view()),
    path("v1/terms/accept", terms_resources.Accept.as_view()),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
    path("", include("generation.urls")),
    path("", include("review.urls")),
]
