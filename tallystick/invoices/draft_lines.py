"""Lines that people write: so many at a price, or one amount. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
from msgspec.structs import replace

from tallystick.accounts.checks import DUE_RULE, LOCALE_RULE, PAYMENT_DUE_DAYS_MAX, is_locale
from tallystick.accounts.invoice_terms import terms_problems
from tallystick.accounts.model import Account
from tallystick.catalog.faults import raise_any
from tallystick.invoices.derivation import Derivation, rated_amount
from tallystick.invoices.model import DraftLine, InvoiceDraft
from tallystick.invoices.tax import line_taxes, taxes_on
from tallystick.invoices.terms import Terms
from tallystick.kernel.errors import FieldError
from tallystick.money.amount import Money
from tallystick.pricing.model import FlatPrice, PerUnitPrice, Price
from tallystick.pricing.rate import rate
from tallystick.taxes.model import TaxTerms

LINES_MAX: Final = 500
CODE: Final = "one_off"
_ONCE: Final = Decimal(1)


class NewLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line: `quantity` at `unit_price` each (major units), or `amount`.

    The period is half-open, UTC; none: it is for no period.
    """

    description: str
    quantity: Decimal = _ONCE
    unit_price: Decimal | None = None
    amount: Money | None = None
    tax_code: str | None = None
    period_start: datetime | None = None
    period_end: datetime | None = None


def check_draft(lines: Sequence[NewLine], terms: Terms) -> None:
    """Raise BadInput naming every field that can not be taken."""
    found = [*_terms_problems(terms)]
    if not 1 <= len(lines) <= LINES_MAX:
        found.append(FieldError("lines", "out_of_range", f"must be 1 to {LINES_MAX}"))
    for at, line in enumerate(lines):
        field = f"lines[{at}]"
        if (line.unit_price is None) == (line.amount is None):
            message = "give a unit_price or amount_cents, one of them"
            found.append(FieldError(f"{field}.unit_price", "one_of", message))
        start, end = line.period_start, line.period_end
        if (start is None) != (end is None) or (start and end and start >= end):
            message = "must be after period_start, and beside it"
            found.append(FieldError(f"{field}.period_end", "period_reversed", message))
    raise_any(found)


def check_terms(terms: Terms) -> None:
    """Raise BadInput naming every word of an invoice that can not be taken."""
    raise_any([*_terms_problems(terms)])


def _terms_problems(terms: Terms) -> Iterator[FieldError]:
    yield from terms_problems(terms.purchase_order, terms.memo, terms.custom_fields or ())
    if terms.locale is not None and not is_locale(terms.locale):
        yield FieldError(*LOCALE_RULE)
    days = terms.payment_due_days
    if days is not None and not 0 <= days <= PAYMENT_DUE_DAYS_MAX:
        yield FieldError(*DUE_RULE)


def written_line(line: NewLine, currency: str, at: datetime) -> DraftLine:
    """Return the line with its amount, rounded once, and what that follows from."""
    rated = rate(_price(line, currency), line.quantity)
    start, end = line.period_start, line.period_end
    return DraftLine(
        kind="one_off",
        description=line.description,
        price_code=CODE,
        meter_code=None,
        quantity=line.quantity,
        unit=None,
        period_start=start,
        period_end=end,
        amount=rated_amount(rated),
        derivation=Derivation(
            kind="rated",
            plan_version_id=None,
            price=_price(line, currency),
            quantity=line.quantity,
            period_start=start or at,
            period_end=end or at,
            steps=rated.steps,
            exact=rated.amount,
            currency=currency,
            rounding="half_away_from_zero",
        ),
    )


def summed(
    account: Account,
    currency: str,
    lines: tuple[DraftLine, ...],
    terms: Terms,
    *,
    taxes: TaxTerms,
    at: datetime,
) -> InvoiceDraft:
    """Return the invoice over these lines with its taxes as they are at `at`.

    Raises Conflict as `taxes_on` does.
    """
    come_to = taxes_on(lines, account, taxes, currency, at)
    return InvoiceDraft(
        currency=currency,
        period_start=None,
        period_end=None,
        lines=lines,
        subtotal=come_to.net,
        taxes=come_to.taxes,
        tax=come_to.tax,
        total=come_to.net + come_to.tax,
        terms=terms,
        line_taxes=line_taxes(lines, come_to),
    )


def _price(line: NewLine, currency: str) -> Price:
    if line.amount is not None:
        amount = line.amount.to_decimal()
        price: Price = FlatPrice(currency=currency, code=CODE, amount=amount)
    else:
        price = PerUnitPrice(
            currency=currency, code=CODE, meter=CODE, unit=line.unit_price or Decimal(0)
        )
    return price if line.tax_code is None else replace(price, tax_code=line.tax_code)
