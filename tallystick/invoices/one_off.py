"""Invoices over what is sold once, outside any subscription."""

from datetime import datetime
from decimal import Decimal

from tallystick.accounts.model import Account
from tallystick.documents.document import Party
from tallystick.invoices.derivation import Derivation, rated_amount
from tallystick.invoices.finalize import issue
from tallystick.invoices.model import DraftLine, Invoice, InvoiceDraft, LineKind
from tallystick.invoices.tax import line_taxes, taxes_on
from tallystick.kernel.db import Connection
from tallystick.money.amount import Money
from tallystick.pricing.model import FlatPrice
from tallystick.pricing.rate import rate
from tallystick.taxes.model import NO_TAXES, TaxTerms

ONCE = Decimal(1)


def one_off_draft(
    account: Account,
    kind: LineKind,
    amount: Money,
    *,
    description: str,
    code: str,
    at: datetime,
    terms: TaxTerms = NO_TAXES,
) -> InvoiceDraft:
    """Return an invoice over one amount, with its taxes. Pure; raises as `taxes_on` does."""
    line = _line(kind, amount, description, code, at)
    come_to = taxes_on((line,), account, terms, amount.currency, at)
    return InvoiceDraft(
        currency=amount.currency,
        period_start=None,
        period_end=None,
        lines=(line,),
        subtotal=come_to.net,
        taxes=come_to.taxes,
        tax=come_to.tax,
        total=come_to.net + come_to.tax,
        line_taxes=line_taxes((line,), come_to),
    )


async def issue_one_off(
    conn: Connection, account: Account, draft: InvoiceDraft, *, seller: Party, at: datetime
) -> Invoice:
    """Write and finalize the invoice within the open transaction, of the writer's scope."""
    return await issue(conn, account, draft, seller=seller, at=at)


def _line(kind: LineKind, amount: Money, description: str, code: str, at: datetime) -> DraftLine:
    price = FlatPrice(currency=amount.currency, code=code, amount=amount.to_decimal())
    rated = rate(price, ONCE)
    derivation = Derivation(
        kind="rated",
        plan_version_id=None,
        price=price,
        quantity=ONCE,
        period_start=at,
        period_end=at,
        steps=rated.steps,
        exact=rated.amount,
        currency=rated.currency,
        rounding="half_away_from_zero",
    )
    return DraftLine(
        kind=kind,
        description=description,
        price_code=code,
        meter_code=None,
        quantity=ONCE,
        unit=None,
        period_start=None,
        period_end=None,
        amount=rated_amount(rated),
        derivation=derivation,
    )
