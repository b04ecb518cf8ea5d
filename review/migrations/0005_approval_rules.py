"""Rules behind the tables: two looks by two people, appeals heard by a third, and no way round a take-down."""

from django.db import migrations

from gateway.triggers import fixed, obeys

AS_BEFORE = """
update review_decision set
    role = case when state_before = 'escalated' then 'final' when verdict = 'escalate' then 'first' else 'sole' end,
    decides = verdict <> 'escalate',
    state_after = case verdict when 'approve' then 'approved' when 'reject' then 'rejected'
        when 'escalate' then 'escalated' else 'changes_requested' end;
"""

GUARDS = """
create or replace function guard_decision() returns trigger language plpgsql as $$
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
    if new.role <> 'take_down' and exists (
        select from review_conflict c
        join review_revision r on r.id = new.revision_id
        join review_submission s on s.id = r.submission_id
        join gateway_membership m on m.id = s.membership_id and m.user_id = c.artist_id
        where c.reviewer_id = new.reviewer_id and c.lifted_at is null
    ) then
        raise exception 'nobody reviews where a conflict of interest is named' using errcode = 'check_violation';
    end if;
    if new.role in ('second', 'final') and exists (
        select from review_decision
        where revision_id = new.revision_id and reviewer_id = new.reviewer_id and undone_at is null
    ) then
        raise exception 'another look is another reviewer''s' using errcode = 'check_violation';
    end if;
    if new.role = 'second' and not exists (
        select from review_decision where revision_id = new.revision_id and role = 'first' and undone_at is null
    ) then
        raise exception 'a second look follows a first' using errcode = 'check_violation';
    end if;
    if new.role = 'second' and new.decides and not exists (
        select from review_decision
        where revision_id = new.revision_id and role = 'first' and undone_at is null and verdict = new.verdict
    ) then
        raise exception 'two looks that differ settle nothing' using errcode = 'check_violation';
    end if;
    if new.role in ('sole', 'default') and new.decides and exists (
        select from review_revision r join review_submission s on s.id = r.submission_id and s.second <> ''
        where r.id = new.revision_id
    ) then
        raise exception 'two look at this work' using errcode = 'check_violation';
    end if;
    if new.role = 'appeal' and exists (
        select from review_decision d
        join review_revision r on r.id = d.revision_id
        join review_submission s on s.id = r.submission_id
        join review_submission this on this.generation_id = s.generation_id
        join review_revision named on named.submission_id = this.id and named.id = new.revision_id
        where d.reviewer_id = new.reviewer_id and d.undone_at is null
    ) then
        raise exception 'an appeal is heard by somebody who has not decided on this work'
            using errcode = 'check_violation';
    end if;
    return new;
end $$;

create or replace function guard_publication() returns trigger language plpgsql as $$
begin
    perform from review_submission s
        join review_revision r on r.id = s.current_id and r.id = new.revision_id
        join generation_output o on o.id = r.output_id and o.sha256 = r.sha256
        join gateway_membership m on m.id = s.membership_id
        join review_signoff signed on signed.revision_id = r.id and signed.user_id = m.user_id
        join review_decision d on d.revision_id = r.id and d.verdict = 'approve' and d.decides and d.undone_at is null
            and d.effective_at <= clock_timestamp()
        where s.id = new.submission_id and s.state = 'approved'
        for share of s;
    if not found then
        raise exception 'only an approved and signed revision becomes public' using errcode = 'check_violation';
    end if;
    return new;
end $$;

create or replace function guard_submission() returns trigger language plpgsql as $$
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
    if old.state in ('changes_requested', 'rejected') and new.state = 'approved' and not exists (
        select from review_decision
        where revision_id = new.current_id and role = 'appeal' and verdict = 'approve' and undone_at is null
    ) then
        raise exception 'from a refusal to an approval leads an appeal' using errcode = 'check_violation';
    end if;
    return new;
end $$;

create function guard_take_down() returns trigger language plpgsql as $$
begin
    if new.state = 'taken_down' and old.state <> new.state and not exists (
        select from review_decision d
        left join review_appeal a on a.decision_id = d.id and a.state = 'overturned'
        where d.revision_id = new.revision_id and d.role = 'take_down' and a.id is null
    ) then
        raise exception 'a take-down is a decision with reasons' using errcode = 'check_violation';
    end if;
    if new.state = 'published' and old.state <> new.state and not exists (
        select from review_appeal a
        join review_decision d on d.id = a.decision_id and d.role = 'take_down' and d.revision_id = new.revision_id
        join review_decision h on h.id = a.hearing_id and h.undone_at is null and h.effective_at <= clock_timestamp()
        where a.state = 'overturned' and not exists (
            select from review_decision later
            where later.revision_id = new.revision_id and later.role = 'take_down' and later.id > d.id
        )
    ) then
        raise exception 'what was taken down comes back by an appeal' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_take_down before update of state on review_publication
    for each row execute function guard_take_down();

create function guard_appeal() returns trigger language plpgsql as $$
begin
    if not exists (
        select from review_decision d
        where d.id = new.decision_id and d.verdict in ('reject', 'request_changes', 'take_down')
            and (d.decides or d.role = 'take_down') and d.undone_at is null
            and d.effective_at <= clock_timestamp() and clock_timestamp() < d.effective_at + interval '6 months'
            and d.reviewer_id = new.original_reviewer_id
    ) then
        raise exception 'an appeal is about a refusal in effect, within six months' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_appeal before insert on review_appeal for each row execute function guard_appeal();
"""

