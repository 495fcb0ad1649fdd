"""What a webhook says: the event's type, when it happened, and its objects as the API shows them.

`{"type": "invoice.paid", "timestamp": "...", "data": {"account": "acct_...", "invoice": {...}}}`:
the object that the event is about has the shape of the API's own read, others are named by their
ids. It is made once, shortly after the event, and sent the same in each try.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from tallystick.api.answers import encode, plain
from tallystick.api.credit_note_answers import note_answer
from tallystick.api.invoices import invoice_answer
from tallystick.api.payment_methods import method_answer
from tallystick.api.payments import view_answer
from tallystick.api.refund_answers import dispute_answer, refund_answer
from tallystick.api.subscription_answers import subscription_answer
from tallystick.credit_notes import disputes, refunds
from tallystick.credit_notes import service as credit_notes
from tallystick.credits.amounts import to_credits
from tallystick.invoices import service as invoices
from tallystick.kernel import ids
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import NotFound
from tallystick.kernel.ids import HOUSE, PREFIXES
from tallystick.outgoing_webhooks.model import Leased
from tallystick.payments import methods
from tallystick.payments import service as payments
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.sold import plan_of

Json = dict[str, Any]
Read = Callable[[Connection, UUID, UUID], Awaitable[msgspec.Struct]]
"""From an account and an id to the object as the API shows it; raises NotFound."""

_ONE: Final = "_id"
_MANY: Final = "_ids"
# Ids whose field is not named after their kind; a source says itself of which kind it is.
_KINDS: Final[Mapping[str, str]] = {"replaced_by": "invoice"}
_SOURCES: Final[Mapping[str, str]] = {"rule": "alert_rule", "budget": "budget"}


class Body(msgspec.Struct, frozen=True):
    """What is sent; `timestamp` is wall time (UTC)."""

    type: str
    timestamp: datetime
    data: Json


class WebhookBodies:
    """Makes the bodies of webhooks."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url
        self._reads: Mapping[str, Read] = {
            "invoice": self._invoice,
            "credit_note": self._credit_note,
            "refund": _refund,
            "dispute": _dispute,
            "payment": self._payment,
            "payment_method": _payment_method,
            "subscription": _subscription,
        }

    async def make(self, conn: Connection, event: Leased) -> bytes:
        """Return the body; an object that is gone by now is named by its id alone."""
        payload: Json = msgspec.json.decode(event.payload)
        account = event.event_account_id
        data: Json = {"account": None if account == HOUSE else ids.show("account", account)}
        data |= shown(payload)
        about = event.kind.partition(".")[0]
        read, key = self._reads.get(about), payload.get(f"{about}{_ONE}")
        if read is not None and isinstance(key, str):
            try:
                data[about] = await read(conn, account, UUID(key))
            except NotFound:
                data[about] = {"id": data[about]}
        return encode(Body(event.kind, event.occurred_at, data))

    async def _invoice(self, conn: Connection, account_id: UUID, key: UUID) -> msgspec.Struct:
        found = await invoices.get_invoice(conn, account_id, key)
        return invoice_answer(found, self._public_url)

    async def _credit_note(self, conn: Connection, account_id: UUID, key: UUID) -> msgspec.Struct:
        return note_answer(await credit_notes.get_note(conn, account_id, key), self._public_url)

    async def _payment(self, conn: Connection, account_id: UUID, key: UUID) -> msgspec.Struct:
        return view_answer(await payments.get_payment(conn, account_id, key), self._public_url)


def shown(payload: Json) -> Json:
    """Return an event's own fields as the API writes them: TypeIDs, decimals, no gateway tokens."""
    told: Json = {}
    for name, value in payload.items():
        kind = _kind(name, payload)
        if name == "available_units":
            told["available"] = plain(to_credits(value))
        elif name == "token":
            # A gateway's customer is one that the account may know; its methods' tokens stay here.
            told |= {} if "payment_method_id" in payload else {"gateway_customer": value}
        elif kind is not None and isinstance(value, list):
            told[f"{name.removesuffix(_MANY)}s"] = [ids.show(kind, UUID(one)) for one in value]
        elif kind is not None and isinstance(value, str):
            told[name.removesuffix(_ONE)] = ids.show(kind, UUID(value))
        else:
            told[name] = value
    return told


def _kind(name: str, payload: Json) -> str | None:
    """Return of which kind of object the ids of this field are; None: they are no ids."""
    kind = _KINDS.get(name, name.removesuffix(_MANY).removesuffix(_ONE))
    if name == "source_id":
        kind = _SOURCES.get(str(payload.get("source")), "")
    is_id = name in _KINDS or name.endswith((_ONE, _MANY))
    return kind if is_id and kind in PREFIXES else None


async def _refund(conn: Connection, account_id: UUID, key: UUID) -> msgspec.Struct:
    return refund_answer(await refunds.get_refund(conn, account_id, key))


async def _dispute(conn: Connection, account_id: UUID, key: UUID) -> msgspec.Struct:
    return dispute_answer(await disputes.get_dispute(conn, account_id, key))


async def _payment_method(conn: Connection, account_id: UUID, key: UUID) -> msgspec.Struct:
    return method_answer(await methods.get_method(conn, account_id, key))


async def _subscription(conn: Connection, account_id: UUID, key: UUID) -> msgspec.Struct:
    found = await subscriptions.get_subscription(conn, account_id, key)
    return subscription_answer(found, await plan_of(conn, found))
