"""Chores of the review."""

from celery import shared_task

from review import clock, decisions, departure, radius, reports
from review.screening import run
from review.transparency import months


@shared_task(name="review.announce")
def announce() -> None:
    """Tell artists of decisions that have taken effect."""
    decisions.announce()


@shared_task(name="review.put_away")
def put_away() -> None:
    """Release the brakes whose time is over, and say so."""
    radius.put_away()


@shared_task(name="review.strike")
def strike() -> None:
    """Pass on what is late."""
    clock.strike()


@shared_task(name="review.reports")
def answer_reports() -> None:
    """Answer reports whose work went, remind admins of those that are due, forget who reported long ago."""
    reports.settle()
    reports.remind()
    reports.forget()


@shared_task(name="review.depart")
def depart() -> None:
    """Go on erasing those whose departure is due, each for some seconds."""
    departure.run_due()


@shared_task(name="review.count")
def count() -> None:
    """Count the figures of the month up to last midnight, once a day, and close the month that is over."""
    months.count()


@shared_task(name="review.screen", soft_time_limit=120, time_limit=150)
def screen(everything: bool = False) -> None:
    """Look at what was submitted, for its reviewers."""
    run.screen(everything=everything)
