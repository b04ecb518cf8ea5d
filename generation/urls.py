"""The studio, an artist's own files, and /v1/videos."""

from django.urls import path

from generation import views
from generation.videos import views as videos

urlpatterns = [
    path("studio", views.studio),
    path("studio/live", views.live),
    path("studio/<hex:generation>/cancel", views.cancel),
    path("generations/<hex:generation>/video.mp4", views.file, {"kind": "video"}),
    path("generations/<hex:generation>/poster.webp", views.file, {"kind": "poster"}),
    path("generations/<hex:generation>/sheet.webp", views.file, {"kind": "sheet"}),
    path("v1/models", videos.Models.as_view()),
    path("v1/videos", videos.Videos.as_view()),
    path("v1/videos/<str:video_id>", videos.Video.as_view()),
    path("v1/videos/<str:video_id>/cancel", videos.Cancel.as_view()),
    path("v1/videos/<str:video_id>/content", videos.Content.as_view()),
]
