"""What was told while a story ran: every event of the outbox, with the clock's present."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from tallystick.kernel.outbox import Event, Handler


class Heard(msgspec.Struct, frozen=True):
    """An event that was told at `at`, on the account's clock."""

    at: datetime
    kind: str
    payload: dict[str, Any]


class Recorder(Mapping[str, Handler]):
    """Hands each event to its handler, if it has one, and writes it down.

    `failure` is the first error of a handler: a worker would try again, a story ends there.
    """

    def __init__(
        self, handlers: Mapping[str, Handler], present: Callable[[], Awaitable[datetime]]
    ) -> None:
        self._handlers = handlers
        self._present = present
        self.heard: list[Heard] = []
        self.failure: Exception | None = None

    def __getitem__(self, kind: str) -> Handler:
        """Return a handler for any kind."""
        return self._hear

    def __iter__(self) -> Iterator[str]:
        return iter(self._handlers)

    def __len__(self) -> int:
        return len(self._handlers)

    async def _hear(self, event: Event) -> None:
        handler = self._handlers.get(event.kind)
        try:
            if handler is not None:
                await handler(event)
        except Exception as error:
            self.failure = self.failure or error
            raise
        at = await self._present()
        payload = msgspec.json.decode(event.payload, type=dict[str, Any])
        self.heard.append(Heard(at, event.kind, payload))
