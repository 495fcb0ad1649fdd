"""From stored events to events for Lago: pure.

One stored event becomes one for each meter that counts it, for an event in Lago has one code. Its
transaction id is made of the account, the event's key and the meter's code, none of which ever
changes; so is everything else, once it is written out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import msgspec

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter
from tallystick.kernel.ids import show
from tallystick.lago_sync.model import LagoEvent, Outgoing
from tallystick.metering.lago_events import AMOUNT
from tallystick.metering.values import matches, number_of, text_of
from tallystick.metering.walk_model import StoredEvent

ADDITIVE: Final = frozenset({"sum", "weighted_sum"})
"""A second event with the opposite value takes an event out of these; nothing else can, in Lago."""
VOID: Final = ".void"

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO: Final = timedelta(microseconds=1)
_decode: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode
_encode: Final = msgspec.json.Encoder(decimal_format="string").encode


def external_id(account_id: UUID, account: Account | None) -> str:
    """Return the account's name in Lago, of the customer and of its subscription alike.

    It is the account's external id, else `acct_...`. An account has one subscription at a time,
    and Lago keeps a subscription's external id when its plan changes.
    """
    named = account.external_id if account else None
    return named or show("account", account_id)


def outgoing(
    events: Iterable[StoredEvent], meters: Sequence[Meter], accounts: Mapping[UUID, Account]
) -> Iterator[Outgoing]:
    """Yield what is to be sent: each event once for each of these meters that counts it."""
    by_type: dict[str, list[Meter]] = {}
    for meter in meters:
        by_type.setdefault(meter.event_type, []).append(meter)
    for event in events:
        counting = by_type.get(event.event_type, ())
        properties = _decode(event.properties) if counting else {}
        name = external_id(event.account_id, accounts.get(event.account_id))
        for meter in counting:
            if _counts(meter, properties):
                yield _written(event, meter, name, properties, transaction_id(event, meter))


def compensation(event: StoredEvent, meter: Meter, account: Account | None) -> Outgoing | None:
    """Return the event that takes `event` out of the meter's total in Lago.

    It has the same time and properties, but for the value, which has the other sign. None if the
    meter never counted the event, or counted zero. Raises ValueError when no event can do it: the
    meter does not add up one property.
    """
    properties = _decode(event.properties)
    if meter.event_type != event.event_type or not _counts(meter, properties):
        return None
    name = meter.property
    if meter.aggregation not in ADDITIVE or name is None:
        raise ValueError(f"an event can not be taken out of {meter.code} in Lago")
    value = number_of(meter, properties)
    if not value:
        return None
    opposite = {**properties, name: -value}
    opposite.pop(AMOUNT, None)
    named = external_id(event.account_id, account)
    return _written(event, meter, named, opposite, transaction_id(event, meter) + VOID)


def transaction_id(event: StoredEvent, meter: Meter) -> str:
    """Return what an event is called in Lago for one meter: `acct_....<key>.<meter code>`."""
    return f"{show('account', event.account_id)}.{event.key.hex}.{meter.code}"


def timestamp(at: datetime) -> str:
    """Write an instant as seconds since 1970, to the microsecond."""
    seconds, micros = divmod((at - _EPOCH) // _MICRO, 1_000_000)
    return f"{seconds}.{micros:06}"


def _counts(meter: Meter, properties: Mapping[str, Any]) -> bool:
    """Tell whether an event counts for a meter; Lago might read another number of what does not."""
    if meter.aggregation == "unique_count":
        return matches(meter.filters, properties)
    return number_of(meter, properties) is not None


def _written(
    event: StoredEvent, meter: Meter, subscription: str, properties: Mapping[str, Any], name: str
) -> Outgoing:
    amount = properties.get(AMOUNT)
    sent = LagoEvent(
        transaction_id=name,
        external_subscription_id=subscription,
        code=meter.code,
        timestamp=timestamp(event.at),
        properties={key: _exact(value) for key, value in properties.items()},
        precise_total_amount_cents=msgspec.UNSET if amount is None else text_of(amount),
    )
    return Outgoing(event.account_id, name, _encode(sent).decode())


def _exact(value: Any) -> Any:
    """Return a number as text, for Lago would read it into a float; anything else as it is."""
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return text_of(value) if is_number else value
