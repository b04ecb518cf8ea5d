"""Pages and the API, served by granian."""

import os
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from gateway.services import programs


class Command(BaseCommand):
    """`manage.py web`: this process becomes granian, with as many processes and threads as WEB_THREADS asks for."""

    help = __doc__ or ""
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="0.0.0.0 for every network of this machine")
        parser.add_argument("--port", type=int, default=8000)

    def handle(self, *args: Any, **options: Any) -> None:
        command = programs.serving(options["host"], options["port"])
        os.execve(command[0], command, {**os.environ, "WEB": "1"})
