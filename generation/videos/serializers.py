"""Video, as the openai SDK reads it."""

import re
from base64 import b64decode
from datetime import datetime, timedelta
from typing import Any, cast

from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from gateway import brakes
from gateway.api import show_id
from gateway.openapi import (
    boolean,
    const,
    fields,
    id_of,
    integer,
    many,
    nullable,
    number,
    one_of,
    shape,
    text,
    unix,
)
from generation.models import Generation

STAND_IN = "sora-2"  # what clients name that were made for another service: the program's default model
# The SDK's poll loop knows four states and returns at once on a fifth.
STATUS = {"cancelled": "failed"}


@extend_schema_field({"type": ["integer", "string"], "description": "Seconds from now, or a moment (RFC 3339)."})
class Deadline(serializers.Field[Any, Any, Any, Any]):
    """Seconds from now, or a moment as RFC 3339 writes it, with its offset; a multipart form's "90" is seconds too."""

    default_error_messages = {"invalid": "write seconds from now, such as 3600, or a moment: 2026-01-31T18:00:00Z."}

    def to_internal_value(self, data: Any) -> timedelta | datetime:
        text = str(data).strip()
        try:
            if text.isdecimal() and len(text) < 10:
                return timedelta(seconds=int(text))
            moment = datetime.fromisoformat(text)
        except ValueError:
            self.fail("invalid")
        if moment.tzinfo is None:
            self.fail("invalid")
        return moment


@extend_schema_field(
    {
        "description": 'A file of a multipart form, or {"image_url": "data:image/png;base64,…"}.',
        "oneOf": [
            {"type": "string", "format": "binary"},
            {"type": "object", "properties": {"image_url": {"type": "string"}}, "required": ["image_url"]},
        ],
    }
)
class Reference(serializers.FileField):
    """A picture: a file of a multipart form, or {"image_url": "data:image/png;base64,…"}.

    Into a form the SDK writes the second as `input_reference[image_url]`. Nothing is fetched from an address.
    """

    default_error_messages = {
        "elsewhere": "send the picture itself, as a file or a data: URL in base64; nothing is fetched from elsewhere.",
    }

    def get_value(self, dictionary: Any) -> Any:
        told = {key: dictionary.get(f"{self.field_name}[{key}]") for key in ("image_url", "file_id")}
        return told if any(told.values()) else super().get_value(dictionary)

    def to_internal_value(self, data: Any) -> UploadedFile:
        if isinstance(data, dict):
            head, _, body = str(data.get("image_url", "")).partition(",")
            try:
                if not re.fullmatch("data:image/[a-z]+;base64", head):
                    self.fail("elsewhere")
                data = SimpleUploadedFile("picture", b64decode(body, validate=True))
            except ValueError:
                self.fail("elsewhere")
        return cast(UploadedFile, super().to_internal_value(data))


class RemixRequest(serializers.Serializer[Any]):
    """What POST /v1/videos/{id}/remix takes: the new words."""

    prompt = serializers.CharField(max_length=2000, allow_blank=True, help_text="What it should show instead.")


class VideoRequest(serializers.Serializer[Any]):
    """What POST /v1/videos takes, as JSON or multipart. What its model does not offer, the rule refuses."""

    prompt = serializers.CharField(max_length=2000, allow_blank=True, help_text="What it should show.")
    model = serializers.CharField(
        required=False, help_text="The short name of a model; without it, or as “sora-2”, the program’s default."
    )
    seconds = serializers.IntegerField(required=False, help_text="How long; without it the model’s own length.")
    size = serializers.CharField(
        required=False, max_length=12, help_text="Such as 256x256, of those that the model offers."
    )
    seed = serializers.IntegerField(
        required=False, help_text="The same seed gives the same clip; without it one is drawn."
    )
    steps = serializers.IntegerField(required=False, help_text="How many denoising steps; fewer are faster.")
    guidance = serializers.FloatField(required=False, help_text="How closely it keeps to the words.")
    input_reference = Reference(required=False, source="picture")
    cancel_after = Deadline(required=False)

    def validate_model(self, slug: str) -> str:
        return "" if slug == STAND_IN else slug


