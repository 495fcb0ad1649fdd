"""For staff: giving and adjusting credits, what they cost, packages, what is set for an account."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request, get, post
from msgspec import Meta

from tallystick.accounts import service as accounts
from tallystick.api import credit_fields, fields
from tallystick.api.answers import plain
from tallystick.api.credit_fields import decimal
from tallystick.api.credit_packages import PackageAnswer, PackageList, package_answer
from tallystick.api.credit_use import request_key
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.credits import grants, packages, prices, refunds, service
from tallystick.credits.amounts import to_credits, to_units
from tallystick.credits.costs import Cost
from tallystick.credits.model import Grant, NewGrant, Settings
from tallystick.credits.packages import NewPackage
from tallystick.credits.prices import NewCost
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER, Actor, acting, actor
from tallystick.kernel.errors import BadInput, FieldError

BASE: Final = "/api/v1/admin"
TAGS: Final = ["Admin: credits"]
READ: Final = {"permission": "staff:read"}
FINANCE: Final = {"permission": "staff:finance"}
ADMIN: Final = {"permission": "staff:admin"}
TOP_UP: Final = ("top_up_below", "top_up_package", "top_up_month_max_cents")
FIGURES: Final = ("unit_size", "credits_per_unit", "minimum", "step")
Priority = Annotated[
    int,
    Meta(extra_json_schema={"minimum": -grants.PRIORITY_MAX, "maximum": grants.PRIORITY_MAX}),
]
Days = Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": packages.DAYS_MAX})]
PackageAmount = Annotated[
    int,
    Meta(
        extra_json_schema={
            "minimum": 1,
            "maximum": packages.AMOUNT_MAX,
            "description": "Minor units.",
        }
    ),
]
PackageId = Annotated[
    str, Meta(extra_json_schema={"pattern": "^cpkg_[0-7][0-9a-hjkmnp-tv-z]{25}$"})
]


class GrantBody(Body, frozen=True, kw_only=True):
    """Credits to give; usable in [`effective_at`, `expires_at`), lowest `priority` first."""

    credits: credit_fields.Credits
    reason: fields.Reason
    source: Literal["manual", "promotion"] = "manual"
    priority: Priority = 100
    effective_at: fields.Instant | None = None
    expires_at: fields.Instant | None = None


class AdjustBody(Body, frozen=True, kw_only=True):
    """Credits to add, or below zero to take."""

    credits: credit_fields.Adjustment
    reason: fields.Reason


class RefundBody(Body, frozen=True, kw_only=True):
    """The key of the deduction to give back; all of it, or so many credits."""

    idempotency_key: credit_fields.Key
    credits: credit_fields.Credits | None = None
    reason: fields.Reason


class GrantAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that were given, and what was left of them then."""

    id: str
    source: str
    credits: Decimal
    remaining: Decimal
    priority: int
    effective_at: datetime
    expires_at: datetime | None
    reference: str
    reason: str
    created: datetime


class GrantList(msgspec.Struct, frozen=True):
    """What was given back."""

    grants: list[GrantAnswer]
    total: int


class AdjustAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was adjusted, and what can be spent after it."""

    adjusted: Decimal
    credits: Decimal


class SettingsBody(Body, frozen=True, kw_only=True):
    """Overdraft, alert and top-up; what is left out is off."""

    overdraft: credit_fields.Credits | None = None
    alert_below: credit_fields.Credits | None = None
    top_up_below: credit_fields.Credits | None = None
    top_up_package: PackageId | None = None
    top_up_month_max_cents: fields.Minor | None = None


class CostBody(Body, frozen=True, kw_only=True):
    """A version of a cost: `credits_per_unit` for each `unit_size` of `unit`.

    At least `minimum`, rounded to a multiple of `step`. `account`: for this one alone.
    """

    operation: credit_fields.CostName
    model: credit_fields.CostName | None = None
    account: fields.AccountId | None = None
    unit: credit_fields.CostName = "request"
    unit_size: credit_fields.Figure = "1"
    credits_per_unit: credit_fields.Figure
    minimum: credit_fields.Figure = "0"
    rounding: Literal["up", "nearest", "down"] = "up"
    step: credit_fields.Step = "0.00001"
    effective_at: fields.Instant | None = None
    is_active: bool = True


class CostAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a cost."""

    id: str
    account: str | None
    operation: str
    model: str | None
    version: int
    unit: str
    unit_size: str
    credits_per_unit: str
    minimum: str
    rounding: str
    step: str
    effective_at: datetime
    is_active: bool
    created: datetime


