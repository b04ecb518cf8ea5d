"""What people are told."""

from django.db import models
from django.db.models import Q

from .base import Row
from .members import User


class Notice(Row):
    """A message to a person, in the application and by mail, or to an address that is nobody yet, by mail alone."""

    NOUN = "notice"

    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="notices")
    email = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    path = models.CharField(max_length=300, blank=True)
    mailed_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    read_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], condition=Q(mailed_at__isnull=True), name="notice_to_mail"),
            models.Index(fields=["user", "-created_at"], condition=Q(read_at__isnull=True), name="notice_unread"),
        ]
