"""SQL of corrections."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.corrections.model import BilledLine, Correction, Told
from tallystick.kernel.db import Connection
from tallystick.kernel.paging import PageRequest
from tallystick.metering.numbers import read_number

_COLUMNS: Final = """account_id, usage_correction_id, kind, root_key, position, key, new_key,
    source, event_id, old, new, reason, actor_kind, actor_id, request_id, corrected_at, effect"""
INSERT: Final = f"""
INSERT INTO usage_corrections ({_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""  # noqa: S608 -- our own column names
# Any version names the chain: its first one by itself, the others by the correction they came of.
CHAIN: Final = f"""
SELECT {_COLUMNS} FROM usage_corrections
WHERE account_id = $1 AND root_key = coalesce(
    (SELECT root_key FROM usage_corrections WHERE account_id = $1 AND new_key = $2), $2)
ORDER BY position
"""  # noqa: S608 -- our own column names
LIST: Final = f"""
SELECT {_COLUMNS} FROM usage_corrections
WHERE ($1::uuid IS NULL OR account_id = $1) AND ($2::text IS NULL OR kind = $2)
  AND ($3::timestamptz IS NULL OR (corrected_at, usage_correction_id) < ($3, $4::uuid))
ORDER BY corrected_at DESC, usage_correction_id DESC LIMIT $5 OFFSET $6
"""  # noqa: S608 -- our own column names
COUNT: Final = """
SELECT count(*) FROM usage_corrections
WHERE ($1::uuid IS NULL OR account_id = $1) AND ($2::text IS NULL OR kind = $2)
"""

_encode: Final = msgspec.json.Encoder(decimal_format="number").encode
# Amounts and quantities of an effect are texts; only an event's own numbers are numbers.
_encode_effect: Final = msgspec.json.Encoder(decimal_format="string").encode
_TOLD: Final = msgspec.json.Decoder(Told, float_hook=read_number)
_EFFECT: Final = msgspec.json.Decoder(tuple[BilledLine, ...])


async def insert(conn: Connection, corrections: Sequence[Correction]) -> None:
    """Write corrections."""
    await conn.executemany(INSERT, [_values(one) for one in corrections])


async def chain(conn: Connection, account_id: UUID, key: UUID) -> tuple[Correction, ...]:
    """Return all corrections of the event of which this is a version, in order."""
    return tuple(_correction(row) for row in await conn.fetch(CHAIN, account_id, key))


async def list_page(
    conn: Connection, request: PageRequest, account_id: UUID | None, kind: str | None
) -> list[Correction]:
    """Return one page and a row more, newest first; of one account, or of all (None)."""
    after = (request.after.at, request.after.id) if request.after else (None, None)
    rows = await conn.fetch(LIST, account_id, kind, *after, request.limit + 1, request.offset)
    return [_correction(row) for row in rows]


async def count(conn: Connection, account_id: UUID | None, kind: str | None) -> int:
    """Return how many there are."""
    return int(await conn.fetchval(COUNT, account_id, kind))


def _values(one: Correction) -> tuple[Any, ...]:
    return (
        one.account_id,
        one.usage_correction_id,
        one.kind,
        one.root_key,
        one.position,
        one.key,
        one.new_key,
        one.source,
        one.event_id,
        _told(one.old),
        _told(one.new),
        one.reason,
        one.actor_kind,
        one.actor_id,
        one.request_id,
        one.corrected_at,
        _encode_effect(one.billed).decode(),
    )


def _told(told: Told | None) -> str | None:
    return None if told is None else _encode(told).decode()


def _correction(row: asyncpg.Record) -> Correction:
    fields: dict[str, Any] = dict(row)
    for name in ("old", "new"):
        fields[name] = _TOLD.decode(fields[name]) if fields[name] else None
    fields["billed"] = _EFFECT.decode(fields.pop("effect"))
    return Correction(**fields)
