"""OAuth tokens of the two applications: kept until shortly before they end, one renewal at a time.

The page's application makes payment tokens and can do nothing else; the server's one charges.
"""

import asyncio
from base64 import b64encode
from collections.abc import Callable
from typing import Final, Literal

import msgspec
import structlog

from tallystick.payments.gateway import no_answer, not_configured
from tallystick.payments.gateways.ccbill.client import CcbillHttp, NoAnswer, NotSent
from tallystick.settings_ccbill import CcbillSettings

log = structlog.get_logger()

Application = Literal["frontend", "backend"]
RENEW_BEFORE_S: Final = 60
"""A token is renewed so long before its end, or at half its life if that is shorter."""
LIFE_S_MAX: Final = 86_400
_OK: Final = 200


class Granted(msgspec.Struct, frozen=True):
    """CCBill's answer; `expires_in` in seconds."""

    access_token: str
    expires_in: int


class Bearer(msgspec.Struct, frozen=True):
    """A token, and until when it is used, on the monotonic clock."""

    token: str
    until: float
    life_s: int

    def __repr__(self) -> str:
        return "Bearer(...)"


class Bearers:
    """The tokens of both applications."""

    def __init__(
        self, http: CcbillHttp, settings: CcbillSettings, monotonic: Callable[[], float]
    ) -> None:
        self._http = http
        self._monotonic = monotonic
        self._keys = {
            "frontend": (settings.frontend_id, settings.frontend_secret),
            "backend": (settings.backend_id, settings.backend_secret),
        }
        self._kept: dict[Application, Bearer] = {}
        self._locks: dict[Application, asyncio.Lock] = {}

    async def get(self, application: Application) -> str:
        """Return a token that is good for the next minute. Raises Unavailable."""
        kept = self._valid(application)
        if kept is None:
            async with self._locks.setdefault(application, asyncio.Lock()):
                # Whoever waited finds the one that the first has fetched.
                kept = self._valid(application) or await self.fresh(application)
                self._kept[application] = kept
        return kept.token

    async def fresh(self, application: Application) -> Bearer:
        """Fetch a token that nobody else has. Raises Unavailable."""
        app_id, secret = self._keys[application]
        if not app_id or not secret:
            raise not_configured("ccbill")
        pair = b64encode(f"{app_id}:{secret}".encode()).decode()
        headers = {
            "authorization": f"Basic {pair}",
            "content-type": "application/x-www-form-urlencoded",
        }
        try:
            answer = await self._http.send(
                "POST",
                "/ccbill-auth/oauth/token",
                headers=headers,
                content=b"grant_type=client_credentials",
            )
        except (NotSent, NoAnswer) as error:
            raise no_answer("ccbill") from error
        if answer.status != _OK:
            log.error("ccbill_oauth_refused", application=application, status=answer.status)
            raise no_answer("ccbill")
        return self._read(answer.body)

    def forget(self, application: Application, token: str) -> None:
        """Use this token no more: CCBill has refused it."""
        kept = self._kept.get(application)
        if kept is not None and kept.token == token:
            del self._kept[application]

    def _valid(self, application: Application) -> Bearer | None:
        kept = self._kept.get(application)
        return kept if kept is not None and self._monotonic() < kept.until else None

    def _read(self, body: bytes) -> Bearer:
        try:
            granted = msgspec.json.decode(body, type=Granted)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise no_answer("ccbill") from error
        life = min(max(granted.expires_in, 0), LIFE_S_MAX)
        used = life - min(RENEW_BEFORE_S, life // 2)
        return Bearer(granted.access_token, self._monotonic() + used, life)
