"""Buying credits: a package becomes an invoice; its payment makes the credits."""

from datetime import datetime
from fractions import Fraction
from uuid import UUID

from tallystick.accounts.model import Account
from tallystick.credits import packages
from tallystick.credits.debits import shown
from tallystick.credits.grants import key_conflict
from tallystick.credits.model import Package
from tallystick.documents.document import Party
from tallystick.invoices import service
from tallystick.invoices.model import Invoice
from tallystick.invoices.one_off import issue_one_off, one_off_draft
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import unknown
from tallystick.money.amount import Money
from tallystick.taxes import service as taxes


async def purchase(
    conn: Connection, account: Account, package_id: UUID, *, seller: Party, key: str, at: datetime
) -> Invoice:
    """Invoice a package that is on sale; the same key buys once and returns the same invoice.

    Everything is in the open transaction, which must be of the writer's scope. Raises NotFound
    `credit_package_not_found`, Conflict `package_currency_differs`, `purchase_in_progress`,
    `credit_key_conflict` for a key that bought another package.
    """
    known = await packages.purchase_by_key(conn, account.account_id, key)
    if known is not None:
        if known.credit_package_id != package_id:
            raise key_conflict()
        return await service.get_invoice(conn, account.account_id, known.invoice_id)
    package = await packages.get_package(conn, package_id)
    if not package.is_active:
        raise unknown("credit_package")
    packages.need_currency(package, account.currency)
    return await _buy(conn, account, package, seller=seller, key=key, is_top_up=False, at=at)


async def top_up(
    conn: Connection, account: Account, *, seller: Party, key: str, at: datetime
) -> Invoice | None:
    """Buy what the account set for when little is left, if that holds now; else None.

    Never while another top-up is in flight, nor beyond its monthly maximum. In the open
    transaction, of the writer's scope.
    """
    package = await packages.next_top_up(conn, account.account_id, at)
    if package is None or package.currency != account.currency:
        return None
    return await _buy(conn, account, package, seller=seller, key=key, is_top_up=True, at=at)


async def reverse(
    conn: Connection,
    account_id: UUID,
    invoice_id: UUID,
    *,
    key: str,
    at: datetime,
    refunded_minor: int | None = None,
) -> int:
    """Take back what is unspent of a purchase whose money went back, once for each `key`.

    `refunded_minor` is how much of the invoice's total did, tax included; None: all of it. Returns
    1/100,000 credits. In the open transaction, of the writer's scope. Raises NotFound, Conflict
    `purchase_not_granted`, BadInput for more than the total.
    """
    invoice = await service.get_invoice(conn, account_id, invoice_id)
    total = invoice.total.minor
    refunded = total if refunded_minor is None else refunded_minor
    if not 0 < refunded <= total:
        raise BadInput.field("amount_cents", "out_of_range", f"must be from 1 to {total}")
    share = Fraction(refunded, total)
    return await packages.reverse_purchase(
        conn, account_id, invoice_id, key=key, at=at, share=share
    )


async def _buy(
    conn: Connection,
    account: Account,
    package: Package,
    *,
    seller: Party,
    key: str,
    is_top_up: bool,
    at: datetime,
) -> Invoice:
    amount = Money(package.amount_minor, package.currency)
    description = f"{package.name} ({shown(package.credits)} credits)"
    draft = one_off_draft(
        account,
        "credit_purchase",
        amount,
        description=description,
        code=package.code,
        at=at,
        terms=(await taxes.read_terms(conn, [account]))[account.account_id],
    )
    invoice = await issue_one_off(conn, account, draft, seller=seller, at=at)
    made = await packages.record_purchase(
        conn,
        account.account_id,
        package,
        invoice_id=invoice.invoice_id,
        key=key,
        is_top_up=is_top_up,
        at=at,
    )
    if made is None:
        raise Conflict("purchase_in_progress", "This purchase is being made; ask again.")
    return await service.get_invoice(conn, account.account_id, invoice.invoice_id)
