"""For staff: giving, adjusting, moving and taking back credits, what is set, and packages."""

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Request, get, post
from msgspec import Meta

from tallystick.accounts import service as accounts
from tallystick.api import credit_examples, credit_fields, fields
from tallystick.api.credit_fields import decimal
from tallystick.api.credit_grants import GrantAnswer, GrantList, grant_answer
from tallystick.api.credit_packages import PackageAnswer, PackageList, package_answer
from tallystick.api.credit_settings import (
    CreditSettingsAnswer,
    SettingsBody,
    optional_units,
    settings_answer,
    settings_of,
)
from tallystick.api.credit_use import request_key
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.credits import grants, packages, refunds, service, transfers
from tallystick.credits.amounts import to_credits, to_units
from tallystick.credits.model import NewGrant
from tallystick.credits.packages import NewPackage
from tallystick.invoices import credit_purchase
from tallystick.kernel import ids
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import STAFF, WRITER, Actor, acting, actor

BASE: Final = "/api/v1/admin"
TAGS: Final = ["Admin: credits"]
READ: Final = {"permission": "staff:read"}
FINANCE: Final = {"permission": "staff:finance"}
ADMIN: Final = {"permission": "staff:admin"}
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


class AdjustAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was adjusted, and what can be spent after it."""

    adjusted: Decimal
    credits: Decimal


class TransferBody(Body, frozen=True, kw_only=True):
    """How many credits go to which account; they keep their priority and expiry."""

    to_account: fields.AccountId
    credits: credit_fields.Credits
    reason: fields.Reason


class ReverseBody(Body, frozen=True, kw_only=True):
    """The invoice whose money went back; `amount_cents`: so much of its total, else all of it."""

    invoice: fields.InvoiceId
    amount_cents: fields.Minor | None = None
    reason: fields.Reason


class ReverseAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What was taken back, and what can be spent after it."""

    taken: Decimal
    credits: Decimal


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


