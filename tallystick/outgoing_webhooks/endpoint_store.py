"""The SQL of endpoints and their secrets."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.outgoing_webhooks.model import DisabledReason, Endpoint

COLUMNS: Final = """account_id, webhook_endpoint_id, url, description, event_types, is_enabled,
    disabled_reason, failing_since, created_at"""
INSERT: Final = f"""
INSERT INTO webhook_endpoints ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""  # noqa: S608 - constants
LOCK: Final = f"""
SELECT {COLUMNS} FROM webhook_endpoints WHERE account_id = $1 AND webhook_endpoint_id = $2
FOR NO KEY UPDATE
"""  # noqa: S608 - constants
FIND: Final = f"""
SELECT {COLUMNS} FROM webhook_endpoints WHERE account_id = $1 AND webhook_endpoint_id = $2
"""  # noqa: S608 - constants
# Staff name an endpoint without its account.
OWNER: Final = "SELECT account_id FROM webhook_endpoints WHERE webhook_endpoint_id = $1"
SAVE: Final = """
UPDATE webhook_endpoints SET url = $3, description = $4, event_types = $5, is_enabled = $6,
    disabled_reason = $7, failing_since = $8
WHERE account_id = $1 AND webhook_endpoint_id = $2
"""
DELETE: Final = """
DELETE FROM webhook_endpoints WHERE account_id = $1 AND webhook_endpoint_id = $2
RETURNING webhook_endpoint_id
"""
LIST: Final = f"""
SELECT {COLUMNS} FROM webhook_endpoints
WHERE ($1::uuid IS NULL OR account_id = $1)
  AND ($2::timestamptz IS NULL OR (created_at, webhook_endpoint_id) < ($2, $3::uuid))
ORDER BY created_at DESC, webhook_endpoint_id DESC LIMIT $4 OFFSET $5
"""  # noqa: S608 - likewise
COUNT: Final = """
SELECT count(*) FROM webhook_endpoints WHERE $1::uuid IS NULL OR account_id = $1
"""
NOTE_FAILING: Final = """
UPDATE webhook_endpoints SET failing_since = $3
WHERE account_id = $1 AND webhook_endpoint_id = $2 AND failing_since IS NULL
"""
NOTE_WORKING: Final = """
UPDATE webhook_endpoints SET failing_since = NULL
WHERE account_id = $1 AND webhook_endpoint_id = $2 AND failing_since IS NOT NULL
"""
DISABLE: Final = """
UPDATE webhook_endpoints SET is_enabled = false, disabled_reason = $3
WHERE account_id = $1 AND webhook_endpoint_id = $2 AND is_enabled RETURNING webhook_endpoint_id
"""
ADD_KEY: Final = """
INSERT INTO webhook_secrets (account_id, webhook_secret_id, webhook_endpoint_id, secret, created_at)
VALUES ($1, $2, $3, $4, $5)
"""
EXPIRE_SECRETS: Final = """
UPDATE webhook_secrets SET expires_at = least(expires_at, $3)
WHERE account_id = $1 AND webhook_endpoint_id = $2 AND (expires_at IS NULL OR expires_at > $3)
"""
FORGET_SECRETS: Final = """
DELETE FROM webhook_secrets WHERE account_id = $1 AND webhook_endpoint_id = $2 AND expires_at <= $3
"""
SECRETS: Final = """
SELECT secret FROM webhook_secrets
WHERE account_id = $1 AND webhook_endpoint_id = $2 AND (expires_at IS NULL OR expires_at > $3)
ORDER BY created_at DESC, webhook_secret_id DESC
"""


async def insert(conn: Connection, endpoint: Endpoint) -> None:
    """Keep a new endpoint."""
    await conn.execute(INSERT, *_values(endpoint), endpoint.created_at)


