"""The application, as the database sees it."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from gateway.settings import database


@pytest.fixture
def application(db: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection with the application's own role, not the owner's; whatever it did is rolled back."""
    role = database(settings.DATABASE_URL)
    with psycopg.connect(
        dbname=connection.settings_dict["NAME"],
        user=str(role["USER"]),
        password=str(role["PASSWORD"]),
        host=str(role["HOST"]),
        port=str(role["PORT"]) or None,
    ) as connected:
        yield connected
        connected.rollback()
