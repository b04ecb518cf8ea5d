"""Every address of the gateway. The rooms are mounted by name."""

from django.contrib import admin
from django.urls import include, path, register_converter

from gateway import converters, views

register_converter(converters.Hex, "hex")

handler404 = "gateway.views.not_found"
handler429 = "gateway.views.too_many"  # asked for by allauth

urlpatterns = [
    path("healthz", views.healthz),
    path("readyz", views.readyz),
    path("terms", views.terms_page),
    path("docs/refusals", views.refusals_page),
    path("home", views.home),
    path("invitations/<str:secret>", views.invitation),
    path("sign-in/<str:secret>", views.sign_in_link),
    path("access", views.keys_page),
    path("access/tokens", views.issue_token),
    path("access/tokens/<hex:token>/revoke", views.revoke_token),
    path("program/invitations", views.invitations),
    path("program/invitations/<hex:invitation>/revoke", views.revoke_invitation),
    path("accounts/", include("allauth.account.urls")),
    path("admin/", admin.site.urls),
    path("", include("generation.urls")),
    path("", include("review.urls")),
]
