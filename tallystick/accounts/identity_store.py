"""SQL of people, sessions and keys; all of it runs under the writer's scope."""

from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.accounts.model import ApiKey, NewUser, Session, StaffRole, User
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest

INSERT_USER: Final = """
INSERT INTO users (user_id, external_id, email, name, password_hash, staff_role, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING *
"""
FIND_USER: Final = "SELECT * FROM users WHERE user_id = $1"
FIND_USER_BY_EMAIL: Final = "SELECT * FROM users WHERE email = $1"
# A TypeID is looked for as our own first: another issuer's name for somebody can not shadow it.
FIND_USER_BY_SUBJECT: Final = """
SELECT * FROM users WHERE user_id = $1 OR external_id = $2 ORDER BY user_id = $1 DESC LIMIT 1
"""
SET_HASH: Final = """
UPDATE users SET password_hash = $2 WHERE user_id = $1 RETURNING user_id
"""
SET_STAFF_ROLE: Final = "UPDATE users SET staff_role = $2 WHERE user_id = $1 RETURNING *"
DISABLE_USER: Final = """
UPDATE users SET disabled_at = coalesce(disabled_at, $2) WHERE user_id = $1 RETURNING user_id
"""
INSERT_SESSION: Final = """
INSERT INTO sessions (token_hash, user_id, created_at, expires_at) VALUES ($1, $2, $3, $4)
"""
END_SESSION: Final = """
UPDATE sessions SET ended_at = $2 WHERE token_hash = $1 AND ended_at IS NULL
"""
END_SESSIONS_OF: Final = """
UPDATE sessions SET ended_at = $2 WHERE user_id = $1 AND ended_at IS NULL
"""
FORGET_SESSIONS: Final = """
DELETE FROM sessions WHERE token_hash IN (
    SELECT token_hash FROM sessions WHERE expires_at < $1 LIMIT 1000)
"""
INSERT_KEY: Final = """
INSERT INTO api_keys (api_key_id, account_id, name, key_hash, last_four, scopes, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
# Of one account, or of the whole installation when no account is given.
REVOKE_KEY: Final = """
UPDATE api_keys SET revoked_at = coalesce(revoked_at, $3)
WHERE api_key_id = $1 AND ($2::uuid IS NULL OR account_id = $2) RETURNING *
"""
LIST_KEYS: Final = """
SELECT * FROM api_keys
WHERE ($1::uuid IS NULL OR account_id = $1)
  AND ($2::timestamptz IS NULL OR (created_at, api_key_id) < ($2, $3::uuid))
ORDER BY created_at DESC, api_key_id DESC LIMIT $4 OFFSET $5
"""
COUNT_KEYS: Final = "SELECT count(*) FROM api_keys WHERE $1::uuid IS NULL OR account_id = $1"


class Secret(msgspec.Struct, frozen=True):
    """A user with the hash of their password, for the sign-in alone."""

    user: User
    password_hash: str | None


async def insert_user(conn: Connection, user_id: UUID, new: NewUser, now: datetime) -> User | None:
    """Write a user; None when the e-mail address or the external id is taken."""
    row = await conn.fetchrow(
        INSERT_USER,
        user_id,
        new.external_id,
        new.email,
        new.name,
        new.password_hash,
        new.staff_role,
        now,
    )
    return None if row is None else to_user(row)


async def find_user(conn: Connection, user_id: UUID) -> User | None:
    """Return the user of this id."""
    row = await conn.fetchrow(FIND_USER, user_id)
    return None if row is None else to_user(row)


async def find_secret(conn: Connection, email: str) -> Secret | None:
    """Return the user of this e-mail address (lower case) with the hash of their password."""
    row = await conn.fetchrow(FIND_USER_BY_EMAIL, email)
    return None if row is None else Secret(to_user(row), row["password_hash"])


async def find_user_by_subject(
    conn: Connection, user_id: UUID | None, external_id: str
) -> User | None:
    """Return the user whom a token means."""
    row = await conn.fetchrow(FIND_USER_BY_SUBJECT, user_id, external_id)
    return None if row is None else to_user(row)


async def set_password(conn: Connection, user_id: UUID, password_hash: str) -> bool:
    """Keep another hash; False when there is no such user."""
    return await conn.fetchval(SET_HASH, user_id, password_hash) is not None


async def set_staff_role(conn: Connection, user_id: UUID, role: StaffRole | None) -> User | None:
    """Write what a user is to the business."""
    row = await conn.fetchrow(SET_STAFF_ROLE, user_id, role)
    return None if row is None else to_user(row)


async def disable_user(conn: Connection, user_id: UUID, now: datetime) -> bool:
    """Mark a user as disabled; False when there is none."""
    return await conn.fetchval(DISABLE_USER, user_id, now) is not None


async def insert_session(conn: Connection, token_hash: bytes, session: Session) -> None:
    """Write a session."""
    await conn.execute(
        INSERT_SESSION, token_hash, session.user_id, session.created_at, session.expires_at
    )


async def end_session(conn: Connection, token_hash: bytes, now: datetime) -> None:
    """End a session that is not ended."""
    await conn.execute(END_SESSION, token_hash, now)


async def end_sessions_of(conn: Connection, user_id: UUID, now: datetime) -> None:
    """End all sessions of a user."""
    await conn.execute(END_SESSIONS_OF, user_id, now)


async def forget_sessions(conn: Connection, before: datetime) -> int:
    """Delete up to 1,000 sessions that expired before, and return how many those were."""
    return int((await conn.execute(FORGET_SESSIONS, before)).removeprefix("DELETE "))


async def insert_key(conn: Connection, key: ApiKey, key_hash: bytes) -> None:
    """Write a key."""
    await conn.execute(
        INSERT_KEY,
        key.api_key_id,
        key.account_id,
        key.name,
        key_hash,
        key.last_four,
        list(key.scopes),
        key.created_at,
    )


async def revoke_key(
    conn: Connection, api_key_id: UUID, account_id: UUID | None, now: datetime
) -> ApiKey | None:
    """Revoke a key of this account (None: of any)."""
    row = await conn.fetchrow(REVOKE_KEY, api_key_id, account_id, now)
    return None if row is None else to_key(row)


async def list_keys(
    conn: Connection, account_id: UUID | None, request: PageRequest
) -> list[ApiKey]:
    """Return one key more than the limit, newest first."""
    at, last = (request.after.at, request.after.id) if request.after else (None, None)
    rows = await conn.fetch(LIST_KEYS, account_id, at, last, request.limit + 1, request.offset)
    return [to_key(row) for row in rows]


async def count_keys(conn: Connection, account_id: UUID | None) -> int:
    """Return how many keys the account has (None: how many there are)."""
    return int(await conn.fetchval(COUNT_KEYS, account_id))


def to_user(row: asyncpg.Record) -> User:
    """Read a user from a row that has all their columns, and maybe others."""
    return msgspec.convert(dict(row), User)


def to_key(row: asyncpg.Record) -> ApiKey:
    """Read a key from its row."""
    return msgspec.convert(dict(row), ApiKey)
