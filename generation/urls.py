"""The studio, an artist's own files, guest passes, /v1/videos and /v1/guest_passes."""

from django.urls import path

from generation import me, program, views
from generation.lending import artist, guest, resources
from generation.videos import images
from generation.videos import views as videos

LENT = "v1/guest_passes/<str:pass_id>"
CLIP = "g/<str:secret>/<hex:clip>"

urlpatterns = [
    path("v1/models", videos.Models.as_view()),
    path("v1/models/<str:model_id>", videos.OneModel.as_view()),
    path("v1/images/generations", images.Images.as_view()),
    path("v1/videos", videos.Videos.as_view()),
    *(path(f"v1/videos/{act}", videos.NotHere.as_view(act=act)) for act in videos.NOT_HERE),
    path("v1/videos/<str:video_id>", videos.Video.as_view()),
    path("v1/videos/<str:video_id>/cancel", videos.Cancel.as_view()),
    path("v1/videos/<str:video_id>/remix", videos.Remix.as_view()),
    path("v1/videos/<str:video_id>/content", videos.Content.as_view()),
    path("metrics", views.metrics),
    path("studio", views.studio),
    path("studio/live", views.live),
    path("studio/<hex:generation>/cancel", views.cancel),
    path("generations/<hex:generation>/video.mp4", views.file, {"kind": "video"}),
    path("generations/<hex:generation>/poster.webp", views.file, {"kind": "poster"}),
    path("generations/<hex:generation>/sheet.webp", views.file, {"kind": "sheet"}),
    path("generations/<hex:generation>/picture", views.picture),
    path("generations/<hex:generation>/delete", views.delete),
    path("access/guest-passes", artist.passes),
    path("access/guest-passes/<hex:guest_pass>/revoke", artist.revoke),
    path("access/guest-passes/<hex:guest_pass>/downloads", artist.switch),
    path("g/<str:secret>", guest.show_pass),
    path(CLIP, guest.show_clip),
    path(f"{CLIP}/live", guest.live),
    path(f"{CLIP}/cancel", guest.cancel),
    path(f"{CLIP}/video.mp4", guest.file, {"kind": "video"}),
    path(f"{CLIP}/poster.webp", guest.file, {"kind": "poster"}),
    path("program/fleet", program.show_fleet),
    path("program/fleet/<hex:worker>/drain", program.drain),
    path("program/fleet/<hex:worker>/resume", program.resume),
    path("v1/guest_passes", resources.GuestPasses.as_view()),
    path(LENT, resources.OneGuestPass.as_view()),
    *(path(f"{LENT}/{act}", resources.GuestPassAct.as_view(act=act)) for act in ("revoke", "downloads")),
    path("v1/me", me.Me.as_view()),
]
