"""What has to be read again, and by nobody out of a stolen database: encrypted under SECRET_KEY.

Each purpose has a key of its own. After SECRET_KEY changed, what was encrypted under an earlier one is read as long as
SECRET_KEY_FALLBACKS names it.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


def encrypt(text: str, *, purpose: str) -> str:
    """`text` as only `decrypt` with the same purpose reads it."""
    return _box(purpose).encrypt(text.encode()).decode()


def decrypt(encrypted: str, *, purpose: str) -> str:
    """What was encrypted. Raises ImproperlyConfigured when that was under a key that is not known any more."""
    try:
        return _box(purpose).decrypt(encrypted.encode()).decode()
    except InvalidToken:
        raise ImproperlyConfigured(
            f"What is kept of {purpose} was encrypted under another SECRET_KEY: add that one to SECRET_KEY_FALLBACKS."
        ) from None


def _box(purpose: str) -> MultiFernet:
    secrets = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return MultiFernet([Fernet(_key(secret, purpose)) for secret in secrets])


def _key(secret: str, purpose: str) -> bytes:
    derived = HKDF(SHA256(), length=32, salt=None, info=purpose.encode()).derive(secret.encode())
    return base64.urlsafe_b64encode(derived)
