"""SQL of charges at CCBill, which knows no idempotency keys: our keys are kept here instead."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal
from uuid import UUID

import asyncpg
import msgspec

from tallystick.kernel.db import Connection
from tallystick.money.amount import Money
from tallystick.payments.declines import GENERIC
from tallystick.payments.outcomes import Declined, Outcome, Succeeded

# Prices are JSON numbers on the way in and out, and never floats.
_NUMBERS: Final = msgspec.json.Encoder(decimal_format="number")
_EXACT: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)
State = Literal["waiting", "claimed", "sent", "done"]

INSERT: Final = """
INSERT INTO ccbill_charges (account_id, idempotency_key, payment_token_id, state, request,
    authenticated, created_at)
VALUES ($1, $2, $3, 'waiting', $4::text::jsonb, $5, $6)
ON CONFLICT (account_id, idempotency_key) DO NOTHING RETURNING idempotency_key
"""
FIND: Final = """
SELECT account_id, idempotency_key, payment_token_id, state, request::text AS request,
    authenticated, before_ids, sent_at, outcome::text AS outcome, created_at
FROM ccbill_charges WHERE account_id = $1 AND idempotency_key = $2
"""
# A second live one of the same token meets the unique index, and waits.
CLAIM: Final = """
UPDATE ccbill_charges SET state = 'claimed'
WHERE account_id = $1 AND idempotency_key = $2 AND state IN ('waiting', 'claimed')
RETURNING idempotency_key
"""
# From here on it may be charged: only one process gets past this line.
MARK_SENT: Final = """
UPDATE ccbill_charges SET state = 'sent', before_ids = $3, sent_at = $4
WHERE account_id = $1 AND idempotency_key = $2 AND state = 'claimed' RETURNING idempotency_key
"""
RELEASE: Final = """
UPDATE ccbill_charges SET state = 'waiting', before_ids = NULL, sent_at = NULL
WHERE account_id = $1 AND idempotency_key = $2 AND state IN ('claimed', 'sent')
"""
FINISH: Final = """
UPDATE ccbill_charges SET state = 'done', outcome = $3::text::jsonb
WHERE account_id = $1 AND idempotency_key = $2 AND state <> 'done'
"""
LIVE: Final = """
SELECT account_id, idempotency_key, payment_token_id, state, request::text AS request,
    authenticated, before_ids, sent_at, outcome::text AS outcome, created_at
FROM ccbill_charges
WHERE account_id = $1 AND payment_token_id = $2 AND state = 'sent' AND idempotency_key <> $3
"""
# A webhook may have told what became of it before anybody asked.
TOLD: Final = """
SELECT a.outcome, a.gateway_reference, a.code, a.hard, p.currency, p.amount_minor
FROM payment_attempts a JOIN payments p USING (account_id, payment_id)
WHERE a.account_id = $1 AND a.idempotency_key = $2 AND a.outcome IN ('succeeded', 'declined')
"""
KNOWN_IDS: Final = """
SELECT a.gateway_reference FROM payment_attempts a
WHERE a.account_id = $1 AND a.gateway = 'ccbill' AND a.gateway_reference = ANY($2)
    AND a.idempotency_key <> $3
UNION
SELECT c.outcome ->> 'reference' FROM ccbill_charges c
WHERE c.account_id = $1 AND c.idempotency_key <> $3 AND c.outcome ->> 'reference' = ANY($2)
"""


class ChargeRow(msgspec.Struct, frozen=True, kw_only=True):
    """A charge under our key. `request` is what is sent, without the payer's authentication.

    `waiting`: nothing was sent. `claimed`: it is about to be. `sent`: it may have been charged;
    `before_ids` are the token's charges before it. `done`: `outcome` is final.
    """

    account_id: UUID
    idempotency_key: str
    payment_token_id: str
    state: State
    request: dict[str, Any]
    authenticated: bool
    before_ids: tuple[str, ...] | None = None
    sent_at: datetime | None = None
    outcome: Outcome | None = None
    created_at: datetime


async def insert(conn: Connection, row: ChargeRow) -> bool:
    """Write a charge that nobody has begun; False if its key is there already."""
    request = _NUMBERS.encode(row.request).decode()
    key = (row.account_id, row.idempotency_key, row.payment_token_id)
    values = (*key, request, row.authenticated, row.created_at)
    return await conn.fetchval(INSERT, *values) is not None


async def find(conn: Connection, account_id: UUID, key: str) -> ChargeRow | None:
    """Return the charge under a key."""
    row = await conn.fetchrow(FIND, account_id, key)
    return None if row is None else _row(row)


async def claim(conn: Connection, row: ChargeRow) -> bool:
    """Hold the token for this charge; False if it is done, or the token has another live one."""
    try:
        async with conn.transaction():
            found = await conn.fetchval(CLAIM, row.account_id, row.idempotency_key)
    except asyncpg.UniqueViolationError:
        return False
    return found is not None


async def mark_sent(
    conn: Connection, row: ChargeRow, before: Collection[str], at: datetime
) -> bool:
    """Note that it is sent now; False if another process has done so."""
    key = (row.account_id, row.idempotency_key)
    return await conn.fetchval(MARK_SENT, *key, sorted(before), at) is not None


async def release(conn: Connection, row: ChargeRow) -> None:
    """Note that nothing was sent after all."""
    await conn.execute(RELEASE, row.account_id, row.idempotency_key)


async def finish(conn: Connection, row: ChargeRow, outcome: Outcome) -> None:
    """Note what became of it, once."""
    said = msgspec.json.encode(outcome).decode()
    await conn.execute(FINISH, row.account_id, row.idempotency_key, said)


async def live(conn: Connection, row: ChargeRow) -> list[ChargeRow]:
    """Return the other charges of the token that may be under way."""
    found = await conn.fetch(LIVE, row.account_id, row.payment_token_id, row.idempotency_key)
    return [_row(one) for one in found]


async def told(conn: Connection, row: ChargeRow) -> Outcome | None:
    """Return what its attempt has come to, by whatever news; None: nobody knows yet."""
    found = await conn.fetchrow(TOLD, row.account_id, row.idempotency_key)
    if found is None:
        return None
    if found["outcome"] == "succeeded":
        amount = Money(found["amount_minor"], found["currency"].strip())
        return Succeeded(found["gateway_reference"] or "", amount)
    return Declined(found["code"] or GENERIC, hard=found["hard"])


async def known_ids(conn: Connection, row: ChargeRow, listed: Collection[str]) -> frozenset[str]:
    """Return those of the ids that are another charge's of ours."""
    found = await conn.fetch(KNOWN_IDS, row.account_id, sorted(listed), row.idempotency_key)
    return frozenset(one["gateway_reference"] for one in found)


def _row(row: "asyncpg.Record") -> ChargeRow:
    fields = dict(row)
    outcome = fields.pop("outcome")
    return ChargeRow(
        **{
            **fields,
            "request": _EXACT.decode(fields["request"]),
            "before_ids": None if row["before_ids"] is None else tuple(row["before_ids"]),
            "outcome": None if outcome is None else msgspec.json.decode(outcome, type=Outcome),
        }
    )
