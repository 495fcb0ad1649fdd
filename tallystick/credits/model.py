"""Credits as values. Amounts named `..._units` are whole 1/100,000 of a credit."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

import msgspec

Source = Literal["plan", "purchase", "promotion", "manual", "refund", "transfer"]
"""Where granted credits come from."""

DebitKind = Literal["usage", "adjustment", "transfer"]
"""What takes credits at somebody's wish; only usage stands in the usage log of an account."""

PRIORITY_DEFAULT = 100


class NewGrant(msgspec.Struct, frozen=True, kw_only=True):
    """Credits to be given.

    Usable in [`effective_at`, `expires_at`); None: from now on, for ever. From `cap_at` on no more
    than `cap_units` of it is left to use (what does not roll over). The lowest `priority` is used
    first. `reference` is the public id of what caused it, `reason` says so to people.
    """

    source: Source
    units: int
    priority: int = PRIORITY_DEFAULT
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    cap_at: datetime | None = None
    cap_units: int | None = None
    reference: str = ""
    reason: str = ""
    refunded_entry_id: UUID | None = None
    refunded_grant_id: UUID | None = None


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that were given, and what is left of them."""

    account_id: UUID
    credit_grant_id: UUID
    idempotency_key: str
    ledger_entry_id: UUID
    source: Source
    amount: int
    remaining: int
    priority: int
    effective_at: datetime
    expires_at: datetime | None
    cap_at: datetime | None
    cap: int | None
    reference: str
    reason: str
    created_at: datetime
    refunded_entry_id: UUID | None = None
    refunded_grant_id: UUID | None = None


class Allocation(msgspec.Struct, frozen=True):
    """So much of a ledger entry came from this grant."""

    credit_grant_id: UUID
    units: int


class Debit(msgspec.Struct, frozen=True, kw_only=True):
    """Credits to be taken, for one intent named by `key`.

    Either `units` are given, or the cost of the operation makes them of `quantity`; then `cost_id`
    and `epoch` say by which costs they were made.
    """

    account_id: UUID
    key: str
    at: datetime
    operation: str
    units: int
    model: str | None = None
    quantity: Decimal | None = None
    description: str = ""
    metadata: str | None = None
    kind: DebitKind = "usage"
    cost_id: UUID | None = None
    epoch: int | None = None


class Outcome(StrEnum):
    """What became of a debit."""

    DEBITED = "debited"
    REPLAYED = "replayed"
    CONFLICT = "conflict"
    INSUFFICIENT = "insufficient"
    STALE = "stale"


class Debited(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a debit.

    `available_units` is what could be spent after it; when it was refused as insufficient, what
    there was. A replay has the answer of the first time.
    """

    outcome: Outcome
    ledger_entry_id: UUID
    units: int
    available_units: int
    at: datetime


class ReservationStatus(StrEnum):
    """Where a reservation is in its life; the last three are its ends."""

    ACTIVE = "active"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


class Reservation(msgspec.Struct, frozen=True, kw_only=True):
    """Credits held for an operation until they are settled, released, or `expires_at` comes."""

    account_id: UUID
    credit_reservation_id: UUID
    idempotency_key: str
    amount: int
    operation: str
    model: str | None
    quantity: Decimal | None
    status: ReservationStatus
    expires_at: datetime
    settled_key: str | None
    created_at: datetime


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """What an account has at an instant: `available` may be spent, beside an overdraft."""

    usable: int
    reserved: int
    owed: int
    overdraft_max: int

    @property
    def available(self) -> int:
        """What is left when reservations and what is owed are taken off."""
        return self.usable - self.reserved - self.owed

    @property
    def spendable(self) -> int:
        """What a debit may take: what is available and the overdraft."""
        return self.available + self.overdraft_max


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for an account; None: not at all.

    Falling below `alert_below` is told once. Falling below `top_up_below` buys the package, for at
    most `top_up_month_max_minor` in a calendar month (UTC).
    """

    overdraft_max: int = 0
    alert_below: int | None = None
    top_up_below: int | None = None
    top_up_package_id: UUID | None = None
    top_up_month_max_minor: int | None = None


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the usage log."""

    ledger_entry_id: UUID
    idempotency_key: str
    operation: str
    model: str | None
    quantity: Decimal | None
    credits: int
    credit_cost_id: UUID | None
    description: str
    metadata: Any
    at: datetime
    available_after: int


class UsageSum(msgspec.Struct, frozen=True, kw_only=True):
    """What one operation with one model used in a time."""

    operation: str
    model: str | None
    credits: int
    quantity: Decimal
    operation_count: int


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """Credits for sale; `amount_minor` in `currency`, before tax."""

    credit_package_id: UUID
    code: str
    name: str
    credits: int
    currency: str
    amount_minor: int
    priority: int = PRIORITY_DEFAULT
    expires_after_days: int | None = None
    is_active: bool = True
    created_at: datetime


class Purchase(msgspec.Struct, frozen=True, kw_only=True):
    """The wish to buy a package, as it was sold then."""

    account_id: UUID
    credit_purchase_id: UUID
    request_key: str
    credit_package_id: UUID
    invoice_id: UUID
    credits: int
    currency: str
    amount_minor: int
    priority: int
    expires_after_days: int | None
    is_top_up: bool
    status: str
    created_at: datetime