@post(
    f"{BASE}/accounts/{{account_id:str}}/credits/grant",
    opt={**FINANCE, "example": credit_examples.GRANT},
    tags=TAGS,
    summary="Give",
)
async def give(
    account_id: str, data: GrantBody, request: Request[Any, Any, Any], services: Services
) -> GrantAnswer:
    """Give credits, with a reason that is kept in the audit."""
    wanted = ids.parse("account", account_id)
    new = NewGrant(
        source=data.source,
        units=to_units(decimal("credits", data.credits)),
        priority=data.priority,
        effective_at=credit_fields.optional_instant("effective_at", data.effective_at),
        expires_at=credit_fields.optional_instant("expires_at", data.expires_at),
        reason=data.reason,
    )
    with acting(_because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            await accounts.get_account(conn, wanted)
            now = await account_now(conn, wanted, services.clock())
            made = await grants.grant(conn, wanted, new, key=f"give:{request_key(request)}", at=now)
    return grant_answer(made, now)


@post(
    f"{BASE}/accounts/{{account_id:str}}/credits/adjust",
    opt={**FINANCE, "example": credit_examples.ADJUST},
    tags=TAGS,
    summary="Adjust",
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
    opt={**FINANCE, "example": credit_examples.REFUND},
    tags=TAGS,
    summary="Give back a deduction",
)
async def refund(
    account_id: str, data: RefundBody, request: Request[Any, Any, Any], services: Services
) -> GrantList:
    """Give back what a deduction took, with the expiry that it had."""
    wanted = ids.parse("account", account_id)
    units = optional_units("credits", data.credits)
    with acting(_because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            await accounts.get_account(conn, wanted)
            now = await account_now(conn, wanted, services.clock())
            made = await refunds.refund(
                conn, wanted, data.idempotency_key, key=request_key(request), at=now, units=units
            )
    return GrantList([grant_answer(one, now) for one in made], len(made))


@post(
    f"{BASE}/accounts/{{account_id:str}}/credits/transfer",
    opt={**FINANCE, "example": credit_examples.TRANSFER},
    tags=TAGS,
    summary="Move to another account",
)
async def transfer(
    account_id: str, data: TransferBody, request: Request[Any, Any, Any], services: Services
) -> GrantList:
    """Move credits in burn order; the answer is what the other account has got."""
    giver, taker = ids.parse("account", account_id), ids.parse("account", data.to_account)
    units = to_units(decimal("credits", data.credits))
    with acting(_because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            await accounts.get_account(conn, giver)
            await accounts.get_account(conn, taker)
            now = await account_now(conn, giver, services.clock())
            made = await transfers.transfer(
                conn, giver, taker, units,
                key=request_key(request), at=now, reason=data.reason,
            )  # fmt: skip
    return GrantList([grant_answer(one, now) for one in made], len(made))


@post(
    f"{BASE}/accounts/{{account_id:str}}/credits/reverse",
    opt={**FINANCE, "example": credit_examples.REVERSE},
    tags=TAGS,
    status_code=200,
    summary="Take back a purchase",
)
async def reverse(
    account_id: str, data: ReverseBody, request: Request[Any, Any, Any], services: Services
) -> ReverseAnswer:
    """Take back what is unspent of a purchase whose money was refunded or disputed.

    Of 500 credits for 9.00, a refund of 4.50 takes 250 back, or what is unspent of them.
    """
    wanted = ids.parse("account", account_id)
    invoice_id = ids.parse("invoice", data.invoice)
    with acting(_because(data.reason)):
        async with services.db.transaction(WRITER) as conn:
            await accounts.get_account(conn, wanted)
            now = await account_now(conn, wanted, services.clock())
            taken = await credit_purchase.reverse(
                conn, wanted, invoice_id,
                key=request_key(request), at=now, refunded_minor=data.amount_cents,
            )  # fmt: skip
            balance = await service.balance(conn, wanted, now)
    return ReverseAnswer(taken=to_credits(taken), credits=to_credits(balance.available))


@post(
    f"{BASE}/accounts/{{account_id:str}}/credits/settings",
    opt={**FINANCE, "example": credit_examples.STAFF_SETTINGS},
    tags=TAGS,
    status_code=200,
    summary="Overdraft, alert, top-up",
)
async def set_settings(
    account_id: str, data: SettingsBody, services: Services
) -> CreditSettingsAnswer:
    """Set what holds for an account's credits."""
    wanted = ids.parse("account", account_id)
    new = settings_of(data, overdraft=data.overdraft)
    async with services.db.transaction(WRITER) as conn:
        account = await accounts.get_account(conn, wanted)
        if new.top_up_package_id is not None:
            await packages.check_top_up(conn, new.top_up_package_id, account.currency)
        now = await account_now(conn, wanted, services.clock())
        found = await service.set_settings(conn, wanted, new, now)
    return settings_answer(found, account.currency)


@get(f"{BASE}/credit-packages", opt=READ, tags=TAGS, summary="All packages")
async def list_packages(services: Services) -> PackageList:
    """List all packages, on sale or not."""
    async with services.db.transaction(STAFF) as conn:
        found = await packages.list_packages(conn, None, active_only=False)
    return PackageList([package_answer(one) for one in found], len(found))


@post(
    f"{BASE}/credit-packages",
    opt={**ADMIN, "example": credit_examples.PACKAGE},
    tags=TAGS,
    summary="Make a package",
)
async def create_package(data: PackageBody, services: Services) -> PackageAnswer:
    """Put a package on sale."""
    async with services.db.transaction(WRITER) as conn:
        made = await packages.create_package(conn, _package(data), services.clock())
    return package_answer(made)


@post(
    f"{BASE}/credit-packages/{{package_id:str}}",
    opt={**ADMIN, "example": credit_examples.PACKAGE},
    tags=TAGS,
    status_code=200,
    summary="Change a package",
)
async def save_package(package_id: str, data: PackageBody, services: Services) -> PackageAnswer:
    """Change a package or take it off sale; what was bought stays as it was sold."""
    wanted = ids.parse("credit_package", package_id)
    async with services.db.transaction(WRITER) as conn:
        return package_answer(await packages.save_package(conn, wanted, _package(data)))


def _package(data: PackageBody) -> NewPackage:
    given = msgspec.structs.asdict(data)
    units, amount = to_units(decimal("credits", given.pop("credits"))), given.pop("amount_cents")
    return NewPackage(**given, amount_minor=amount, units=units)


def _because(reason: str) -> Actor:
    return msgspec.structs.replace(actor(), reason=reason)


ROUTES: Final = (
    give,
    adjust,
    refund,
    transfer,
    reverse,
    set_settings,
    list_packages,
    create_package,
    save_package,
)
