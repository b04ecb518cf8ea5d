"""How well the screening sees, and what it costs.

1. Near copies: of clips of twenty motifs (benchmarks/motifs.py), copies encoded again, scaled and cropped are looked
   for among all of them, by the very functions that the chores worker calls; and each clip is asked for among the
   others, where every answer is a false one.
2. The other signals: how often each is raised for these clips, none of which was made to.
3. Time for each clip, and of the look-up among many prints, with its plan. They are put together from parts of real
   ones, so that what is common there is common here.

    python -m benchmarks.screening [clips] [prints]
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import av
import numpy as np
from PIL import Image

from benchmarks import motifs, place

COPIED = 3  # each third clip is copied in every way
SCENES = 300  # of Sketch's, which look alike by nature
ASKED = 100  # questions to the database
Pixels = np.ndarray


def encoded(frames: Pixels, crf: int, to: Path, fps: int = motifs.FPS) -> Path:
    height, width = (side - side % 2 for side in frames.shape[1:3])
    with av.open(to, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": str(crf), "preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for frame in frames:
            picture = np.ascontiguousarray(frame[:height, :width])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return to


def scaled(frames: Pixels, factor: float) -> Pixels:
    size = (round(frames.shape[2] * factor), round(frames.shape[1] * factor))
    return np.stack([np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)) for frame in frames])


def cropped(frames: Pixels, share: float, rng: np.random.Generator) -> Pixels:
    """Less this share of width and of height, from anywhere."""
    height, width = frames.shape[1:3]
    top, left = (int(rng.integers(0, round(side * share) + 1)) for side in (height, width))
    return frames[:, top : top + round(height * (1 - share)), left : left + round(width * (1 - share))]


COPIES: dict[str, Callable[[Pixels, np.random.Generator], tuple[Pixels, int]]] = {
    "crf28": lambda frames, rng: (frames, 28),
    "crf35": lambda frames, rng: (frames, 35),
    "half": lambda frames, rng: (scaled(frames, 0.5), 23),
    "three_quarters": lambda frames, rng: (scaled(frames, 0.75), 23),
    "cropped_5": lambda frames, rng: (cropped(frames, 0.05, rng), 23),
    "cropped_10": lambda frames, rng: (cropped(frames, 0.10, rng), 23),
}
WORDS = {
    "crf28": "encoded again, CRF 28",
    "crf35": "encoded again, CRF 35",
    "half": "scaled to ½",
    "three_quarters": "scaled to ¾",
    "cropped_5": "cropped by 5 % each way, anywhere",
    "cropped_10": "cropped by 10 % each way, anywhere",
}


def small(path: Path) -> list[Pixels]:
    from review.screening import hashes, looking

    with path.open("rb") as file:
        frames = [frame for _, frame in looking.decode(file)]
    return [hashes.small(frames[number]) for number in hashes.moments(len(frames))]


def look_at(seed: int, folder: Path) -> dict[str, Any]:
    """A clip's print, what was raised of it, and the small pictures of its copies."""
    from review.screening import looking

    name, frames = motifs.of(seed) if seed >= 0 else ("scene", motifs.scene(-seed))
    path = encoded(frames, 18, folder / f"{seed}.mp4")
    began = time.process_time()
    with path.open("rb") as file:
        seen = looking.look(file, len(frames))
    took = time.process_time() - began
    found = {"name": name, "seconds": took, "own": seen.pictures, "copies": {}}
    found["raised"] = [finding.kind for finding in seen.findings if finding.raised]
    if seed >= 0 and seed % COPIED == 0:
        with path.open("rb") as file:
            shown = np.stack([frame for _, frame in looking.decode(file)])
        for way, make in COPIES.items():
            copy, crf = make(shown, np.random.default_rng(seed))
            found["copies"][way] = small(encoded(copy, crf, folder / f"{seed}-{way}.mp4"))
    for left in folder.glob(f"{seed}*.mp4"):
        left.unlink()
    return found