class CostList(msgspec.Struct, frozen=True):
    """All versions of all costs, by operation, model and version."""

    costs: list[CostAnswer]
    total: int


class PackageBody(Body, frozen=True, kw_only=True):
    """A package; the price is in minor units, before tax."""

    code: fields.Code
    name: fields.Line
    credits: credit_fields.Credits
    currency: fields.Currency
    amount_cents: PackageAmount
    priority: Priority = 100
    expires_after_days: Days | None = None
    is_active: bool = True


@post(f"{BASE}/accounts/{{account_id:str}}/credits/grant", opt=FINANCE, tags=TAGS, summary="Give")
async def give(
    account_id: str, data: GrantBody, request: Request[Any, Any, Any], services: Services
) -> GrantAnswer:
    """Give credits, with a reason that is kept in the audit."""
    wanted = ids.parse("account", account_id)
    new = NewGrant(
        source=data.source,
        units=to_units(decimal("credits", data.credits)),
        priority=data.priority,
        effective_at=_checked("effective_at", data.effective_at),
        expires_at=_checked("expires_at", data.expires_at),
        reason=data.reason,
    )
    with acting(_because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            await accounts.get_account(conn, wanted)
            now = await account_now(conn, wanted, services.clock())
            made = await grants.grant(conn, wanted, new, key=f"give:{request_key(request)}", at=now)
    return grant_answer(made)


@post(
    f"{BASE}/accounts/{{account_id:str}}/credits/adjust", opt=FINANCE, tags=TAGS, summary="Adjust"
)
async def adjust(
    account_id: str, data: AdjustBody, request: Request[Any, Any, Any], services: Services
) -> AdjustAnswer:
    """Add credits or take them, with a reason; 402 for more than there are."""
    wanted = ids.parse("account", account_id)
    amount = decimal("credits", data.credits)
    with acting(_because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            await accounts.get_account(conn, wanted)
            now = await account_now(conn, wanted, services.clock())
            await refunds.adjust(
                conn, wanted, amount, reason=data.reason, key=request_key(request), at=now
            )
            balance = await service.balance(conn, wanted, now)
    return AdjustAnswer(adjusted=amount, credits=to_credits(balance.available))


@post(
    f"{BASE}/accounts/{{account_id:str}}/credits/refund",
    opt=FINANCE,
    tags=TAGS,
    summary="Give back a deduction",
)
async def refund(
    account_id: str, data: RefundBody, request: Request[Any, Any, Any], services: Services
) -> GrantList:
    """Give back what a deduction took, with the expiry that it had."""
    wanted = ids.parse("account", account_id)
    units = _units("credits", data.credits)
    with acting(_because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            await accounts.get_account(conn, wanted)
            now = await account_now(conn, wanted, services.clock())
            made = await refunds.refund(
                conn, wanted, data.idempotency_key, key=request_key(request), at=now, units=units
            )
    return GrantList([grant_answer(one) for one in made], len(made))


@post(
    f"{BASE}/accounts/{{account_id:str}}/credits/settings",
    opt=FINANCE,
    tags=TAGS,
    status_code=200,
    summary="Overdraft, alert, top-up",
)
async def set_settings(account_id: str, data: SettingsBody, services: Services) -> SettingsBody:
    """Set what holds for an account's credits."""
    wanted = ids.parse("account", account_id)
    _need_whole_top_up(data)
    package = data.top_up_package
    new = Settings(
        overdraft_max=_units("overdraft", data.overdraft) or 0,
        alert_below=_units("alert_below", data.alert_below),
        top_up_below=_units("top_up_below", data.top_up_below),
        top_up_package_id=ids.parse("credit_package", package) if package else None,
        top_up_month_max_minor=data.top_up_month_max_cents,
    )
    async with services.db.transaction(WRITER) as conn:
        await accounts.get_account(conn, wanted)
        if new.top_up_package_id is not None:
            await packages.get_package(conn, new.top_up_package_id)
        now = await account_now(conn, wanted, services.clock())
        await service.set_settings(conn, wanted, new, now)
    return data


@get(f"{BASE}/credit-costs", opt=READ, tags=TAGS, summary="What operations cost")
async def list_costs(services: Services) -> CostList:
    """List every version of every cost."""
    async with services.db.transaction(STAFF) as conn:
        found = await prices.list_costs(conn)
    return CostList([cost_answer(one) for one in found], len(found))


@post(f"{BASE}/credit-costs", opt=ADMIN, tags=TAGS, summary="Set a cost")
async def set_cost(data: CostBody, services: Services) -> CostAnswer:
    """Write the next version of a cost; what was deducted before keeps its credits."""
    given = msgspec.structs.asdict(data)
    account = given.pop("account")
    given |= {name: decimal(name, given[name]) for name in FIGURES}
    given["effective_at"] = _checked("effective_at", data.effective_at)
    async with services.db.transaction(WRITER) as conn:
        account_id = ids.parse("account", account) if account else None
        if account_id is not None:
            await accounts.get_account(conn, account_id)
        made = await prices.set_cost(conn, NewCost(**given), account_id, services.clock())
    return cost_answer(made)


@get(f"{BASE}/credit-packages", opt=READ, tags=TAGS, summary="All packages")
async def list_packages(services: Services) -> PackageList:
    """List all packages, on sale or not."""
    async with services.db.transaction(STAFF) as conn:
        found = await packages.list_packages(conn, None, active_only=False)
    return PackageList([package_answer(one) for one in found], len(found))


@post(f"{BASE}/credit-packages", opt=ADMIN, tags=TAGS, summary="Make a package")
async def create_package(data: PackageBody, services: Services) -> PackageAnswer:
    """Put a package on sale."""
    async with services.db.transaction(WRITER) as conn:
        made = await packages.create_package(conn, _package(data), services.clock())
    return package_answer(made)


@post(
    f"{BASE}/credit-packages/{{package_id:str}}",
    opt=ADMIN,
    tags=TAGS,
    status_code=200,
    summary="Change a package",
)
async def save_package(package_id: str, data: PackageBody, services: Services) -> PackageAnswer:
    """Change a package or take it off sale; what was bought stays as it was sold."""
    wanted = ids.parse("credit_package", package_id)
    async with services.db.transaction(WRITER) as conn:
        return package_answer(await packages.save_package(conn, wanted, _package(data)))


def grant_answer(one: Grant) -> GrantAnswer:
    """Show a grant."""
    return GrantAnswer(
        id=ids.show("credit_grant", one.credit_grant_id),
        source=one.source,
        credits=to_credits(one.amount),
        remaining=to_credits(one.remaining),
        priority=one.priority,
        effective_at=one.effective_at,
        expires_at=one.expires_at,
        reference=one.reference,
        reason=one.reason,
        created=one.created_at,
    )


def cost_answer(one: Cost) -> CostAnswer:
    """Show a version of a cost."""
    given = msgspec.structs.asdict(one)
    cost_id, account_id = given.pop("credit_cost_id"), given.pop("account_id")
    return CostAnswer(
        id=ids.show("credit_cost", cost_id),
        account=ids.show("account", account_id) if account_id else None,
        created=given.pop("created_at"),
        **given | {name: plain(given[name]) for name in FIGURES},
    )


def _package(data: PackageBody) -> NewPackage:
    given = msgspec.structs.asdict(data)
    units, amount = to_units(decimal("credits", given.pop("credits"))), given.pop("amount_cents")
    return NewPackage(**given, amount_minor=amount, units=units)


def _need_whole_top_up(data: SettingsBody) -> None:
    """Raise BadInput for a top-up of which something is not said."""
    given = {name: getattr(data, name) for name in TOP_UP}
    missing = [name for name, value in given.items() if value is None]
    if missing and len(missing) < len(TOP_UP):
        message = f"is part of a top-up, with {', '.join(TOP_UP)}"
        errors = [FieldError(name, "missing", message) for name in missing]
        raise BadInput("validation_failed", f"{missing[0]}: {message}", errors=errors)


def _units(field: str, text: str | None) -> int | None:
    return None if text is None else to_units(decimal(field, text), field)


def _checked(field: str, at: datetime | None) -> datetime | None:
    return None if at is None else fields.check_instant(field, at)


def _because(reason: str) -> Actor:
    return msgspec.structs.replace(actor(), reason=reason)


ROUTES: Final = (
    give,
    adjust,
    refund,
    set_settings,
    list_costs,
    set_cost,
    list_packages,
    create_package,
    save_package,
)
