"""Sending one request: a time limit, no redirect followed, and no more read than is kept."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import httpcore
import httpx

from tallystick import __version__
from tallystick.outgoing_webhooks.connecting import (
    AddressRefusedError,
    CheckedNetwork,
    NameNotFoundError,
    Resolve,
    ask_system,
)
from tallystick.outgoing_webhooks.model import Answer

SECONDS_MAX: Final = 15.0
ANSWER_BYTES_MAX: Final = 1024
CONNECTIONS_MAX: Final = 64
_AGENT: Final = f"Tallystick/{__version__} (webhooks)"


class Post:
    """Posts bodies to endpoints. Uses neither proxies nor anything else of the environment."""

    def __init__(
        self,
        *,
        private: bool = False,
        resolve: Resolve = ask_system,
        seconds_max: float = SECONDS_MAX,
    ) -> None:
        self._seconds_max = seconds_max
        self._pool = httpcore.AsyncConnectionPool(
            network_backend=CheckedNetwork(private=private, resolve=resolve),
            max_connections=CONNECTIONS_MAX,
            keepalive_expiry=5.0,
        )

    async def __call__(self, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Post once and return what came of it; never raises for what is the endpoint's doing."""
        clock = asyncio.get_running_loop().time
        started = clock()
        status, text, error = None, None, None
        try:
            async with asyncio.timeout(self._seconds_max):
                status, text = await self._post(url, headers, body)
        except (TimeoutError, httpcore.TimeoutException):
            error = "timeout"
        except AddressRefusedError:
            error = "address_not_allowed"
        except NameNotFoundError:
            error = "name_not_found"
        except httpcore.ConnectError:
            error = "connection_failed"
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.UnsupportedProtocol):
            error = "connection_lost"
        duration = timedelta(seconds=clock() - started)
        return Answer(duration=duration, status_code=status, text=text, error=error)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, str]:
        target = httpx.URL(url)
        request = httpcore.Request(
            "POST",
            httpcore.URL(
                scheme=target.raw_scheme,
                host=target.raw_host,
                port=target.port,
                target=target.raw_path,
            ),
            headers=[
                (b"host", target.netloc),
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
                (b"user-agent", _AGENT.encode()),
                *((name.encode(), value.encode()) for name, value in headers.items()),
            ],
            content=body,
        )
        response = await self._pool.handle_async_request(request)
        try:
            return response.status, await _beginning(response)
        finally:
            await response.aclose()


async def _beginning(response: httpcore.Response) -> str:
    """Return the first bytes of an answer as text that a table can hold."""
    read = b""
    async for chunk in response.aiter_stream():
        read += chunk
        if len(read) >= ANSWER_BYTES_MAX:
            break
    return read[:ANSWER_BYTES_MAX].decode(errors="replace").replace("\0", "\ufffd")
