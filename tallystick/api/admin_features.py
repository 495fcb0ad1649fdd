"""For staff: features, and what single accounts are given of them."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from litestar import delete, get, patch, post, put
from msgspec import Meta

from tallystick.accounts import service as accounts
from tallystick.api import fields
from tallystick.api.entitlements import EntitlementList, entitlement_answer
from tallystick.api.reasons import ReasonParameter, because
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.catalog import features
from tallystick.catalog.feature_checks import TEXT_LENGTH_MAX
from tallystick.catalog.feature_model import Feature, FeatureKind, FeatureOverride, NewFeature
from tallystick.catalog.model import FeatureValue
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER, acting
from tallystick.payments.approvals import check_reason
from tallystick.subscriptions import access

BASE: Final = "/api/v1/admin/features"
OF_ACCOUNT: Final = "/api/v1/admin/accounts/{account_id:str}/entitlements"
TAGS: Final = ["Admin: features"]


class FeatureBody(Body, frozen=True, kw_only=True):
    """A feature to be made; `name` is the code where it is left out, `meter` for metered ones."""

    code: fields.MeterCode
    kind: FeatureKind
    name: fields.Line | None = None
    meter: fields.MeterCode | None = None


class FeatureChange(Body, frozen=True, kw_only=True):
    """Another name; kind and meter never change."""

    name: fields.Line


class FeatureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a plan gives or not."""

    id: str
    code: str
    name: str
    kind: FeatureKind
    meter: str | None
    created: datetime


class FeatureList(msgspec.Struct, frozen=True):
    """All features, by code."""

    features: list[FeatureAnswer]
    total: int


class OverrideBody(Body, frozen=True, kw_only=True):
    """What the account is given: true or false, a text, a decimal string, null for no limit."""

    value: Annotated[str, Meta(extra_json_schema={"maxLength": TEXT_LENGTH_MAX})] | bool | None
    reason: fields.Reason
    until: fields.Instant | None = None


class OverrideAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the account was given in place of its plan's."""

    feature: str
    value: FeatureValue
    reason: str
    until: datetime | None
    set_at: datetime


class AccountEntitlements(EntitlementList, frozen=True):
    """What holds for the account now, and what it was given."""

    overrides: list[OverrideAnswer] = []


@get(BASE, opt={"permission": "staff:read"}, tags=TAGS, summary="Features")
async def list_features(services: Services) -> FeatureList:
    """List all features."""
    async with services.db.transaction(STAFF) as conn:
        found = await features.list_features(conn)
    return FeatureList([feature_answer(one) for one in found], len(found))


@post(BASE, opt={"permission": "staff:admin"}, tags=TAGS, summary="Make a feature")
async def create_feature(data: FeatureBody, services: Services) -> FeatureAnswer:
    """Make a feature that plans and accounts can then be given."""
    new = NewFeature(code=data.code, kind=data.kind, name=data.name, meter=data.meter)
    async with services.db.transaction(WRITER) as conn:
        return feature_answer(await features.create_feature(conn, new, services.clock()))


@patch(
    f"{BASE}/{{feature_code:str}}",
    opt={"permission": "staff:admin"},
    tags=TAGS,
    summary="Rename a feature",
)
async def rename_feature(
    feature_code: str, data: FeatureChange, services: Services
) -> FeatureAnswer:
    """Give a feature another name."""
    async with services.db.transaction(WRITER) as conn:
        return feature_answer(await features.rename_feature(conn, feature_code, data.name))


@get(OF_ACCOUNT, opt={"permission": "staff:read"}, tags=TAGS, summary="Entitlements of an account")
async def list_account_entitlements(account_id: str, services: Services) -> AccountEntitlements:
    """Show what an account may do and why, and what it was given."""
    wanted = ids.parse("account", account_id)
    async with services.db.transaction(STAFF) as conn:
        account = await accounts.get_account(conn, wanted)
        now = await account_now(conn, wanted, services.clock())
        found = await access.entitlements(conn, account, now)
        own = await features.list_overrides(conn, wanted)
    shown = [entitlement_answer(one) for one in found]
    return AccountEntitlements(shown, len(shown), [override_answer(one) for one in own])


@put(
    f"{OF_ACCOUNT}/{{feature_code:str}}",
    opt={"permission": "staff:admin"},
    tags=TAGS,
    summary="Give an account a feature",
)
async def set_override(
    account_id: str, feature_code: str, data: OverrideBody, services: Services
) -> OverrideAnswer:
    """Give an account a feature, or take it from it, whatever its plan says."""
    wanted = ids.parse("account", account_id)
    new = FeatureOverride(
        feature=feature_code,
        value=data.value,
        reason=check_reason(data.reason),
        until=None if data.until is None else fields.check_instant("until", data.until),
        set_at=services.clock(),
    )
    with acting(because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            await accounts.get_account(conn, wanted)
            return override_answer(await features.set_override(conn, wanted, new))


@delete(
    f"{OF_ACCOUNT}/{{feature_code:str}}",
    opt={"permission": "staff:admin"},
    tags=TAGS,
    status_code=204,
    summary="Let the plan hold again",
)
async def remove_override(
    account_id: str,
    feature_code: str,
    services: Services,
    reason: ReasonParameter,
) -> None:
    """Let what the plan gives hold again."""
    wanted = ids.parse("account", account_id)
    with acting(because(reason)):
        async with services.db.transaction(WRITER) as conn:
            await features.remove_override(conn, wanted, feature_code)


def feature_answer(one: Feature) -> FeatureAnswer:
    """Show a feature."""
    return FeatureAnswer(
        id=ids.show("feature", one.feature_id),
        code=one.code,
        name=one.name,
        kind=one.kind,
        meter=one.meter,
        created=one.created_at,
    )


def override_answer(one: FeatureOverride) -> OverrideAnswer:
    """Show what an account was given."""
    return OverrideAnswer(**msgspec.structs.asdict(one))


ROUTES: Final = (
    list_features,
    create_feature,
    rename_feature,
    list_account_entitlements,
    set_override,
    remove_override,
)
