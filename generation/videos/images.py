"""/v1/images/generations: a picture by a text-to-image model, waited for as long as a web thread may wait.

The interface has no way to say "later" but to be asked again. So a picture that is not there in time is refused with
its id and Retry-After, which the openai SDK obeys; its repetition is known (gateway.retries) and waits for the same.
"""

import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from gateway import refusals
from gateway.api import Invalid, Resource, show_id
from gateway.openapi import const, fields, id_of, integer, many, operation, shape, text, unix
from generation import generations, media
from generation.models import Generation
from generation.videos.views import ASKING
from generation.views import own

WAIT = 20.0  # seconds
LOOK = 0.5  # seconds between two looks
# Of a process's threads a quarter may wait at a time: the others answer everybody else.
_waiting = threading.BoundedSemaphore(max(1, settings.THREADS_EACH // 4))


class ImageRequest(serializers.Serializer[Any]):
    """What POST /v1/images/generations takes; what else clients send (quality, style, user) changes nothing here."""

    prompt = serializers.CharField(max_length=2000, allow_blank=True, help_text="What it should show.")
    model = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="The short name of a text-to-image model; without it the first.",
    )
    size = serializers.CharField(
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=12,
        help_text="Such as 1024x1024; without it the model’s own.",
    )
    n = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=1, help_text="One at a time.")
    seed = serializers.IntegerField(
        required=False, help_text="The same seed gives the same picture; without it one is drawn."
    )
    response_format = serializers.ChoiceField(["b64_json"], required=False, allow_null=True, help_text="How it comes.")


IMAGES = shape(
    "Images",
    "The picture that was asked for: OpenAI's fields, and ours beside them.",
    created=unix(),
    data=many(fields(b64_json=text("The picture, as WebP in base64."))),
    output_format=const("webp"),
    size=text(),
    seed=integer(),
    video=id_of("video", "Under which it is kept."),
)


class Images(Resource):
    """Ask for a picture and wait for it."""

    @operation(
        "create_image",
        "Ask for a picture, and wait for it",
        {200: IMAGES},
        body=ImageRequest,
        example={"prompt": "a red circle over a blue field"},
        no=[*ASKING, refusals.Unsupported, refusals.StillDrawing, refusals.NotDrawn],
        more="One that is not there within 20 seconds is refused with its id and Retry-After: ask again the same way.",
    )
    def post(self, request: Request) -> Response:
        asked = ImageRequest(data=request.data)
        asked.is_valid(raise_exception=True)
        told = asked.validated_data
        size = told.get("size")
        generation = generations.submit(
            by=self.actor,
            prompt=told["prompt"],
            model=_model(told.get("model")),
            size=None if size in ("", "auto") else size,
            seed=told.get("seed"),
            **self.repeats(request),
        )
        _wait(generation)
        return Response(_picture(own(self.actor, generation.pk), self))


def _model(slug: str | None) -> str:
    """The text-to-image model with this slug, or the first. Raises Unsupported, Invalid."""
    offered = [model.slug for model in generations.offered() if model.modality == "text-to-image"]
    if not offered:
        raise refusals.Unsupported(what="draw a picture by itself", instead="ask for a clip, at /v1/videos")
    if slug and slug not in offered:
        raise Invalid(what=f"model: “{slug}” draws no pictures here. There are: {', '.join(offered)}.", param="model")
    return slug or offered[0]


def _wait(generation: Generation) -> None:
    with _place() as free:
        until = time.monotonic() + (WAIT if free else 0)
        while not generation.ended and time.monotonic() < until:
            if not connection.in_atomic_block:
                connection.close()  # back to the pool: who waits holds none
            time.sleep(LOOK)
            generation.refresh_from_db(fields=["state"])


@contextmanager
def _place() -> Iterator[bool]:
    free = _waiting.acquire(blocking=False)
    try:
        yield free
    finally:
        if free:
            _waiting.release()


def _picture(generation: Generation, resource: Resource) -> dict[str, Any]:
    video = show_id("video", generation.pk)
    if not generation.ended:
        raise refusals.StillDrawing(video=video, retry_after=2)
    if generation.state != "completed":
        raise refusals.NotDrawn(video=video)
    opened = media.open_for(resource.actor, "own work", generation.output("poster"))
    with opened.file as file:
        picture = b64encode(file.read()).decode()
    assert generation.ended_at is not None
    return {
        "created": int(generation.ended_at.timestamp()),
        "data": [{"b64_json": picture}],
        "output_format": "webp",
        "size": generation.size,
        "seed": generation.seed,
        "video": video,
    }
