"""DataLink's lines: quoted CSV without a header, its failures in text. Pure.

The columns stand in no page of CCBill's that we could read, but in several public programs that
poll it. There is no currency, and a reversal has no id: it is found by subscription, time, amount.
Names, addresses and passwords of a sale stay behind here.
"""

import csv
import io
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Final

import msgspec

from tallystick.payments.gateways.ccbill.mountain import read_time
from tallystick.payments.gateways.ccbill.wire import number, plain_id

NEW, REBILL, EXPIRE, CANCELLATION = "NEW", "REBILL", "EXPIRE", "CANCELLATION"
REVERSALS: Final = ("REFUND", "CHARGEBACK", "VOID")
TYPES: Final = (NEW, REBILL, *REVERSALS, EXPIRE, CANCELLATION)
_NEW_PRICE: Final = 17
_FAILURES: Final = ("error", "authentication failed")


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line; `amount` in major units, None where nothing moved."""

    kind: str
    accnum: int | None
    subacc: int | None
    subscription_id: str
    transaction_id: str | None
    at: datetime
    amount: Decimal | None


class ExtractFailed(Exception):
    """DataLink said why it gives nothing, in its own words, which go nowhere."""


def read_extract(text: str) -> tuple[Line, ...]:
    """Return the lines; raises ExtractFailed for anything that is no extract."""
    bare = text.strip()
    if bare in {"", "1", '"1"'}:
        return ()
    if any(bare.lower().lstrip('"').startswith(word) for word in _FAILURES):
        raise ExtractFailed
    found = [_line(row) for row in csv.reader(io.StringIO(bare)) if row]
    if any(line is None for line in found):
        raise ExtractFailed
    return tuple(line for line in found if line is not None)


def _line(row: list[str]) -> Line | None:
    kind = row[0].strip().upper()
    if kind not in TYPES or len(row) < 5:  # noqa: PLR2004 - type, account, sub-account, id, time
        return None
    at, subscription = read_time(row[4]), plain_id(row[3])
    if at is None or subscription is None:
        return None
    place = {NEW: _NEW_PRICE, REBILL: 6}.get(kind, 5 if kind in REVERSALS else None)
    amount = None if place is None else _amount(row, place)
    if place is not None and amount is None:
        return None
    return Line(
        kind=kind,
        accnum=number(row[1]),
        subacc=number(row[2]),
        subscription_id=subscription,
        transaction_id=plain_id(row[5]) if kind == REBILL and len(row) > 5 else None,  # noqa: PLR2004
        at=at,
        amount=amount,
    )


def _amount(row: list[str], place: int) -> Decimal | None:
    try:
        value = Decimal(row[place].strip().lstrip("$"))
    except (IndexError, InvalidOperation):
        return None
    return value if value.is_finite() else None
