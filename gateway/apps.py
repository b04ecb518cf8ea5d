from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class GatewayConfig(AppConfig):
    name = "gateway"
    verbose_name = "Program"


class RecordsConfig(AdminConfig):
    """Django's admin, signed in to by allauth."""

    default_site = "gateway.records.Site"