async def find(conn: Connection, account_id: UUID, endpoint_id: UUID) -> Endpoint | None:
    """Return an endpoint of this account."""
    row = await conn.fetchrow(FIND, account_id, endpoint_id)
    return None if row is None else _endpoint(row)


async def lock(conn: Connection, account_id: UUID, endpoint_id: UUID) -> Endpoint | None:
    """Return an endpoint that nobody else changes before the transaction ends."""
    row = await conn.fetchrow(LOCK, account_id, endpoint_id)
    return None if row is None else _endpoint(row)


async def owner(conn: Connection, endpoint_id: UUID) -> UUID | None:
    """Return whose endpoint it is."""
    account_id: UUID | None = await conn.fetchval(OWNER, endpoint_id)
    return account_id


async def save(conn: Connection, endpoint: Endpoint) -> None:
    """Write all that can change of a locked endpoint."""
    await conn.execute(SAVE, *_values(endpoint))


async def delete(conn: Connection, account_id: UUID, endpoint_id: UUID) -> bool:
    """Drop an endpoint with its secrets and deliveries; False when there was none."""
    return await conn.fetchval(DELETE, account_id, endpoint_id) is not None


async def page(conn: Connection, account_id: UUID | None, request: PageRequest) -> list[Endpoint]:
    """Return endpoints of one account or of all, newest first, one more than the limit."""
    after = request.after
    position = (after.at, after.id) if after else (None, None)
    rows = await conn.fetch(LIST, account_id, *position, request.limit + 1, request.offset)
    return [_endpoint(row) for row in rows]


async def count(conn: Connection, account_id: UUID | None) -> int:
    """Return how many endpoints the account has, or all have."""
    return int(await conn.fetchval(COUNT, account_id))


async def note_failing(conn: Connection, account_id: UUID, endpoint_id: UUID, at: datetime) -> None:
    """Note since when it fails, unless that is known."""
    await conn.execute(NOTE_FAILING, account_id, endpoint_id, at)


async def note_working(conn: Connection, account_id: UUID, endpoint_id: UUID) -> None:
    """Note that it works."""
    await conn.execute(NOTE_WORKING, account_id, endpoint_id)


async def disable(
    conn: Connection, account_id: UUID, endpoint_id: UUID, reason: DisabledReason
) -> bool:
    """Disable an endpoint; False when it is disabled already, or deleted."""
    return await conn.fetchval(DISABLE, account_id, endpoint_id, reason) is not None


async def insert_secret(
    conn: Connection, endpoint: Endpoint, secret_id: UUID, secret: bytes, at: datetime
) -> None:
    """Keep a secret as the present one; under the writer's scope, like all below."""
    ids = (endpoint.account_id, secret_id, endpoint.webhook_endpoint_id)
    await conn.execute(ADD_KEY, *ids, secret, at)


async def expire_secrets(
    conn: Connection, account_id: UUID, endpoint_id: UUID, expires_at: datetime, now: datetime
) -> None:
    """Let every secret end at `expires_at` at the latest, and drop those that have ended."""
    await conn.execute(EXPIRE_SECRETS, account_id, endpoint_id, expires_at)
    await conn.execute(FORGET_SECRETS, account_id, endpoint_id, now)


async def secrets(
    conn: Connection, account_id: UUID, endpoint_id: UUID, now: datetime
) -> tuple[bytes, ...]:
    """Return the secrets in force, the present one first."""
    rows = await conn.fetch(SECRETS, account_id, endpoint_id, now)
    return tuple(row["secret"] for row in rows)


def _values(endpoint: Endpoint) -> Sequence[object]:
    return (
        endpoint.account_id,
        endpoint.webhook_endpoint_id,
        endpoint.url,
        endpoint.description,
        list(endpoint.event_types),
        endpoint.is_enabled,
        endpoint.disabled_reason,
        endpoint.failing_since,
    )


def _endpoint(row: Any) -> Endpoint:
    return msgspec.convert(dict(row), Endpoint)
