"""The connections under Stripe's SDK: one pool, its limits, and patience with "too many requests".

The SDK's own client takes no limits of a pool. Imported with the SDK alone, which takes 0.8 s.
"""

import asyncio
import random
import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx
import stripe
import structlog

from tallystick.payments.gateways.stripe.client import CallRules

log = structlog.get_logger()


class Transport(stripe.HTTPClient):
    """Sends what the SDK writes. The SDK repeats what fails; 429, which it does not, we do."""

    name = "httpx"

    def __init__(self, rules: CallRules, *, tls: bool) -> None:
        super().__init__()
        self._rules = rules
        # Plain HTTP is a simulator on this machine: no certificates have to be read for it.
        verify = (
            ssl.create_default_context(cafile=stripe.ca_bundle_path)
            if tls
            else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        )
        self._http = httpx.AsyncClient(
            verify=verify,
            timeout=httpx.Timeout(rules.read_s, connect=rules.connect_s, pool=rules.pool_s),
            limits=httpx.Limits(
                max_connections=rules.connections_max,
                max_keepalive_connections=rules.connections_max,
                keepalive_expiry=rules.keep_alive_s,
            ),
        )

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send, and again where Stripe says that it is too much; each time with the same key."""
        for wait in self._rules.busy_waits_s:
            answer = await self._send(method, url, headers, post_data)
            if answer.status_code != HTTPStatus.TOO_MANY_REQUESTS:
                break
            # Half of it for sure, the rest by chance: not all who were refused come back at once.
            await self.sleep_async(wait * (0.5 + random.random() / 2))  # noqa: S311 - no secret
        else:
            answer = await self._send(method, url, headers, post_data)
        return answer.content, answer.status_code, answer.headers

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any
    ) -> httpx.Response:
        try:
            answer = await self._http.request(method, url, headers=dict(headers), data=post_data)
        except httpx.HTTPError as error:
            log.warning(
                "stripe_connection_failed", method=method.upper(), error=type(error).__name__
            )
            message = f"No answer ({type(error).__name__})."
            raise stripe.APIConnectionError(  # type: ignore[no-untyped-call]  # the SDK's gap
                message, should_retry=True
            ) from error
        is_plain_read = method.upper() == "GET" and answer.is_success
        told = log.debug if is_plain_read else log.info
        told(
            "stripe_answered",
            method=method.upper(),
            status=answer.status_code,
            stripe_request_id=answer.headers.get("Request-Id"),
        )
        return answer

    async def sleep_async(self, secs: float) -> None:
        """Wait between two tries of one call."""
        await asyncio.sleep(secs * self._rules.wait_factor)

    async def close_async(self) -> None:
        """Close all connections."""
        await self._http.aclose()
