"""What the application's role may do in the database, given by its owner after each migration.

Everything on the program's own tables; on the audit log: insert the body, read, and nothing else. Details are erased by
functions of the owner's, which look whether they may be and write down that they were.
"""

from django.conf import settings
from django.db import connection
from psycopg import sql

STATEMENTS = """
grant usage on schema public, audit to {app};
grant select, insert, update, delete on all tables in schema public to {app};
grant usage, select on all sequences in schema public to {app};
grant select on all tables in schema audit to {app};
grant insert (body) on audit.entry to {app};
grant insert on audit.detail to {app};
revoke delete on audit.detail from {app};
revoke all on all functions in schema audit from public;
grant execute on function audit.ensure_partitions(), audit.erase_own(uuid, uuid, integer),
    audit.erase_about(uuid, uuid[]), audit.forget(timestamptz, integer) to {app};
alter default privileges in schema audit grant select on tables to {app};
"""


def apply() -> str | None:
    """Grant the application's role its rights, unless it is the owner itself; return its name if it was granted."""
    role = str(settings.APPLICATION_ROLE)
    with connection.cursor() as cursor:
        cursor.execute("select current_user")
        if cursor.fetchone()[0] == role:
            return None
        cursor.execute(sql.SQL(STATEMENTS).format(app=sql.Identifier(role)).as_string(cursor.connection))
    return role
