"""No unapproved, unsigned, withdrawn or foreign byte or word comes out of any door, in whatever way it is asked for."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.conf import settings as gateway_settings
from django.core.files.storage import default_storage
from django.test import Client

from gateway.actors import Actor
from generation.models import Generation
from review import publishing, queue
from review.models import Publication, Submission
from tests import makers
from tests.test_doors import DOORS, caller

pytestmark = pytest.mark.django_db
CHUNK, EVERY = 24, 512
FILES = ("video.mp4", "poster.webp", "sheet.webp", "/content")
WAYS = (
    ("get", {}),
    ("head", {}),
    ("get", {"range": "bytes=0-2000"}),
    ("get", {"range": "bytes=-900"}),
    ("get", {"range": "bytes=100-300, 600-900"}),
    ("get", {"if-none-match": '"{sha256}"'}),
    ("get", {"if-none-match": "*"}),
    ("get", {"range": "bytes=0-", "if-range": '"{sha256}"'}),
    ("get", {"accept": "video/mp4", "x-original-url": "/", "x-forwarded-for": "127.0.0.1"}),
)


@dataclass
class Work:
    """One artist's work, with what nobody else may come to know of it."""

    name: str
    generation: Generation
    submission: Submission | None = None
    publication: Publication | None = None

    @property
    def chunks(self) -> dict[str, set[bytes]]:
        found = {}
        for output in self.generation.outputs.all():
            body = default_storage.open(output.path).read()
            found[output.kind] = {body[at : at + CHUNK] for at in range(0, len(body) - CHUNK, EVERY)}
        return found

    @property
    def words(self) -> set[str]:
        told = {self.generation.prompt, *self.generation.outputs.values_list("sha256", flat=True)}
        return told | ({f"Title of {self.name}"} if self.submission else set())

    @property
    def sha256(self) -> str:
        return self.generation.outputs.get(kind="video").sha256


def files(folder: Path, name: str) -> dict[str, tuple[Path, object]]:
    """Three files that are nobody else's: what matters here is where their bytes turn up."""
    made = {}
    for kind in ("video", "poster", "sheet"):
        body = b"".join(hashlib.sha512(f"{name} {kind} {n}".encode()).digest() for n in range(64))
        path = folder / f"{name}.{kind}"
        path.write_bytes(body)
        facts = SimpleNamespace(
            width=64, height=64, frames=9, duration=1.1, bytes=len(body), sha256=hashlib.sha256(body).hexdigest()
        )
        made[kind] = (path, facts)
    return made


@pytest.fixture
def works(artist, tmp_path, no_undo) -> dict[str, Work]:
    """One of each: private, submitted (and held by somebody), approved and not signed, public, withdrawn, rejected."""
    found = {}
    for name in ("private", "submitted", "approved", "public", "withdrawn", "rejected"):
        prompt = f"a {name} harbour that nobody has seen"
        work = found[name] = Work(name, makers.completed(artist, files=files(tmp_path, name), prompt=prompt))
        if name == "private":
            continue
        work.submission = makers.submitted(artist, work.generation, title=f"Title of {name}")
        if name == "submitted":
            queue.take(work.submission, by=makers.reviewer("Rui"))
            continue
        makers.decided(work.submission, "reject" if name == "rejected" else "approve")
        if name in ("public", "withdrawn"):
            row = Submission.objects.get(pk=work.submission.pk)
            work.publication = publishing.sign_off(row, by=artist, revision=1, name="An artist")
        if name == "withdrawn":
            publishing.withdraw(Publication.objects.listed().get(submission=work.submission), by=artist)
    return found


def addresses(work: Work) -> list[str]:
    """Each door that is about one row, filled with this work's ids; where it has none of a kind, with another of its."""
    generation = work.generation.pk.hex
    submission = work.submission.pk.hex if work.submission else generation
    publication = work.publication.pk.hex if work.publication else submission
    filled = []
    for door in DOORS:
        if "<" not in door or DOORS[door][1] == 405 or any(part in door for part in ("secret", "token", "invitation")):
            continue
        path = f"/{door}"
        for part, value in (
            ("<hex:generation>", generation),
            ("<hex:submission>", submission),
            ("<hex:publication>", publication),
            ("<str:video_id>", f"video_{generation}"),
            ("<str:submission_id>", f"submission_{submission}"),
            ("<str:publication_id>", f"publication_{publication}"),
        ):
            path = path.replace(part, value)
        filled.append(path)
    return filled


def body_of(answer) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else answer.content


def leaks(answer, works: dict[str, Work], allowed: dict[str, set[str]]) -> list[str]:
    """What of which work stands in this answer, beyond what may."""
    body = body_of(answer)
    found = []
    for name, work in works.items():
        may = allowed.get(name, set())
        for kind, chunks in work.chunks_once.items():
            if kind not in may and any(chunk in body for chunk in chunks):
                found.append(f"{name}: {kind}")
        if "words" not in may:
            found += [f"{name}: {word}" for word in work.words_once if word.encode() in body]
    return found


IN_TURN = pytest.mark.parametrize(
    "every", [False, pytest.param(True, marks=pytest.mark.soak)], ids=["in turn", "every"]
)


