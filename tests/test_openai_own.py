"""openai-python's own tests of its videos resource, out of its source distribution, against this gateway.

They presuppose a server with the token `My API Key` and with a video `video_123`; what stands in between here gives
them one. Which of them fail, and why, is written down: it is exactly those.
"""

import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import openai
import pytest
from django.core.wsgi import get_wsgi_application

from gateway.actors import Actor
from generation.models import Generation, ModelProfile
from tests import makers
from tests.serving import serving

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.soak]
# What fails, and why. Each name stands for the plain call, the raw and the streamed one, in both clients.
FAILS = {
    "create_with_all_params": "it sends b'Example data' as the picture: no model begins from that",
    "create_character": "no model here keeps a character: unsupported, in words",
    "get_character": "and so there is none to get",
    "edit": "no model here edits a clip: unsupported, in words",
    "extend": "no model here makes a clip longer: unsupported, in words",
}
KINDS = ("test_method_", "test_raw_response_", "test_streaming_response_")


@pytest.fixture(scope="module")
def sources(pytestconfig: Any) -> Path:
    """The source distribution of the openai that is installed, and what its tests need besides. Kept for the next run."""
    folder = Path(pytestconfig.cache.mkdir(f"openai-{openai.__version__}"))
    found = folder / f"openai-{openai.__version__}"
    if not (found / "tests").exists():
        for asked in (
            ["download", "--no-binary", "openai", "--dest", folder, f"openai=={openai.__version__}"],
            ["install", "--target", folder / "beside", "pytest-asyncio"],
        ):
            told = [sys.executable, "-m", "pip", *map(str, asked), "--no-deps", "--quiet"]
            got = subprocess.run(told, capture_output=True, text=True, check=False)
            if got.returncode and os.environ.get("CI"):
                pytest.fail(got.stderr)
            elif got.returncode:
                pytest.skip(f"OPENAI'S OWN TESTS DID NOT RUN: there is no package index. {got.stderr[-200:]}")
        with tarfile.open(folder / f"openai-{openai.__version__}.tar.gz") as archive:
            archive.extractall(folder, filter="data")
        shutil.rmtree(found / "src")  # the installed one is asked
    return found


class Presupposed:
    """WSGI: what openai's tests take for granted of a server, turned into what there is."""

    def __init__(self, artist: Actor) -> None:
        self.artist, self.token, self.inner = artist, makers.token(artist), get_wsgi_application()

    def __call__(self, environ: dict[str, Any], start: Any) -> Any:
        if environ.get("HTTP_AUTHORIZATION") == "Bearer My API Key":
            environ["HTTP_AUTHORIZATION"] = f"Bearer {self.token}"
        if "video_123" in environ["PATH_INFO"]:
            environ["PATH_INFO"] = environ["PATH_INFO"].replace("video_123", self.video())
        environ["QUERY_STRING"] = environ["QUERY_STRING"].replace("after=after", f"after={quote(self.video())}")
        return self.inner(environ, start)

    def video(self) -> str:
        """One that is there: they delete it, too."""
        there = Generation.objects.visible_to(self.artist).filter(state="completed").first()
        return f"video_{(there or makers.completed(self.artist, seconds=4)).pk.hex}"


@pytest.fixture
def server() -> Iterator[str]:
    makers.sketch()
    ModelProfile.objects.update(sizes=["720x1280", "1280x720"], seconds=[4, 8, 12])
    cohort = makers.cohort(requests_a_minute=100_000, concurrent=1000)
    artist = makers.artist(credits=100_000, cohort=cohort)
    with serving(Presupposed(artist)) as url:
        yield f"{url}/v1"


def test_openais_own_tests_pass_but_for_those_that_are_listed(server, sources, tmp_path):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO", "OPENAI"))}
    env |= {
        "TEST_API_BASE_URL": server,
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONPATH": str(sources.parent / "beside"),
    }
    asked = ["-p", "pytest_asyncio.plugin", "-o", "addopts=", "-q", "--tb=line", f"--junitxml={tmp_path / 'told.xml'}"]
    if not aiohttp():
        asked += ["-k", "not aiohttp"]  # the same calls over another library
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", *asked, "tests/api_resources/test_videos.py"],
        cwd=sources,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    cases = list(ElementTree.parse(tmp_path / "told.xml").iter("testcase"))
    assert len(cases) > 100, ran.stdout
    failed = {name(case) for case in cases if case.find("failure") is not None or case.find("error") is not None}
    passed = {name(case) for case in cases if case.find("failure") is None and case.find("error") is None}
    assert failed == set(FAILS), ran.stdout[-3000:]
    assert not failed & passed, "some of them pass in some way, so their reason is another one"
    assert passed >= {"create", "retrieve", "list", "list_with_all_params", "delete", "download_content", "remix"}


def name(case: ElementTree.Element) -> str:
    """`create` out of `test_raw_response_create[strict]`."""
    told = case.attrib["name"].partition("[")[0]
    for kind in (*KINDS, "test_path_params_"):
        if told.startswith(kind):
            return told.removeprefix(kind) if kind in KINDS else f"{told.removeprefix(kind)} without an id"
    return told


def aiohttp() -> bool:
    try:
        import aiohttp  # noqa: F401
    except ImportError:
        return False
    return True
