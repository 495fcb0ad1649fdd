"""Credits and invoices are held against the books: each kind of difference is told as itself."""

from datetime import timedelta
from decimal import Decimal

import asyncpg
import pytest
from msgspec.structs import replace

from tallystick.credits import grants, jobs, packages, refunds, reservations, service, transfers
from tallystick.credits.model import NewGrant, Settings
from tallystick.credits.service import CreditService, Deduct
from tallystick.documents.document import Party
from tallystick.invoices.credit_purchase import purchase
from tallystick.kernel.db import WRITER, Database

from .conftest import AT, Found, new_account

LATER = AT + timedelta(days=2)
SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")


def gift(credits_: int, **more: object) -> NewGrant:
    return replace(NewGrant(source="manual", units=credits_ * 100_000), **more)


@pytest.fixture
async def books(db: Database) -> None:
    """All that moves credits, an overdraft paid back and one in use, and an issued invoice."""
    one, other = [(await new_account(db)).account_id for _ in range(2)]
    buyer, credits_ = await new_account(db), CreditService(db)

    def take(key: str, amount: int, *, by: object = one) -> Deduct:
        wanted = Deduct(account_id=one, key=key, at=AT, operation="write", credits=Decimal(amount))
        return replace(wanted, account_id=by)

    async with db.transaction(WRITER) as conn:
        await service.set_settings(conn, one, Settings(overdraft_max=10_000_000), AT)
        await service.set_settings(conn, other, Settings(overdraft_max=10_000_000), AT)
        await credits_.deduct_within(conn, take("over", 7))
        await grants.grant(conn, one, gift(100), key="given", at=AT)
        day = AT + timedelta(days=1)
        await grants.grant(conn, one, gift(5, expires_at=day, priority=200), key="brief", at=AT)
        await grants.grant(conn, one, gift(8, reference="x"), key="taken back", at=AT)
        await credits_.deduct_within(conn, take("used", 30))
        await credits_.deduct_within(conn, take("spent", 3, by=other))
        await refunds.refund(conn, one, "used", key="r", at=AT, units=200_000)
        await refunds.adjust(conn, one, Decimal(-4), reason="a mistake", key="m", at=AT)
        await reservations.reserve(conn, credits_, take("held", 6), seconds=3600)
        await grants.revoke_unspent(conn, one, reference="x", source="manual", key="v", at=AT)
        await transfers.transfer(conn, one, buyer.account_id, 500_000, key="t", at=AT)
        await jobs.lapse_due(conn, one, LATER)
        package = await packages.create_package(
            conn,
            packages.NewPackage(
                code="small", name="Small", units=100_000, currency="EUR", amount_minor=900
            ),
            AT,
        )
        package_id = package.credit_package_id
        await purchase(conn, buyer, package_id, seller=SELLER, key="p", at=AT)


@pytest.mark.usefixtures("books")
async def test_clean_books_pass(found: Found) -> None:
    assert await found() == []


REMAINDER, BALANCE = "credit_remainder_differs", "credit_balance_differs"
OVERDRAFT, GRANT, USAGE = "credit_overdraft_differs", "credit_grant_differs", "credit_usage_differs"
# The names that stand for an entry's id in what follows.
ENTRIES = {
    "USED": "(SELECT ledger_entry_id FROM ledger_entries"
    " WHERE idempotency_key = 'credits:usage:used')",
    "LAPSED": "(SELECT ledger_entry_id FROM ledger_entries WHERE kind = 'credit_breakage')",
}

