"""allauth's view of this program: nobody signs up by themselves."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class InvitationOnly(DefaultAccountAdapter):
    """People come in by invitation, never by a form."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
