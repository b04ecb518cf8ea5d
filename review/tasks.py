"""Chores of the review."""

from celery import shared_task

from review import decisions


@shared_task(name="review.announce")
def announce() -> None:
    """Tell artists of decisions that have taken effect."""
    decisions.announce()
