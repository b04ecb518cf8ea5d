"""Screening, from the queue to the signals."""

import json
import math
from typing import Any

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from gateway import audit, notices, refusals
from gateway.celery import app
from generation import media
from review import departure, screening, submissions
from review.models import Fingerprint, Screening, Signal, Submission
from review.screening import findings, phrases, run
from tests import makers

pytestmark = pytest.mark.django_db

ACROSS = np.linspace(0, 1, 64)[None, None, :, None]


def moving(seed: int = 0, frames: int = 12, side: int = 64) -> np.ndarray:
    """A work: coloured bands and blots that drift."""
    random = np.random.default_rng(seed)
    t, y, x = np.meshgrid(*(np.linspace(0, 1, n) for n in (frames, side, side)), indexing="ij")
    waves = random.uniform(1, 9, (3, 3))
    layers = [np.sin(a * x + b * y + c * t + seed) * np.cos(b * x - a * y) for a, b, c in waves]
    return np.stack([127 + 120 * layer for layer in layers], axis=3).astype(np.uint8)


def flashing(one: tuple[int, ...], other: tuple[int, ...], flashes: int, fps: int = 24) -> np.ndarray:
    """A second and a half: a steady picture with a large area that flashes in the first second."""
    frames = moving(frames=fps * 3 // 2) // 8
    turns = [math.ceil((n + 1) * fps / (2 * flashes)) for n in range(2 * flashes)]
    for frame, picture in enumerate(frames):
        picture[8:56, 8:56] = other if sum(frame >= turn for turn in turns) % 2 else one
    return frames


def submitted(by: Any, frames: np.ndarray, fps: int = 24, **told: Any) -> Submission:
    return makers.submitted(by, makers.completed(by, files=makers.clip(frames, fps), **told))


def seen(submission: Submission) -> screening.Screened:
    return screening.of(submission.must_have_revision().output)


def raised(submission: Submission) -> list[str]:
    return [signal.kind for signal in seen(submission).raised]


# ---------------------------------------------------------------- one encoded clip a kind


NOISE = np.random.default_rng(0).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("frames", "kinds"),
    [
        (moving(), []),
        (flashing((0, 0, 0), (255, 255, 255), 3), []),
        (flashing((0, 0, 0), (255, 255, 255), 4), ["flashes"]),
        (flashing((200, 20, 20), (20, 115, 115), 4), ["red_flashes"]),
        (np.full((12, 64, 64, 3), 40, np.uint8), ["blank", "frozen"]),
        (moving(frames=1).repeat(24, axis=0), ["frozen"]),
        (NOISE, ["flashes", "noise"]),  # so coarse, and ever changing: it flashes too
    ],
    ids=["calm", "three flashes", "four flashes", "red", "blank", "frozen", "noise"],
)
def test_what_is_seen_in_a_file(artist, frames, kinds):
    submission = submitted(artist, frames)
    assert run.screen() == 1
    assert raised(submission) == kinds
    assert seen(submission).state == "done"
    assert Submission.objects.filter(screening.calm()).exists() == (not kinds)


def test_a_reviewer_reads_sentences_with_frames(artist):
    makers.screened(makers.submitted(artist))  # somebody else's work, which is not asked
    submission = submitted(artist, flashing((0, 0, 0), (255, 255, 255), 4), prompt="a red circle over a blue field")
    run.screen()
    with CaptureQueriesContext(
        connection,
    ) as asked:
        found = seen(submission)
    assert len(asked) <= 4
    assert [signal.kind for signal in found.signals] == [*Signal.KINDS[:-1]]
    flash = found.signals[0]
    assert flash.words == "4 flashes a second at 0.1 s, limit 3."
    assert (flash.value, flash.limit, flash.frames) == (4, 3, [3, 6, 9, 12, 15, 18, 21, 24])
    assert [signal.words for signal in found.signals[1:]] == [
        "No red flashes.",
        "There is something to see.",
        "It moves.",
        "No noise.",
        "No earlier submitted work is like it.",
        "No phrases of the policy in the prompt.",
    ]


def test_phrases_are_marked_where_they_stand(artist, admin):
    phrases.add("blue field", by=admin, clause=2)
    phrases.retire(phrases.add("circle", by=admin), by=admin)
    submission = submitted(artist, moving(), prompt="a red circle over a BLUE-field")
    run.screen()
    (signal,) = seen(submission).raised
    assert signal.words == "In the prompt: “blue field” (clause 2)."
    prompt = submission.generation.prompt
    assert ("BLUE-field", True) in phrases.marked(prompt, seen(submission).spans)


# ---------------------------------------------------------------- near copies


