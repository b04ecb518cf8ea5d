"""`manage.py brake`: the same brakes without the web, for when that is down or is the trouble."""

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from gateway import actors, brakes, refusals
from gateway.models import Brake
from gateway.models.brakes import SCOPES
from review import radius


class Command(BaseCommand):
    help = "Show brakes, see what one would stop, pull one, let go."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        acts.add_parser("list", help="what is in force")
        for name, words in (("preview", "what a brake would touch"), ("pull", "stop it, now")):
            act = acts.add_parser(name, help=words)
            act.add_argument("scope", choices=SCOPES)
            act.add_argument("which", nargs="?", default="", help="by name, address, short name or id; not for “all”")
            if name == "pull":
                act.add_argument("--reason", required=True, help="those whom it touches read it")
                act.add_argument("--minutes", type=int, help="let go by itself after so long")
                act.add_argument("--closes", action="store_true", help="pages, downloads and public works too")
        act = acts.add_parser("release", help="let go, now")
        act.add_argument("brake", help="its id, as `list` prints it")
        act.add_argument("--why", default="", help="a word to those whom it touched")

    def handle(self, *args: Any, act: str, **options: Any) -> None:
        try:
            getattr(self, f"_{act}")(options)
        except refusals.Refused as refusal:
            raise CommandError(refusal.sentence) from None

    def _list(self, options: dict[str, Any]) -> None:
        pulled = list(Brake.objects.in_force().order_by("id"))
        for brake in pulled:
            self.stdout.write(f"{brake.pk.hex}  {brakes.sentence(brake)}")
        if not pulled:
            self.stdout.write("No brake is pulled.")

    def _preview(self, options: dict[str, Any]) -> None:
        target, label = radius.find(options["scope"], options["which"])
        found = radius.of(options["scope"], target, label)
        self.stdout.write(f"A brake on {label} would touch:")
        for name, count in found.counts.items():
            self.stdout.write(f"  {name:<8} {count:>6}")
        if found.names:
            self.stdout.write(f"  {', '.join(found.names)}")

    def _pull(self, options: dict[str, Any]) -> None:
        brake = radius.pull(
            options["scope"],
            options["which"],
            by=actors.SYSTEM,
            reason=options["reason"],
            closes=options["closes"],
            minutes=options["minutes"],
        )
        self.stdout.write(f"{brake.pk.hex}  {brakes.sentence(brake)}")

    def _release(self, options: dict[str, Any]) -> None:
        try:
            found = Brake.objects.filter(pk=UUID(hex=options["brake"])).first()
        except ValueError:
            found = None
        if found is None:
            raise refusals.NotFound
        radius.release(found, by=actors.SYSTEM, why=options["why"])
        self.stdout.write(f"The brake on {found.label} is released.")
