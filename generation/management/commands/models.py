"""`manage.py models`: what the catalogue has, and its files on this machine."""

import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from gateway import sums
from generation import engines, model_files
from generation.models import ModelProfile

COLUMNS = ("model", "pipeline", "pool", "preset", "from", "revision", "offered", "files here")


class Command(BaseCommand):
    """A line for each thing done; status 1, and the reason, when it could not be."""

    help = "List the catalogue; pull a model's files to this machine; check that it draws; warm it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        actions.add_parser("list", help="every model, and whether its files are on this machine")
        pull = actions.add_parser(
            "pull", help="fetch a model's files, or what is missing of them, and pin the revision"
        )
        pull.add_argument("slug")
        pull.add_argument("--revision", default="", help="a branch, tag or commit; the pinned one if left out")
        pull.add_argument("--from", dest="source", type=Path, help="a folder to copy from, in place of the hub")
        for name, said in {
            "check": "load it and make one step, and say what that takes",
            "warm": "read its files once, so that the first clip waits less",
        }.items():
            actions.add_parser(name, help=said).add_argument("slug")

    def handle(self, *args: Any, action: str, slug: str = "", **options: Any) -> None:
        try:
            getattr(self, f"do_{action}")(*([self._profile(slug)] if slug else []), **options)
        except (engines.EngineError, model_files.NotPulled) as error:
            raise CommandError(str(error)) from error

    def do_list(self, **_: Any) -> None:
        rows = [COLUMNS, *(_row(profile) for profile in ModelProfile.objects.all())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            self.say("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())

    def do_pull(self, profile: ModelProfile, *, source: Path | None, revision: str, **_: Any) -> None:
        place = model_files.pull(profile, say=self.say, revision=revision, source=source)
        self.say(f"{profile.slug} is in {place}, revision {profile.revision}, sealed by {sums.SUMS}.")
        if not profile.enabled:
            self.say(f"It is not offered yet: manage.py models check {profile.slug}, then enable it in the records.")

    def do_check(self, profile: ModelProfile, **_: Any) -> None:
        began = time.monotonic()
        engine, model = self._loaded(profile)
        loaded = time.monotonic()
        width, height = (int(side) // profile.upscale for side in profile.sizes[0].split("x"))
        seconds = min(profile.seconds)
        image = None
        if profile.modality == "image-to-video":  # a grey one; numpy belongs to workers
            image = import_string("numpy.full")((height, width, 3), 128, "uint8")
        clip = engine.run(
            model,
            engines.Request(
                id="check",
                prompt=profile.examples[0] if profile.examples else "a red circle over a blue field",
                width=width,
                height=height,
                frames=seconds * profile.fps + 1,
                fps=profile.fps,
                steps=1,
                guidance=profile.guidance,
                seed=0,
                image=image,
            ),
            lambda done, total: None,
        )
        drawn = time.monotonic()
        told = engine.describe()
        self.say(f"{profile.slug} draws here, on {told.get('hardware', told['engine'])}.")
        self.say(f"  load              {loaded - began:.1f} s")
        self.say(f"  one step, decode  {drawn - loaded:.1f} s, {len(clip.frames)} frames of {width} × {height}")
        for stage, took in clip.seconds.items():
            self.say(f"    {stage:<14}  {took:.1f} s")
        for name, size in told.get("memory", {}).items():
            self.say(f"  memory {name:<10} {model_files.size_of(size)}")

    def do_warm(self, profile: ModelProfile, **_: Any) -> None:
        began = time.monotonic()
        self._loaded(profile)
        self.say(f"{profile.slug} was read in {time.monotonic() - began:.1f} s; a worker finds it in memory's cache.")

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _profile(self, slug: str) -> ModelProfile:
        profile = ModelProfile.objects.filter(slug=slug).first()
        if profile is None:
            known = ", ".join(ModelProfile.objects.values_list("slug", flat=True)) or "nothing yet: manage.py found"
            raise CommandError(f"There is no model {slug} in the catalogue; there is {known}.")
        return profile

    def _loaded(self, profile: ModelProfile) -> tuple[engines.Engine, engines.Model]:
        engine = engines.configured(profile.engine)
        model = model_files.model_of(profile)
        engine.load(model)
        return engine, model


def _row(profile: ModelProfile) -> tuple[str, ...]:
    there = "yes" if model_files.present(profile) else "no"
    if not model_files.same(profile):
        there = "another revision"
    if profile.engine == "remote":
        there = "needs none"
    return (
        profile.slug,
        profile.pipeline,
        profile.pool,
        profile.preset,
        "another server" if profile.engine == "remote" else profile.source,
        profile.revision[:12] or "–",
        "yes" if profile.enabled else "no",
        there,
    )