def test_a_near_copy_is_told_without_saying_whose(artist, stranger):
    first = submitted(stranger, moving(1))
    run.screen()
    half = moving(1)[:, ::2, ::2].repeat(2, 1).repeat(2, 2)
    copied, own, other = (
        submitted(artist, half),
        submitted(stranger, moving(1)[:, 3:, 3:]),
        submitted(artist, moving(2)),
    )
    run.screen()
    (signal,) = seen(copied).raised
    assert signal.words.startswith("Near copy of an earlier submitted work of another artist: its colours at 0.1, 0.2")
    assert signal.value is not None and 0 <= signal.value <= 8
    told = str(seen(copied).told())
    assert first.must_have_revision().output_id.hex not in told.replace("-", "")
    assert str(stranger.user.pk) not in told
    assert Signal.objects.get(screening__output=copied.current.output, raised=True).other == first.current.output
    assert "of the same artist" in seen(own).raised[0].words
    assert raised(other) == []


def test_only_what_was_submitted_before_is_compared(artist, stranger):
    """A private work has been seen by nobody: it can't have been copied, and it can't have been the original."""
    makers.completed(stranger, files=makers.clip(moving(1)))
    earlier = makers.completed(artist, files=makers.clip(moving(1)))
    later = submitted(stranger, moving(1))
    run.screen()
    assert raised(later) == []
    made_before = makers.submitted(artist, earlier)
    run.screen()
    assert raised(made_before) == [], "made before the other, though submitted after it"
    assert Fingerprint.objects.count() == 2


def test_a_new_revision_is_no_copy_of_the_one_before(artist, no_undo):
    submission = submitted(artist, moving(1))
    run.screen()
    makers.decided(submission, "request_changes")
    again = makers.completed(artist, files=makers.clip(moving(1)[:, 2:, 2:]))
    submissions.resubmit(submission, by=artist, generation=again, title="Kiln", credit="An artist", licence="CC-BY-4.0")
    assert run.screen() == 1
    submission.refresh_from_db()
    assert submission.must_have_revision().output.generation_id == again.pk
    assert raised(submission) == []


# ---------------------------------------------------------------- the queue


def test_waiting_is_a_query_and_nothing_is_looked_at_twice(artist):
    makers.completed(artist)
    first, second = makers.submitted(artist), makers.submitted(artist)
    Submission.objects.filter(pk=second.pk).update(due_at=F("due_at") - run.LATELY)
    assert list(run.waiting()) == [second, first]
    assert (run.screen(), run.screen()) == (2, 0)
    assert Screening.objects.count() == 2
    old = makers.submitted(artist)
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate")
        cursor.execute("alter table review_revision disable trigger append_only")
        cursor.execute(
            "update review_revision set created_at = now() - interval '2 hours' where submission_id = %s", [old.pk]
        )
        cursor.execute("alter table review_revision enable trigger append_only")
        cursor.execute("set constraints all deferred")
    assert (run.screen(), run.screen(everything=True)) == (0, 1)


def test_two_workers_at_once_look_at_each_work_once(at_once):
    artist = makers.artist()
    works = [submitted(artist, moving(seed, frames=4)) for seed in range(6)]
    done = at_once(*[run.screen] * 3)
    assert sum(done) == len(works) == Screening.objects.filter(done_at__isnull=False).count()
    assert Signal.objects.filter(kind="flashes").count() == len(works)


def test_a_broken_file_is_recorded_and_not_opened_for_ever(artist):
    submission = makers.submitted(artist)
    output = submission.must_have_revision().output
    path = default_storage.path(output.path)
    with open(path, "r+b") as file:  # noqa: PTH123
        file.truncate(300)
    assert (run.screen(), run.screen()) == (1, 0)
    found = seen(submission)
    assert (found.state, found.words) == ("incomplete", "The file could not be read to its end: 0 of 9 frames.")
    assert [signal.kind for signal in found.signals] == ["phrases"], "the prompt was looked at all the same"
    assert not Submission.objects.filter(screening.calm()).exists()
    default_storage.delete(makers.submitted(artist).must_have_revision().output.path)
    assert run.screen() == 1
    assert Screening.objects.latest("created_at").error == "The file is not there."


def test_who_dies_over_a_file_is_followed_three_times_at_most(artist):
    submission = makers.submitted(artist)
    begun = run._begin(False)
    assert begun is not None and run.screen() == 0, "somebody is at it"
    for tries in (2, 3):
        Screening.objects.update(begun_at=Now() - run.AGAIN_AFTER)
        again = run._begin(False)
        assert (again.pk, again.tries) == (begun.pk, tries)
    run._end(begun, [], "")
    assert Screening.objects.get().done_at is None, "the first came back after others had followed it"
    Screening.objects.update(begun_at=Now() - run.AGAIN_AFTER)
    assert (run.screen(), run.screen()) == (1, 0)
    assert seen(submission).words == "Each of 3 workers that began to look at it stopped in the middle."


def test_what_is_withdrawn_is_not_looked_at_and_may_come_back(artist):
    submission = makers.submitted(artist)
    begun = run._begin(False)
    submissions.withdraw(submission, by=artist)
    assert begun is not None
    run._screen(begun)
    assert (Screening.objects.count(), run.screen()) == (0, 0)
    makers.submitted(artist, submission.generation)
    assert run.screen() == 1


