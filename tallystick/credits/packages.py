"""Credits for sale, and what becomes of a purchase."""

import re
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Final
from uuid import UUID

import msgspec
import structlog

from tallystick.credits import account_store, offer_store
from tallystick.credits.grants import grant, revoke_unspent
from tallystick.credits.model import PRIORITY_DEFAULT, Grant, NewGrant, Package, Purchase
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict, FieldError
from tallystick.kernel.ids import new_id, show, unknown
from tallystick.money.currency import currency
from tallystick.money.errors import UnknownCurrency

log = structlog.get_logger()

NAME_LENGTH_MAX: Final = 200
AMOUNT_MAX: Final = 10**12
DAYS_MAX: Final = 36_500
OPEN: Final = "open"
GRANTED: Final = "granted"
REVERSED: Final = "reversed"
WHOLE: Final = Fraction(1)
CODE: Final = r"[a-z][a-z0-9_-]{0,62}"


class NewPackage(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a package; the price is in minor units, before tax."""

    code: str
    name: str
    units: int
    currency: str
    amount_minor: int
    priority: int = PRIORITY_DEFAULT
    expires_after_days: int | None = None
    is_active: bool = True


async def create_package(conn: Connection, new: NewPackage, now: datetime) -> Package:
    """Put a package on sale. Raises BadInput naming bad fields, Conflict `package_code_taken`."""
    _check(new)
    fields = msgspec.structs.asdict(new) | {"currency": new.currency.upper()}
    units = fields.pop("units")
    package = Package(**fields, credits=units, credit_package_id=new_id(), created_at=now)
    if not await offer_store.insert_package(conn, package):
        raise Conflict("package_code_taken", "Another package has this code; use a new one.")
    return package


async def save_package(conn: Connection, package_id: UUID, new: NewPackage) -> Package:
    """Change a package; what was bought stays as it was sold. Code and currency never change."""
    was = await get_package(conn, package_id)
    _check(new)
    if (new.code, new.currency.upper()) != (was.code, was.currency):
        raise BadInput.field("code", "unchangeable", "make a new package for that")
    fields = msgspec.structs.asdict(new) | {"currency": was.currency}
    units = fields.pop("units")
    after = msgspec.structs.replace(was, **fields, credits=units)
    await offer_store.save_package(conn, after)
    return after


async def get_package(conn: Connection, package_id: UUID) -> Package:
    """Return a package, on sale or not; raises NotFound `credit_package_not_found`."""
    found = await offer_store.package(conn, package_id)
    if found is None:
        raise unknown("credit_package")
    return found


async def list_packages(
    conn: Connection, currency_code: str | None, *, active_only: bool
) -> tuple[Package, ...]:
    """Return the packages in a currency, or in all, cheapest first."""
    return await offer_store.packages(conn, currency_code, active_only=active_only)


async def check_top_up(conn: Connection, package_id: UUID, currency_code: str) -> None:
    """Raise unless the package can be bought by an account billed in this currency.

    NotFound `credit_package_not_found`, Conflict `package_currency_differs`.
    """
    package = await get_package(conn, package_id)
    if not package.is_active:
        raise unknown("credit_package")
    need_currency(package, currency_code)


def need_currency(package: Package, currency_code: str) -> None:
    """Raise Conflict `package_currency_differs` unless the package is sold in this currency."""
    if package.currency != currency_code:
        raise Conflict(
            "package_currency_differs",
            f"The package is sold in {package.currency}, the account is billed in "
            f"{currency_code}; choose another one.",
        )


async def purchase_by_key(conn: Connection, account_id: UUID, key: str) -> Purchase | None:
    """Return the purchase that this request made before."""
    return await offer_store.purchase_by_key(conn, account_id, key)


async def record_purchase(
    conn: Connection,
    account_id: UUID,
    package: Package,
    *,
    invoice_id: UUID,
    key: str,
    is_top_up: bool,
    at: datetime,
) -> Purchase | None:
    """Note that this invoice buys the package; None if another top-up is in flight."""
    made = Purchase(
        account_id=account_id,
        credit_purchase_id=new_id(),
        request_key=key,
        credit_package_id=package.credit_package_id,
        invoice_id=invoice_id,
        credits=package.credits,
        currency=package.currency,
        amount_minor=package.amount_minor,
        priority=package.priority,
        expires_after_days=package.expires_after_days,
        is_top_up=is_top_up,
        status=OPEN,
        created_at=at,
    )
    return made if await offer_store.insert_purchase(conn, made) else None


async def grant_paid(
    conn: Connection, account_id: UUID, invoice_id: UUID, at: datetime
) -> Grant | None:
    """Give the credits of a purchase whose invoice is paid, once; None if it buys none.

    A purchase that was reversed before gives nothing.
    """
    bought = await offer_store.lock_purchase(conn, account_id, invoice_id)
    if bought is None or bought.status != OPEN:
        return None
    days = bought.expires_after_days
    new = NewGrant(
        source="purchase",
        units=bought.credits,
        priority=bought.priority,
        expires_at=at + timedelta(days=days) if days else None,
        reference=show("invoice", invoice_id),
        reason="Credits bought",
    )
    # First the status: a top-up is no longer in flight when the balance is looked at again.
    await offer_store.set_status(conn, bought, GRANTED)
    return await grant(conn, account_id, new, key=_key(bought), at=at)


async def reverse_purchase(
    conn: Connection,
    account_id: UUID,
    invoice_id: UUID,
    *,
    key: str,
    at: datetime,
    share: Fraction = WHOLE,
) -> int:
    """Take back what is unspent of a purchase: its money was refunded or disputed.

    `key` names the refund or dispute, which takes once; `share` is the part of the invoice that it
    is of (half of 100 credits: 50, or what is unspent of them). Returns how much that is, in
    1/100,000 credits. Whatever comes first: a purchase that is reversed whole before its payment
    is told of gives nothing any more. Raises NotFound `credit_purchase_not_found`; Conflict
    `purchase_not_granted` for a part of one whose credits are not there yet.
    """
    bought = await offer_store.lock_purchase(conn, account_id, invoice_id)
    if bought is None:
        raise unknown("credit_purchase")
    if share < WHOLE and bought.status == OPEN:
        raise Conflict(
            "purchase_not_granted", "Its credits are not given yet; ask again when it is paid."
        )
    if share == WHOLE:
        await offer_store.set_status(conn, bought, REVERSED)
    return await revoke_unspent(
        conn,
        account_id,
        reference=show("invoice", invoice_id),
        source="purchase",
        key=f"{_key(bought)}:{key}",
        at=at,
        units_max=int(bought.credits * share),
    )


async def next_top_up(conn: Connection, account_id: UUID, at: datetime) -> Package | None:
    """Return the package to buy now because too little is left; None: not (now).

    Not while one is in flight, nor beyond the month's maximum (calendar month, UTC). Locks the
    account.
    """
    state = await account_store.lock(conn, account_id)
    balance = await account_store.balance(conn, account_id, at)
    if state.top_up_below is None or state.top_up_package_id is None:
        return None
    if balance.available >= state.top_up_below:
        return None
    month = at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    spent, in_flight = await offer_store.topped_up(conn, account_id, month)
    package = await get_package(conn, state.top_up_package_id)
    over = spent + package.amount_minor > (state.top_up_month_max_minor or 0)
    if in_flight:
        return None
    if over or not package.is_active:
        # The next debit asks again: then it may be another month.
        await account_store.save(conn, msgspec.structs.replace(state, is_top_up_due=False))
        log.warning("credits_top_up_refused", account_id=str(account_id), spent_minor=spent)
        return None
    return package


def _key(bought: Purchase) -> str:
    return f"purchase:{bought.credit_purchase_id}"


def _check(new: NewPackage) -> None:
    wrong = []
    if not re.fullmatch(CODE, new.code):
        message = "must be 1 to 63 of a-z, 0-9, _ and -, a letter first"
        wrong.append(FieldError("code", "invalid_code", message))
    try:
        currency(new.currency)
    except UnknownCurrency as error:
        wrong.append(FieldError("currency", error.code, error.detail))
    if not (new.name.strip() and len(new.name) <= NAME_LENGTH_MAX and new.name.isprintable()):
        message = f"must have 1 to {NAME_LENGTH_MAX} characters that can be printed"
        wrong.append(FieldError("name", "invalid_text", message))
    if not 0 < new.amount_minor <= AMOUNT_MAX:
        wrong.append(FieldError("amount_cents", "out_of_range", "must be above 0"))
    if new.expires_after_days is not None and not 0 < new.expires_after_days <= DAYS_MAX:
        wrong.append(FieldError("expires_after_days", "out_of_range", f"1 to {DAYS_MAX}"))
    if wrong:
        detail = "; ".join(f"{fault.field}: {fault.message}" for fault in wrong)
        raise BadInput("validation_failed", detail, errors=wrong)
