"""The books as values: an entry and its postings, and the names of the ledger accounts."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

RECEIVABLE: Final = "receivable"
"""What a customer owes us: a debit balance."""
PREPAID: Final = "prepaid"
"""Money that a customer has with us: a credit balance, which is never overdrawn."""
REVENUE: Final = "revenue"
TAX_PAYABLE: Final = "tax_payable"

CARRIES_BALANCE: Final = frozenset({RECEIVABLE, PREPAID})
"""The ledger accounts of a customer; the others are the house's, and their balance is a sum."""


def clearing(gateway: str) -> str:
    """Return the ledger account for money that a gateway took and has not paid out to us yet."""
    return f"clearing:{gateway}"


class Posting(msgspec.Struct, frozen=True):
    """One signed amount on one ledger account: positive is a debit, negative a credit.

    `unit` is an upper-case currency code, `amount` a number of its minor units, never zero.
    """

    ledger_account: str
    unit: str
    amount: int


class Entry(msgspec.Struct, frozen=True):
    """One balanced event of one account; its postings sum to zero in each unit.

    `idempotency_key` names the intent within the account; `kind` (`invoice_issued`) and
    `reference` (the public id of what caused it) say what it is, `reason` says it to people, `at`
    is when it happened.
    """

    idempotency_key: str
    kind: str
    reference: str
    reason: str
    at: datetime
    postings: tuple[Posting, ...]


class Posted(msgspec.Struct, frozen=True):
    """A posting as it stands in the books.

    On a ledger account that carries a balance, `sequence` counts its postings from 1 and
    `balance_after` is the balance behind this one; both are None on the house's.
    """

    ledger_account: str
    unit: str
    amount: int
    sequence: int | None
    balance_after: int | None


class PostedEntry(msgspec.Struct, frozen=True):
    """An entry as it stands in the books; `recorded_at` is wall time, `at` the account's."""

    ledger_entry_id: UUID
    idempotency_key: str
    kind: str
    reference: str
    reason: str
    at: datetime
    recorded_at: datetime
    postings: tuple[Posted, ...]


class Balance(msgspec.Struct, frozen=True):
    """What stands on one ledger account of a customer: positive a debit, negative a credit."""

    ledger_account: str
    unit: str
    amount: int
