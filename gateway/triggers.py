"""What migrations use to put a rule behind a table. The two functions they call are made by gateway's 0002."""

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
