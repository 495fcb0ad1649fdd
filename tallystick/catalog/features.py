"""Features, and what single accounts are given of them in place of their plan's."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from tallystick.catalog import feature_store, store
from tallystick.catalog.faults import NAME_LENGTH_MAX, raise_any, text_problems
from tallystick.catalog.feature_checks import check_feature, normal_value, value_problems
from tallystick.catalog.feature_model import Feature, FeatureOverride, NewFeature
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict, NotFound
from tallystick.kernel.ids import new_id, unknown


async def create_feature(conn: Connection, new: NewFeature, now: datetime) -> Feature:
    """Make a feature; no plan gives it yet.

    Raises BadInput naming every bad field, Conflict `feature_code_taken`.
    """
    named = [] if new.meter is None else [new.meter]
    check_feature(new, {meter.code for meter in await store.meters_by_codes(conn, named)})
    made = Feature(
        feature_id=new_id(),
        code=new.code,
        name=new.code if new.name is None else new.name,
        kind=new.kind,
        meter=new.meter,
        created_at=now,
    )
    if not await feature_store.insert(conn, made):
        raise Conflict("feature_code_taken", "Another feature has this code; use a new one.")
    return made


async def rename_feature(conn: Connection, code: str, name: str) -> Feature:
    """Give a feature another name; raises NotFound `feature_not_found`, BadInput."""
    raise_any(list(text_problems("name", name, NAME_LENGTH_MAX)))
    await feature_store.rename(conn, code, name)
    return await get_feature(conn, code)


async def list_features(conn: Connection) -> tuple[Feature, ...]:
    """Return every feature, by code."""
    return await feature_store.features(conn)


async def get_feature(conn: Connection, code: str) -> Feature:
    """Return the feature with this code; raises NotFound `feature_not_found`."""
    found = await feature_store.features(conn, [code])
    if not found:
        raise unknown("feature")
    return found[0]


async def features_by_codes(conn: Connection, codes: Collection[str]) -> dict[str, Feature]:
    """Return the features by code; unknown codes are absent."""
    if not codes:
        return {}
    return {one.code: one for one in await feature_store.features(conn, sorted(codes))}


async def given_features(
    conn: Connection, codes: Collection[str], account_ids: Collection[UUID]
) -> tuple[dict[str, Feature], dict[tuple[UUID, str], FeatureOverride]]:
    """Return the features with these codes, and by account and code what was given of them.

    One statement; unknown codes are absent, what has run out is there. The writer's scope.
    """
    return await feature_store.given(conn, codes, account_ids)


async def set_override(conn: Connection, account_id: UUID, new: FeatureOverride) -> FeatureOverride:
    """Give the account this in place of what its plan gives, from now on.

    Under the writer's scope; the account exists. Raises NotFound `feature_not_found`, BadInput.
    """
    feature = await get_feature(conn, new.feature)
    raise_any(list(value_problems("value", feature.kind, new.value)))
    kept = replace(new, value=normal_value(feature.kind, new.value))
    await feature_store.save_override(conn, account_id, feature.feature_id, kept)
    return kept


async def remove_override(conn: Connection, account_id: UUID, feature: str) -> None:
    """Let the plan's value hold again; raises NotFound `feature_override_not_found`."""
    if not await feature_store.remove_override(conn, account_id, feature):
        raise NotFound("feature_override_not_found", "The account was given nothing of that.")


async def list_overrides(conn: Connection, account_id: UUID) -> tuple[FeatureOverride, ...]:
    """Return what the account was given, also what has run out."""
    return await feature_store.overrides(conn, account_id)
