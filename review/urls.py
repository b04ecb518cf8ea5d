"""Works and their way to the public, the desk, the public pages, and /v1 of all three."""

from django.urls import path

from review import (
    accounting,
    api,
    brake_api,
    consent_api,
    consenting,
    export_api,
    governing,
    interest_api,
    interests,
    leaving,
    opening,
    operations,
    policy_api,
    report_api,
    reporting,
    stating,
    views,
)
from review.desk import line, own, work
from review.public import feeds, figures, machines, oembed, pages
from review.public import reports as public_reports

SUBMISSION = "v1/submissions/<str:submission_id>"
SUBMISSION_ACTS = ("withdraw", "sign_off", "revise", "appeal", "withdraw_appeal")
REVIEW = "v1/reviews/<str:submission_id>"
PUBLICATION = "v1/publications/<str:publication_id>"

urlpatterns = [
    path("", pages.home),
    path("works/<hex:publication>", pages.work),
    path("works/<hex:publication>/embed", pages.embed),
    path("works/<hex:publication>/video.mp4", pages.file, {"kind": "video"}),
    path("works/<hex:publication>/poster.webp", pages.file, {"kind": "poster"}),
    path("works/<hex:publication>/report", public_reports.report),
    path("reports/<str:secret>", public_reports.status),
    path("reports/<str:secret>/withdraw", public_reports.withdraw),
    path("reports/<str:secret>/dispute", public_reports.dispute),
    path("program/reports", reporting.show_reports),
    path("program/reports/<hex:report>", reporting.one_report),
    path("program/reports/<hex:report>/decline", reporting.decline),
    path("program/reports/<hex:report>/uphold", reporting.uphold),
    path("program/works/<hex:publication>/take-down", reporting.take_down),
    path("v1/reports", report_api.Reports.as_view()),
    path("v1/reports/<str:secret>", report_api.OneReport.as_view()),
    *(path(f"v1/reports/<str:secret>/{act}", report_api.ReportAct.as_view(act=act)) for act in ("withdraw", "dispute")),
    path("feed.atom", feeds.atom),
    path("feed.json", feeds.json),
    path("oembed", oembed.oembed),
    path("robots.txt", machines.robots),
    path(".well-known/tdmrep.json", machines.reservation),
    path("transparency", figures.report),
    path("transparency.json", figures.report_json),
    path("transparency/<slug:name>", figures.period),
    path("transparency/<slug:name>.json", figures.period_json),
    path("dashboard", views.dashboard),
    path("schemas/statement.json", stating.schema),
    path("submissions/<hex:submission>/statement.json", stating.own),
    path("program/statements", stating.office),
    *(path(f"program/statements/export.{form}", stating.export, {"form": form}) for form in ("jsonl", "csv")),
    path("policy", governing.show_policy),
    path("policy.json", governing.policy_json),
    path("policy/<int:number>", governing.show_clause),
    path("program", operations.show_program),
    path("program/policy", governing.office),
    *(
        pattern
        for at in ("new", "<int:number>")
        for pattern in (
            path(f"program/policy/{at}", governing.draft),
            path(f"program/policy/{at}/publish", governing.publish),
        )
    ),
    path("program/policy/<int:number>/retire", governing.retire),
    path("program/review", governing.show_reviewing),
    path("program/review/<hex:cohort>", governing.set_reviewing),
    path("program/queues", accounting.queues),
    path("program/transparency", accounting.transparency),
    path("program/transparency.csv", accounting.transparency_csv),
    path("program/transparency/brakes/<hex:brake>", accounting.explain),
    path("program/brakes", operations.show_brakes),
    path("program/brakes/<hex:brake>/release", operations.release_brake),
    path("notices/read", views.read_notices),
    path("mine", views.works),
    path("mine/<hex:generation>", views.work),
    path("mine/<hex:generation>/live", views.work_live),
    path("mine/<hex:generation>/submit", views.submit),
    *(
        path(f"{at}/consents/<slug:purpose>/{name}", view)
        for at in ("access", "mine/<hex:generation>")
        for name, view in (("give", consenting.give), ("take-back", consenting.take_back))
    ),
    path("program/works", opening.works),
    path("program/works/<hex:generation>", opening.work),
    *(
        path(f"program/works/<hex:generation>/{name}", opening.file, {"kind": kind})
        for name, kind in (("video.mp4", "video"), ("poster.webp", "poster"))
    ),
    path("access/conflicts", interests.interests),
    path("access/conflicts/name", interests.name),
    path("access/conflicts/studio", interests.set_studio),
    path("access/conflicts/<hex:conflict>/lift", interests.lift),
    path("v1/conflicts", interest_api.Conflicts.as_view()),
    path("v1/conflicts/<str:conflict_id>", interest_api.OneConflict.as_view()),
    path("access/consents", consenting.consents_page),
    path("access/consents/receipts/<hex:consent>", consenting.receipt),
    path("v1/consents", consent_api.Consents.as_view()),
    path("v1/consents/revoke", consent_api.Revoke.as_view()),
    path("v1/consents/<str:consent_id>", consent_api.OneConsent.as_view()),
    path("export", leaving.export),
    path("leave", leaving.leave),
    path("leave/stay", leaving.stay),
    path("departed/<str:secret>", leaving.departed),
    path("departed/<str:secret>/take-back", leaving.take_back),
    path("v1/export", export_api.Exports.as_view()),
    path("submissions/<hex:submission>/withdraw", views.withdraw_submission),
    path("submissions/<hex:submission>/sign-off", views.sign_off),
    path("submissions/<hex:submission>/appeal", views.appeal),
    path("submissions/<hex:submission>/appeal/withdraw", views.withdraw_appeal),
    path("publications/<hex:publication>/withdraw", views.withdraw_publication),
    path("review", line.show_queue),
    path("review/next", line.take_next),
    path("review/record", own.record),
    path("review/conflicts/<hex:conflict>/lift", own.lift_conflict),
    path("review/keys", own.keys),
    path("review/precedents/<int:number>", own.clause_precedents),
    path("review/decisions/<hex:decision>/undo", line.undo),
    path("review/<hex:submission>", work.desk),
    path("review/<hex:submission>/take", line.take),
    path("review/<hex:submission>/renew", work.renew),
    path("review/<hex:submission>/release", work.release),
    path("review/<hex:submission>/skip", work.skip),
    path("review/<hex:submission>/conflict", work.name_conflict),
    *(
        path(f"review/<hex:submission>/{verdict}", work.decide, {"verdict": verdict})
        for verdict in ("approve", "request-changes", "reject", "escalate")
    ),
    *(
        path(f"review/<hex:submission>/{outcome}", work.hear, {"outcome": outcome})
        for outcome in ("uphold", "overturn")
    ),
    path("review/<hex:submission>/video.mp4", work.file, {"kind": "video"}),
    path("review/<hex:submission>/poster.webp", work.file, {"kind": "poster"}),
    path("review/<hex:submission>/sheet.webp", work.file, {"kind": "sheet"}),
    path("v1/submissions", api.Submissions.as_view()),
    path(SUBMISSION, api.OneSubmission.as_view()),
    *(path(f"{SUBMISSION}/{act}", api.SubmissionAct.as_view(act=act)) for act in SUBMISSION_ACTS),
    path("v1/reviews", api.Reviews.as_view()),
    path("v1/reviews/next", api.NextReview.as_view()),
    path(REVIEW, api.OneReview.as_view()),
    path(f"{REVIEW}/content", api.ReviewContent.as_view()),
    *(
        path(f"{REVIEW}/{act}", api.ReviewAct.as_view(act=act))
        for act in (
            "take",
            "renew",
            "release",
            "approve",
            "reject",
            "request_changes",
            "escalate",
            "undo",
            "uphold",
            "overturn",
            "conflict",
        )
    ),
    path("v1/brakes", brake_api.Brakes.as_view()),
    path("v1/brakes/preview", brake_api.BrakePreview.as_view()),
    path("v1/brakes/<str:brake_id>/release", brake_api.ReleaseBrake.as_view()),
    path("v1/policy", policy_api.Policy.as_view()),
    path(f"{SUBMISSION}/statement", policy_api.Statement.as_view()),
    path("v1/publications", api.Publications.as_view()),
    path(PUBLICATION, api.OnePublication.as_view()),
    path(f"{PUBLICATION}/content", api.PublicationContent.as_view()),
    path(f"{PUBLICATION}/withdraw", api.WithdrawPublication.as_view()),
]
