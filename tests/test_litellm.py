"""LiteLLM, by `api_base` and `api_key` alone. `make soak` installs it: it brings too much along for every check.

Its `video_status` (1.83) takes every answer for a video, a 404 too; so what it makes of that is not looked at.
"""

import hashlib
import os

import pytest

from generation.models import Generation
from tests import makers
from tests.serving import serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.soak]


def test_litellm_asks_looks_lists_downloads_and_remixes(monkeypatch):
    monkeypatch.setenv("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or it asks another server for prices
    if os.environ.get("CI"):
        import litellm
    else:
        litellm = pytest.importorskip("litellm", reason="LITELLM DID NOT RUN: it is not installed; `make soak` does.")
    makers.sketch()
    artist = makers.artist()
    with serving() as url:
        told = {"api_base": f"{url}/v1", "api_key": makers.token(artist), "custom_llm_provider": "openai"}
        made = litellm.video_generation(prompt="a red circle", model="openai/sketch", seconds="1", **told)
        assert (made.status, made.model, made.seconds) == ("queued", "sketch", "1")
        generation = Generation.objects.get()
        makers.drawn(generation)
        seen = litellm.video_status(video_id=made.id, **told)
        assert (seen.status, seen.progress) == ("completed", 100)
        file = litellm.video_content(video_id=made.id, **told)
        assert hashlib.sha256(file).hexdigest() == generation.output("video").sha256
        remix = litellm.video_remix(video_id=made.id, prompt="a blue ring", **told)
        assert remix.remixed_from_video_id == f"video_{generation.pk.hex}"
        listed = litellm.video_list(**told)
        assert [each["remixed_from_video_id"] for each in listed["data"]] == [remix.remixed_from_video_id, None]
        with pytest.raises(litellm.BadRequestError, match="the prompt is empty"):
            litellm.video_generation(prompt=" ", model="openai/sketch", **told)
