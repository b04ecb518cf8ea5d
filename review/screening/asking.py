"""Asks the operator's classifier, if there is one."""

import logging
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from django.conf import settings
from django.utils.module_loading import import_string

from generation.models import Output
from review.screening.findings import Classifier, Clip, Finding, Opinion

log = logging.getLogger(__name__)

MOST = 20  # opinions on one clip
LONGEST = 500  # characters of one


def opinions(file: IO[bytes], output: Output) -> list[Finding]:
    """What the classifier says of this clip; one failed finding when it raises, whatever it raises."""
    if not settings.SCREENING_CLASSIFIER:
        return []
    generation = output.generation
    clip = Clip(
        output=output.pk,
        prompt=generation.prompt,
        model=generation.model.slug,
        width=output.width,
        height=output.height,
        frames=output.frames,
        seconds=output.seconds,
    )
    try:
        ask: Classifier = import_string(settings.SCREENING_CLASSIFIER)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip.mp4"
            file.seek(0)
            with path.open("wb") as copy:
                shutil.copyfileobj(file, copy)
            return _findings(ask(path, clip))
    except Exception as failure:
        log.exception("the classifier failed on output %s", output.pk)
        return [Finding("classifier", failed=True, evidence={"failure": type(failure).__name__})]


def _findings(told: Iterable[Opinion]) -> list[Finding]:
    return [
        Finding(
            "classifier",
            raised=bool(opinion.raised),
            value=None if opinion.value is None else float(opinion.value),
            limit=None if opinion.limit is None else float(opinion.limit),
            at_seconds=None if opinion.at_seconds is None else float(opinion.at_seconds),
            frames=[int(frame) for frame in opinion.frames],
            evidence={"words": str(opinion.words)[:LONGEST]},
        )
        for opinion, _ in zip(told, range(MOST), strict=False)
    ]
