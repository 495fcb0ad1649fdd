"""Events: what happened, and the deliveries that tell it to each URL that wants to know."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import msgspec

from tallystick.simulators.ccbill.config import Webhook
from tallystick.simulators.ccbill.model import Delivery, Event, Subscription
from tallystick.simulators.ccbill.state import State

# Fields that came with a version of an event: (event, field) -> version.
ADDED: Mapping[tuple[str, str], int] = {
    **{
        (kind, name): 4
        for kind in ("Chargeback", "Refund", "Void")
        for name in ("cardType", "paymentAccount", "paymentType", "last4", "expDate", "bin")
    },
    **{
        ("UpSaleSuccess", name): 2
        for name in ("flexId", "bin", "paymentAccount", "scaResponseStatus")
    },
}


class Sending(msgspec.Struct, frozen=True):
    """How an event is told: so many copies, never, or not before something else was."""

    copies: int = 1
    never: bool = False
    waits_for: Literal["", "rebill"] = ""


ORDERLY = Sending()


def group(kind: str) -> str:
    """Return `eventGroupType`; only "Subscription" of Expiration is known of CCBill."""
    money_back = ("Chargeback", "Refund", "Return", "Void")
    return "Transaction" if kind in money_back else "Subscription"


def emit(
    state: State,
    kind: str,
    about: Subscription,
    fields: Mapping[str, str],
    sending: Sending = ORDERLY,
    *,
    known: bool = True,
) -> Event:
    """Record an event and queue it for every URL that listens. Only inside `change`.

    `known` is False for a sale that was refused: there is no such subscription.
    """
    event = Event(
        n=state.new_number(),
        kind=kind,
        accnum=about.accnum,
        subacc=about.subacc,
        subscription_id=about.id if known else None,
        fields=fields,
        at=state.now(),
    )
    state.put("events", str(event.n), event)
    for hook in [] if sending.never else listening(state, event):
        for _ in range(sending.copies):
            queue(state, event, hook.url, sending.waits_for)
    if kind == "RenewalSuccess":
        waiting = [one for one in state.open_deliveries("held") if one.waits_for == "rebill"]
        release(state, [one for one in waiting if one.subscription_id == about.id])
    return event


def queue(state: State, event: Event, url: str, waits_for: Literal["", "rebill"] = "") -> Delivery:
    """Record that a URL is to be told of an event."""
    number = state.new_number()
    config = state.config
    wait_s = config.webhook_delay_s + config.webhook_retries_s[0]
    delivery = Delivery(
        n=number,
        event=event.n,
        kind=event.kind,
        subscription_id=event.subscription_id,
        url=url,
        place=number,
        due_at=state.now() + timedelta(seconds=wait_s),
        status="held" if waits_for else "pending",
        waits_for=waits_for,
    )
    state.put("deliveries", str(number), delivery)
    return delivery


def release(state: State, held: list[Delivery]) -> int:
    """Let held deliveries go out, behind all others; return how many there are."""
    for delivery in held:
        place = state.new_number()
        free = msgspec.structs.replace(
            delivery, status="pending", waits_for="", place=place, due_at=state.now()
        )
        state.put("deliveries", str(free.n), free)
    return len(held)


def body_fields(event: Event, hook: Webhook | None) -> dict[str, str]:
    """Return the fields that the URL's version of the event has."""
    version = hook.versions.get(event.kind) if hook else None
    return {
        name: value
        for name, value in event.fields.items()
        if version is None or version >= ADDED.get((event.kind, name), 0)
    }


def listening(state: State, event: Event) -> list[Webhook]:
    """Return the URLs that want to know of an event."""
    return [
        hook
        for hook in state.config.webhooks
        if ("*" in hook.events or event.kind in hook.events)
        and hook.client_subacc in (None, event.subacc)
    ]
