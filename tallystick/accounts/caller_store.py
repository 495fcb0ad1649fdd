"""SQL that recognises a caller: one statement for keys, two for a person (writer's scope).

The account that was asked for is found by id or external id; that the caller may name it is
decided in `authenticate.py`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.accounts.identity_store import to_user
from tallystick.accounts.model import Account, KeyScope, Role, User
from tallystick.accounts.store import to_account
from tallystick.kernel.db import Connection

FIND_KEYS: Final = """
SELECT k.api_key_id, k.account_id AS key_account_id, k.scopes, a.*, c.now_at AS clock_at
FROM unnest($1::bytea[], $2::uuid[], $3::text[]) WITH ORDINALITY
     AS w (key_hash, account_id, external_id, position)
LEFT JOIN api_keys k ON k.key_hash = w.key_hash AND k.revoked_at IS NULL
LEFT JOIN accounts a ON a.account_id = CASE
    WHEN w.account_id IS NULL AND w.external_id IS NULL THEN k.account_id
    ELSE coalesce(w.account_id,
                  (SELECT o.account_id FROM accounts o WHERE o.external_id = w.external_id)) END
LEFT JOIN test_clocks c USING (test_clock_id)
ORDER BY w.position
"""
FIND_SESSIONS: Final = """
SELECT s.token_hash, u.* FROM sessions s JOIN users u USING (user_id)
WHERE s.token_hash = ANY ($1) AND s.expires_at > $2 AND s.ended_at IS NULL
  AND u.disabled_at IS NULL
"""
# The only account of a person; two rows tell that there are several.
OWN_ACCOUNTS: Final = """
SELECT m.role, a.*, c.now_at AS clock_at
FROM memberships m JOIN accounts a USING (account_id) LEFT JOIN test_clocks c USING (test_clock_id)
WHERE m.user_id = $1 LIMIT 2
"""
NAMED_ACCOUNT: Final = """
SELECT m.role, a.*, c.now_at AS clock_at
FROM accounts a LEFT JOIN test_clocks c USING (test_clock_id)
LEFT JOIN memberships m ON m.account_id = a.account_id AND m.user_id = $1
WHERE a.account_id = coalesce($2::uuid, (SELECT account_id FROM accounts WHERE external_id = $3))
"""


class AccountName(msgspec.Struct, frozen=True):
    """An account as a caller names it: by its id, or by its external id."""

    account_id: UUID | None
    external_id: str | None


class Seat(msgspec.Struct, frozen=True):
    """An account, the present of its test clock, and what a person is to it."""

    account: Account
    clock_at: datetime | None
    role: Role | None = None


class FoundKey(msgspec.Struct, frozen=True):
    """A valid key, and the account that it was used for."""

    api_key_id: UUID
    account_id: UUID | None
    scopes: tuple[KeyScope, ...]
    seat: Seat | None


async def find_keys(
    conn: Connection, wanted: Sequence[tuple[bytes, AccountName | None]]
) -> list[FoundKey | None]:
    """Return each key, not revoked, with the named account, or with its own; by position."""
    names = [name or AccountName(None, None) for _, name in wanted]
    rows = await conn.fetch(
        FIND_KEYS,
        [key_hash for key_hash, _ in wanted],
        [name.account_id for name in names],
        [name.external_id for name in names],
    )
    return [_key(row) for row in rows]


async def find_session_users(
    conn: Connection, token_hashes: list[bytes], now: datetime
) -> dict[bytes, User]:
    """Return the users of the sessions among these that are valid now."""
    rows = await conn.fetch(FIND_SESSIONS, token_hashes, now)
    return {row["token_hash"]: to_user(row) for row in rows}


async def own_seats(conn: Connection, user_id: UUID) -> list[Seat]:
    """Return up to two of the accounts that the user belongs to."""
    return [_sure(row) for row in await conn.fetch(OWN_ACCOUNTS, user_id)]


async def named_seat(conn: Connection, user_id: UUID, name: AccountName) -> Seat | None:
    """Return the named account, with what the user is to it (maybe nothing)."""
    row = await conn.fetchrow(NAMED_ACCOUNT, user_id, name.account_id, name.external_id)
    return None if row is None else _sure(row)


def _key(row: asyncpg.Record) -> FoundKey | None:
    if row["api_key_id"] is None:
        return None
    scopes = tuple(row["scopes"])
    return FoundKey(row["api_key_id"], row["key_account_id"], scopes, _seat(row, role=None))


def _seat(row: asyncpg.Record, role: Role | None) -> Seat | None:
    return None if row["account_id"] is None else Seat(to_account(row), row["clock_at"], role)


def _sure(row: asyncpg.Record) -> Seat:
    return Seat(to_account(row), row["clock_at"], row["role"])
