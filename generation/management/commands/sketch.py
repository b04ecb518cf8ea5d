"""`manage.py sketch`: have the small model in its place, or check that it is whole."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.module_loading import import_string

from generation import sketch


class Command(BaseCommand):
    help = "Have Sketch, the small model, in its place (ensure), or check its files (verify)."
    # It only deals with files, and runs before there is a database.
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("action", choices=["ensure", "verify"])

    def handle(self, *args: Any, action: str, **options: Any) -> None:
        folder = Path(settings.MODELS_DIR) / "sketch"
        wrong = sketch.verify(folder)
        if not wrong:
            self.stdout.write(f"Sketch is in {folder}, whole.")
        elif action == "verify":
            raise CommandError(" ".join(wrong))
        else:
            self.ensure(folder, wrong)

    def ensure(self, folder: Path, wrong: list[str]) -> None:
        if folder.exists():
            self.stdout.write(f"Sketch is damaged and is built anew; the old files are kept. {' '.join(wrong)}")
        self.stdout.write("Building Sketch from random weights: it draws noise until a trained one takes its place.")
        # By its name, since it imports torch: when nothing is to be built, this command stays quick.
        import_string("generation.sketch.build.build")(folder)
        self.stdout.write(f"Sketch is in {folder}.")
