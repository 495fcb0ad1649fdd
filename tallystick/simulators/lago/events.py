"""Events in: one, or up to a hundred at once, of which all are stored or none is.

As `Events::CreateService` and `Events::CreateBatchService` do it: a transaction id is unique in
its subscription; neither the code nor the subscription has to exist.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Any, Final

from tallystick.simulators.lago.errors import Json, bad_request, invalid, not_found
from tallystick.simulators.lago.paging import paged
from tallystick.simulators.lago.state import Event, State, given, new_id, shown

BATCH_MAX: Final = 100
TAKEN: Final = {"transaction_id": ["value_already_exist"]}
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def create(state: State, body: Any) -> Json:
    """POST /events."""
    event, faults = _read(state, given(body, "event"))
    if not faults and _key(event) in state.events:
        faults = TAKEN
    if faults:
        raise invalid(faults)
    state.events[_key(event)] = event
    return {"event": show(state, event)}


def create_batch(state: State, body: Any) -> Json:
    """POST /events/batch."""
    told = body.get("events") if isinstance(body, dict) else None
    if not isinstance(told, list) or not told:
        raise invalid({"events": ["no_events"]})
    if len(told) > BATCH_MAX:
        raise invalid({"events": ["too_many_events"]})
    read = [_read(state, one) for one in told if isinstance(one, dict)]
    if len(read) != len(told):
        raise bad_request("events must be objects")
    faults = {str(at): fault for at, (_, fault) in enumerate(read) if fault}
    events = [event for event, _ in read]
    if faults or (faults := _taken(state, events)):
        raise invalid(faults)
    state.events.update((_key(event), event) for event in events)
    return {"events": [show(state, event) for event in events]}


def read_one(state: State, transaction_id: str) -> Json:
    """GET /events/{transaction_id}."""
    for event in state.events.values():
        if event.transaction_id == transaction_id:
            return {"event": show(state, event)}
    raise not_found("event")


def read_many(state: State, query: Mapping[str, str]) -> Json:
    """GET /events: newest first."""
    wanted = [event for event in state.events.values() if _matches(event, query)]
    wanted.sort(key=lambda event: event.transaction_id)
    wanted.sort(key=lambda event: event.at, reverse=True)
    return paged("events", [show(state, event) for event in wanted], query)


def show(state: State, event: Event) -> Json:
    """Return an event as Lago writes it."""
    subscription = state.subscriptions.get(event.external_subscription_id or "", {})
    return {
        "lago_id": event.lago_id,
        "transaction_id": event.transaction_id,
        "lago_customer_id": subscription.get("lago_customer_id"),
        "code": event.code,
        "timestamp": shown(event.at, "milliseconds"),
        "precise_total_amount_cents": event.amount,
        "properties": event.properties,
        "lago_subscription_id": subscription.get("lago_id"),
        "external_subscription_id": event.external_subscription_id,
        "created_at": shown(event.created_at),
    }


def _read(state: State, told: Mapping[str, Any]) -> tuple[Event, Json]:
    """Return the event, and what is wrong with it by field."""
    faults: Json = {
        name: ["value_is_mandatory"] for name in ("transaction_id", "code") if not told.get(name)
    }
    at = _instant(told.get("timestamp"), state.now())
    if at is None:
        faults["timestamp"] = ["invalid_format"]
    amount = told.get("precise_total_amount_cents")
    event = Event(
        lago_id=new_id(),
        transaction_id=str(told.get("transaction_id")),
        external_subscription_id=told.get("external_subscription_id"),
        code=str(told.get("code")),
        at=at or _EPOCH,
        properties=told.get("properties") or {},
        amount=None if amount is None else str(amount),
        created_at=state.now(),
    )
    return event, faults


def _instant(value: Any, now: datetime) -> datetime | None:
    """Return the instant of so many seconds since 1970, as number or text."""
    if value is None:
        return now
    try:
        micros = Decimal(str(value)) * 1_000_000
        return _EPOCH + timedelta(microseconds=int(micros))
    except (DecimalException, OverflowError, ValueError):
        return None


def _taken(state: State, events: list[Event]) -> dict[str, Json]:
    """Return the positions of events that are there already, or twice in the batch."""
    seen = set(state.events)
    found = {}
    for at, event in enumerate(events):
        if _key(event) in seen:
            found[str(at)] = TAKEN
        seen.add(_key(event))
    return found


def _key(event: Event) -> tuple[str | None, str]:
    return event.external_subscription_id, event.transaction_id


def _matches(event: Event, query: Mapping[str, str]) -> bool:
    subscription = query.get("external_subscription_id")
    first, last = query.get("timestamp_from"), query.get("timestamp_to")
    return (
        event.code == query.get("code", event.code)
        and subscription in {None, event.external_subscription_id}
        and (first is None or event.at >= datetime.fromisoformat(first))
        and (last is None or event.at <= datetime.fromisoformat(last))
    )