VIDEO = shape(
    "Video",
    "A clip, from the moment it was asked for: OpenAI's fields, and ours beside them.",
    id=id_of("video"),
    object=const("video"),
    model=text(),
    status=one_of("queued", "in_progress", "completed", "failed", what="One that was cancelled has failed."),
    progress=integer("Percent.", minimum=0, maximum=100),
    created_at=unix(),
    completed_at=nullable(unix()),
    expires_at=nullable(unix("Nothing expires here.")),
    seconds=text("How long it is. A string, as OpenAI has it."),
    size=text("Such as 256x256."),
    prompt=text(),
    remixed_from_video_id=nullable(id_of("video")),
    error=nullable(fields(code=text(), message=text())),
    seed=integer(),
    steps=integer(),
    credits=integer("What it costs, or cost."),
    test=boolean("Drawn with a test token."),
    queue=nullable(
        fields(
            "While it waits. What was just asked for has no place yet: the next look tells it.",
            position=nullable(integer()),
            eta_seconds=nullable(number()),
        )
    ),
    eta_seconds=nullable(number("About how long until it is there, where that is known.")),
    cancel_after=nullable(unix("What still waits then is cancelled.")),
    held=nullable(text("Why it is not begun, when something holds it.")),
    sha256=nullable(text("Of the video file.")),
    input_reference=nullable(fields("The picture that it begins from.", sha256=text(), size=text())),
    notes=many(text(), "What its artist should know."),
    guest_pass=nullable(id_of("guest_pass")),
    actions=many(one_of("cancel", "remix", "delete")),
)
RANGE = fields(maybe=(), **{"default": number(), "from": number(), "to": number()})
MODEL = shape(
    "Model",
    "A model that can be asked for, and what it offers.",
    id=text("Its short name."),
    object=const("model"),
    created=unix(),
    owned_by=text("Under which licence."),
    name=text(),
    sizes=many(text()),
    seconds=many(integer()),
    fps=integer(),
    steps=RANGE,
    guidance=RANGE,
    prompt_words=integer("How many it reads."),
    modality=text(),
    preset=text(),
    credits_per_second=integer(),
    note=text(),
)


def video(generation: Generation) -> dict[str, Any]:
    """A generation as a Video, one that has ended as `told` reads it; `actions` are the moves that are open now."""
    error = None
    if generation.state == "failed":
        error = {"code": generation.error_code, "message": generation.error_message}
    elif generation.state == "cancelled":
        code, message = generation.error_code or "cancelled", generation.error_message
        error = {"code": code, "message": message or "It was cancelled; the credits were given back."}
    place, wait = getattr(generation, "position", None), getattr(generation, "eta", None)
    brake = getattr(generation, "brake", None)
    absent = getattr(generation, "absent", None)
    picture = generation.picture
    return {
        "id": show_id("video", generation.pk),
        "object": "video",
        "model": generation.model.slug,
        "status": STATUS.get(generation.state, generation.state),
        "progress": generation.percent,
        "created_at": _unix(generation.created_at),
        "completed_at": _unix(generation.ended_at) if generation.state == "completed" else None,
        "expires_at": None,
        "seconds": str(generation.seconds),
        "size": generation.size,
        "prompt": generation.prompt,
        "remixed_from_video_id": show_id("video", generation.remixed_from_id) if generation.remixed_from_id else None,
        "error": error,
        "seed": generation.seed,
        "steps": generation.steps,
        "credits": generation.credits,
        "test": generation.test,
        "queue": {"position": place, "eta_seconds": wait} if generation.state == "queued" else None,
        "eta_seconds": wait,
        "cancel_after": _unix(generation.cancel_after),
        "held": brakes.sentence(brake) if brake else absent,
        "sha256": generation.video_sha256 if generation.ended else None,  # type: ignore[attr-defined]
        "input_reference": {"sha256": picture.sha256, "size": f"{picture.width}x{picture.height}"} if picture else None,
        "notes": generation.notes,
        "guest_pass": show_id("guest_pass", generation.guest_pass_id) if generation.guest_pass_id else None,
        "actions": _actions(generation),
    }


def _actions(generation: Generation) -> list[str]:
    if not generation.ended:
        return ["remix", "cancel"]
    return ["remix"] if generation.kept else ["remix", "delete"]  # type: ignore[attr-defined]


def _unix(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at else None
