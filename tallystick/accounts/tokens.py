"""Secrets that we hand out: API keys, session tokens, and the CSRF token bound to a cookie.

32 random bytes each; kept as SHA-256 (enough for random bytes, unlike for passwords), shown once.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

API_KEY_PREFIX: Final = "tsk_"
SESSION_PREFIX: Final = "tss_"
TOKEN_LENGTH_MAX: Final = 256
_RANDOM_BYTES: Final = 32


def new_token(prefix: str, random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """Return a fresh secret: the prefix and 52 letters of base 32."""
    letters = base64.b32encode(random(_RANDOM_BYTES)).decode().rstrip("=").lower()
    return f"{prefix}{letters}"


def token_hash(token: str) -> bytes:
    """Return what is kept of a secret."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def csrf_token(secret: str) -> str:
    """Return the token that a page sends back: HMAC-SHA256 of the cookie that signed it in."""
    return hmac.new(secret.encode(), b"csrf", hashlib.sha256).hexdigest()


def csrf_matches(secret: str, given: str) -> bool:
    """Tell whether the token belongs to the cookie, in constant time."""
    return hmac.compare_digest(csrf_token(secret).encode(), given.encode("utf-8", "surrogatepass"))
