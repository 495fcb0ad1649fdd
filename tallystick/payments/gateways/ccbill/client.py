"""HTTP to CCBill: what was sent, what was not, and what nobody knows; nothing is sent twice."""

import asyncio
import ssl
from collections.abc import Mapping
from typing import Final

import httpx
import msgspec

from tallystick.payments.breaker import Breaker

CALL_S: Final = 60.0
"""The longest that one call takes; an attempt's lease is twice that."""
TIMEOUT: Final = httpx.Timeout(45.0, connect=5.0, write=10.0, pool=10.0)
LIMITS: Final = httpx.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=5.0)
"""Idle connections are dropped early: one that CCBill closes meanwhile would lose an answer."""
_AWAY: Final = frozenset({429, 502, 503, 504})
"""What a server between us and CCBill answers; 500 is also how CCBill refuses."""
_UNSENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class NotSent(Exception):
    """Nothing has left this machine: it may be sent again."""


class NoAnswer(Exception):
    """It was sent, and nobody knows what became of it."""


class Answer(msgspec.Struct, frozen=True):
    """What CCBill answered."""

    status: int
    body: bytes


class CcbillHttp:
    """One server of CCBill; `close` ends its connections.

    With a breaker it is left alone while it does not answer: nothing is sent then.
    """

    def __init__(self, base_url: str, breaker: Breaker | None = None) -> None:
        self._breaker = breaker
        self._http = httpx.AsyncClient(
            base_url=base_url,
            timeout=TIMEOUT,
            limits=LIMITS,
            follow_redirects=False,
            verify=_trust(base_url),
            headers={"user-agent": "tallystick", "cache-control": "no-cache"},
        )

    async def send(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Send one request, once. Raises NotSent or NoAnswer."""
        if self._breaker is not None and not self._breaker.admits():
            raise NotSent("circuit_open")
        try:
            answer = await self._send(method, path, headers, query, content)
        except (NotSent, NoAnswer):
            self._note(failed=True)
            raise
        self._note(failed=answer.status in _AWAY)
        return answer

    def _note(self, *, failed: bool) -> None:
        if self._breaker is None:
            return
        if failed:
            self._breaker.failed()
        else:
            self._breaker.answered()

    async def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None,
        query: Mapping[str, str] | None,
        content: bytes | None,
    ) -> Answer:
        request = self._http.build_request(
            method, path, headers=dict(headers or {}), params=dict(query or {}), content=content
        )
        try:
            async with asyncio.timeout(CALL_S):
                answer = await self._http.send(request)
        except _UNSENT as error:
            # The kind of error alone: its text may quote the address, with a password in it.
            raise NotSent(type(error).__name__) from None
        except (httpx.HTTPError, TimeoutError) as error:
            raise NoAnswer(type(error).__name__) from None
        return Answer(answer.status_code, answer.content)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()


def _trust(base_url: str) -> ssl.SSLContext:
    """Return what a server must prove; a simulator speaks plain HTTP and proves nothing."""
    if base_url.startswith("https://"):
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context
    # Reading the machine's certificates takes longer than all else at the start.
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
