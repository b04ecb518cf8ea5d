"""Django's migrate, run as the owner of the tables, followed by the application's grants."""

from typing import Any

from django.core.management.commands import migrate

from gateway import grants


class Command(migrate.Command):
    """`manage.py migrate`: connects by DATABASE_OWNER_URL (see settings.AS_OWNER)."""

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        whole = not (options["plan"] or options["check_unapplied"] or options["app_label"])
        if whole and (role := grants.apply()) and options["verbosity"]:
            self.stdout.write(f"  Granted to {role}.")
