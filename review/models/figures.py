"""The program in figures, month by month."""

from django.db import models
from django.db.models import F, Q

from gateway.models.base import Row


class Figures(Row):
    """One count of a month, up to `until`, which it no longer contains. Append-only: no figure is ever rewritten.

    The month under way has a row a day; the one whose `until` is the month's end is `closed`, and the last.
    `exact` is for admins; `told` is what the public reads, made of it once, by the threshold of that day.
    """

    NOUN = "figures"

    month = models.DateField("its first day")
    until = models.DateField("counted up to this day")
    closed = models.BooleanField("the whole month")
    exact = models.JSONField()
    told = models.JSONField()

    class Meta:
        verbose_name_plural = "figures"
        indexes = [models.Index(fields=["-month"], condition=Q(closed=True), name="figures_of_whole_months")]
        constraints = [
            models.UniqueConstraint(fields=["month", "until"], name="figures_are_counted_once"),
            models.UniqueConstraint(fields=["month"], condition=Q(closed=True), name="a_month_is_closed_once"),
            models.CheckConstraint(condition=Q(until__gt=F("month")), name="figures_are_of_whole_days"),
        ]

    def __str__(self) -> str:
        return f"figures of {self.month:%B %Y}"
