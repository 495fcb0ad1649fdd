"""Connections that go to checked addresses only.

A name is looked up once for each connection, every address that it has is checked, and the
connection is made to one of these very addresses. A name server that gives another answer a moment
later (DNS rebinding) changes nothing: nobody asks it again. TLS still checks the name.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

import httpcore

from tallystick.outgoing_webhooks.addresses import is_public_text

Resolve = Callable[[str, int], Awaitable[tuple[str, ...]]]
"""From a name and a port to its addresses; raises OSError when there are none."""

ADDRESSES_MAX: Final = 4
"""So many addresses of one name are tried."""


class AddressRefusedError(Exception):
    """The name leads to an address that webhooks may not go to."""


class NameNotFoundError(Exception):
    """The name has no address."""


async def ask_system(host: str, port: int) -> tuple[str, ...]:
    """Return the addresses of a name as this machine resolves it."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Looks names up, refuses what is not allowed, and connects to what was checked."""

    def __init__(self, *, private: bool, resolve: Resolve = ask_system) -> None:
        self._private = private
        self._resolve = resolve
        self._network: httpcore.AsyncNetworkBackend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of the name that answers.

        Raises AddressRefusedError when any of its addresses is not allowed, NameNotFoundError,
        or what the last connection raised.
        """
        addresses = await self._checked(host, port)
        for address in addresses[:-1]:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._network.connect_tcp(
            addresses[-1], port, timeout, local_address, socket_options
        )

    async def connect_unix_socket(self, *_: Any, **__: Any) -> httpcore.AsyncNetworkStream:
        """Refuse: no webhook goes to a socket of this machine."""
        raise AddressRefusedError

    async def sleep(self, seconds: float) -> None:
        """Wait between the library's own tries (it makes none)."""
        await self._network.sleep(seconds)

    async def _checked(self, host: str, port: int) -> tuple[str, ...]:
        try:
            addresses = (await self._resolve(host, port))[:ADDRESSES_MAX]
        except (OSError, UnicodeError) as error:
            raise NameNotFoundError from error
        if not addresses:
            raise NameNotFoundError
        if not self._private and not all(map(is_public_text, addresses)):
            raise AddressRefusedError
        return addresses