def test_the_database_keeps_it(artist):
    private = makers.completed(artist).outputs.get(kind="video")
    for model in (Screening, Fingerprint):
        figures = {"hashes": b"", "colours": b"", "bands": []} if model is Fingerprint else {}
        with pytest.raises(IntegrityError, match="only what was submitted"), transaction.atomic():
            model.objects.create(output=private, version=1, **figures)
    done = makers.screened(makers.submitted(artist), "flashes")
    for change in (
        lambda: Signal.objects.update(raised=False),
        lambda: Signal.objects.all().delete(),
        lambda: Screening.objects.update(error="x"),
        lambda: Screening.objects.filter(pk=done.pk)._raw_delete("default"),
        lambda: Signal.objects.create(screening=done, kind="flashes", raised=False),
        lambda: Signal.objects.create(screening=done, kind="noise", raised=True, failed=True),
        lambda: Signal.objects.create(screening=done, kind="near_copy", raised=True),
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            change()


def test_files_are_opened_for_it_by_the_program_alone(artist, reviewer, admin):
    submission = makers.submitted(artist)
    output, under = submission.must_have_revision().output, Submission.objects.filter(pk=submission.pk)
    for actor in (artist, reviewer, admin):
        with pytest.raises(refusals.NotFound):
            media.open_for(actor, "screening", output, under=under)
    with pytest.raises(refusals.NotFound):
        media.open_for(run.actors.SYSTEM, "screening", output, under=under.none())
    media.open_for(run.actors.SYSTEM, "screening", output, under=under).file.close()


def test_it_is_recorded_and_a_chore(artist):
    makers.submitted(artist)
    app.loader.import_default_modules()
    app.tasks["review.screen"].apply().get()
    (entry,) = audit.of(Screening.objects.get())
    assert entry.action == "screening.done"
    assert json.loads(bytes(entry.body))["facts"]["raised"] == ["flashes", "noise"]
    assert all(app.conf.beat_schedule[name]["options"]["expires"] for name in ("screen", "screen_all"))


def test_who_departs_takes_the_print_along_and_what_was_read_in_the_prompt(artist, admin, settings):
    settings.DEPARTURE_DAYS = 0
    phrases.add("private kiln", by=admin)
    submission = submitted(artist, moving(), prompt="a very private kiln")
    run.screen()
    assert Fingerprint.objects.exists()
    with pytest.raises(IntegrityError, match="erased only when its person departs"), transaction.atomic():
        Signal.objects.update(evidence={})
    asked = departure.ask(by=artist, kind="anonymise")
    for _ in range(200):
        if departure.run(asked, budget=0):
            break
        notices.send_waiting()
    assert not Fingerprint.objects.exists()
    assert not Signal.objects.exclude(evidence={}).exists()
    assert raised(submission) == ["phrases"]
    assert seen(submission).raised[0].words == "Phrases of the policy in the prompt."


# ---------------------------------------------------------------- the operator's classifier


def seen_by_somebody(path, clip):
    """As an operator would write it."""
    assert path.read_bytes()[4:8] == b"ftyp"
    assert isinstance(clip, findings.Clip)
    yield findings.Opinion(f"{clip.frames} frames of {clip.model}", raised=True, value=0.93, limit=0.9, frames=[3])
    yield findings.Opinion("nobody to be seen")


def out_of_order(path, clip):
    raise TimeoutError("the other machine is asleep")


def talks_nonsense(path, clip):
    return [findings.Opinion("x", value="much")]


def test_a_classifier_of_the_operators_is_asked(artist, settings):
    settings.SCREENING_CLASSIFIER = f"{__name__}.seen_by_somebody"
    submission = submitted(artist, moving())
    run.screen()
    told = [signal for signal in seen(submission).signals if signal.kind == "classifier"]
    assert [(signal.words, signal.raised, signal.value, signal.frames) for signal in told] == [
        ("12 frames of sketch", True, 0.93, [3]),
        ("nobody to be seen", False, None, []),
    ]


@pytest.mark.parametrize("hook", [f"{__name__}.out_of_order", f"{__name__}.talks_nonsense", "nowhere.at.all"])
def test_a_classifier_that_fails_holds_nothing_up(artist, settings, hook):
    settings.SCREENING_CLASSIFIER = hook
    submission = submitted(artist, moving())
    assert run.screen() == 1
    found = seen(submission)
    assert (found.state, found.raised) == ("incomplete", [])
    assert found.signals[-1].failed and found.signals[-1].words == "Classifier: could not be measured."
    assert not Submission.objects.filter(screening.calm()).exists()


# ---------------------------------------------------------------- who reads it


def test_reviewers_read_it_by_rest_while_they_hold_the_work(artist, reviewer, client_of):
    makers.submitted(artist)
    client = client_of(reviewer)
    taken = client.post("/v1/reviews/next").json()
    assert (taken["screening"]["status"], taken["signals"]) == ("waiting", [])
    run.screen()
    held = client.get(f"/v1/reviews/{taken['id']}").json()
    assert held["screening"] == {"status": "done", "words": "2 to look at."}
    assert [signal["kind"] for signal in held["signals"] if signal["raised"]] == ["flashes", "noise"]
    assert "signals" not in client_of(artist).get(f"/v1/submissions/{taken['id']}").json()
