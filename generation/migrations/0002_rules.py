"""Rules behind the tables: a generation goes its way, its file stays, and credits follow its end."""

from django.db import migrations

from gateway.triggers import append_only, fixed, obeys

CHARGED = """
create function charged_once() returns trigger language plpgsql as $$
begin
    if new.state = 'completed' then
        if not exists (select from gateway_ledgerentry where subject = new.id and kind = 'settle') then
            raise exception 'generation % is completed but not charged', new.id using errcode = 'check_violation';
        end if;
        if not exists (select from generation_output where generation_id = new.id and kind = 'video') then
            raise exception 'generation % is completed without a video', new.id using errcode = 'check_violation';
        end if;
    elsif new.state in ('failed', 'cancelled') then
        if not exists (select from gateway_ledgerentry where subject = new.id and kind = 'give_back') then
            raise exception 'generation % has ended but keeps its credits', new.id using errcode = 'check_violation';
        end if;
    elsif new.state = 'queued' then
        if not exists (select from gateway_ledgerentry where subject = new.id and kind = 'reserve') then
            raise exception 'generation % was queued without credits', new.id using errcode = 'check_violation';
        end if;
    end if;
    return null;
end $$;

create constraint trigger charged_once after insert or update of state on generation_generation
    deferrable initially deferred for each row execute function charged_once();
"""


class Migration(migrations.Migration):
    dependencies = [("generation", "0001_initial"), ("gateway", "0003_audit")]
    operations = [
        obeys(
            "generation_generation",
            "queued",
            {
                "queued": ["cancelled", "failed", "in_progress"],
                "in_progress": ["cancelled", "completed", "failed", "queued"],
                "completed": [],
                "failed": [],
                "cancelled": [],
            },
        ),
        fixed(
            "generation_generation",
            *("membership_id", "model_id", "prompt", "width", "height", "seconds", "fps", "frames"),
            *("steps", "guidance", "seed", "credits"),
        ),
        append_only("generation_output"),
        migrations.RunSQL(CHARGED, "drop trigger charged_once on generation_generation; drop function charged_once();"),
    ]