class Kept:
    """Prints in memory, searched as the database searches them."""

    def __init__(self, looks: list[dict[str, Any]]) -> None:
        from review.screening import hashes

        self.prints = [hashes.kept(look["own"]) for look in looks]
        self.with_print = [n for n, each in enumerate(self.prints) if each is not None]
        self.bands: dict[int, list[int]] = {}
        for n in self.with_print:
            for band in self.prints[n].bands:  # type: ignore[union-attr]
                self.bands.setdefault(band, []).append(n)

    def like(self, pictures: list[Pixels], but: int = -1) -> dict[int, float]:
        """Those that are likely, with how far their colours are."""
        from review.screening import hashes

        question = hashes.asked(pictures)
        if question is None:
            return {}
        met = Counter(n for bands in question.bands for n in {n for band in bands for n in self.bands.get(band, ())})
        rows = sorted(n for n, frames in met.items() if frames >= hashes.TWO and n != but)
        if not rows:
            return {}
        stored: list[Any] = [self.prints[n] for n in rows]
        likely = hashes.likely(question, np.stack([each.hashes for each in stored]))
        chosen = [n for n, is_likely in zip(rows, likely, strict=True) if is_likely]
        if not chosen:
            return {}
        colours: list[Any] = [self.prints[n] for n in chosen]
        apart = hashes.distances(question, np.stack([each.colours for each in colours]))
        return {n: float(far) for n, far in zip(chosen, apart, strict=True)}


def rates(looks: list[dict[str, Any]], limit: float) -> dict[str, float]:
    """How many copies are found, and how many works are taken for copies that are none."""
    kept = Kept(looks)
    found: dict[str, float] = {}
    print(f"Near copies among {len(looks):,} clips of {len(motifs.MOTIFS)} motifs, limit {limit}:   found   farthest")
    for way, words in WORDS.items():
        asked = [n for n in kept.with_print if way in looks[n]["copies"]]
        far = [kept.like(looks[n]["copies"][way]).get(n, float("inf")) for n in asked]
        hits = sum(each <= limit for each in far)
        found[way] = hits / len(asked)
        farthest = max(each for each in far if each < float("inf"))
        print(f"  {words:<36} {hits:5} of {len(asked)} = {found[way]:6.1%}   {farthest:5.1f}")
    nearest = sorted(min(kept.like(looks[n]["own"], but=n).values(), default=float("inf")) for n in kept.with_print)
    found["false"] = sum(each <= limit for each in nearest)
    found["nearest_other"] = nearest[0]
    print(f"  works taken for a copy that are none  {found['false']:5.0f} of {len(nearest)}; the nearest are "
          f"{', '.join(f'{each:.1f}' for each in nearest[:5])} apart")  # fmt: skip
    return found


# ---------------------------------------------------------------- the look-up


def fill(prints: list[Any], count: int) -> None:
    """So many prints in the table: each part of a hash from another clip."""
    from django.db import connection

    rng = np.random.default_rng(0)
    parts = np.stack([each.hashes for each in prints]).view("<u2").reshape(len(prints), 3, -1, 4)
    colours = np.stack([each.colours for each in prints]).reshape(len(prints), -1)
    with connection.cursor() as cursor:
        cursor.execute("drop index fingerprint_bands")
        cursor.execute("alter table review_fingerprint disable trigger guard_screening")
        cursor.execute(
            "do $$ declare name text; begin select conname into name from pg_constraint "
            "where conrelid = 'review_fingerprint'::regclass and contype = 'f'; "
            "execute format('alter table review_fingerprint drop constraint %I', name); end $$"
        )
        with cursor.copy("copy review_fingerprint (output_id, version, hashes, colours, bands) from stdin") as copy:
            for _ in range(0, count, 10_000):
                chosen = rng.integers(0, len(prints), (10_000, 3, 1, 4))
                moments, crops, places = np.ogrid[:3, : parts.shape[2], :4]
                mixed = parts[chosen, moments, crops, places]
                painted = colours[rng.integers(0, len(prints), 10_000)]
                for row, paint in zip(mixed, painted, strict=True):
                    bands = np.unique((np.arange(12).reshape(3, 1, 4) << 16) | row)
                    pk = rng.bytes(16).hex()
                    copy.write_row([pk, 1, row.tobytes(), paint.tobytes(), "{" + ",".join(map(str, bands)) + "}"])
        cursor.execute("create index fingerprint_bands on review_fingerprint using gin (bands)")
        cursor.execute("vacuum analyze review_fingerprint")


