"""allauth's view of this program: nobody signs up by themselves, and secrets are not kept in the clear."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest

from gateway import addresses, encryption
from gateway.models import User

PURPOSE = "second factors"


class InvitationOnly(DefaultAccountAdapter):
    """People come in by invitation, never by a form."""

    def get_client_ip(self, request: HttpRequest) -> str:
        return addresses.of(request) or "0.0.0.0"  # a limit by address needs one, and so does a session's row

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class SecondFactors(DefaultMFAAdapter):
    """The keys of authenticator apps and recovery codes are encrypted under SECRET_KEY: a stolen database has none."""

    def encrypt(self, text: str) -> str:
        return encryption.encrypt(text, purpose=PURPOSE)

    def decrypt(self, encrypted_text: str) -> str:
        return encryption.decrypt(encrypted_text, purpose=PURPOSE)

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        others = Authenticator.objects.filter(user=user, type=type).count()
        return f"My passkey {others + 1}" if others else "My passkey"

    def _get_site_name(self) -> str:
        return settings.PROGRAM_NAME
