"""Accounts, users and keys as values."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

import msgspec


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """Who is billed: the tenant of every row. `currency` and `country` are upper case (ISO)."""

    account_id: UUID
    name: str
    email: str
    currency: str
    timezone: str
    country: str
    locale: str
    created_at: datetime
    external_id: str | None = None
    address: tuple[str, ...] = ()
    tax_number: str | None = None
    tax_name: str | None = None
    tax_percent: Decimal | None = None
    payment_due_days: int = 14
    autopay: bool = False
    test_clock_id: UUID | None = None
