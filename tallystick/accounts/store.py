"""SQL of accounts and of who belongs to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.accounts.model import Account, Member, Role
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest

FIND: Final = "SELECT * FROM accounts WHERE account_id = $1"
LOCK: Final = "SELECT * FROM accounts WHERE account_id = $1 FOR UPDATE"
INSERT: Final = """
INSERT INTO accounts (account_id, external_id, name, email, currency, timezone, country, locale,
    address, tax_number, tax_name, tax_percent, payment_due_days, autopay, test_clock_id,
    created_at, region, city, postal_code, issuer_id, purchase_order, memo, custom_fields,
    grace_hours, minimum_amount_minor)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19,
    $20, $21, $22, $23, $24, $25)
ON CONFLICT (external_id) DO NOTHING RETURNING account_id
"""
EXTERNAL_ID_TAKEN: Final = """
SELECT true FROM accounts WHERE external_id = $2 AND account_id <> $1
"""
UPDATE: Final = """
UPDATE accounts SET external_id = $2, name = $3, email = $4, timezone = $5, country = $6,
    locale = $7, address = $8, tax_number = $9, tax_name = $10, tax_percent = $11,
    payment_due_days = $12, region = $13, city = $14, postal_code = $15,
    issuer_id = $16, purchase_order = $17, memo = $18, custom_fields = $19, grace_hours = $20,
    minimum_amount_minor = $21
WHERE account_id = $1
"""
SET_AUTOPAY: Final = """
UPDATE accounts SET autopay = $2, payment_fallback = coalesce($3, payment_fallback)
WHERE account_id = $1 RETURNING *
"""
SET_TEST_CLOCK: Final = "UPDATE accounts SET test_clock_id = $2 WHERE account_id = $1 RETURNING *"
LIST: Final = """
SELECT * FROM accounts
WHERE ($1::timestamptz IS NULL OR (created_at, account_id) < ($1, $2::uuid))
  AND ($5 = '' OR strpos(lower(name), $5) > 0 OR strpos(lower(email), $5) > 0
       OR lower(external_id) = $5)
ORDER BY created_at DESC, account_id DESC LIMIT $3 OFFSET $4
"""
COUNT: Final = """
SELECT count(*) FROM accounts
WHERE $1 = '' OR strpos(lower(name), $1) > 0 OR strpos(lower(email), $1) > 0
   OR lower(external_id) = $1
"""
COUNT_OF_ISSUER: Final = "SELECT count(*) FROM accounts WHERE issuer_id = $1"
LIST_ON_CLOCK: Final = """
SELECT * FROM accounts
WHERE test_clock_id = $5
  AND ($1::timestamptz IS NULL OR (created_at, account_id) < ($1, $2::uuid))
