"""SQL of add-ons and coupons in versions, and of coupons that accounts have."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg
import msgspec

from tallystick.catalog.offer_model import AddOn, Coupon, NewAddOn, NewCoupon, Redemption
from tallystick.kernel.db import Connection

# Taken before a version is written, so that two at once get two numbers.
LOCK_CODE: Final = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
INSERT_ADD_ON: Final = """
INSERT INTO add_ons (add_on_id, code, version, name, charge, amounts, features, status,
    activated_at, created_at)
SELECT $1, $2, 1 + coalesce(max(version), 0), $3, $4, $5, $6, 'active', $7, $7
FROM add_ons WHERE code = $2
RETURNING *
"""
RETIRE_ADD_ON: Final = """
UPDATE add_ons SET status = 'retired', retired_at = $2 WHERE code = $1 AND status = 'active'
RETURNING *
"""
ADD_ONS: Final = "SELECT * FROM add_ons WHERE status = 'active' ORDER BY code"
ADD_ON: Final = "SELECT * FROM add_ons WHERE status = 'active' AND code = $1"
INSERT_COUPON: Final = """
INSERT INTO coupons (coupon_id, code, version, name, percent, amounts, duration, periods, plans,
    prices, meters, redemptions_max, redemptions_per_account_max, valid_from, valid_until, status,
    activated_at, created_at)
SELECT $1, $2, 1 + coalesce(max(version), 0), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
    'active', $15, $15
FROM coupons WHERE code = $2
RETURNING *
"""
RETIRE_COUPON: Final = """
UPDATE coupons SET status = 'retired', retired_at = $2 WHERE code = $1 AND status = 'active'
RETURNING *
"""
COUPONS: Final = "SELECT * FROM coupons WHERE status = 'active' ORDER BY code"
# Redemptions of one code wait for each other here, so that its limits hold.
LOCK_COUPON: Final = """
SELECT * FROM coupons WHERE code = $1 AND status = 'active' FOR NO KEY UPDATE
"""
COUNT_REDEMPTIONS: Final = """
SELECT count(*) AS all_count, count(*) FILTER (WHERE r.account_id = $2) AS own_count
FROM coupon_redemptions r JOIN coupons c USING (coupon_id) WHERE c.code = $1
"""
INSERT_REDEMPTION: Final = """
INSERT INTO coupon_redemptions (account_id, redemption_id, coupon_id, redeemed_at, periods_left,
    amount_left_minor)
VALUES ($1, $2, $3, $4, $5, $6)
"""
END_REDEMPTION: Final = """
UPDATE coupon_redemptions SET ended_at = $3
WHERE account_id = $1 AND redemption_id = $2 AND ended_at IS NULL RETURNING redemption_id
"""
REDEMPTIONS: Final = """
SELECT r.*, to_jsonb(c) || jsonb_build_object('percent', c.percent::text) AS coupon
FROM coupon_redemptions r JOIN coupons c USING (coupon_id)
WHERE r.account_id = $1 ORDER BY r.redeemed_at, r.redemption_id
"""


# What can lower an invoice. Whoever issues one locks it, so that no amount is used twice.
OPEN_REDEMPTIONS: Final = """
SELECT r.*, to_jsonb(c) || jsonb_build_object('percent', c.percent::text) AS coupon
FROM coupon_redemptions r JOIN coupons c USING (coupon_id)
WHERE r.account_id = ANY ($1::uuid[]) AND r.ended_at IS NULL
ORDER BY r.account_id, r.redeemed_at, r.redemption_id
"""
LOCK_REDEMPTIONS: Final = f"{OPEN_REDEMPTIONS} FOR NO KEY UPDATE OF r"
USE_REDEMPTIONS: Final = """
UPDATE coupon_redemptions AS r
SET periods_left = u.periods_left, amount_left_minor = u.amount_left_minor, ended_at = u.ended_at
FROM unnest($2::uuid[], $3::integer[], $4::bigint[], $5::timestamptz[])
     AS u (redemption_id, periods_left, amount_left_minor, ended_at)
WHERE r.account_id = $1 AND r.redemption_id = u.redemption_id
"""
# One that an invoice used up lowers others again; one that staff ended stays ended.
GIVE_BACK: Final = """
UPDATE coupon_redemptions AS r
SET periods_left = r.periods_left + 1, amount_left_minor = r.amount_left_minor + u.minor,
    ended_at = CASE WHEN r.periods_left = 0 OR r.amount_left_minor = 0 THEN NULL
                    ELSE r.ended_at END
