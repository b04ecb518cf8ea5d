"""Rules behind the table: a wording is written once, and ends once. The founding clauses get their categories."""

from django.db import migrations

from gateway.triggers import fixed

# By number and title, as a program was founded with them: a clause that a program wrote itself is left as it is.
FOUNDING = (
    (
        "A real person, without their word",
        "STATEMENT_CATEGORY_CYBER_VIOLENCE",
        "KEYWORD_NON_CONSENSUAL_MATERIAL_DEEPFAKE",
    ),
    ("Violence shown to hurt", "STATEMENT_CATEGORY_VIOLENCE", ""),
    (
        "Children, sexualised",
        "STATEMENT_CATEGORY_PROTECTION_OF_MINORS",
        "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE",
    ),
    ("Flashing light", "STATEMENT_CATEGORY_OTHER_VIOLATION_TC", "KEYWORD_OTHER"),
    (
        "Somebody else's work, as one's own",
        "STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS",
        "KEYWORD_COPYRIGHT_INFRINGEMENT",
    ),
)

GUARD = """
create function guard_retirement() returns trigger language plpgsql as $$
begin
    if old.retired_at is not null then
        raise exception 'a clause is retired once' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard_retirement before update of retired_at, retired_because on review_clause
    for each row execute function guard_retirement();
"""

UNGUARD = "drop trigger guard_retirement on review_clause; drop function guard_retirement();"


def categorise(apps, schema_editor):
    clauses = apps.get_model("review", "Clause").objects
    for number, (title, category, specification) in enumerate(FOUNDING, start=1):
        clauses.filter(number=number, title=title).update(category=category, specification=specification)


class Migration(migrations.Migration):
    dependencies = [("review", "0006_clauses")]
    operations = [
        migrations.RunPython(categorise, migrations.RunPython.noop),
        fixed("review_clause", "number", "version", "title", "body", "example", "category", "specification", "why"),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
