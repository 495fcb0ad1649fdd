"""SQL of issuers, their logos and their number series."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.issuers.model import DocumentKind, Issuer, Logo
from tallystick.kernel.db import Connection

COLUMNS: Final = (
    "issuer_id", "code", "legal_name", "created_at", "address", "city", "postal_code", "region",
    "country", "vat_number", "tax_registrations", "registration_number", "email", "logo_id",
    "bank_name", "iban", "bic", "payment_instructions", "locale", "payment_due_days",
    "grace_hours", "invoice_format", "credit_note_format", "number_reset", "former_numbers",
    "minimum_amounts", "zero_rule", "is_default", "follows_settings", "retired_at",
)  # fmt: skip
_JSON: Final = frozenset({"tax_registrations", "former_numbers", "minimum_amounts"})
# Another process may have made the same code, or the default, meanwhile.
INSERT: Final = f"""
INSERT INTO issuers ({", ".join(COLUMNS)})
VALUES ({", ".join(f"${at}" for at in range(1, len(COLUMNS) + 1))})
ON CONFLICT DO NOTHING RETURNING issuer_id
"""  # noqa: S608 -- names of columns, from the list above
UPDATE: Final = f"""
UPDATE issuers SET {", ".join(f"{name} = ${at}" for at, name in enumerate(COLUMNS, 1) if at > 1)}
WHERE issuer_id = $1
"""  # noqa: S608 -- likewise
FIND: Final = "SELECT * FROM issuers WHERE issuer_id = $1"
LOCK: Final = "SELECT * FROM issuers WHERE issuer_id = $1 FOR NO KEY UPDATE"
DEFAULT: Final = "SELECT * FROM issuers WHERE is_default"
LOCK_DEFAULT: Final = "SELECT * FROM issuers WHERE is_default FOR NO KEY UPDATE"
LIST: Final = "SELECT * FROM issuers ORDER BY retired_at IS NOT NULL, code"
BY_IDS: Final = "SELECT * FROM issuers WHERE issuer_id = ANY ($1::uuid[]) OR is_default"
# Who changes which issuer is the default waits for whoever does so at the time.
LOCK_CHOICE: Final = "SELECT pg_advisory_xact_lock(hashtextextended('issuers.default', 0))"
UNSET_DEFAULT: Final = "UPDATE issuers SET is_default = false WHERE is_default AND issuer_id <> $1"
HAS_SERIES: Final = "SELECT EXISTS (SELECT FROM number_series WHERE issuer_id = $1)"
INSERT_LOGO: Final = """
INSERT INTO logos (logo_id, media_type, content) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
"""
FIND_LOGO: Final = "SELECT * FROM logos WHERE logo_id = $1"
# The row stays locked until the transaction ends; numbers that are rolled back come again.
TAKE_NUMBERS: Final = """
INSERT INTO number_series AS s (issuer_id, kind, period, is_test, next_number)
VALUES ($1, $2, $3, $4, 1 + $5::bigint)
ON CONFLICT (issuer_id, kind, period, is_test)
DO UPDATE SET next_number = s.next_number + $5::bigint
RETURNING next_number - $5::bigint
"""


class Series(msgspec.Struct, frozen=True, order=True):
    """The key of a series."""

    issuer_id: UUID
    kind: DocumentKind
    period: str
    is_test: bool


async def insert(conn: Connection, new: Issuer) -> bool:
    """Write an issuer; False when its code is taken, or there is a default already."""
    return await conn.fetchval(INSERT, *_values(new)) is not None


async def update(conn: Connection, now: Issuer) -> None:
    """Write what an issuer is from now on."""
    await conn.execute(UPDATE, *_values(now))


async def find(conn: Connection, issuer_id: UUID) -> Issuer | None:
    """Return one issuer."""
    return _found(await conn.fetchrow(FIND, issuer_id))


async def lock(conn: Connection, issuer_id: UUID) -> Issuer | None:
    """Return one issuer and lock its row."""
    return _found(await conn.fetchrow(LOCK, issuer_id))


async def default(conn: Connection) -> Issuer | None:
    """Return who issues for accounts that name nobody."""
    return _found(await conn.fetchrow(DEFAULT))


async def lock_default(conn: Connection) -> Issuer | None:
    """Return the same and lock its row."""
    return _found(await conn.fetchrow(LOCK_DEFAULT))


async def every(conn: Connection) -> tuple[Issuer, ...]:
    """Return all issuers by code, the retired ones last."""
    return tuple(_issuer(row) for row in await conn.fetch(LIST))


async def by_ids(conn: Connection, issuer_ids: Sequence[UUID]) -> tuple[Issuer, ...]:
    """Return these issuers and the default."""
    return tuple(_issuer(row) for row in await conn.fetch(BY_IDS, list(issuer_ids)))


async def lock_choice(conn: Connection) -> None:
    """Let nobody else say who is the default before this transaction ends."""
    await conn.execute(LOCK_CHOICE)


async def unset_default(conn: Connection, but: UUID) -> None:
    """Let no other issuer be the default."""
    await conn.execute(UNSET_DEFAULT, but)


async def has_series(conn: Connection, issuer_id: UUID) -> bool:
    """Tell whether the issuer has given a number; under the writer's scope or staff's."""
    return bool(await conn.fetchval(HAS_SERIES, issuer_id))


async def insert_logo(conn: Connection, logo: Logo) -> None:
    """Keep a picture, unless it is kept already."""
    await conn.execute(INSERT_LOGO, logo.logo_id, logo.media_type, logo.content)


async def find_logo(conn: Connection, logo_id: str) -> Logo | None:
    """Return a picture."""
    row = await conn.fetchrow(FIND_LOGO, logo_id)
    return Logo(**row) if row else None


async def take_numbers_locking_series(conn: Connection, series: Series, count: int) -> int:
    """Take so many numbers and return the first; others wait until this transaction ends."""
    first: int = await conn.fetchval(
        TAKE_NUMBERS, series.issuer_id, series.kind, series.period, series.is_test, count
    )
    return first


def _values(issuer: Issuer) -> list[Any]:
    fields = msgspec.structs.asdict(issuer)
    return [
        msgspec.json.encode(fields[name]).decode() if name in _JSON else fields[name]
        for name in COLUMNS
    ]


def _found(row: asyncpg.Record | None) -> Issuer | None:
    return None if row is None else _issuer(row)


def _issuer(row: asyncpg.Record) -> Issuer:
    fields = dict(row)
    for name in _JSON:
        fields[name] = msgspec.json.decode(fields[name])
    return msgspec.convert(fields, Issuer)