FROM unnest($2::uuid[], $3::bigint[]) AS u (redemption_id, minor)
WHERE r.account_id = $1 AND r.redemption_id = u.redemption_id
"""


async def lock_code(conn: Connection, kind: str, code: str) -> None:
    """Let versions of one add-on or coupon be written one after the other."""
    await conn.execute(LOCK_CODE, f"{kind}:{code}")


async def insert_add_on(conn: Connection, add_on_id: UUID, new: NewAddOn, now: datetime) -> AddOn:
    """Write the next version of an add-on and sell it."""
    rows = await conn.fetch(
        INSERT_ADD_ON, add_on_id, new.code, new.name, new.charge, _json(new.amounts),
        _json(new.features), now,
    )  # fmt: skip
    return _add_on(rows[0])


async def retire_add_on(conn: Connection, code: str, now: datetime) -> AddOn | None:
    """Sell an add-on no more; None when it was not sold."""
    row = await conn.fetchrow(RETIRE_ADD_ON, code, now)
    return _add_on(row) if row else None


async def add_ons(conn: Connection) -> tuple[AddOn, ...]:
    """Return the add-ons that are sold, by code."""
    return tuple(_add_on(row) for row in await conn.fetch(ADD_ONS))


async def add_on(conn: Connection, code: str) -> AddOn | None:
    """Return the add-on that is sold under this code."""
    row = await conn.fetchrow(ADD_ON, code)
    return _add_on(row) if row else None


async def insert_coupon(conn: Connection, coupon_id: UUID, new: NewCoupon, now: datetime) -> Coupon:
    """Write the next version of a coupon and let it be redeemed."""
    rows = await conn.fetch(
        INSERT_COUPON, coupon_id, new.code, new.name, new.percent,
        None if new.amounts is None else _json(new.amounts), new.duration, new.periods,
        list(new.plans), list(new.prices), list(new.meters), new.redemptions_max,
        new.redemptions_per_account_max, new.valid_from, new.valid_until, now,
    )  # fmt: skip
    return _coupon(rows[0])


async def retire_coupon(conn: Connection, code: str, now: datetime) -> Coupon | None:
    """Let a coupon be redeemed no more; None when it could not be."""
    row = await conn.fetchrow(RETIRE_COUPON, code, now)
    return _coupon(row) if row else None


async def coupons(conn: Connection) -> tuple[Coupon, ...]:
    """Return the coupons that can be redeemed, by code."""
    return tuple(_coupon(row) for row in await conn.fetch(COUPONS))


async def lock_coupon(conn: Connection, code: str) -> Coupon | None:
    """Return the coupon with this code and lock it, None when there is none."""
    row = await conn.fetchrow(LOCK_COUPON, code)
    return _coupon(row) if row else None


async def count_redemptions(conn: Connection, code: str, account_id: UUID) -> tuple[int, int]:
    """Return how often a code was redeemed, by all and by the account; the writer's scope."""
    rows = await conn.fetch(COUNT_REDEMPTIONS, code, account_id)
    return rows[0]["all_count"], rows[0]["own_count"]


async def insert_redemption(conn: Connection, new: Redemption) -> None:
    """Write that an account has a coupon."""
    await conn.execute(
        INSERT_REDEMPTION, new.account_id, new.redemption_id, new.coupon.coupon_id,
        new.redeemed_at, new.periods_left, new.amount_left_minor,
    )  # fmt: skip


async def end_redemption(
    conn: Connection, account_id: UUID, redemption_id: UUID, now: datetime
) -> bool:
    """Let an account's coupon lower nothing more; False when it did not anyway."""
    return await conn.fetchval(END_REDEMPTION, account_id, redemption_id, now) is not None


async def redemptions(conn: Connection, account_id: UUID) -> tuple[Redemption, ...]:
    """Return the account's coupons, oldest first, also those that have ended."""
    return tuple(_redemption(row) for row in await conn.fetch(REDEMPTIONS, account_id))


async def open_redemptions(
    conn: Connection, account_ids: Sequence[UUID], *, lock: bool
) -> tuple[Redemption, ...]:
    """Return the coupons of these accounts that have not ended, oldest first, locked or not."""
    statement = LOCK_REDEMPTIONS if lock else OPEN_REDEMPTIONS
    return tuple(_redemption(row) for row in await conn.fetch(statement, list(account_ids)))


async def use_redemptions(conn: Connection, account_id: UUID, left: Sequence[Redemption]) -> None:
    """Write what is left of coupons of an account."""
    await conn.execute(
        USE_REDEMPTIONS, account_id, [one.redemption_id for one in left],
        [one.periods_left for one in left], [one.amount_left_minor for one in left],
        [one.ended_at for one in left],
    )  # fmt: skip


async def give_back(conn: Connection, account_id: UUID, taken: Mapping[UUID, int]) -> None:
    """Give coupons back what an invoice took of them, in minor units, and the period it used."""
    await conn.execute(GIVE_BACK, account_id, list(taken), list(taken.values()))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _add_on(row: asyncpg.Record) -> AddOn:
    return msgspec.convert(_decoded(dict(row), ("amounts", "features")), AddOn)


def _coupon(row: asyncpg.Record) -> Coupon:
    return msgspec.convert(_decoded(dict(row), ("amounts",)), Coupon)


def _redemption(row: asyncpg.Record) -> Redemption:
    fields = dict(row)
    del fields["coupon_id"]
    return msgspec.convert(_decoded(fields, ("coupon",)), Redemption)


def _decoded(fields: dict[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    for name in names:
        if fields[name] is not None:
            fields[name] = msgspec.json.decode(fields[name])
    return fields
