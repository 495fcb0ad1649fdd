"""Webhooks as staff see them: what gateways told us, and what we told endpoints. Pure."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import msgspec

from tallystick.console.formats import NONE
from tallystick.console.invoice_views import Choice, Fact
from tallystick.console.what_if_views import STAFF
from tallystick.kernel import ids
from tallystick.kernel.ids import HOUSE
from tallystick.kernel.paging import Page
from tallystick.outgoing_webhooks.deliveries import DeliveryLog
from tallystick.outgoing_webhooks.model import Delivery, DeliveryStatus, DeliveryTry, Endpoint
from tallystick.webhooks.model import InboxRow, InboxState
from tallystick.webhooks.redaction import readable

RECEIVED: Final = "/staff/webhooks/received"
SENT: Final = "/staff/webhooks/sent"


class EventRow(msgspec.Struct, frozen=True, kw_only=True):
    """A received event in a list."""

    at: str
    gateway: str
    kind: str
    received: str
    status: str
    why: str
    tries: int


class DeliveryRow(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery in a list."""

    at: str
    kind: str
    occurred: str
    account: str
    status: str
    why: str
    tries: int
    next_try: str


class EndpointRow(msgspec.Struct, frozen=True, kw_only=True):
    """An endpoint in a list; `account` empty: the business's own."""

    url: str
    account: str
    types: str
    status: str


class TryRow(msgspec.Struct, frozen=True, kw_only=True):
    """One try of a delivery."""

    number: int
    at: str
    took: str
    answer: str
    text: str


class Rows(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list."""

    rows: tuple[EventRow | DeliveryRow, ...]
    page: int
    total_pages: int


def event_choices() -> tuple[Choice, ...]:
    """Return the states a list of events can be narrowed to."""
    return (Choice("", "All"), *(Choice(one.value, one.value.capitalize()) for one in InboxState))


def delivery_choices() -> tuple[Choice, ...]:
    """Return the statuses a list of deliveries can be narrowed to."""
    words = [Choice(one.value, one.value.capitalize()) for one in DeliveryStatus]
    return (Choice("", "All"), *words)


def event_list(found: Page[InboxRow]) -> Rows:
    """Return a page of received events."""
    rows = tuple(
        EventRow(
            at=event_path(row),
            gateway=row.gateway,
            kind=row.kind,
            received=STAFF.utc(row.received_at),
            status=row.state,
            why=(row.error or "").replace("_", " "),
            tries=row.try_count,
        )
        for row in found.items
    )
    return Rows(rows=rows, page=found.request.page, total_pages=found.total_pages)


def event_path(row: InboxRow) -> str:
    """Return where an event stands; its id is the gateway's and may hold anything."""
    return f"{RECEIVED}/{quote(row.gateway, safe='')}/{quote(row.event_id, safe='')}"


def event_facts(row: InboxRow) -> Iterator[Fact]:
    """Yield what is known of an event."""
    yield Fact("Gateway", row.gateway)
    yield Fact("Id", row.event_id)
    yield Fact("Received", STAFF.utc(row.received_at))
    yield Fact("Tries", str(row.try_count))
    if row.error:
        yield Fact("Reason", row.error)
    if row.process_after:
        yield Fact("Next try", STAFF.utc(row.process_after))
    if row.done_at:
        yield Fact("Done", STAFF.utc(row.done_at))
    if row.account_id:
        yield Fact("Account", ids.show("account", row.account_id))


def body_text(body: bytes) -> str:
    """Return a body to be read, without secrets; empty where it is neither JSON nor a form."""
    shown = readable(body)
    return "" if shown is None else msgspec.json.format(msgspec.json.encode(shown)).decode()


def delivery_list(found: Page[Delivery]) -> Rows:
    """Return a page of deliveries."""
    rows = tuple(
        DeliveryRow(
            at=f"{SENT}/{ids.show('webhook_delivery', one.webhook_delivery_id)}",
            kind=one.kind,
            occurred=STAFF.utc(one.occurred_at),
            account=_account(one),
            status=one.status,
            why=_outcome(one.status_code, one.error),
            tries=one.try_count,
            next_try=STAFF.utc(one.next_try_at) if one.next_try_at else NONE,
        )
        for one in found.items
    )
    return Rows(rows=rows, page=found.request.page, total_pages=found.total_pages)


def delivery_facts(log: DeliveryLog, endpoint: Endpoint) -> Iterator[Fact]:
    """Yield what is known of a delivery."""
    one = log.delivery
    yield Fact("Id", ids.show("webhook_delivery", one.webhook_delivery_id))
    yield Fact("To", endpoint.url)
    yield Fact("Happened", STAFF.utc(one.occurred_at))
    yield Fact("Account", _account(one) or "The business")
    if one.next_try_at:
        yield Fact("Next try", STAFF.utc(one.next_try_at))
    if one.done_at:
        yield Fact("Ended", STAFF.utc(one.done_at))


def try_row(one: DeliveryTry) -> TryRow:
    """Return a try in the page's words."""
    return TryRow(
        number=one.number,
        at=STAFF.utc(one.at),
        took=f"{one.duration_ms} ms",
        answer=_outcome(one.status_code, one.error),
        text=one.answer or "",
    )


def endpoint_row(endpoint: Endpoint) -> EndpointRow:
    """Return an endpoint in the page's words."""
    own = endpoint.account_id == HOUSE
    return EndpointRow(
        url=endpoint.url,
        account="" if own else ids.show("account", endpoint.account_id),
        types=", ".join(endpoint.event_types) or "all types",
        status=_standing(endpoint),
    )


def _standing(endpoint: Endpoint) -> str:
    if not endpoint.is_enabled:
        return f"disabled_{endpoint.disabled_reason}"
    return "failing" if endpoint.failing_since else "enabled"


def _account(delivery: Delivery) -> str:
    owner = delivery.event_account_id
    return "" if owner == HOUSE else ids.show("account", owner)


def _outcome(status_code: int | None, error: str | None) -> str:
    if error is not None:
        return error.replace("_", " ")
    return "" if status_code is None else f"HTTP {status_code}"
