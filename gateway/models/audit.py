"""The audit log's two tables. They live in a schema of their own, made by a migration; see gateway/audit/."""

from django.db import models


class Entry(models.Model):
    """One entry: `body` is what was written, byte for byte; the other columns are read off it by a trigger."""

    id = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    body = models.BinaryField()
    action = models.TextField()
    actor_id = models.UUIDField(null=True)
    subject_id = models.UUIDField(null=True)
    request_id = models.UUIDField(null=True)

    class Meta:
        managed = False
        db_table = '"audit"."entry"'
        verbose_name = "audit entry"
        verbose_name_plural = "audit entries"


class Detail(models.Model):
    """What can be erased: prompts, addresses, names. The entry holds only its salted digest."""

    entry_id = models.UUIDField(primary_key=True)
    salt = models.BinaryField()
    body = models.BinaryField()

    class Meta:
        managed = False
        db_table = '"audit"."detail"'
