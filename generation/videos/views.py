"""/v1/videos and /v1/models."""

import time
from typing import Any

from django.http import HttpResponseBase
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import refusals
from gateway.actors import Actor
from gateway.api import Invalid, Resource, known, page, read_id, show_id
from gateway.openapi import (
    PAGE,
    File,
    Operation,
    boolean,
    const,
    fields,
    id_of,
    many,
    one_of,
    operation,
    operations,
    page_of,
    query,
)
from generation import generations, media
from generation.models import KEPT, Generation
from generation.videos.serializers import MODEL, VIDEO, RemixRequest, VideoRequest, video
from generation.views import by_id, own, read, with_places

VARIANTS = {"video": "video", "thumbnail": "poster", "spritesheet": "sheet"}
POLL_MS = "1000"
PROGRESS = by_id(lambda mine: mine.only("state", "step", "fence").annotate(kept=KEPT))
TOLD = by_id(lambda mine: mine.told())
FRESH = 5  # seconds: so old may a place in line be that a client has already
# How asking for a clip may be refused.
ASKING = (
    refusals.MissingScope,
    refusals.NotAMember,
    refusals.Suspended,
    refusals.TermsNotAccepted,
    refusals.UnknownModel,
    refusals.NotOffered,
    refusals.TestsUseSketch,
    refusals.DeadlineOutOfReach,
    refusals.PromptMissing,
    refusals.PromptTooLong,
    refusals.PictureNeeded,
    refusals.PictureNotTaken,
    refusals.PictureUnreadable,
    refusals.PictureTooLarge,
    refusals.PictureSides,
    refusals.DiskFull,
    refusals.NotEnoughCredits,
    refusals.TokenSpent,
    refusals.TooManyToday,
    refusals.TooManyAtOnce,
)
DELETED = fields(id=id_of("video"), object=const("video.deleted"), deleted=boolean())
VARIANT = query("variant", one_of(*VARIANTS) | {"default": "video"}, "Which of its files.")
FILES = {status: File(("video/mp4", "image/webp")) for status in (200, 206)} | {304: None, 416: None}
FILE_HEADERS = {200: ["ETag"], 206: ["ETag", "Content-Range"], 304: ["ETag"], 416: ["ETag", "Content-Range"]}


class Videos(Resource):
    """Ask for a clip; list one's own."""

    @operation(
        "create_video",
        "Ask for a clip",
        {200: VIDEO},
        body=VideoRequest,
        example={"prompt": "a red circle over a blue field", "seconds": 2},
        no=ASKING,
        headers={200: ["openai-poll-after-ms"]},
    )
    def post(self, request: Request) -> Response:
        asked = VideoRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            generation = generations.submit(by=self.actor, **asked.validated_data, **self.repeats(request))
        except refusals.Refused as refused:
            if refused.param == "picture":
                refused.param = "input_reference"  # as it is called here
            raise
        return _asked(self.actor, generation)

    @operation("list_videos", "List your clips", {200: page_of(VIDEO)}, query=PAGE)
    def get(self, request: Request) -> Response:
        rows = Generation.objects.visible_to(self.actor).told()
        return Response(page(request, rows, "video", video))


class Video(Resource):
    """One clip of one's own: look at it, delete it."""

    @operation("get_video", "Read one", {200: VIDEO}, headers={200: ["openai-poll-after-ms"]})
    def get(self, request: Request, video_id: str) -> Response:
        pk = read_id("video", video_id)
        if "If-None-Match" in request.headers:  # asked before all that takes time
            row = read(self.actor, pk, PROGRESS)
            if known(request, etag := _etag(row)):
                return Response(status=304, headers={"ETag": etag, "openai-poll-after-ms": POLL_MS})
        return _told(read(self.actor, pk, TOLD))

    @operation(
        "delete_video",
        "Delete it, with its files",
        {200: DELETED},
        no=[refusals.MissingScope, refusals.StillUnderWay, refusals.NotWithdrawn],
        more="What was asked for and charged stays on record, for your export alone. Twice is no error.",
    )
    def delete(self, request: Request, video_id: str) -> Response:
        pk = read_id("video", video_id)
        found = Generation.objects.deleted_by(self.actor).filter(pk=pk).first() or own(self.actor, pk)
        generations.delete(found, by=self.actor)
        return Response({"id": show_id("video", pk), "object": "video.deleted", "deleted": True})


