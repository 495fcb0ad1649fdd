"""The SQL of mails."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.mail.model import Mail, MailStatus

# Once for each reason: the same event told twice, or a request repeated, adds nothing.
INSERT: Final = """
INSERT INTO mails (account_id, mail_id, invoice_id, payment_method_id, request_key, addresses,
    status, try_after, created_at)
VALUES ($1, $2, $3, $4, $5, $6, 'waiting', $7, $7)
ON CONFLICT DO NOTHING RETURNING *
"""
FIND: Final = "SELECT * FROM mails WHERE account_id = $1 AND mail_id = $2"
# Also what was being sent when its worker died: nobody knows whether it went out.
LEASE_DUE: Final = """
UPDATE mails SET status = 'sending', try_after = $1::timestamptz + $2::interval,
    try_count = try_count + 1
WHERE (account_id, mail_id) IN (
    SELECT account_id, mail_id FROM mails
    WHERE status IN ('waiting', 'sending') AND try_after <= $1
    ORDER BY try_after LIMIT $3 FOR UPDATE SKIP LOCKED)
RETURNING *
"""
# `try_count` names the lease: whoever lost it changes nothing any more.
FINISH: Final = """
UPDATE mails SET status = $4, error = $5, try_after = $6, sent_at = $7
WHERE account_id = $1 AND mail_id = $2 AND status = 'sending' AND try_count = $3
"""
PAGE: Final = """
SELECT * FROM mails
WHERE ($1::uuid IS NULL OR account_id = $1) AND ($2::text IS NULL OR status = $2)
  AND ($3::timestamptz IS NULL OR (created_at, mail_id) < ($3, $4::uuid))
ORDER BY created_at DESC, mail_id DESC LIMIT $5 OFFSET $6
"""
COUNT: Final = """
SELECT count(*) FROM mails
WHERE ($1::uuid IS NULL OR account_id = $1) AND ($2::text IS NULL OR status = $2)
"""


async def insert(
    conn: Connection,
    account_id: UUID,
    *,
    mail_id: UUID,
    invoice_id: UUID | None,
    payment_method_id: UUID | None,
    request_key: str,
    addresses: Sequence[str],
    now: datetime,
) -> Mail | None:
    """Write a mail about one of the two that waits; None if there is one for this reason."""
    about = invoice_id, payment_method_id
    row = await conn.fetchrow(
        INSERT, account_id, mail_id, *about, request_key, list(addresses), now
    )
    return _mail(row) if row else None


async def find(conn: Connection, account_id: UUID, mail_id: UUID) -> Mail | None:
    """Return the mail, None if there is no such one."""
    row = await conn.fetchrow(FIND, account_id, mail_id)
    return _mail(row) if row else None


async def lease_due(
    conn: Connection, now: datetime, lease: timedelta, limit: int
) -> tuple[Mail, ...]:
    """Take mails that are due to be sent; nobody else takes them before the lease runs out."""
    return tuple(_mail(row) for row in await conn.fetch(LEASE_DUE, now, lease, limit))


async def finish(
    conn: Connection, mail: Mail, status: MailStatus, error: str | None, at: datetime
) -> None:
    """Write what became of a leased mail; `at`: when it was sent, else when to try again."""
    sent_at = at if status is MailStatus.SENT else None
    await conn.execute(
        FINISH, mail.account_id, mail.mail_id, mail.try_count, status, error, at, sent_at
    )


async def page(
    conn: Connection, account_id: UUID | None, status: MailStatus | None, request: PageRequest
) -> tuple[Mail, ...]:
    """Return mails of one account or of all, newest first."""
    after = request.after
    at, mail_id = (after.at, after.id) if after else (None, None)
    rows = await conn.fetch(PAGE, account_id, status, at, mail_id, request.limit, request.offset)
    return tuple(_mail(row) for row in rows)


async def count(conn: Connection, account_id: UUID | None, status: MailStatus | None) -> int:
    """Return how many there are."""
    found: int = await conn.fetchval(COUNT, account_id, status)
    return found


def _mail(row: asyncpg.Record) -> Mail:
    return msgspec.convert(dict(row), Mail)
