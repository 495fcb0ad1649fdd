"""What the account may do, and why, or why not."""

from datetime import datetime
from typing import Final

import msgspec
from litestar import get

from tallystick.accounts.model import Account, Principal
from tallystick.api.answers import plain
from tallystick.api.services import Services
from tallystick.catalog.feature_model import FeatureKind
from tallystick.catalog.model import FeatureValue
from tallystick.kernel.db import account_scope
from tallystick.subscriptions import access
from tallystick.subscriptions.entitlements import SENTENCES, Entitlement, Origin, Why

TAGS: Final = ["Entitlements"]


class EntitlementAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How the account stands with a feature; `reason` is a stable code, `detail` a sentence.

    `value` is as in the plan: true or false, a text, a decimal string; null is without a limit.
    `plan` gives it; `until` says when what the account was given runs out. Of a metered feature
    `used` and `remaining` are of the billing period that ends at `resets_at`.
    """

    feature: str
    name: str
    kind: FeatureKind
    allowed: bool
    value: FeatureValue
    origin: Origin
    plan: str | None
    reason: Why
    detail: str
    until: datetime | None
    used: str | None
    remaining: str | None
    resets_at: datetime | None


class EntitlementList(msgspec.Struct, frozen=True):
    """All features, by code."""

    entitlements: list[EntitlementAnswer]
    total: int


@get("/entitlements", opt={"permission": "billing:read"}, tags=TAGS, summary="Entitlements")
async def read_entitlements(
    services: Services, account: Account, principal: Principal
) -> EntitlementList:
    """List every feature, and what the account has of it."""
    now = principal.now(services.clock())
    async with services.db.transaction(account_scope(account.account_id)) as conn:
        found = await access.entitlements(conn, account, now)
    return EntitlementList([entitlement_answer(one) for one in found], len(found))


@get(
    "/entitlements/{feature_code:str}",
    opt={"permission": "billing:read"},
    tags=TAGS,
    summary="An entitlement",
)
async def read_entitlement(
    feature_code: str, services: Services, account: Account, principal: Principal
) -> EntitlementAnswer:
    """Tell whether the account may use a feature now, and why; 200 either way."""
    now = principal.now(services.clock())
    return entitlement_answer(await services.access.find(account, feature_code, now))


def entitlement_answer(one: Entitlement) -> EntitlementAnswer:
    """Show how an account stands with a feature."""
    return EntitlementAnswer(
        feature=one.feature.code,
        name=one.feature.name,
        kind=one.feature.kind,
        allowed=one.allowed,
        value=one.value,
        origin=one.origin,
        plan=one.plan,
        reason=one.why,
        detail=SENTENCES[one.why],
        until=one.until,
        used=None if one.used is None else plain(one.used),
        remaining=None if one.remaining is None else plain(one.remaining),
        resets_at=one.resets_at,
    )


ACCOUNT_ROUTES: Final = (read_entitlements, read_entitlement)
