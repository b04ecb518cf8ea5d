"""What migrations use to put a rule behind a table. The functions they call are made by gateway's 0002 and 0017."""

import json
from collections.abc import Mapping, Sequence

from django.db.migrations import RunSQL

FUNCTIONS = """
create function obey_moves() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        if new.state <> tg_argv[0] then
            raise exception '% begins as %, not as %', tg_table_name, tg_argv[0], new.state
                using errcode = 'check_violation';
        end if;
    elsif new.state <> old.state and not (tg_argv[1]::jsonb -> old.state ? new.state) then
        raise exception '% can''t go from % to %', tg_table_name, old.state, new.state
            using errcode = 'check_violation';
    end if;
    return new;
end $$;

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only: % refused', tg_table_name, tg_op using errcode = 'check_violation';
end $$;
"""

ERASED = "(erased)"
#: What is written once is never rewritten; when its person departs it may be erased, and nothing else.
ERASING = """
create function must_be_erased(told text, before jsonb, after jsonb, names text[]) returns void language plpgsql as $$
declare
    name text;
begin
    foreach name in array names loop
        if after -> name is distinct from before -> name and not (
            after -> name in ('"(erased)"', '""', '[]', '{}', 'null') and exists (
                select from gateway_departure
                where id = nullif(current_setting('gateway.departure', true), '')::uuid
                    and state = 'asked' and begun_at is not null
            )
        ) then
            raise exception '% of % is append-only, and erased only when its person departs', name, told
                using errcode = 'check_violation';
        end if;
    end loop;
end $$;

create function only_erased() returns trigger language plpgsql as $$
begin
    perform must_be_erased(tg_table_name, to_jsonb(old), to_jsonb(new), tg_argv);
    return new;
end $$;

create function written_once_or_erased() returns trigger language plpgsql as $$
begin
    if tg_op = 'DELETE' or to_jsonb(new) - tg_argv is distinct from to_jsonb(old) - tg_argv then
        raise exception '% is append-only: % refused', tg_table_name, tg_op using errcode = 'check_violation';
    end if;
    perform must_be_erased(tg_table_name, to_jsonb(old), to_jsonb(new), tg_argv);
    return new;
end $$;
"""
NOT_ERASING = """
drop function written_once_or_erased();
drop function only_erased();
drop function must_be_erased(text, jsonb, jsonb, text[]);
"""


def obeys(table: str, first: str, moves: Mapping[str, Sequence[str]]) -> RunSQL:
    """Rows of `table` begin in state `first` and go only where `moves` allows. A house test compares it to MOVES."""
    text = json.dumps(moves, sort_keys=True)
    return RunSQL(
        f"create trigger obey_moves before insert or update of state on {table} "
        f"for each row execute function obey_moves('{first}', '{text}')",
        f"drop trigger obey_moves on {table}",
    )


def append_only(table: str) -> RunSQL:
    """Rows of `table` are written once."""
    return RunSQL(
        f"create trigger append_only before update or delete on {table} for each row execute function refuse_change()",
        f"drop trigger append_only on {table}",
    )


def fixed(table: str, *columns: str) -> RunSQL:
    """These columns of `table` are written once, and no row of it is deleted."""
    return RunSQL(
        f"create trigger fixed before delete or update of {', '.join(columns)} on {table} "
        "for each row execute function refuse_change()",
        f"drop trigger fixed on {table}",
    )


def erasable(table: str, *columns: str) -> RunSQL:
    """These columns of `table` are written once; when their person departs they may be erased."""
    names = ", ".join(f"'{column}'" for column in columns)
    return RunSQL(
        f"create trigger erasable before update of {', '.join(columns)} on {table} "
        f"for each row execute function only_erased({names})",
        f"drop trigger erasable on {table}",
    )


def append_only_or_erased(table: str, *columns: str) -> RunSQL:
    """Rows of `table` are written once; when their person departs these columns may be erased."""
    names = ", ".join(f"'{column}'" for column in columns)
    return RunSQL(
        f"create trigger append_only before update or delete on {table} "
        f"for each row execute function written_once_or_erased({names})",
        f"drop trigger append_only on {table}",
    )


def instead(before: RunSQL, *now: RunSQL) -> list[RunSQL]:
    """The rule `before` gives way to others."""
    return [RunSQL(before.reverse_sql or RunSQL.noop, before.sql), *now]
