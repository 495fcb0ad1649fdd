"""HTTP to a Lago server. Nothing of it raises: whatever goes wrong is an answer to wait by."""

import asyncio
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import httpx

from tallystick.kernel.clock import Clock
from tallystick.lago_sync.answers import (
    BatchAnswer,
    Later,
    UsageAnswer,
    read_batch,
    read_failure,
    read_usage,
)
from tallystick.lago_sync.model import LagoSettings

CALL_S: Final = 15.0
"""The longest that one call takes, from the first byte to the last."""
_TIMEOUT: Final = httpx.Timeout(10.0, connect=5.0)


def lago_of(url: str | None, api_key: str | None, clock: Clock) -> "LagoApi | None":
    """Return the server's routes, None unless address and key are set."""
    return LagoApi(LagoSettings(url, api_key), clock) if url and api_key else None


class LagoApi:
    """The routes of a Lago server that are used; `close` ends its connections."""

    def __init__(self, settings: LagoSettings, clock: Clock, *, call_s: float = CALL_S) -> None:
        self._clock = clock
        self._call_s = call_s
        self._http = httpx.AsyncClient(
            base_url=f"{settings.url}/api/v1/",
            headers={
                "authorization": f"Bearer {settings.api_key}",
                "content-type": "application/json",
                "user-agent": "tallystick",
            },
            timeout=_TIMEOUT,
        )

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def send(self, events: Sequence[str]) -> BatchAnswer:
        """Send events, each a JSON object, at most as many as the server takes at once."""
        body = f'{{"events":[{",".join(events)}]}}'.encode()
        answer = await self._call(self._http.build_request("POST", "events/batch", content=body))
        if isinstance(answer, Later):
            return answer
        headers = answer.headers
        return read_batch(answer.status_code, headers, answer.content, len(events), self._clock())

    async def current_usage(self, customer: str, subscription: str) -> UsageAnswer:
        """Return what Lago counted in the running period of this customer's subscription."""
        path = f"customers/{quote(customer, safe='')}/current_usage"
        query = {"external_subscription_id": subscription, "apply_taxes": "false"}
        answer = await self._call(self._http.build_request("GET", path, params=query))
        if isinstance(answer, Later):
            return answer
        return read_usage(answer.status_code, answer.headers, answer.content, self._clock())

    async def find_problem(self) -> str | None:
        """Return why the server can not be used, None if it can."""
        request = self._http.build_request("GET", "billable_metrics", params={"per_page": "1"})
        answer = await self._call(request)
        if isinstance(answer, Later):
            return answer.reason
        if answer.is_success:
            return None
        return read_failure(answer.status_code, answer.headers, self._clock()).reason

    async def _call(self, request: httpx.Request) -> httpx.Response | Later:
        try:
            async with asyncio.timeout(self._call_s):
                return await self._http.send(request)
        except TimeoutError:
            return Later("Lago did not answer in time")
        except httpx.HTTPError as error:
            # The kind of error alone: its text may quote what was sent.
            return Later(f"Lago can not be reached ({type(error).__name__})")
