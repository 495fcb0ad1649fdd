"""SQL of features and of what accounts were given of them."""

from collections.abc import Collection, Mapping
from typing import Any, Final
from uuid import UUID

import msgspec

from tallystick.catalog.feature_model import Feature, FeatureOverride
from tallystick.kernel.db import Connection

INSERT: Final = """
INSERT INTO features (feature_id, code, name, kind, meter_id, created_at)
VALUES ($1, $2, $3, $4, (SELECT meter_id FROM meters WHERE code = $5), $6)
ON CONFLICT (code) DO NOTHING RETURNING feature_id
"""
RENAME: Final = "UPDATE features SET name = $2 WHERE code = $1 RETURNING feature_id"
# $1 is NULL: every feature.
FEATURES: Final = """
SELECT f.feature_id, f.code, f.name, f.kind, m.code AS meter, f.created_at
FROM features f LEFT JOIN meters m USING (meter_id)
WHERE $1::text[] IS NULL OR f.code = ANY ($1) ORDER BY f.code
"""
SAVE_OVERRIDE: Final = """
INSERT INTO feature_overrides (account_id, feature_id, value, reason, until, set_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (account_id, feature_id) DO UPDATE
SET value = $3, reason = $4, until = $5, set_at = $6
"""
REMOVE_OVERRIDE: Final = """
DELETE FROM feature_overrides
WHERE account_id = $1 AND feature_id = (SELECT feature_id FROM features WHERE code = $2)
RETURNING feature_id
"""
OVERRIDES: Final = """
SELECT f.code AS feature, o.value, o.reason, o.until, o.set_at
FROM feature_overrides o JOIN features f USING (feature_id)
WHERE o.account_id = $1 ORDER BY f.code
"""


# One trip for those who ask whether something is given; a feature that nobody has is one row.
GIVEN: Final = """
SELECT f.feature_id, f.code, f.name, f.kind, m.code AS meter, f.created_at, o.account_id, o.value,
    o.reason, o.until, o.set_at
FROM features f LEFT JOIN meters m USING (meter_id)
    LEFT JOIN feature_overrides o ON o.feature_id = f.feature_id AND o.account_id = ANY ($2::uuid[])
WHERE f.code = ANY ($1::text[])
"""


async def insert(conn: Connection, feature: Feature) -> bool:
    """Write a feature; False when its code is taken."""
    return None is not await conn.fetchval(
        INSERT, feature.feature_id, feature.code, feature.name, feature.kind, feature.meter,
        feature.created_at,
    )  # fmt: skip


async def rename(conn: Connection, code: str, name: str) -> bool:
    """Give a feature another name; False when there is none."""
    return await conn.fetchval(RENAME, code, name) is not None


async def features(conn: Connection, codes: Collection[str] | None = None) -> tuple[Feature, ...]:
    """Return the features with these codes, or every one, by code."""
    rows = await conn.fetch(FEATURES, None if codes is None else list(codes))
    return tuple(msgspec.convert(dict(row), Feature) for row in rows)


async def save_override(
    conn: Connection, account_id: UUID, feature_id: UUID, new: FeatureOverride
) -> None:
    """Write it in place of what was given before."""
    value = msgspec.json.encode(new.value).decode()
    await conn.execute(
        SAVE_OVERRIDE, account_id, feature_id, value, new.reason, new.until, new.set_at
    )


async def remove_override(conn: Connection, account_id: UUID, feature: str) -> bool:
    """Take it away; False when there was none."""
    return await conn.fetchval(REMOVE_OVERRIDE, account_id, feature) is not None


async def overrides(conn: Connection, account_id: UUID) -> tuple[FeatureOverride, ...]:
    """Return what the account was given, by feature, also what has run out."""
    return tuple(_override(dict(row)) for row in await conn.fetch(OVERRIDES, account_id))


async def given(
    conn: Connection, codes: Collection[str], account_ids: Collection[UUID]
) -> tuple[dict[str, Feature], dict[tuple[UUID, str], FeatureOverride]]:
    """Return the features with these codes, and what these accounts were given of each."""
    known: dict[str, Feature] = {}
    own: dict[tuple[UUID, str], FeatureOverride] = {}
    for row in await conn.fetch(GIVEN, list(codes), list(account_ids)):
        feature = known[row["code"]] = msgspec.convert(dict(row), Feature)
        if row["account_id"] is not None:
            own[row["account_id"], feature.code] = _override({**row, "feature": feature.code})
    return known, own


def _override(row: Mapping[str, Any]) -> FeatureOverride:
    return msgspec.convert({**row, "value": msgspec.json.decode(row["value"])}, FeatureOverride)