def look_up(looks: list[dict[str, Any]], count: int) -> dict[str, float]:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from review.models import Fingerprint
    from review.screening import copies, hashes

    fill([each for look in looks if (each := hashes.kept(look["own"])) is not None], count)
    questions = [each for look in looks[:ASKED] if (each := hashes.asked(look["own"])) is not None]
    with connection.cursor() as cursor:
        wanted = Fingerprint.objects.filter(copies.meeting(questions[0]), version=hashes.VERSION)
        sql, values = wanted.values_list("pk", "hashes").query.sql_with_params()
        cursor.execute("set enable_seqscan = off")  # as copies.alike does
        cursor.execute(f"explain (analyze, buffers) {sql}", values)
        print(f"\n{sql[:200]} …\n\n" + "\n".join(line[:160] for (line,) in cursor.fetchall()) + "\n")
        cursor.execute("select pg_table_size('review_fingerprint'), pg_relation_size('fingerprint_bands')")
        table, index = cursor.fetchone()
    took, read = [], []
    for question in questions:
        began = time.perf_counter()
        with CaptureQueriesContext(connection):
            copies.alike(question)
        took.append((time.perf_counter() - began) * 1000)
        read.append(Fingerprint.objects.filter(copies.meeting(question), version=hashes.VERSION).count())
    took.sort()
    median, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    size = f"{table / 2**20:.0f} MiB, index {index / 2**20:.0f} MiB"
    print(f"Look-up among {count:,} prints ({size}), {len(took)} questions:")
    print(f"  {median:.0f} ms median, {p99:.0f} ms p99; {sorted(read)[len(read) // 2]:,} prints read of each, median")
    return {"prints": count, "look_up_ms": median, "look_up_p99_ms": p99}


def whole(frames: int, width: int, height: int, fps: int, folder: Path) -> float:
    """Processor seconds for a clip of the size that a large model makes: the motifs, enlarged."""
    from review.screening import looking

    _, shown = motifs.of(4)
    large = np.stack(
        [np.asarray(Image.fromarray(shown[n % len(shown)]).resize((width, height))) for n in range(frames)]
    )
    path = encoded(large, 18, folder / "large.mp4", fps)
    began = time.process_time()
    with path.open("rb") as file:
        looking.look(file, frames)
    return time.process_time() - began


def run(clips: int, prints: int, folder: Path) -> None:
    from django.core.management import call_command
    from django.db import connection

    from review.screening import hashes

    call_command("migrate", verbosity=0)
    connection.close()  # before the processes are forked
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("fork")) as pool:
        looks = list(pool.map(partial(look_at, folder=folder), range(clips), chunksize=5))
        scenes = list(pool.map(partial(look_at, folder=folder), range(-1, -1 - SCENES, -1), chunksize=5))
    found: dict[str, float] = {"clips": clips} | rates(looks, hashes.LIMIT)
    alike = Kept(scenes)
    twins = sum(
        min(alike.like(scenes[n]["own"], but=n).values(), default=9e9) <= hashes.LIMIT for n in alike.with_print
    )
    found["scenes_alike"] = twins / SCENES
    print(f"  of {SCENES} clips as Sketch draws them, one shape over a plain field: {twins} are like another\n")
    raised = Counter((kind, look["name"]) for look in looks for kind in look["raised"])
    print(f"Other signals, raised for {clips:,} clips that were not made to:")
    for kind in ("flashes", "red_flashes", "blank", "frozen", "noise"):
        each = {name: count for (what, name), count in sorted(raised.items()) if what == kind}
        found[kind] = sum(each.values())
        print(f"  {kind:<12} {sum(each.values()):4}   {', '.join(f'{name} {count}' for name, count in each.items())}")
    found["clip_s"] = float(np.median([look["seconds"] for look in looks]))
    found["cogvideox_s"] = whole(49, 720, 480, 8, folder)
    found["ten_seconds_s"] = whole(240, 848, 480, 24, folder)
    print("\nProcessor seconds for one clip, decoded and looked at:")
    print(f"  256 × 256, 12 frames (median)      {found['clip_s']:6.2f}")
    print(f"  720 × 480, 49 frames               {found['cogvideox_s']:6.2f}")
    print(f"  848 × 480, 240 frames              {found['ten_seconds_s']:6.2f}")
    found |= look_up(looks, prints)
    print(" ".join(f"{name}={value:.3f}" for name, value in found.items()))


if __name__ == "__main__":
    with place.of_its_own() as own:
        run(
            int(sys.argv[1]) if len(sys.argv) > 1 else 1_200,
            int(sys.argv[2]) if len(sys.argv) > 2 else 200_000,
            own,
        )
