"""allauth's view of this program: nobody signs up by themselves."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from gateway import addresses


class InvitationOnly(DefaultAccountAdapter):
    """People come in by invitation, never by a form."""

    def get_client_ip(self, request: HttpRequest) -> str:
        return addresses.of(request) or "0.0.0.0"  # a limit by address needs one, and so does a session's row

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
