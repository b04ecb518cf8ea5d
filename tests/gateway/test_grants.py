"""What the application's role may do in the database."""

from typing import Any

import psycopg
import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connection

from gateway import grants

pytestmark = pytest.mark.django_db

TABLES = sorted({model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.managed})


def test_the_application_is_no_owner_and_no_superuser(application: psycopg.Connection[Any]):
    found = application.execute(
        "select rolsuper, rolcreaterole, rolcreatedb, rolbypassrls from pg_roles where rolname = current_user"
    ).fetchone()
    assert found == (False, False, False, False)
    owned = application.execute("select count(*) from pg_class where relowner = current_user::regrole").fetchone()
    assert owned == (0,)


def test_it_reads_and_writes_every_table_of_the_program_and_empties_none(application: psycopg.Connection[Any]):
    for table in TABLES:
        has = "has_table_privilege(%s, %s)"
        for right in ("select", "insert", "update", "delete"):
            assert application.execute(f"select {has}", [table, right]).fetchone() == (True,), (table, right)
        for right in ("truncate", "trigger", "references"):
            assert application.execute(f"select {has}", [table, right]).fetchone() == (False,), (table, right)


def test_it_can_use_every_sequence(application: psycopg.Connection[Any]):
    found = application.execute(
        "select sequencename, has_sequence_privilege(format('public.%I', sequencename), 'usage')"
        " from pg_sequences where schemaname = 'public'"
    ).fetchall()
    assert found
    assert [name for name, granted in found if not granted] == []


def test_it_can_not_switch_a_rule_off(application: psycopg.Connection[Any]):
    for statement in (
        "alter table gateway_ledgerentry disable trigger append_only",
        "drop trigger append_only on gateway_ledgerentry",
        "alter table gateway_allowance drop constraint an_allowance_is_never_overdrawn",
        "create or replace function obey_moves() returns trigger language plpgsql as $$ begin return new; end $$",
        "set role gateway_owner",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute(statement)
        application.rollback()


def test_the_grants_can_be_given_again_and_are_not_given_to_the_owner(settings: Any):
    assert grants.apply() == settings.APPLICATION_ROLE
    with connection.cursor() as cursor:
        cursor.execute("select current_user")
        settings.APPLICATION_ROLE = cursor.fetchone()[0]
    assert grants.apply() is None


def test_no_migration_is_missing():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
