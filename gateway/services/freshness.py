"""What a start can skip, because an earlier one did it: migrations and static files."""

import hashlib
from pathlib import Path

import django
from django.conf import settings
from django.contrib.staticfiles import finders
from django.db import ProgrammingError, connection
from django.db.migrations.executor import MigrationExecutor


def migrations_waiting() -> int:
    """How many migrations are not applied yet."""
    try:
        executor = MigrationExecutor(connection)
    except ProgrammingError:
        connection.close()
        return -1  # begun by an earlier start, which was interrupted before it granted us a look
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def static_fingerprint() -> str:
    """A digest of all that `collectstatic` would read: names, sizes, times, and how they are stored."""
    digest = hashlib.sha256(f"{django.__version__} {settings.STORAGES['staticfiles']}".encode())
    for finder in finders.get_finders():
        for name, storage in sorted(finder.list([]), key=lambda found: str(found[0])):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
