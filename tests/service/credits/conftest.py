"""Accounts with credits, on the test's own database."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.credits import grants, service
from tallystick.credits.amounts import to_units
from tallystick.credits.model import Balance, Debited, Grant, NewGrant, Settings
from tallystick.credits.service import CreditService, Deduct
from tallystick.kernel.db import WRITER, Database

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

# What must hold at every instant, of every account.
OUT_OF_STEP = """
SELECT a.account_id, coalesce(-b.balance, 0) AS balance, coalesce(g.remaining, 0) AS remaining,
    a.owed, a.reserved, coalesce(r.held, 0) AS held, coalesce(p.posted, 0) AS posted
FROM credit_accounts AS a
LEFT JOIN ledger_balances AS b ON b.account_id = a.account_id AND b.ledger_account = 'credits'
LEFT JOIN (SELECT account_id, sum(remaining) AS remaining FROM credit_grants GROUP BY 1) AS g
     ON g.account_id = a.account_id
LEFT JOIN (SELECT account_id, sum(amount) AS held FROM credit_reservations
           WHERE status = 'active' GROUP BY 1) AS r ON r.account_id = a.account_id
LEFT JOIN (SELECT account_id, -sum(amount) AS posted FROM ledger_postings
           WHERE ledger_account = 'credits' GROUP BY 1) AS p ON p.account_id = a.account_id
WHERE coalesce(-b.balance, 0) <> coalesce(g.remaining, 0) - a.owed
   OR coalesce(-b.balance, 0) <> coalesce(p.posted, 0)
   OR a.reserved <> coalesce(r.held, 0) OR a.owed > a.overdraft_max
"""
# A debit without its entry, an entry without its debit, allocations that do not make the debit.
DEBITS_OUT_OF_STEP = """
SELECT coalesce(l.account_id, e.account_id) AS account_id
FROM credit_usage_log AS l
FULL JOIN (SELECT * FROM ledger_entries
           WHERE kind IN ('credit_usage', 'credit_adjustment', 'credit_transfer')) AS e
     ON e.account_id = l.account_id AND e.ledger_entry_id = l.ledger_entry_id
LEFT JOIN ledger_postings AS p ON p.account_id = e.account_id
     AND p.ledger_entry_id = e.ledger_entry_id AND p.ledger_account = 'credits'
WHERE l.account_id IS NULL OR e.account_id IS NULL OR p.amount IS DISTINCT FROM l.credits
   OR l.credits < (SELECT coalesce(sum(t.amount), 0) FROM credit_allocations AS t
                   WHERE t.account_id = l.account_id AND t.ledger_entry_id = l.ledger_entry_id)
"""
# What is gone from a grant is what was allocated of it.
GRANTS_OUT_OF_STEP = """
SELECT g.credit_grant_id FROM credit_grants AS g
LEFT JOIN credit_allocations AS t ON t.account_id = g.account_id
     AND t.credit_grant_id = g.credit_grant_id
GROUP BY g.account_id, g.credit_grant_id, g.amount, g.remaining
HAVING g.amount - g.remaining <> coalesce(sum(t.amount), 0)
"""


class Bank:
    """The credit service, and short ways to use it."""

    def __init__(self, db: Database, credits_: CreditService) -> None:
        self.db = db
        self.credits = credits_

    async def account(self) -> UUID:
        new = NewAccount(name="Ada", email="a@example.com", currency="EUR", country="FR")
        async with self.db.transaction(WRITER) as conn:
            return (await accounts.create_account(conn, new, NOW)).account_id

    async def grant(
        self, account_id: UUID, amount: str, *, key: str | None = None, **more: Any
    ) -> Grant:
        at = more.pop("at", NOW)
        fields = {"source": "manual", "units": to_units(Decimal(amount)), **more}
        async with self.db.transaction(WRITER) as conn:
            new = NewGrant(**fields)
            return await grants.grant(conn, account_id, new, key=key or str(uuid4()), at=at)

    async def deduct(
        self, account_id: UUID, amount: str | None, *, key: str | None = None, **more: Any
    ) -> Debited:
        return await self.credits.deduct(self.wanted(account_id, amount, key=key, **more))

    def wanted(
        self, account_id: UUID, amount: str | None, *, key: str | None = None, **more: Any
    ) -> Deduct:
        fields = {"operation": "write", "at": NOW, **more}
        credits_ = None if amount is None else Decimal(amount)
        return Deduct(account_id=account_id, key=key or str(uuid4()), credits=credits_, **fields)

    async def balance(self, account_id: UUID, at: datetime = NOW) -> Balance:
        async with self.db.transaction(WRITER) as conn:
            return await service.balance(conn, account_id, at)

    async def set(self, account_id: UUID, **fields: Any) -> None:
        async with self.db.transaction(WRITER) as conn:
            await service.set_settings(conn, account_id, Settings(**fields), NOW)

    async def rows(self, sql: str, *values: Any) -> list[Any]:
        async with self.db.transaction(WRITER) as conn:
            return [tuple(row) for row in await conn.fetch(sql, *values)]

    async def agrees(self) -> bool:
        """Tell whether books, grants, reservations and usage log say the same."""
        for sql in (OUT_OF_STEP, DEBITS_OUT_OF_STEP, GRANTS_OUT_OF_STEP):
            wrong = await self.rows(sql)
            assert not wrong, wrong
        return True


@pytest.fixture
async def bank(db: Database) -> AsyncIterator[Bank]:
    """The service on the test's own database; at the end everything must agree."""
    credits_ = CreditService(db)
    bank = Bank(db, credits_)
    yield bank
    await credits_.close()
    assert await bank.agrees()
