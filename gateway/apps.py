from importlib import import_module

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig

from gateway.celery import app


class GatewayConfig(AppConfig):
    name = "gateway"
    verbose_name = "Program"
    celery = app  # made before any task is: each process rings this program's bells

    def ready(self) -> None:
        import_module("gateway.receivers")  # allauth's signals are heard from now on


class RecordsConfig(AdminConfig):
    """Django's admin, signed in to by allauth."""

    default_site = "gateway.records.Site"
