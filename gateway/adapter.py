"""allauth's view of this program: nobody signs up by themselves, and secrets are not kept in the clear."""

import base64

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from gateway import addresses
from gateway.models import User


class InvitationOnly(DefaultAccountAdapter):
    """People come in by invitation, never by a form."""

    def get_client_ip(self, request: HttpRequest) -> str:
        return addresses.of(request) or "0.0.0.0"  # a limit by address needs one, and so does a session's row

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class SecondFactors(DefaultMFAAdapter):
    """The keys of authenticator apps and recovery codes are encrypted under SECRET_KEY: a stolen database has none.

    After SECRET_KEY changed, what was encrypted under an earlier one is read as long as SECRET_KEY_FALLBACKS names it.
    """

    def encrypt(self, text: str) -> str:
        return _box().encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        try:
            return _box().decrypt(encrypted_text.encode()).decode()
        except InvalidToken:
            raise ImproperlyConfigured(
                "A second factor was encrypted under another SECRET_KEY: add that one to SECRET_KEY_FALLBACKS."
            ) from None

    def generate_authenticator_name(self, user: User, type: Authenticator.Type) -> str:
        others = Authenticator.objects.filter(user=user, type=type).count()
        return f"My passkey {others + 1}" if others else "My passkey"

    def _get_site_name(self) -> str:
        return settings.PROGRAM_NAME


def _box() -> MultiFernet:
    return MultiFernet([Fernet(_key(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def _key(secret: str) -> bytes:
    derived = HKDF(SHA256(), length=32, salt=None, info=b"second factors").derive(secret.encode())
    return base64.urlsafe_b64encode(derived)
