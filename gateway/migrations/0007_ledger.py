"""Rules behind the tables: an allowance is what its ledger adds up to, and a token stays what it was issued as."""

from django.db import migrations

from gateway.triggers import fixed

AGREES = """
create function ledger_agrees() returns trigger language plpgsql as $$
declare
    changed uuid;
    agrees boolean;
begin
    if tg_table_name = 'gateway_allowance' then
        changed := new.id;
    else
        changed := new.allowance_id;
    end if;
    select a.granted = coalesce(sum(e.amount) filter (where e.kind = 'grant'), 0)
       and a.spent = coalesce(sum(e.amount) filter (where e.kind = 'settle'), 0)
       and a.expired = coalesce(sum(e.amount) filter (where e.kind = 'expire'), 0)
       and a.held = coalesce(sum(case e.kind when 'reserve' then e.amount else -e.amount end)
                             filter (where e.kind in ('reserve', 'settle', 'give_back')), 0)
      into agrees
      from gateway_allowance a left join gateway_ledgerentry e on e.allowance_id = a.id
     where a.id = changed
     group by a.id;
    if not agrees then
        raise exception 'allowance % is not what its ledger adds up to', changed using errcode = 'check_violation';
    end if;
    return null;
end $$;

create constraint trigger ledger_agrees after insert or update of granted, held, spent, expired on gateway_allowance
    deferrable initially deferred for each row execute function ledger_agrees();
create constraint trigger ledger_agrees after insert on gateway_ledgerentry
    deferrable initially deferred for each row execute function ledger_agrees();
"""

DISAGREES = """
drop trigger ledger_agrees on gateway_allowance;
drop trigger ledger_agrees on gateway_ledgerentry;
drop function ledger_agrees();
"""


class Migration(migrations.Migration):
    dependencies = [("gateway", "0006_limits")]
    operations = [
        # A default is computed once for all rows that were there; each of them began a family of its own.
        migrations.RunSQL("update gateway_token set family = id", migrations.RunSQL.noop),
        fixed("gateway_token", "user_id", "membership_id", "mode", "digest", "scopes", "family"),
        migrations.RunSQL(AGREES, DISAGREES),
    ]
