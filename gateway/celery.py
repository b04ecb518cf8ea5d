"""Celery, the doorbell: messages say "look", rows hold the orders. Importing this loads no engine."""

import os

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")

app = Celery("gateway")
app.set_default()  # in every thread: a bell without its application rings at a broker that is not there
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule_filename = str(settings.PLACES.schedule)
app.conf.beat_scheduler = "gateway.processes:PulsingScheduler"
app.conf.beat_max_loop_interval = 2  # so that a pulse is never older than that
app.conf.beat_schedule = {
    "mail": {"task": "gateway.mail", "schedule": 5},
    "deliver": {"task": "gateway.deliver", "schedule": 2, "options": {"expires": 2}},
    "tidy": {"task": "gateway.tidy", "schedule": 3600},
    "sweep": {"task": "generation.sweep", "schedule": settings.SWEEP_SECONDS},
    "put_away": {"task": "review.put_away", "schedule": 5},
    # These may take seconds: a bell that nobody had time for is not heard later, so that they never queue up.
    "screen": {"task": "review.screen", "schedule": 3, "options": {"expires": 3}},
    "screen_all": {"task": "review.screen", "schedule": 600, "args": (True,), "options": {"expires": 60}},
    "announce": {"task": "review.announce", "schedule": 2},
    "strike": {"task": "review.strike", "schedule": 10},
    "reports": {"task": "review.reports", "schedule": 60},
    "clear": {"task": "generation.clear", "schedule": 600, "options": {"expires": 60}},
    "depart": {"task": "review.depart", "schedule": 15},
    "count": {"task": "review.count", "schedule": 600},
}
app.conf.imports = ["gateway.processes", "generation.processes"]
app.autodiscover_tasks()
