"""Rules behind the tables: no decision on one's own work, no publication without approval and signature."""

from django.db import migrations

from gateway.triggers import append_only, fixed, obeys

GUARDS = """
create function guard_revision() returns trigger language plpgsql as $$
begin
    if not exists (
        select from review_submission s
        join gateway_membership sm on sm.id = s.membership_id
        join generation_output o on o.id = new.output_id and o.kind = 'video' and o.sha256 = new.sha256
        join generation_generation g on g.id = o.generation_id
        join gateway_membership gm on gm.id = g.membership_id and gm.user_id = sm.user_id
        where s.id = new.submission_id
    ) then
        raise exception 'a revision names a video of its artist, by its hash' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_revision before insert on review_revision for each row execute function guard_revision();

create function guard_decision() returns trigger language plpgsql as $$
begin
    if exists (
        select from review_revision r
        join review_submission s on s.id = r.submission_id
        join gateway_membership m on m.id = s.membership_id
        where r.id = new.revision_id and m.user_id = new.reviewer_id
    ) then
        raise exception 'nobody reviews their own' using errcode = 'check_violation';
    end if;
    if exists (
        select from unnest(new.clauses) as named(id)
        left join review_clause c on c.id = named.id where c.id is null
    ) then
        raise exception 'a decision names clauses of the policy' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_decision before insert on review_decision for each row execute function guard_decision();

-- FOR SHARE: an undo or a withdrawal that runs at this moment is waited for, and obeyed.
create function guard_publication() returns trigger language plpgsql as $$
begin
    perform from review_submission s
        join review_revision r on r.id = s.current_id and r.id = new.revision_id
        join generation_output o on o.id = r.output_id and o.sha256 = r.sha256
        join gateway_membership m on m.id = s.membership_id
        join review_signoff signed on signed.revision_id = r.id and signed.user_id = m.user_id
        join review_decision d on d.revision_id = r.id and d.verdict = 'approve' and d.undone_at is null
            and d.effective_at <= clock_timestamp()
        where s.id = new.submission_id and s.state = 'approved'
        for share of s;
    if not found then
        raise exception 'only an approved and signed revision becomes public' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_publication before insert on review_publication
    for each row execute function guard_publication();

create function guard_undo() returns trigger language plpgsql as $$
begin
    if new.undone_at is distinct from old.undone_at
        and (old.undone_at is not null or old.announced_at is not null or old.effective_at <= clock_timestamp()) then
        raise exception 'a decision is undone once, while its window is open' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_undo before update of undone_at on review_decision
    for each row execute function guard_undo();

create function guard_submission() returns trigger language plpgsql as $$
begin
    if old.state = 'approved' and new.state <> 'approved' and exists (
        select from review_publication where submission_id = new.id and state = 'published'
    ) then
        raise exception 'a published work is withdrawn before its submission' using errcode = 'check_violation';
    end if;
    if new.current_id is distinct from old.current_id and (new.state <> 'submitted' or not exists (
        select from review_revision where id = new.current_id and submission_id = new.id
    )) then
        raise exception 'a submission goes on with a new revision of its own' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_submission before update on review_submission
    for each row execute function guard_submission();
"""

UNGUARD = """
drop trigger guard_revision on review_revision; drop function guard_revision();
drop trigger guard_decision on review_decision; drop function guard_decision();
drop trigger guard_publication on review_publication; drop function guard_publication();
drop trigger guard_undo on review_decision; drop function guard_undo();
drop trigger guard_submission on review_submission; drop function guard_submission();
"""


class Migration(migrations.Migration):
    dependencies = [("review", "0001_initial"), ("generation", "0002_rules")]
    operations = [
        obeys(
            "review_submission",
            "submitted",
            {
                "submitted": ["approved", "changes_requested", "escalated", "rejected", "withdrawn"],
                "changes_requested": ["escalated", "submitted", "withdrawn"],
                "escalated": ["approved", "changes_requested", "rejected", "submitted", "withdrawn"],
                "approved": ["escalated", "submitted", "withdrawn"],
                "rejected": ["escalated", "submitted", "withdrawn"],
                "withdrawn": [],
            },
        ),
        obeys(
            "review_publication",
            "published",
            {"published": ["taken_down", "withdrawn"], "withdrawn": [], "taken_down": []},
        ),
        append_only("review_revision"),
        append_only("review_signoff"),
        fixed("review_submission", "membership_id", "generation_id"),
        fixed("review_publication", "submission_id", "revision_id"),
        fixed(
            "review_decision",
            *("revision_id", "reviewer_id", "verdict", "clauses", "facts", "from_seconds", "to_seconds"),
            *("region", "note", "state_before", "effective_at"),
        ),
        migrations.RunSQL(GUARDS, UNGUARD),
    ]
