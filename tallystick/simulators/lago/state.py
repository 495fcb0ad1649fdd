"""What the simulator remembers: all in memory, gone when its process ends."""

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from tallystick.simulators.lago.errors import Json, bad_request, not_found

Clock = Callable[[], datetime]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A stored event; `at` to the microsecond, `properties` as they came."""

    lago_id: str
    transaction_id: str
    external_subscription_id: str | None
    code: str
    at: datetime
    properties: Json
    amount: str | None
    created_at: datetime


class State:
    """Events by subscription and transaction id; the other objects by their code or external id."""

    def __init__(self, clock: Clock) -> None:
        self.now = clock
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self.events: dict[tuple[str | None, str], Event] = {}
        self.customers: dict[str, Json] = {}
        self.metrics: dict[str, Json] = {}
        self.plans: dict[str, Json] = {}
        self.subscriptions: dict[str, Json] = {}

    def found(self, family: dict[str, Json], name: str, resource: str) -> Json:
        """Return an object; raises LagoError `<resource>_not_found`."""
        if name not in family:
            raise not_found(resource)
        return family[name]


def new_id() -> str:
    """Return an id as Lago's objects have them."""
    return str(uuid4())


def shown(at: datetime, timespec: str = "seconds") -> str:
    """Write an instant as Lago does."""
    return at.isoformat(timespec=timespec).replace("+00:00", "Z")


def given(body: Any, root: str) -> Json:
    """Return what stands under the root of a body, without nulls."""
    inner = body.get(root) if isinstance(body, dict) else None
    if not isinstance(inner, dict) or not inner:
        raise bad_request(f"param is missing or the value is empty or invalid: {root}")
    return {key: value for key, value in inner.items() if value is not None}
