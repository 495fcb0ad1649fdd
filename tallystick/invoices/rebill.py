"""Billing anew what a void invoice billed: the same lines, with taxes and terms as they are now."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account
from tallystick.catalog import service as catalog
from tallystick.documents.document import Party
from tallystick.invoices import closing_store, store
from tallystick.invoices.besides_use import lock_besides, use_besides
from tallystick.invoices.build import Ingredients, build
from tallystick.invoices.compose import Composed
from tallystick.invoices.derivation import Derivation, decode
from tallystick.invoices.finalize import issue
from tallystick.invoices.model import DraftLine, Invoice, InvoiceLine
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict
from tallystick.subscriptions.periods import Period
from tallystick.taxes import service as taxes


async def stored_lines(
    conn: Connection, invoice: Invoice
) -> tuple[tuple[InvoiceLine, Derivation], ...]:
    """Return the lines of an invoice (read with its lines) with what they follow from."""
    kept = await store.derivations(conn, invoice.account_id, invoice.invoice_id)
    return tuple((line, decode(kept[line.invoice_line_id])) for line in invoice.lines)


async def rebill(
    conn: Connection,
    void: Invoice,
    lines: Sequence[tuple[InvoiceLine, Derivation]],
    *,
    seller: Party,
    at: datetime,
) -> Invoice:
    """Issue the invoice that takes the place of a void one, over its `lines`, and its bills.

    In the open transaction, of the writer's scope. What the void one took of coupons and credit was
    given back before: this one takes what it finds.
    """
    account = await accounts.get_account(conn, void.account_id)
    made = await _composed(conn, account, void, lines, at)
    bills = await closing_store.bills(conn, void.account_id, void.invoice_id)
    made = replace(made, draft=replace(made.draft, bills=bills))
    invoice = await issue(conn, account, made.draft, seller=seller, at=at)
    await use_besides(conn, made, invoice.invoice_id, at)
    (whole,) = await store.with_lines(conn, invoice.account_id, [invoice])
    return whole


async def _composed(
    conn: Connection,
    account: Account,
    void: Invoice,
    lines: Sequence[tuple[InvoiceLine, Derivation]],
    at: datetime,
) -> Composed:
    plans = await _plan_codes(conn, lines)
    besides = (await lock_besides(conn, [account], at, None))[account.account_id]
    terms = await taxes.read_terms(conn, [account])
    built = build(
        Ingredients(
            account=account,
            currency=void.currency,
            period=Period(void.period_start or at, void.period_end or at),
            at=at,
            fees=tuple(fees_of(lines, plans)),
            coupons=besides.coupons,
            carried=tuple(one for one in besides.carried if one.left.currency == void.currency),
            credit=tuple(one for one in besides.credit if one.left.currency == void.currency),
            terms=terms[account.account_id],
            is_final=True,
        )
    )
    return Composed(
        account=account,
        draft=replace(built.draft, period_start=void.period_start, period_end=void.period_end),
        used=built.used,
        coupons=built.coupons,
        changes=(),
        kept=built.kept,
        kind_of_kept="credit",
        carried=built.carried,
    )


def fees_of(
    lines: Sequence[tuple[InvoiceLine, Derivation]], plans: Mapping[UUID, str]
) -> Iterator[DraftLine]:
    """Yield the lines of what was due, without what was given back and is found again. Pure.

    Raises Conflict `invoice_not_rebillable` for a purchase of credits: buying again is a purchase.
    """
    for line, derivation in lines:
        if line.kind == "credit_purchase":
            raise Conflict(
                "invoice_not_rebillable", "The invoice sells credits; let them be bought again."
            )
        if line.kind in {"discount", "adjustment"}:
            continue
        version = derivation.plan_version_id
        yield DraftLine(
            kind=line.kind,
            description=line.description,
            price_code=line.price_code or "",
            meter_code=line.meter_code,
            quantity=line.quantity,
            unit=line.unit,
            period_start=line.period_start,
            period_end=line.period_end,
            amount=line.amount,
            derivation=derivation,
            subscription_id=line.subscription_id,
            plan_code=plans.get(version) if version else None,
        )


async def _plan_codes(
    conn: Connection, lines: Sequence[tuple[InvoiceLine, Derivation]]
) -> dict[UUID, str]:
    versions = {one.plan_version_id for _, one in lines if one.plan_version_id is not None}
    return {
        version: (await catalog.get_plan_version(conn, version)).plan_code
        for version in sorted(versions)
    }
