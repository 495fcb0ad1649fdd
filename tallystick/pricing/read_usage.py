"""Usage from JSON, as the command line takes it: a quantity or a list of events."""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

from tallystick.kernel.errors import BadInput
from tallystick.pricing.model import ZERO, Price
from tallystick.pricing.usage import (
    DynamicEvent,
    DynamicUsage,
    EventsUsage,
    QuantityUsage,
    Usage,
    needs,
)

_KEYS: Final = ("quantity", "event_count", "events", "properties")
_NUMBER: Final = re.compile(r"-?[0-9]{1,64}(\.[0-9]{1,64})?([eE][-+]?[0-9]{1,2})?")
_COUNT_MAX: Final = 10**15
_EXPECTED: Final = 'must be an object such as {"quantity": "12.5"} or {"events": ["10", "20"]}.'


def read_usage(data: Any, price: Price) -> Usage:
    """Return the usage that this JSON object describes; events are read when they are rated.

    A quantity may come with `event_count`. An event is its amount, or an object with `amount` and
    perhaps `quantity`. A price that is flat needs no usage. Raises BadInput with the path.
    """
    need = needs(price)
    if data is None and need == "nothing":
        return QuantityUsage(quantity=ZERO)
    known = _object(data)
    if ("quantity" in known) == ("events" in known):
        raise BadInput.field("usage", "malformed", _EXPECTED)
    if "quantity" in known:
        count = _count(known["event_count"]) if "event_count" in known else None
        return QuantityUsage(quantity=_decimal(known["quantity"], "quantity"), event_count=count)
    return _events(known, is_dynamic=need == "dynamic")


def read_properties(data: Any) -> dict[str, str]:
    """Return the properties by which a price's filters choose. Raises BadInput."""
    given = data.get("properties", {}) if isinstance(data, dict) else {}
    if not isinstance(given, dict) or not all(isinstance(one, str) for one in given.values()):
        raise BadInput.field("properties", "malformed", "must be an object of texts.")
    return given


def _object(data: Any) -> dict[str, Any]:
    if data is None:
        raise BadInput.field("usage", "missing", _EXPECTED)
    if not isinstance(data, dict):
        raise BadInput.field("usage", "malformed", _EXPECTED)
    for name in data:
        if name not in _KEYS:
            raise BadInput.field(name[:80], "unknown_field", "is not a field of usage.")
    return data


def _events(known: dict[str, Any], *, is_dynamic: bool) -> Usage:
    items = known["events"]
    if not isinstance(items, list):
        raise BadInput.field("events", "malformed", "must be a list.")
    if "event_count" in known:
        raise BadInput.field("event_count", "unexpected", "is the number of the events.")
    if isinstance(items[0], dict) if items else is_dynamic:
        return DynamicUsage(events=_dynamic(items))
    return EventsUsage(amounts=_amounts(items))


def _amounts(items: Sequence[Any]) -> Iterator[Decimal]:
    return (_decimal(item, f"events[{at}]") for at, item in enumerate(items))


def _dynamic(items: Sequence[Any]) -> Iterator[DynamicEvent]:
    for at, item in enumerate(items):
        field = f"events[{at}]"
        if not isinstance(item, dict) or "amount" not in item or item.keys() - _EVENT_KEYS:
            message = "must be an object with an amount, and perhaps a quantity."
            raise BadInput.field(field, "malformed", message)
        amount = _decimal(item["amount"], f"{field}.amount")
        if "quantity" in item:
            quantity = _decimal(item["quantity"], f"{field}.quantity")
            yield DynamicEvent(amount=amount, quantity=quantity)
        else:
            yield DynamicEvent(amount=amount)


_EVENT_KEYS: Final = {"amount", "quantity"}


def _decimal(value: Any, field: str) -> Decimal:
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return Decimal(value)
    if isinstance(value, Decimal) or type(value) is int:
        return Decimal(value)
    raise BadInput.field(field, "not_a_decimal_string", 'must be a string such as "12.5".')


def _count(value: Any) -> int:
    if type(value) is int and 0 <= value < _COUNT_MAX:
        return value
    raise BadInput.field("event_count", "out_of_range", "must be a whole number of zero or more.")