@IN_TURN
@pytest.mark.parametrize("who", ["guest", "stranger", "reviewer", "admin"])
def test_nothing_private_comes_out_of_any_door(works, stranger, reviewer, admin, who, every):
    """Each file of each work; of the pages about one each of two works in turn, in the soak of all."""
    for work in works.values():
        work.chunks_once, work.words_once = work.chunks, work.words  # type: ignore[attr-defined]
    works["public"].words_once = {works["public"].generation.prompt}  # type: ignore[attr-defined]
    works["withdrawn"].words_once -= {"Title of withdrawn"}  # type: ignore[attr-defined]  # it stands on the tombstone
    if who == "reviewer":  # the queue names what waits and what is held, by its title alone
        works["submitted"].words_once -= {"Title of submitted"}  # type: ignore[attr-defined]
    actor: Actor | None = {"stranger": stranger, "reviewer": reviewer, "admin": admin}.get(who)
    api, browser = caller(actor, "v1/"), caller(actor, "")
    public = {"public": {"video", "poster"}}
    found = {}
    for nth, work in enumerate(works.values()):
        for place, path in enumerate(addresses(work)):
            if not (every or path.endswith(FILES) or (place + nth) % 3 == 0):
                continue
            client = api if path.startswith("/v1/") else browser
            ways = WAYS[: len(WAYS) if actor is None else 3] if path.endswith(FILES) else WAYS[:1]
            for method, headers in ways:
                sent = {name: value.format(sha256=work.sha256) for name, value in headers.items()}
                answer = getattr(client, method)(path, headers=sent)
                if leaked := leaks(answer, works, public):
                    found[(work.name, path, method, str(headers))] = leaked
                assert answer.status_code < 500, path
    for door in DOORS:
        if "<" not in door:
            client = api if door.startswith("v1/") else browser
            if leaked := leaks(client.get(f"/{door}"), works, public):
                found[door] = leaked
    assert found == {}


def test_the_scan_finds_what_is_there(works, artist, guest):
    """Else the test above would say nothing."""
    for work in works.values():
        work.chunks_once, work.words_once = work.chunks, work.words  # type: ignore[attr-defined]
    client = caller(artist, "")
    private = works["private"]
    video = client.get(f"/generations/{private.generation.pk.hex}/video.mp4")
    assert leaks(video, works, {}) == ["private: video"]
    part = client.get(f"/generations/{private.generation.pk.hex}/video.mp4", headers={"range": "bytes=500-600"})
    assert leaks(part, works, {}) == ["private: video"]
    assert "private: a private harbour that nobody has seen" in leaks(
        client.get(f"/mine/{private.generation.pk.hex}"), works, {}
    )
    shown = guest.get(f"/works/{works['public'].publication.pk.hex}/video.mp4")
    assert leaks(shown, works, {}) == ["public: video"]


def test_a_variant_of_a_public_work_that_is_not_public(works, guest):
    public = works["public"]
    for path in (
        f"/v1/publications/publication_{public.publication.pk.hex}/content?variant=spritesheet",
        f"/works/{public.publication.pk.hex}/sheet.webp",
        f"/works/{public.publication.pk.hex}/video.mp4?kind=sheet",
        f"/generations/{public.generation.pk.hex}/sheet.webp",
    ):
        assert not any(chunk in body_of(guest.get(path)) for chunk in public.chunks["sheet"]), path


@pytest.fixture
def served(settings, tmp_path) -> None:
    """Static files as in production: a folder beside the one with the private files."""
    settings.STATIC_ROOT = tmp_path / "static"
    settings.STATIC_ROOT.mkdir()
    (settings.STATIC_ROOT / "site.css").write_text("body {}")


@pytest.mark.parametrize("looks_anew", [False, True])
def test_a_guessed_storage_path_is_no_door(served, works, settings, looks_anew):
    settings.WHITENOISE_AUTOREFRESH = looks_anew  # asks the disk at each request, which is the way that could escape
    guest = Client()
    assert guest.get("/static/site.css").status_code == 200
    folder = Path(gateway_settings.MEDIA_ROOT)
    for work in works.values():
        for output in work.generation.outputs.all():
            assert (folder / output.path).exists()
            for path in (
                f"/{output.path}",
                f"/media/{output.path}",
                f"//media/{output.path}",
                f"/data/media/{output.path}",
                f"/static/{output.path}",
                f"/static/media/{output.path}",
                f"/static/../media/{output.path}",
                f"/static/./../media/{output.path}",
                f"/static//../media/{output.path}",
                f"/static/..\\media\\{output.path}",
                f"/static/%2e%2e/media/{output.path}",
                f"/static/..%2fmedia/{output.path}",
                f"/static//{folder}/{output.path}",
                f"{folder}/{output.path}",
                f"/static/site.css/../../media/{output.path}",
                f"/works/../media/{output.path}",
                f"/static/../media/{output.path}\0.css",
            ):
                answer = guest.get("/", PATH_INFO=path)  # as it comes over the wire: the test client would tidy it
                assert not any(chunk in body_of(answer) for chunk in work.chunks[output.kind]), path
                assert answer.status_code in (301, 302, 400, 404), (path, answer.status_code)
