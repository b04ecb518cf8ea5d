"""For somebody who lost telephone, keys and recovery codes: they sign in by password once more and set up new ones."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from gateway import second_factors
from gateway.actors import SYSTEM
from gateway.models import User


class Command(BaseCommand):
    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--reason", required=True, help="They read it, and it stays in the log.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(email__iexact=options["email"]).first()
        if user is None:
            raise CommandError(f"Nobody here has the address {options['email']}.")
        removed = second_factors.remove(user, by=SYSTEM, reason=options["reason"])
        self.stdout.write(f"{removed} removed. {user} signs in by password and is led to set up a new one.")
