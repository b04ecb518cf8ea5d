"""The engine that asks another server, and this gateway as that server: web, queue, worker and Sketch are real."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np
import pytest
from django.conf import settings as gateway_settings
from django.db import connection

from gateway import allowances
from generation import engines, worker
from generation.engines import EngineError, Model, ModelMissing, OutOfMemory, Request, Stopped, WrongOutput
from generation.engines.remote import RemoteEngine, ServerAway, ServerRefused, fields
from generation.models import Generation, ModelProfile
from generation.videos import views
from tests import makers
from tests.generation.engines import line
from tests.generation.engines.conformance import Conformance, Subject
from tests.generation.engines.families import Case
from tests.generation.watched import Watched

pytestmark = pytest.mark.django_db(transaction=True)
MODEL = Model("far", "CogVideoXPipeline", "sketch")
ASKED = Request(
    id="g1",
    prompt="a red circle drifting left over a blue field",
    width=256,
    height=256,
    frames=9,
    fps=8,
    steps=4,
    guidance=3.0,
    seed=7,
)


class Far:
    """The other gateway: its address, its artist, and what its worker does beside each step."""

    def __init__(self, url: str, at: dict[int, Callable[[], object]]) -> None:
        self.url, self.at = url, at
        self.artist = makers.artist(cohort=makers.cohort(requests_a_minute=100_000))
        self.token = makers.token(self.artist)

    def engine(self, **options: Any) -> RemoteEngine:
        made = RemoteEngine(**{"url": self.url, "token": self.token, "poll": 0.02, "patience": 20, **options})
        made._http.headers["Connection"] = "close"  # or the server's threads keep their connections to the database
        return made

    def last(self) -> Generation:
        return Generation.objects.order_by("-id")[0]

    def paid(self) -> tuple[int, int]:
        allowance = allowances.current(self.artist.membership)
        return allowance.held, allowance.spent


@pytest.fixture
def far(live_server: Any, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    settings.ENGINE_THREADS, settings.LEASE_SECONDS = 1, 2
    monkeypatch.setitem(engines.ENGINES, "watched", "tests.generation.watched.Watched")
    monkeypatch.setattr(Watched, "at", {})
    monkeypatch.setattr(views, "POLL_MS", "20")
    makers.sketch()
    ModelProfile.objects.update(engine="watched")
    ended = threading.Event()

    def work() -> None:
        while not ended.is_set():
            try:
                if worker.look("default", name="gpu@far") is None and not ended.wait(0.05):
                    worker.sweep()
            except Killed:
                pass
        connection.close()

    thread = threading.Thread(target=work, name="the other gateway's worker")
    thread.start()
    yield Far(live_server.url, Watched.at)
    ended.set()
    thread.join()


class Killed(BaseException):
    """As a process that is killed: nothing is written any more."""


def killed() -> None:
    raise Killed


def failing(error: EngineError) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def silent(done: int, total: int) -> None:
    pass


def ended(far: Far, state: str) -> Generation:
    until = time.monotonic() + 120
    while (found := far.last()).state != state:
        assert time.monotonic() < until, found.state
        time.sleep(0.02)
    return found


def local(request: Request) -> np.ndarray:
    """The same clip, drawn here."""
    model = Model("sketch", "CogVideoXPipeline", str(Path(gateway_settings.SHIPPED_MODELS_DIR, "sketch")))
    frames = engines.find("watched").run(model, replace(request, width=64, height=64), silent).frames
    return frames.repeat(4, axis=1).repeat(4, axis=2)


def test_a_clip_is_what_its_server_drew_and_is_paid_there(far: Far):
    engine = far.engine()
    clip = engine.run(MODEL, ASKED, silent)
    assert np.abs(clip.frames.astype(int) - local(ASKED)).mean() < 4, "the pictures that it drew, but for the encoder"
    assert set(clip.seconds) == {"load", "denoise", "decode"}
    assert far.paid() == (0, 1)
    assert engine.describe()["warm"] == ["far"]


@pytest.fixture
def subject(far: Far) -> Subject:
    """Sketch, behind the other gateway."""

    @contextmanager
    def out_of_memory(times: int) -> Iterator[None]:
        far.at[1] = failing(OutOfMemory("It does not fit there. Fewer frames or a smaller size will help."))
        yield
        far.at.clear()

    @contextmanager
    def too_many() -> Iterator[None]:
        ModelProfile.objects.update(fps=16)
        yield
        ModelProfile.objects.update(fps=ASKED.fps)

    asked = {"width": ASKED.width, "height": ASKED.height, "frames": ASKED.frames}
    off_grid = [
        ({"width": 128}, "Sketch does not offer size “128x256”. It offers: 256x256"),
        ({"steps": 51}, "It offers: 1 to 50"),
        ({"frames": 10}, "whole seconds"),
    ]
    case = Case(lambda: None, MODEL.pipeline, asked, off_grid, fewest_frames=ASKED.frames)
    return Subject(far.engine(), MODEL, case, out_of_memory, too_many, tiles_after=None, every_step=False)


class TestRemote(Conformance):
    """The same rules as for the engine that draws here."""

    def test_stopped_here_it_stops_there_and_costs_nothing(self, far: Far, subject: Subject) -> None:
        far.at[3] = lambda: time.sleep(0.3)

        def stop(done: int, total: int) -> None:
            if done >= 2:
                raise Stopped

        with pytest.raises(Stopped):
            subject.engine.run(MODEL, replace(ASKED, steps=8), stop)
        assert ended(far, "cancelled").step < 8
        assert far.paid() == (0, 0)


@pytest.mark.parametrize(
    "error",
    [EngineError("It broke."), OutOfMemory("It does not fit."), WrongOutput("It is grey."), ModelMissing("No.")],
)
def test_its_failures_are_ours_in_its_own_words(far: Far, error: EngineError):
    far.at[1] = failing(error)
    with pytest.raises(EngineError) as heard:
        far.engine().run(MODEL, ASKED, silent)
    assert (type(heard.value), str(heard.value)) == (type(error), str(error))
    assert far.paid() == (0, 0)


def test_what_is_not_there_is_refused(far: Far):
    with pytest.raises(ModelMissing, match="no mochi; it has sketch"):
        far.engine().run(replace(MODEL, slug="other", path="mochi"), ASKED, silent)
    with pytest.raises(ServerRefused):
        far.engine(token="bat_artist_wrong").run(MODEL, ASKED, silent)
    assert not Generation.objects.exists()


def test_a_worker_that_dies_there_costs_time_and_no_clip(far: Far):
    def dies() -> None:
        far.at.clear()
        killed()

    far.at[2] = dies
    steps: list[int] = []
    clip = far.engine().run(MODEL, ASKED, lambda done, total: steps.append(done))
    assert len(clip.frames) == 9 and steps == sorted(steps)
    assert (far.last().fence, far.paid()) == (2, (0, 1))


def test_a_server_that_restarts_is_waited_for(far: Far):
    parts = urlsplit(far.url)
    assert parts.hostname and parts.port
    with line.to(parts.hostname, parts.port) as cable:
        engine = far.engine(url=cable.url)

        def cut(done: int, total: int) -> None:
            if done == 1 and not cable.refused:
                cable.cut = True
            elif cable.refused > 2:
                cable.cut = False

        far.at[2] = lambda: time.sleep(0.3)
        assert len(engine.run(MODEL, ASKED, cut).frames) == 9
        assert cable.refused > 2
        far.at.clear()

        def cut_in_the_file(done: int, total: int) -> None:
            if done == total and cable.after is None and not cuts:
                cuts.append(done)
                cable.after = 1500  # in the middle of the file

        cuts: list[int] = []
        assert len(engine.run(MODEL, ASKED, cut_in_the_file).frames) == 9
        assert cuts and cable.after is None

        def gone(done: int, total: int) -> None:
            cable.cut = done >= 1

        with pytest.raises(ServerAway):
            far.engine(url=cable.url, patience=0.5).run(MODEL, ASKED, gone)
        cable.cut = False
        with pytest.raises(ServerAway):
            far.engine(url="http://127.0.0.1:9", patience=0.2).run(MODEL, ASKED, silent)


class ClosesUnsaid(BaseHTTPRequestHandler):
    """Answers once on each connection, and closes it when it is asked a second time."""

    protocol_version = "HTTP/1.1"
    answers: ClassVar[dict[str, bytes]] = {"GET": b'{"data": [{"id": "sketch"}]}', "POST": b'{"id": "video_1"}'}

    def handle(self) -> None:
        self.handle_one_request()
        self.connection.recv(1)

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = self.answers[self.command]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer


def test_an_order_does_not_go_over_a_line_that_the_server_is_closing():
    with ThreadingHTTPServer(("127.0.0.1", 0), ClosesUnsaid) as server:
        threading.Thread(target=server.serve_forever).start()
        engine = RemoteEngine(url=f"http://127.0.0.1:{server.server_port}", token="x", poll=0.01, patience=1)
        engine.load(MODEL)
        assert engine._create(MODEL, ASKED, silent) == "video_1"
        server.shutdown()


def test_it_is_an_engine_as_any_other_to_a_worker(far: Far, settings: Any, monkeypatch: pytest.MonkeyPatch):
    """Both gateways are this one: its own worker asks it for a clip, and another worker draws that."""
    settings.REMOTE_ENGINE_URL, settings.REMOTE_ENGINE_TOKEN = far.url, far.token
    ModelProfile.objects.filter(slug="cogvideox-2b").update(
        engine="remote", source="sketch", sizes=["256x256"], seconds=[1], enabled=True
    )
    near = makers.artist()
    generation = makers.queued(near, model="cogvideox-2b", steps=4, seed=7)
    monkeypatch.setitem(engines._made, "remote", far.engine(url="", token=""))
    assert worker.look("video", name="gpu@near") == generation
    generation.refresh_from_db()
    assert (generation.state, generation.step) == ("completed", 4)
    assert {output.kind for output in generation.outputs.all()} == {"video", "poster", "sheet"}
    assert allowances.current(near.membership).spent == 4 and far.paid() == (0, 1)


def test_what_is_sent_is_what_each_kind_of_server_reads():
    sent = fields(MODEL, replace(ASKED, negative_prompt="grey"))
    assert (sent["seconds"], sent["size"], sent["model"]) == ("1", "256x256", "sketch")
    assert sent["steps"] == sent["num_inference_steps"] == "4"
    assert (sent["num_frames"], sent["fps"], sent["negative_prompt"]) == ("9", "8", "grey")
