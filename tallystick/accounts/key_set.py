"""The signing keys that an issuer publishes (JWKS, RFC 7517), fetched without blocking the loop."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

import httpx
import jwt
import msgspec
import structlog

from tallystick.kernel.clock import Clock
from tallystick.kernel.errors import Unavailable

log = structlog.get_logger()

FETCH_EVERY: Final = timedelta(minutes=1)  # at most, however many unknown keys are named
FRESH: Final = timedelta(minutes=15)  # a key that the issuer withdrew is refused after that
FETCH_SECONDS_MAX: Final = 5.0
BODY_BYTES_MAX: Final = 262_144
KEYS_MAX: Final = 64
_ALGORITHMS: Final = {"RSA": "RS256", "EC": "ES256"}


class _Document(msgspec.Struct, frozen=True):
    keys: list[dict[str, Any]]


class KeySet:
    """The keys at one URL; when it can not be reached, those fetched before stay in use."""

    def __init__(self, url: str, http: httpx.AsyncClient, clock: Clock) -> None:
        self._url = url
        self._http = http
        self._clock = clock
        self._keys: dict[str | None, jwt.PyJWK] | None = None
        self._tried_at: datetime | None = None
        self._fetched_at: datetime | None = None
        self._fetching = asyncio.Lock()

    async def find(self, key_id: str | None) -> jwt.PyJWK | None:
        """Return the key of this id (None: the only one), or None when the issuer has no such.

        Raises Unavailable `jwks_unavailable` when no set could be fetched yet.
        """
        if self._is_stale() or self._known(key_id) is None:
            await self._refresh()
        if self._keys is None:
            raise Unavailable(
                "jwks_unavailable", "The keys that sign tokens can not be fetched; try again soon."
            )
        return self._known(key_id)

    def _known(self, key_id: str | None) -> jwt.PyJWK | None:
        keys = self._keys or {}
        if key_id is None:
            return next(iter(keys.values())) if len(keys) == 1 else None
        return keys.get(key_id)

    def _is_stale(self) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at >= FRESH

    async def _refresh(self) -> None:
        async with self._fetching:
            now = self._clock()
            if self._tried_at is not None and now - self._tried_at < FETCH_EVERY:
                return
            self._tried_at = now
            try:
                async with asyncio.timeout(FETCH_SECONDS_MAX):
                    self._keys = read_keys(await self._fetch())
            except (httpx.HTTPError, msgspec.DecodeError, TimeoutError) as error:
                log.warning("jwks_fetch_failed", error=type(error).__name__)
                return
            self._fetched_at = now

    async def _fetch(self) -> bytes:
        body = b""
        async with self._http.stream("GET", self._url, follow_redirects=False) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    raise msgspec.DecodeError("the key set is too large")
        return body


def read_keys(body: bytes) -> dict[str | None, jwt.PyJWK]:
    """Read the public keys by their ids; kinds that we do not use are left out.

    Raises msgspec.DecodeError when it is no key set.
    """
    found: dict[str | None, jwt.PyJWK] = {}
    for data in msgspec.json.decode(body, type=_Document).keys[:KEYS_MAX]:
        key = _read_key(data)
        if key is not None:
            found[key.key_id] = key
    return found


def _read_key(data: dict[str, Any]) -> jwt.PyJWK | None:
    algorithm = _ALGORITHMS.get(str(data.get("kty")))
    if algorithm is None or data.get("use", "sig") != "sig":
        return None
    if data.get("alg", algorithm) != algorithm or data.get("crv", "P-256") != "P-256":
        return None
    try:
        return jwt.PyJWK(data, algorithm)
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
