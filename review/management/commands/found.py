"""`manage.py found`: what a program stands on before its first artist, and its first admin."""

from argparse import ArgumentParser
from typing import Any

from allauth.account.models import EmailAddress
from django.core.management.base import BaseCommand, CommandError
from django.db.transaction import atomic

from gateway import audit
from gateway.actors import SYSTEM
from gateway.models import User
from review import founding


class Command(BaseCommand):
    help = "Lay the catalogue, the policy, the terms and a first cohort; with --admin, make the first admin."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--admin", metavar="EMAIL", help="make an admin with this address")
        parser.add_argument("--name", default="Admin", help="the admin's name (default: %(default)s)")

    def handle(self, *args: Any, admin: str | None, name: str, **options: Any) -> None:
        founding.lay()
        self.stdout.write("Catalogue, policy, terms and a cohort are there.")
        if admin is None:
            return
        if User.objects.filter(email__iexact=admin).exists():
            raise CommandError(f"{admin} is somebody here already.")
        with atomic():
            user = User.objects.create_superuser(admin, None, name=name)
            EmailAddress.objects.create(user=user, email=admin, verified=True, primary=True)
            audit.record("user.made_admin", by=SYSTEM, subject=user)
        self.stdout.write(f"{admin} is an admin. They choose a password at /accounts/password/reset/ .")
