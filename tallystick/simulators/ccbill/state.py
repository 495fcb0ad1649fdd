"""All that the simulator remembers, with its clock and its ids."""

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec

from tallystick.simulators.ccbill import ids
from tallystick.simulators.ccbill.config import Config
from tallystick.simulators.ccbill.model import (
    FAMILIES,
    Delivery,
    Event,
    Meta,
    Move,
    PaymentToken,
    Subscription,
)
from tallystick.simulators.objects import Objects
from tallystick.simulators.state_store import Change, StateFile

# Returns the machine's time, aware and UTC.
Clock = Callable[[], datetime]


class State(Objects[Any]):
    """Objects by family and key; every write happens inside `change`."""

    def __init__(
        self, wall: Clock, config: Config, seed: int, file: StateFile | None = None
    ) -> None:
        super().__init__(file, lambda family, value: msgspec.convert(value, FAMILIES[family]))
        self.config = config
        # How often all was forgotten: what began before may not write afterwards.
        self.era = 0
        self._wall = wall
        self._first = Meta(seed)
        self._open: dict[str, dict[str, Delivery]] = {"pending": {}, "held": {}}
        self._due: list[tuple[datetime, str]] = []
        self.after_change = self._index
        self._index([("subscriptions", one.id, one) for one in self.subscriptions()])
        self._index([("deliveries", str(one.n), one) for one in self.deliveries()])

    def now(self) -> datetime:
        """Return the simulated time."""
        return self._wall() + timedelta(seconds=self.meta.ahead_s)

    def set_time(self, at: datetime) -> None:
        """Let the simulated time be `at`; it goes on from there by itself."""
        ahead = (at - self._wall()).total_seconds()
        self._put_meta(msgspec.structs.replace(self.meta, ahead_s=ahead))

    @property
    def meta(self) -> Meta:
        """Where the ids and the clock are."""
        found: Meta = self.get("meta", "meta") or self._first
        return found

    def start_over(self, seed: int | None) -> None:
        """Forget everything; ids go on, so that none comes twice, unless a seed is given."""
        self._first = Meta(self.meta.seed, self.meta.serial) if seed is None else Meta(seed)
        self.clear()
        self._due.clear()
        for found in self._open.values():
            found.clear()
        self.era += 1

    def _put_meta(self, meta: Meta) -> Meta:
        self.put("meta", "meta", meta)
        return meta

    def _next(self) -> Meta:
        meta = self.meta
        return self._put_meta(msgspec.structs.replace(meta, serial=meta.serial + 1))

    def new_number(self) -> int:
        """Return a number above all given so far."""
        return self._next().serial

    def new_transaction_id(self) -> str:
        """Return a fresh id of 18 digits."""
        return ids.transaction_id(self._next(), self.now())

    def new_token_id(self) -> str:
        """Return a fresh id of 32 hex digits."""
        return ids.digest(self._next(), "token")[:32]

    def new_bearer(self) -> str:
        """Return a fresh OAuth access token."""
        return ids.digest(self._next(), "bearer")

    def token(self, token_id: str) -> PaymentToken | None:
        """Return a payment token, or None."""
        found: PaymentToken | None = self.get("tokens", token_id)
        return found

    def subscription(self, subscription_id: str) -> Subscription | None:
        """Return a subscription, or None; leading zeros do not matter."""
        found: Subscription | None = self.get("subscriptions", ids.short_form(subscription_id))
        return found

    def save(self, subscription: Subscription) -> Subscription:
        """Make or replace a subscription."""
        self.put("subscriptions", subscription.id, subscription)
        return subscription

    def subscriptions(self) -> Iterator[Subscription]:
        """Walk all subscriptions, the newest first."""
        return self.newest_first("subscriptions")

    def moves(self, subscription_id: str | None = None) -> list[Move]:
        """Return the money moved, oldest first; of one subscription where it is named."""
        found: list[Move] = list(self.newest_first("moves"))[::-1]
        return [move for move in found if subscription_id in (None, move.subscription_id)]

    def events(self) -> list[Event]:
        """Return all events, oldest first."""
        return list(self.newest_first("events"))[::-1]

    def deliveries(self) -> list[Delivery]:
        """Return all deliveries, oldest first."""
        return list(self.newest_first("deliveries"))[::-1]

    def open_deliveries(self, status: Literal["pending", "held"]) -> list[Delivery]:
        """Return the deliveries that wait, as they were after the last change."""
        return list(self._open[status].values())

    def first_due(self, until: datetime) -> tuple[datetime, Subscription] | None:
        """Return the subscription to which something happens first, and when; None for later."""
        while self._due and self._due[0][0] <= until:
            at, subscription_id = self._due[0]
            found = self.subscription(subscription_id)
            if found is not None and found.due_at == at:
                return at, found
            heapq.heappop(self._due)
        return None

    def _index(self, changes: list[Change]) -> None:
        """Note what waits: looking at everything each time would slow down a long run."""
        for family, key, value in changes:
            if family == "deliveries":
                for status, found in self._open.items():
                    found.pop(key, None)
                    if value is not None and value.status == status:
                        found[key] = value
            elif family == "subscriptions" and value is not None and value.due_at is not None:
                heapq.heappush(self._due, (value.due_at, key))
