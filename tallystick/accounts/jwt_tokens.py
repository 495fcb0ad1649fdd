"""Tokens of another issuer (RFC 7519): signature, issuer, audience and times checked.

The algorithm comes from our configuration, never from the token (RFC 8725, 3.1): HS256 for a
shared secret, otherwise what the key of the set is made for (RSA: RS256, EC P-256: ES256).
"""

from typing import Final

import jwt
import msgspec

from tallystick.accounts.key_set import KeySet
from tallystick.kernel.errors import NotSignedIn, SetupError

TOKEN_LENGTH_MAX: Final = 8_192
LEEWAY_S: Final = 30
SECRET_BYTES_MIN: Final = 32  # RFC 7518, 3.2: no shorter than the hash


class JwtSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Whose tokens are taken: those signed with `secret`, or with a key found at `jwks_url`."""

    secret: str | None = None
    jwks_url: str | None = None
    issuer: str
    audience: str


class JwtVerifier:
    """Checks tokens; `keys` is the set at the settings' URL, None for a shared secret."""

    def __init__(self, settings: JwtSettings, keys: KeySet | None = None) -> None:
        _check(settings, keys)
        self._settings = settings
        self._keys = keys

    async def subject(self, token: str) -> str:
        """Return whom the token speaks for (`sub`).

        Raises NotSignedIn `invalid_token`, and Unavailable when no key could be fetched yet.
        """
        if len(token) > TOKEN_LENGTH_MAX:
            raise invalid_token()
        try:
            key, algorithm = await self._key(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                issuer=self._settings.issuer,
                audience=self._settings.audience,
                leeway=LEEWAY_S,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise invalid_token() from error
        subject: str = claims["sub"]
        if not subject.isprintable():
            raise invalid_token()
        return subject

    async def _key(self, token: str) -> tuple[str | jwt.PyJWK, str]:
        if self._keys is None:
            return self._settings.secret or "", "HS256"
        key = await self._keys.find(jwt.get_unverified_header(token).get("kid"))
        if key is None:
            raise invalid_token()
        return key, key.algorithm_name


def invalid_token() -> NotSignedIn:
    """Return the error for every token that is not taken; which check failed stays with us."""
    return NotSignedIn("invalid_token", "The token is not valid or has expired; sign in again.")


def _check(settings: JwtSettings, keys: KeySet | None) -> None:
    if (settings.secret is None) == (settings.jwks_url is None):
        raise SetupError("jwt_settings", "Set a JWT secret or a JWKS URL: one of the two.")
    if (settings.jwks_url is None) != (keys is None):
        raise SetupError("jwt_settings", "A JWKS URL needs its key set, a secret has none.")
    if not settings.issuer or not settings.audience:
        raise SetupError("jwt_settings", "Set the issuer and the audience of the tokens.")
    if settings.secret is not None and len(settings.secret.encode()) < SECRET_BYTES_MIN:
        raise SetupError("jwt_settings", "The JWT secret is shorter than 32 bytes; make a new one.")