FORGERIES = {
    "more is left of a grant": (
        "UPDATE credit_grants SET remaining = remaining + 1 WHERE idempotency_key = 'given'",
        {REMAINDER, BALANCE},
    ),
    "a grant gave less": (
        """UPDATE credit_grants SET amount = amount - 1, remaining = remaining - 1
         WHERE idempotency_key = 'given'""",
        {GRANT, BALANCE},
    ),
    "a grant under another key": (
        "UPDATE credit_grants SET idempotency_key = 'other' WHERE idempotency_key = 'given'",
        {GRANT},
    ),
    "a grant is gone": (
        "DELETE FROM credit_grants WHERE idempotency_key = 'given'",
        {"credit_grant_missing", BALANCE, OVERDRAFT},
    ),
    "a grant without an entry": (
        """UPDATE credit_grants SET ledger_entry_id = gen_random_uuid()
         WHERE idempotency_key = 'brief'""",
        {"credit_grant_missing", "credit_entry_missing"},
    ),
    "more is owed": (
        "UPDATE credit_accounts SET owed = owed + 1 WHERE owed > 0",
        {BALANCE, OVERDRAFT},
    ),
    "what is owed, and as much of a grant": (
        """UPDATE credit_accounts AS a SET owed = owed + 1 FROM credit_grants AS g
         WHERE g.account_id = a.account_id AND g.idempotency_key = 'given';
         UPDATE credit_grants SET remaining = remaining + 1 WHERE idempotency_key = 'given'""",
        {REMAINDER, OVERDRAFT},
    ),
    "an account's row is gone": (
        "DELETE FROM credit_accounts WHERE owed > 0",
        {BALANCE, OVERDRAFT},
    ),
    "more is reserved": (
        "UPDATE credit_accounts SET reserved = reserved + 1 WHERE reserved > 0",
        {"credit_reserved_differs"},
    ),
    "a reservation is gone": ("DELETE FROM credit_reservations", {"credit_reserved_differs"}),
    "a line of the usage log is gone": (
        "DELETE FROM credit_usage_log WHERE idempotency_key = 'used'",
        {"credit_usage_missing"},
    ),
    "a line of the usage log used more": (
        "UPDATE credit_usage_log SET credits = credits + 1 WHERE idempotency_key = 'used'",
        {USAGE, OVERDRAFT},
    ),
    "a line of the usage log used less": (
        "UPDATE credit_usage_log SET credits = credits - 1 WHERE idempotency_key = 'used'",
        {USAGE, "credit_allocation_differs"},
    ),
    "a line of the usage log is of another kind": (
        "UPDATE credit_usage_log SET kind = 'adjustment' WHERE idempotency_key = 'used'",
        {USAGE},
    ),
    "a line of the usage log out of nowhere": (
        """INSERT INTO credit_usage_log (account_id, idempotency_key, ledger_entry_id, kind,
         operation, credits, description, at, available_after)
         SELECT account_id, 'ghost', gen_random_uuid(), kind, operation, 1, '', at, 0
         FROM credit_usage_log WHERE idempotency_key = 'used'""",
        {"credit_entry_missing", OVERDRAFT},
    ),
    "an allocation is gone": (
        "DELETE FROM credit_allocations WHERE ledger_entry_id = USED",
        {REMAINDER, OVERDRAFT},
    ),
    "an allocation took more": (
        "UPDATE credit_allocations SET amount = amount + 1 WHERE ledger_entry_id = USED",
        {REMAINDER, "credit_allocation_differs"},
    ),
    "an allocation of breakage is gone": (
        "DELETE FROM credit_allocations WHERE ledger_entry_id = LAPSED",
        {REMAINDER, "credit_allocation_missing"},
    ),
    "an allocation of breakage took less": (
        "UPDATE credit_allocations SET amount = amount - 1 WHERE ledger_entry_id = LAPSED",
        {REMAINDER, "credit_allocation_differs"},
    ),
    "an entry of the books is gone": (
        """DELETE FROM ledger_postings WHERE ledger_entry_id = USED;
         DELETE FROM ledger_entries WHERE idempotency_key = 'credits:usage:used'""",
        {"sequence_gap", "credit_entry_missing"},
    ),
    "an entry of the books is over less": (
        """UPDATE ledger_postings SET amount = amount - sign(amount)
         WHERE ledger_entry_id = USED""",
        {"balance_after_differs", "hash_differs", USAGE},
    ),
    "an invoice is over more": (
        "UPDATE invoices SET total_minor = total_minor + 1, tax_minor = tax_minor + 1",
        {"invoice_differs"},
    ),
    "an invoice is in another currency": (
        "UPDATE invoices SET currency = 'USD'",
        {"invoice_differs"},
    ),
    "an invoice is gone": ("DELETE FROM invoices", {"invoice_missing"}),
    "an invoice that nobody booked": (
        """INSERT INTO invoices (account_id, invoice_id, number, issuer_id, status, currency,
         subtotal_minor, tax_minor, total_minor, created_at)
         SELECT account_id, gen_random_uuid(), 'X-1', issuer_id, status, currency,
         subtotal_minor, tax_minor, total_minor, created_at FROM invoices""",
        {"invoice_not_booked"},
    ),
}


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize(("forgery", "codes"), FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_forgery_is_found(
    forger: asyncpg.Connection, found: Found, forgery: str, codes: set[str]
) -> None:
    for name, entry_id in ENTRIES.items():
        forgery = forgery.replace(name, entry_id)
    await forger.execute(forgery)
    differences = await found()
    assert {one.code for one in differences} == codes, differences
    assert all(
        any(prefix in one.detail for prefix in ("acct_", "le_", "inv_")) for one in differences
    )
    missing = {one.code for one in differences if one.verdict == "completeness"}
    gone = ("_missing", "_gap", "_not_booked")
    assert missing == {code for code in codes if code.endswith(gone)}


@pytest.mark.usefixtures("books")
async def test_who_overdrew_is_named(forger: asyncpg.Connection, found: Found) -> None:
    await forger.execute("UPDATE credit_accounts SET owed = owed - 100000 WHERE owed > 0")
    told = {one.code: one.detail for one in await found()}
    assert "2 are owed, 3 were overdrawn (le_" in told[OVERDRAFT]
    assert "the books say -3" in told[BALANCE]
