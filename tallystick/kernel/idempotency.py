"""One answer per intent: the same key and body get the first answer, another body a conflict.

The claim is a row. For a request that is one transaction, the claim, the effects and the answer
commit together, so a crash leaves neither. A request that calls a gateway commits its claim first
(a lease); after a crash the lease runs out and the same key runs again, onto effects that carry
their own keys.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict

KEY_LENGTH_MAX: Final = 255
KEPT: Final = timedelta(days=30)
LEASE: Final = timedelta(seconds=90)

# Waits for nobody: a request with the same key in another open transaction is "in progress".
TRY_LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended($1, 7420331519))"
FIND: Final = """
SELECT request_hash, lease_until, status, headers, body, claimed_at FROM idempotency_keys
WHERE account_id = $1 AND caller = $2 AND key = $3
"""
CLAIM: Final = """
INSERT INTO idempotency_keys (account_id, caller, key, request_hash, claimed_at, lease_until)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account_id, caller, key) DO UPDATE
SET request_hash = $4, claimed_at = $5, lease_until = $6, status = NULL, headers = NULL, body = NULL
"""
ANSWER: Final = """
UPDATE idempotency_keys SET status = $4, headers = $5, body = $6
WHERE account_id = $1 AND caller = $2 AND key = $3
"""
FORGET: Final = "DELETE FROM idempotency_keys WHERE account_id = $1 AND caller = $2 AND key = $3"
FORGET_OLD: Final = """
DELETE FROM idempotency_keys WHERE (account_id, caller, key) IN (
    SELECT account_id, caller, key FROM idempotency_keys WHERE claimed_at < $1 LIMIT 1000)
"""


class Intent(msgspec.Struct, frozen=True):
    """Who wants what: the caller's key, and a hash over method, path and body."""

    account_id: UUID
    caller: str
    key: str
    request_hash: bytes


class Answer(msgspec.Struct, frozen=True):
    """What was answered the first time."""

    status: int
    headers: dict[str, str]
    body: bytes


async def claim(conn: Connection, intent: Intent, now: datetime) -> Answer | None:
    """Return the first answer, or None when the key is now ours to work on.

    Raises Conflict: `idempotency_conflict` (another body), `request_in_progress`.
    """
    name = f"{intent.account_id}:{intent.caller}:{intent.key}"
    if not await conn.fetchval(TRY_LOCK, name):
        raise _in_progress()
    row = await conn.fetchrow(FIND, intent.account_id, intent.caller, intent.key)
    if row is not None and row["claimed_at"] > now - KEPT:
        if row["request_hash"] != intent.request_hash:
            raise Conflict(
                "idempotency_conflict",
                "This Idempotency-Key was used with another request; use a new key.",
            )
        if row["status"] is not None:
            headers = msgspec.json.decode(row["headers"], type=dict[str, str])
            return Answer(row["status"], headers, row["body"])
        if row["lease_until"] > now:
            raise _in_progress()
    await conn.execute(
        CLAIM, intent.account_id, intent.caller, intent.key, intent.request_hash, now, now + LEASE
    )
    return None


async def answer(
    conn: Connection, intent: Intent, status: int, headers: Mapping[str, str], body: bytes
) -> None:
    """Keep the answer for all who ask again with this key."""
    text = msgspec.json.encode(dict(headers)).decode()
    await conn.execute(ANSWER, intent.account_id, intent.caller, intent.key, status, text, body)


async def forget(conn: Connection, intent: Intent) -> None:
    """Give the key back: nothing was done, so a corrected request may use it."""
    await conn.execute(FORGET, intent.account_id, intent.caller, intent.key)


async def forget_old(conn: Connection, now: datetime) -> int:
    """Drop up to 1,000 keys older than 30 days and return how many those were."""
    return int((await conn.execute(FORGET_OLD, now - KEPT)).removeprefix("DELETE "))


def _in_progress() -> Conflict:
    return Conflict(
        "request_in_progress", "A request with this Idempotency-Key is still running; ask again."
    )
