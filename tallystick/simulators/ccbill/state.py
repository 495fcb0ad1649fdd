"""All that the simulator remembers, with its clock and its ids."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

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
from tallystick.simulators.state_store import StateFile

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
