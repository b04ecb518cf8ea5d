"""Rules behind the tables: lives go their way, what is written once stays."""

from django.db import migrations

from gateway.triggers import FUNCTIONS, append_only, obeys


class Migration(migrations.Migration):
    dependencies = [("gateway", "0001_initial")]
    operations = [
        migrations.RunSQL(FUNCTIONS, "drop function obey_moves(); drop function refuse_change();"),
        obeys(
            "gateway_membership",
            "active",
            {"active": ["left", "suspended"], "suspended": ["active", "left"], "left": []},
        ),
        obeys("gateway_invitation", "sent", {"sent": ["accepted", "revoked"], "accepted": [], "revoked": []}),
        append_only("gateway_ledgerentry"),
        append_only("gateway_terms"),
        append_only("gateway_termsacceptance"),
    ]