ORDER BY created_at DESC, account_id DESC LIMIT $3 OFFSET $4
"""
COUNT_ON_CLOCK: Final = "SELECT count(*) FROM accounts WHERE test_clock_id = $1"
# Two index look-ups; an OR over both columns may be planned as a scan of all accounts.
FIND_BY_SUBJECTS: Final = """
SELECT * FROM accounts WHERE external_id = ANY ($1::text[])
UNION ALL SELECT * FROM accounts WHERE account_id = ANY ($2::uuid[])
"""
# Two accounts of one address are nobody's in particular.
FIND_BY_EMAILS: Final = """
SELECT lower(email) AS email, (array_agg(account_id))[1] AS account_id FROM accounts
WHERE lower(email) = ANY ($1::text[]) GROUP BY lower(email) HAVING count(*) = 1
"""
ADD_MEMBER: Final = """
INSERT INTO memberships (account_id, user_id, role, created_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (account_id, user_id) DO UPDATE SET role = $3
"""
REMOVE_MEMBER: Final = """
DELETE FROM memberships WHERE account_id = $1 AND user_id = $2 RETURNING user_id
"""
LIST_MEMBERS: Final = """
SELECT u.user_id, u.email, u.name, m.role, m.created_at
FROM memberships m JOIN users u USING (user_id) WHERE m.account_id = $1
ORDER BY m.created_at, u.user_id
"""


async def find(conn: Connection, account_id: UUID) -> Account | None:
    """Return the account, or None when there is none that this scope may see."""
    return _account(await conn.fetchrow(FIND, account_id))


async def lock(conn: Connection, account_id: UUID) -> Account | None:
    """Return the account, which no other transaction changes before this one ends."""
    return _account(await conn.fetchrow(LOCK, account_id))


async def insert(conn: Connection, new: Account) -> bool:
    """Write the account; False when its external id is taken."""
    return None is not await conn.fetchval(
        INSERT, new.account_id, new.external_id, new.name, new.email, new.currency, new.timezone,
        new.country, new.locale, list(new.address), new.tax_number, new.tax_name, new.tax_percent,
        new.payment_due_days, new.autopay, new.test_clock_id, new.created_at,
        new.region, new.city, new.postal_code, *_terms(new),
    )  # fmt: skip


async def is_external_id_taken(conn: Connection, account_id: UUID, external_id: str) -> bool:
    """Tell whether another account has this external id."""
    return bool(await conn.fetchval(EXTERNAL_ID_TAKEN, account_id, external_id))


async def update(conn: Connection, account: Account) -> None:
    """Write all that `AccountChange` may change."""
    await conn.execute(
        UPDATE, account.account_id, account.external_id, account.name, account.email,
        account.timezone, account.country, account.locale, list(account.address),
        account.tax_number, account.tax_name, account.tax_percent, account.payment_due_days,
        account.region, account.city, account.postal_code, *_terms(account),
    )  # fmt: skip


async def set_autopay(
    conn: Connection, account_id: UUID, *, enabled: bool, fallback: bool | None
) -> Account | None:
    """Switch autopay, and its fallback (None: as it was); None when there is no such account."""
    return _account(await conn.fetchrow(SET_AUTOPAY, account_id, enabled, fallback))


async def set_test_clock(
    conn: Connection, account_id: UUID, test_clock_id: UUID | None
) -> Account | None:
    """Put the account on a clock; None when there is no such account."""
    return _account(await conn.fetchrow(SET_TEST_CLOCK, account_id, test_clock_id))


async def list_page(conn: Connection, request: PageRequest, search: str) -> list[Account]:
    """Return one row more than the limit, newest first; `search` is lower case or empty."""
    at, last = (request.after.at, request.after.id) if request.after else (None, None)
    rows = await conn.fetch(LIST, at, last, request.limit + 1, request.offset, search)
    return [to_account(row) for row in rows]


async def count(conn: Connection, search: str) -> int:
    """Return how many accounts match."""
    return int(await conn.fetchval(COUNT, search))


async def list_on_clock(
    conn: Connection, test_clock_id: UUID, request: PageRequest
) -> list[Account]:
    """Return one row more than the limit of the accounts on a clock, newest first."""
    at, last = (request.after.at, request.after.id) if request.after else (None, None)
    rows = await conn.fetch(
        LIST_ON_CLOCK, at, last, request.limit + 1, request.offset, test_clock_id
    )
    return [to_account(row) for row in rows]


async def count_on_clock(conn: Connection, test_clock_id: UUID) -> int:
    """Return how many accounts are on a clock."""
    return int(await conn.fetchval(COUNT_ON_CLOCK, test_clock_id))


async def count_of_issuer(conn: Connection, issuer_id: UUID) -> int:
    """Return how many accounts name this issuer."""
    return int(await conn.fetchval(COUNT_OF_ISSUER, issuer_id))


async def find_by_emails(conn: Connection, emails: Sequence[str]) -> dict[str, UUID]:
    """Return the one account of each address, in lower case; not of those that several have."""
    rows = await conn.fetch(FIND_BY_EMAILS, emails)
    return {row["email"]: row["account_id"] for row in rows}


async def find_by_subjects(
    conn: Connection, external_ids: Sequence[str], account_ids: Sequence[UUID]
) -> list[Account]:
    """Return the accounts with one of these external ids or ids."""
    rows = await conn.fetch(FIND_BY_SUBJECTS, list(external_ids), list(account_ids))
    return [to_account(row) for row in rows]


async def set_member(
    conn: Connection, account_id: UUID, user_id: UUID, role: Role, now: datetime
) -> None:
    """Write what a user is to an account."""
    await conn.execute(ADD_MEMBER, account_id, user_id, role, now)


async def remove_member(conn: Connection, account_id: UUID, user_id: UUID) -> bool:
    """End a membership; False when there was none."""
    return await conn.fetchval(REMOVE_MEMBER, account_id, user_id) is not None


async def list_members(conn: Connection, account_id: UUID) -> list[Member]:
    """Return the people of an account, the longest first."""
    return [
        msgspec.convert(dict(row), Member) for row in await conn.fetch(LIST_MEMBERS, account_id)
    ]


def to_account(row: asyncpg.Record) -> Account:
    """Read an account from a row that has all its columns, and maybe others."""
    fields = msgspec.json.decode(row["custom_fields"])
    return msgspec.convert({**dict(row), "custom_fields": fields}, Account)


def _terms(account: Account) -> tuple[UUID | str | int | None, ...]:
    fields = msgspec.json.encode(account.custom_fields).decode()
    return (
        account.issuer_id,
        account.purchase_order,
        account.memo,
        fields,
        account.grace_hours,
        account.minimum_amount_minor,
    )


def _account(row: asyncpg.Record | None) -> Account | None:
    return None if row is None else to_account(row)