class Remix(Resource):
    """A new clip out of this one: other words, all else the same."""

    @operation(
        "remix_video",
        "Make another with other words",
        {200: VIDEO},
        body=RemixRequest,
        example={"prompt": "a red ring over a blue field"},
        no=ASKING,
        headers={200: ["openai-poll-after-ms"]},
        more="Model, size, length, steps, guidance and seed are those of the first.",
    )
    def post(self, request: Request, video_id: str) -> Response:
        source = own(self.actor, read_id("video", video_id))
        asked = RemixRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        generation = generations.remix(source, by=self.actor, **asked.validated_data, **self.repeats(request))
        return _asked(self.actor, generation)


NOT_HERE = {
    "edits": ("edit a clip", "remix one of yours with other words, at /v1/videos/{id}/remix"),
    "extensions": ("make a clip longer", "ask for a longer one, with “seconds”"),
    "characters": ("keep a character", "describe it in each prompt, or begin from a picture with “input_reference”"),
}


class NotHere(Resource):
    """What clients for another service can ask for, and no model here can do."""

    act = ""

    @operations(
        {
            act: Operation(
                f"{act}_not_here", f"Not here: you are told why no model can {what}", {}, no=[refusals.Unsupported]
            )
            for act, (what, _) in NOT_HERE.items()
        }
    )
    def post(self, request: Request) -> Response:
        what, instead = NOT_HERE[self.act]
        raise refusals.Unsupported(what=what, instead=instead)


class Cancel(Resource):
    """Stop it; its credits come back."""

    @operation(
        "cancel_video",
        "Stop it; its credits come back",
        {200: VIDEO},
        no=[refusals.MissingScope, refusals.WrongState],
    )
    def post(self, request: Request, video_id: str) -> Response:
        found = read(self.actor, read_id("video", video_id), TOLD)
        generations.cancel(found, by=self.actor)
        return Response(video(found))


class NotReady(refusals.Refused):
    """This video is {state}: there is a file only when it is completed."""

    status = 409


class Content(Resource):
    """The file: `variant` is video, thumbnail or spritesheet."""

    @operation(
        "download_video",
        "Download its file, whole or in part",
        FILES,
        query=[VARIANT],
        no=[NotReady],
        headers=FILE_HEADERS,
    )
    def get(self, request: Request, video_id: str) -> HttpResponseBase:
        variant = request.query_params.get("variant", "video")
        if variant not in VARIANTS:
            raise Invalid(what=f"variant: “{variant}” is none of {', '.join(VARIANTS)}.", param="variant")
        found = own(self.actor, read_id("video", video_id))
        if found.state != "completed":
            raise NotReady(state=found.state.replace("_", " "))
        output = found.output(VARIANTS[variant])
        return media.respond(request._request, media.open_for(self.actor, "own work", output))


def _asked(actor: Actor, generation: Generation) -> Response:
    """What was just asked for, without its place in line: that takes longer than all the rest, and the first look at
    it tells it."""
    if generation.ended:  # it was asked for before
        return _told(read(actor, generation.pk, TOLD))
    return Response(video(generation), headers={"openai-poll-after-ms": POLL_MS})


def _told(found: Generation) -> Response:
    return Response(video(with_places([found])[0]), headers={"ETag": _etag(found), "openai-poll-after-ms": POLL_MS})


def _etag(generation: Generation) -> str:
    """Weak: another one means that there is something new. What still waits or is drawn is told anew every FRESH
    seconds, for its place in line and its time to go change by themselves."""
    now = 0 if generation.ended else int(time.time()) // FRESH
    kept = "kept" if generation.kept else now  # type: ignore[attr-defined]
    return f'W/"{generation.state}-{generation.fence}-{generation.step}-{kept}"'


class Models(Resource):
    """The models that can be asked for."""

    @operation("list_models", "List what can be asked for", {200: fields(object=const("list"), data=many(MODEL))})
    def get(self, request: Request) -> Response:
        return Response({"object": "list", "data": [_model(model) for model in generations.offered()]})


class OneModel(Resource):
    """One of them."""

    @operation("get_model", "Read one", {200: MODEL})
    def get(self, request: Request, model_id: str) -> Response:
        found = next((model for model in generations.offered() if model.slug == model_id), None)
        if found is None:
            raise refusals.NotFound
        return Response(_model(found))


def _model(model: Any) -> dict[str, Any]:
    return {
        "id": model.slug,
        "object": "model",
        "created": int(model.created_at.timestamp()),
        "owned_by": model.licence,
        "name": model.name,
        "sizes": model.sizes,
        "seconds": model.seconds,
        "fps": model.fps,
        "steps": {"default": model.steps, "from": 1, "to": model.max_steps},
        "guidance": {"default": model.guidance, "from": 0, "to": generations.MOST_GUIDANCE},
        "prompt_words": model.prompt_words,
        "modality": model.modality,
        "preset": model.preset,
        "credits_per_second": model.credits_per_second,
        "note": model.note,
    }
