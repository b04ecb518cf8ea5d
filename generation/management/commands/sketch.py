"""`manage.py sketch`: teach the small model, measure what it has learned, and seal its folder."""

import platform
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from gateway import sums
from generation.engines import EngineError


class Command(BaseCommand):
    help = "Train Sketch, the small model that ships; evaluate it on scenes that it never saw; seal its folder."
    # It only deals with files, and needs no database.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        shipped = Path(settings.SHIPPED_MODELS_DIR, "sketch")
        actions = parser.add_subparsers(dest="action", required=True)

        train = actions.add_parser("train", help="teach it, from where an earlier run stopped")
        train.add_argument("work", type=Path, help="folder of the checkpoints")
        train.add_argument("out", type=Path, help="folder to write the model to; must not be there yet")
        train.add_argument("--steps", type=int, help="of the transformer; fewer than before makes a run settle sooner")
        train.add_argument("--vae-steps", type=int, help="of the autoencoder")
        train.add_argument("--vae", type=Path, help="folder of an autoencoder to go on from")
        train.add_argument("--device", help="cpu or cuda; the GPU if there is one")

        evaluate = actions.add_parser("evaluate", help="draw held-out scenes and judge them")
        evaluate.add_argument("folder", type=Path, nargs="?", default=shipped)
        evaluate.add_argument("--captions", type=int, default=256, help="how many; the default is 256")
        evaluate.add_argument("--steps", type=int, default=20, help="denoising steps; the default is 20")
        evaluate.add_argument("--guidance", type=float, default=3.0, help="the default is 3")
        evaluate.add_argument("--sheet", type=Path, help="write a contact sheet of 24 clips there, as WebP or PNG")

        seal = actions.add_parser("seal", help="write SHA256SUMS anew, after a change that was meant")
        seal.add_argument("folder", type=Path, nargs="?", default=shipped)

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        getattr(self, action)(**options)

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    # What imports torch is found by its name, so that `seal` and `--help` stay quick.

    def train(self, *, work: Path, out: Path, device: str | None, **options: Any) -> None:
        if out.exists():
            raise CommandError(f"{out} is there already; name another folder, or move that one away.")
        if options["vae"] and not (options["vae"] / "config.json").exists():
            raise CommandError(f"There is no autoencoder in {options['vae']}.")
        wanted = {"steps": options["steps"], "vae": options["vae_steps"]}
        recipe = import_string("generation.sketch.train.Recipe")(**{k: v for k, v in wanted.items() if v is not None})
        try:
            import_string("generation.sketch.train.train")(work, out, recipe, device, self.say, options["vae"])
        except ValueError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            raise CommandError(f"Stopped. The same command goes on from {work}.") from None
        self.say(f"Sketch is in {out}, revision {sums.revision(out)[:12]}.")

    def evaluate(
        self, *, folder: Path, captions: int, sheet: Path | None, steps: int, guidance: float, **_: Any
    ) -> None:
        self.say(f"{folder}, {steps} steps, guidance {guidance}, {platform.machine()}")
        try:
            report = import_string("generation.sketch.evaluate.evaluate")(
                folder, captions, self.say, steps=steps, guidance=guidance
            )
        except EngineError as error:
            raise CommandError(str(error)) from error
        if sheet:
            import_string("generation.sketch.evaluate.contact_sheet")(report.samples).save(sheet)
        for line in report.lines:
            self.say(line)
        self.say(" ".join(f"{name}={value:.4g}" for name, value in report.figures.items()))

    def seal(self, *, folder: Path, **_: Any) -> None:
        if not (folder / "model_index.json").exists():
            raise CommandError(f"There is no model in {folder}.")
        sums.seal(folder)
        self.say(f"{folder}, revision {sums.revision(folder)[:12]}.")
