"""Ways of paying that an account notes for itself: a bank account it transfers from, a wallet.

Nothing is charged to them, and no gateway knows of them; they hold words, never card data.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec
from msgspec.structs import replace

from tallystick.kernel.card_numbers import has_card_number
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id
from tallystick.payments import method_store as store
from tallystick.payments import methods
from tallystick.payments.method_configs import CARD, MANUAL, US_BANK
from tallystick.payments.model import PaymentMethod

TEXT_LENGTH_MAX: Final = 200
DETAILS_MAX: Final = 20
RECORDS_MAX: Final = 50
"""So many ways of paying an account may note."""
_OF_GATEWAYS: Final = frozenset({CARD, US_BANK})


class NewRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What an account notes: what kind, what it calls it, and facts by name."""

    type: str
    label: str
    details: Mapping[str, str] = {}


async def add_record(
    conn: Connection, account_id: UUID, new: NewRecord, now: datetime
) -> PaymentMethod:
    """Note a way of paying; it comes last and is the default only when it is made so.

    Raises BadInput; Conflict `too_many_payment_methods`.
    """
    check_record(new)
    await store.lock_methods(conn, account_id)
    if len(await store.active(conn, account_id)) >= RECORDS_MAX:
        detail = f"An account keeps {RECORDS_MAX} payment methods; remove one first."
        raise Conflict("too_many_payment_methods", detail)
    method_id = new_id()
    record = PaymentMethod(
        account_id=account_id,
        payment_method_id=method_id,
        gateway=MANUAL,
        token=str(method_id),
        type=new.type,
        card=None,
        bank=None,
        priority=await store.last_priority(conn, account_id) + 1,
        is_default=False,
        status=methods.ACTIVE,
        created_at=now,
        label=new.label.strip(),
        details=dict(new.details) or None,
    )
    await store.insert(conn, record)
    return record


async def change_record(
    conn: Connection,
    account_id: UUID,
    method_id: UUID,
    *,
    label: str | None,
    details: Mapping[str, str] | None,
) -> PaymentMethod:
    """Change what is noted; None leaves it. What a gateway keeps has a label at most.

    Raises NotFound; BadInput; Conflict `payment_method_not_changeable`.
    """
    await store.lock_methods(conn, account_id)
    known = await methods.get_method(conn, account_id, method_id)
    if details is not None and known.gateway != MANUAL:
        detail = "A gateway keeps this method: remove it, and save it anew."
        raise Conflict("payment_method_not_changeable", detail)
    check_texts({**({"label": label} if label is not None else {}), **_named(details or {})})
    changed = replace(
        known,
        label=known.label if label is None else label.strip(),
        details=known.details if details is None else (dict(details) or None),
    )
    await store.show(conn, changed)
    return changed


def check_record(new: NewRecord) -> None:
    """Raise BadInput for a type that a gateway saves, too many or too long texts, card numbers."""
    if new.type in _OF_GATEWAYS:
        message = "is saved through its gateway's form, never here"
        raise BadInput.field("type", "not_manual", message)
    if len(new.details) > DETAILS_MAX:
        message = f"must have at most {DETAILS_MAX} entries"
        raise BadInput.field("details", "too_many", message)
    check_texts({"type": new.type, "label": new.label, **_named(new.details)})


def check_texts(texts: Mapping[str, str]) -> None:
    """Raise BadInput for texts that are empty, too long, or have a card number in them."""
    for field, text in texts.items():
        if not text.strip() or len(text) > TEXT_LENGTH_MAX or not text.isprintable():
            message = f"must have 1 to {TEXT_LENGTH_MAX} characters on one line"
            raise BadInput.field(field, "invalid_length", message)
        # The name of a fact is the account's own text too.
        if has_card_number(text) or has_card_number(field):
            message = "must not contain a card number"
            raise BadInput.field(field.partition(".")[0], "card_number", message)


def _named(details: Mapping[str, str]) -> dict[str, str]:
    return dict(_pairs(details))


def _pairs(details: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name, text in details.items():
        if not name.strip() or len(name) > TEXT_LENGTH_MAX or not name.isprintable():
            message = f"must have names of 1 to {TEXT_LENGTH_MAX} characters"
            raise BadInput.field("details", "invalid_length", message)
        yield f"details.{name}", text
