"""Every address of the gateway. The rooms are mounted by name."""

from django.contrib import admin
from django.urls import include, path, register_converter

from gateway import converters
from gateway.resources import audit, docs, leaks, schema
from gateway.resources import contributions as contribution_resources
from gateway.resources import terms as terms_resources
from gateway.resources import tokens as token_resources
from gateway.resources import webhooks as webhook_resources
from gateway.views import (
    access_requests,
    allowances,
    coming_in,
    contributions,
    general,
    impersonations,
    invitations,
    members,
    security,
    sightings,
    terms,
    tokens,
    webhooks,
)

register_converter(converters.Hex, "hex")

handler404 = "gateway.views.general.not_found"
handler429 = "gateway.views.general.too_many"  # asked for by allauth

urlpatterns = [
    path("", include("generation.urls")),  # asked most, and Django looks down the list
    path("healthz", general.healthz),
    path("readyz", general.readyz),
    path("terms", terms.terms_page),
    path("terms/accept", terms.accept_page),
    path("terms/<int:version>", terms.terms_page),
    path("docs/refusals", general.refusals_page),
    path("home", general.home),
    path("invitations/<str:secret>", coming_in.invitation),
    path("apply", access_requests.apply),
    path("apply/<str:secret>", access_requests.status),
    path("apply/<str:secret>/withdraw", access_requests.withdraw),
    path("sign-in/<str:secret>", coming_in.sign_in_link),
    path("access", tokens.keys_page),
    path("access/tokens", tokens.issue_token),
    path("access/tokens/<hex:token>/revoke", tokens.revoke_token),
    path("access/tokens/<hex:token>/rotate", tokens.rotate_token),
    path("access/webhooks", webhooks.endpoints),
    path("access/webhooks/<hex:endpoint>", webhooks.endpoint),
    path("access/webhooks/<hex:endpoint>/rotate", webhooks.rotate),
    path("access/webhooks/<hex:endpoint>/test", webhooks.test),
    path("access/webhooks/<hex:endpoint>/enable", webhooks.switch, {"status": "active"}),
    path("access/webhooks/<hex:endpoint>/disable", webhooks.switch, {"status": "disabled"}),
    path("access/webhooks/<hex:endpoint>/remove", webhooks.remove),
    path("access/webhooks/<hex:endpoint>/deliveries/<hex:delivery>/replay", webhooks.replay),
    path("access/allowance", allowances.own),
    path("program/allowances", allowances.members),
    path("program/allowances/<hex:membership>", allowances.member),
    path("program/allowances/<hex:membership>/grant", allowances.grant),
    path("program/allowances/<hex:membership>/limits", allowances.change_limits),
    path("access/sightings", sightings.own_sightings),
    path("access/sightings/<hex:sighting>", sightings.own_sighting),
    path("access/sightings/<hex:sighting>/explain", sightings.explain),
    path("access/sightings/<hex:sighting>/rotate", sightings.rotate),
    path("program/sightings", sightings.all_sightings),
    path("program/sightings/<hex:sighting>", sightings.one_sighting),
    *(
        path(f"program/sightings/<hex:sighting>/{verdict}", sightings.answer, {"verdict": verdict})
        for verdict in ("confirm", "dismiss")
    ),
    path("program/canaries", sightings.canaries_page),
    path("v1/leaks", leaks.Leaks.as_view()),
    path("program/invitations", invitations.invitations),
    path("program/invitations/<hex:invitation>/revoke", invitations.revoke_invitation),
    path("program/terms", terms.draft),
    path("program/terms/publish", terms.publish),
    path("contributions", contributions.mine),
    path("contributions/<hex:contribution>/dispute", contributions.dispute),
    path("contributions/statement", contributions.statement),
    path("contributions/statement.csv", contributions.statement_csv),
    path("program/contributions", contributions.office),
    path("program/contributions.csv", contributions.office_csv),
    path("program/contributions/pay", contributions.pay),
    *(
        path(f"program/contributions/<hex:contribution>/{verdict}", contributions.decide, {"verdict": verdict})
        for verdict in ("accept", "decline", "uphold")
    ),
    path("v1/contributions", contribution_resources.Contributions.as_view()),
    path("v1/contributions/<str:contribution_id>", contribution_resources.OneContribution.as_view()),
    path("v1/contributions/<str:contribution_id>/dispute", contribution_resources.DisputeContribution.as_view()),
    path("v1/tokens", token_resources.Tokens.as_view()),
    path("v1/tokens/<str:token_id>", token_resources.OneToken.as_view()),
    path("v1/tokens/<str:token_id>/rotate", token_resources.Rotate.as_view()),
    path("v1/webhook_event_types", webhook_resources.EventTypes.as_view()),
    path("v1/webhook_endpoints", webhook_resources.Endpoints.as_view()),
    path("v1/webhook_endpoints/<str:endpoint_id>", webhook_resources.OneEndpoint.as_view()),
    path("v1/webhook_endpoints/<str:endpoint_id>/rotate_secret", webhook_resources.RotateSecret.as_view()),
    path("v1/webhook_endpoints/<str:endpoint_id>/test", webhook_resources.SendTest.as_view()),
    path("v1/webhook_endpoints/<str:endpoint_id>/deliveries", webhook_resources.Deliveries.as_view()),
    path(
        "v1/webhook_endpoints/<str:endpoint_id>/deliveries/<str:delivery_id>/replay", webhook_resources.Replay.as_view()
    ),
    path("v1/audit", audit.Audit.as_view()),
    path("v1/schema", schema.Schema.as_view()),
    path("v1/docs", docs.Docs.as_view()),
    path("v1/terms", terms_resources.InForce.as_view()),
    path("v1/terms/accept", terms_resources.Accept.as_view()),
    path("program/invitations/<hex:invitation>/again", invitations.invite_anew),
    path("program/requests", access_requests.requests),
    path("program/requests/door", access_requests.set_door),
    path("program/requests/<hex:asked>", access_requests.one_request),
    path("program/requests/<hex:asked>/accept", access_requests.accept),
    path("program/requests/<hex:asked>/decline", access_requests.decline),
    path("program/members", members.everyone),
    path("program/members/<hex:membership>", members.member),
    path("program/members/<hex:membership>/suspend", members.suspend),
    path("program/members/<hex:membership>/resume", members.resume),
    path("program/members/<hex:membership>/move", members.move),
    path("program/members/<hex:membership>/credits", members.set_credits),
    path("program/members/<hex:membership>/end", members.end),
    path("program/members/<hex:membership>/place", members.place),
    path("program/cohorts/<hex:cohort>/seats", members.set_seats),
    path("membership", members.mine),
    path("access/visits", impersonations.visits),
    path("program/impersonation", impersonations.looking),
    path("impersonation/end", impersonations.end),
    path("access/security", security.security_page),
    path("access/sessions/end-others", security.end_other_sessions),
    path("access/sessions/<int:session>/end", security.end_session),
    path("accounts/", include("allauth.account.urls")),
    path("accounts/2fa/", include("allauth.mfa.urls")),
    path("admin/", admin.site.urls),
    path("", include("review.urls")),
]
