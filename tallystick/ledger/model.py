"""The books as values: an entry and its postings, and the names of the ledger accounts."""

from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

RECEIVABLE: Final = "receivable"
"""What a customer owes us: a debit balance."""
PREPAID: Final = "prepaid"
"""Money that a customer has with us: a credit balance, which is never overdrawn."""
CUSTOMER_CREDIT: Final = "customer_credit"
"""What credit notes left a customer for later invoices: a credit balance, never overdrawn."""
CREDITS: Final = "credits"
"""Credits that a customer has with us: a credit balance, in the unit CREDIT."""

REVENUE: Final = "revenue"
DEFERRED_REVENUE: Final = "deferred_revenue"
TAX_PAYABLE: Final = "tax_payable"
GATEWAY_FEES: Final = "gateway_fees"
REFUNDS: Final = "refunds"
"""What we said to pay back and have not yet: credited by a credit note, debited when it is paid."""
CHARGEBACKS: Final = "chargebacks"
"""What banks took back and is argued about: debited by a dispute, credited when it ends."""
BAD_DEBT: Final = "bad_debt"
BREAKAGE: Final = "breakage"
"""What was paid for and never used: expired credits, in CREDIT, or money, in its currency."""
CREDITS_ISSUED: Final = "credits_issued"
"""The other side of a grant: debited when credits are given."""
CREDITS_USED: Final = "credits_used"
"""The other side of a debit: credited when credits are spent."""
CREDITS_TRANSFERRED: Final = "credits_transferred"
"""The other side of credits that went to, or came from, another account; zero over all."""

CREDIT: Final = "CREDIT"
"""The unit of credits."""
CREDIT_SCALE: Final = 100_000
"""Postings in CREDIT count 1/100,000 of a credit: 1.5 credits are 150,000. It never changes."""

CARRIES_BALANCE: Final = frozenset({RECEIVABLE, PREPAID, CUSTOMER_CREDIT, CREDITS})
"""The ledger accounts of a customer; the others are the house's, and their balance is a sum."""
CREDIT_ACCOUNTS: Final = frozenset(
    {CREDITS, CREDITS_ISSUED, CREDITS_USED, CREDITS_TRANSFERRED, BREAKAGE}
)
"""What may be posted in CREDIT; the database holds the same list (`is_ledger_account`)."""
MONEY_ACCOUNTS: Final = frozenset(
    {
        RECEIVABLE, PREPAID, CUSTOMER_CREDIT, REVENUE, DEFERRED_REVENUE, TAX_PAYABLE,
        GATEWAY_FEES, REFUNDS, CHARGEBACKS, BAD_DEBT, BREAKAGE,
    }
)  # fmt: skip
"""What may be posted in a currency, beside `clearing`."""


def clearing(gateway: str) -> str:
    """Return the ledger account for money that a gateway took and has not paid out to us yet."""
    return f"clearing:{gateway}"


class Posting(msgspec.Struct, frozen=True):
    """One signed amount on one ledger account: positive is a debit, negative a credit.

    `unit` is an upper-case currency code and `amount` a number of its minor units, or CREDIT and a
    number of 1/100,000 credits; never zero.
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
    `balance_after` is the balance behind this one; both are None on the house's, as is `hash`.
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


class ReceivableSums(msgspec.Struct, frozen=True):
    """What came onto the receivable in one currency; `owed` - `paid` is its balance.

    `paid`: what entries that also touch a gateway's clearing, prepaid money, customer credit or
    charge backs took off it, less what such entries (a lost dispute) put back. `owed`: everything
    else, invoices first of all.
    """

    unit: str
    owed: int
    paid: int


class Balance(msgspec.Struct, frozen=True):
    """What stands on one ledger account of a customer: positive a debit, negative a credit."""

    ledger_account: str
    unit: str
    amount: int