UNGUARD = """
drop trigger guard_take_down on review_publication; drop function guard_take_down();
drop trigger guard_appeal on review_appeal; drop function guard_appeal();
"""


class Migration(migrations.Migration):
    dependencies = [("review", "0004_approval")]
    operations = [
        migrations.RunSQL(AS_BEFORE, migrations.RunSQL.noop),
        migrations.RunSQL("drop trigger obey_moves on review_submission", migrations.RunSQL.noop),
        obeys(
            "review_submission",
            "submitted",
            {
                "submitted": [
                    *("approved", "awaiting_second", "changes_requested", "escalated", "rejected", "withdrawn"),
                ],
                "awaiting_second": [
                    *("approved", "changes_requested", "escalated", "rejected", "submitted", "withdrawn"),
                ],
                "escalated": [
                    *("approved", "awaiting_second", "changes_requested", "rejected", "submitted", "withdrawn"),
                ],
                "changes_requested": ["approved", "awaiting_second", "escalated", "submitted", "withdrawn"],
                "rejected": ["approved", "awaiting_second", "escalated", "submitted", "withdrawn"],
                "approved": [
                    *("awaiting_second", "changes_requested", "escalated", "rejected", "submitted", "withdrawn"),
                ],
                "withdrawn": [],
            },
        ),
        migrations.RunSQL("drop trigger obey_moves on review_publication", migrations.RunSQL.noop),
        obeys(
            "review_publication",
            "published",
            {"published": ["taken_down", "withdrawn"], "withdrawn": [], "taken_down": ["published", "withdrawn"]},
        ),
        obeys(
            "review_appeal",
            "open",
            {
                "open": ["overturned", "upheld", "withdrawn"],
                "upheld": ["open"],
                "overturned": ["open"],
                "withdrawn": [],
            },
        ),
        fixed("review_appeal", "decision_id", "original_reviewer_id", "words", "due_at"),
        fixed("review_conflict", "reviewer_id", "artist_id", "named_by_id"),
        migrations.RunSQL("drop trigger fixed on review_decision", migrations.RunSQL.noop),
        fixed(
            "review_decision",
            *("revision_id", "reviewer_id", "role", "decides", "verdict", "clauses", "facts", "from_seconds"),
            *("to_seconds", "region", "note", "state_before", "state_after", "due_at", "effective_at"),
        ),
        migrations.RunSQL(GUARDS, UNGUARD),
    ]
