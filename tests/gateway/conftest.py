"""The application as the database sees it, and passwords that cost nothing."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings as gateway_settings
from django.db import connection

from gateway.settings import database


@pytest.fixture
def application(db: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection with the application's own role, not the owner's; whatever it did is rolled back."""
    role = database(gateway_settings.DATABASE_URL)
    with psycopg.connect(
        dbname=connection.settings_dict["NAME"],
        user=str(role["USER"]),
        password=str(role["PASSWORD"]),
        host=str(role["HOST"]),
        port=str(role["PORT"]) or None,
    ) as connected:
        yield connected
        connected.rollback()


@pytest.fixture(autouse=True)
def quick_passwords(settings: Any) -> None:
    """A good hash takes a third of a second, and no test here is about it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
