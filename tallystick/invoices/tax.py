"""The taxes of an invoice: its lines as supplies, its account as the buyer. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from tallystick.accounts.model import Account
from tallystick.invoices.discount_lines import net_of_coupons
from tallystick.invoices.model import DraftLine, LineTaxes
from tallystick.money.amount import Money
from tallystick.subscriptions.periods import local_day
from tallystick.taxes.amounts import Taxed, taxed
from tallystick.taxes.model import STANDARD, Supply, TaxTerms
from tallystick.taxes.rules import buyer_of, determine

_INSTANT = timedelta(microseconds=1)


def taxes_on(
    lines: Sequence[DraftLine], account: Account, terms: TaxTerms, currency: str, at: datetime
) -> Taxed:
    """Return what taxes the lines of an invoice that is issued at `at` have.

    The day of supply is that of the invoice, or the last of the line's period when that has ended
    before (Directive 2006/112/EC, articles 64 to 66): usage of August billed on 1 September has
    the rate of August, a fee for September billed that day the one of September. What a coupon took
    off a line lowers what is taxed by that line's rate.

    Raises Conflict `tax_rate_missing`, `tax_region_missing`.
    """
    supplies = [
        _supply(line, net, account, at)
        for line, net in zip(lines, net_of_coupons(lines), strict=True)
        if line.derivation.coupon is None
    ]
    return taxed(supplies, buyer_of(account, terms), determine(terms), currency)


def line_taxes(lines: Sequence[DraftLine], come_to: Taxed) -> tuple[LineTaxes, ...]:
    """Return for each line what `come_to` says of it; a coupon's belongs to the whole."""
    told = zip(come_to.places, come_to.included, strict=True)
    return tuple(
        LineTaxes(None) if line.derivation.coupon is not None else _told(*next(told))
        for line in lines
    )


def _told(places: tuple[int, ...] | None, included: Money) -> LineTaxes:
    return LineTaxes(places, included.minor)


def _supply(line: DraftLine, net: Money, account: Account, at: datetime) -> Supply:
    ends = at if line.period_end is None else min(at, line.period_end - _INSTANT)
    price = line.derivation.price
    return Supply(
        amount=net,
        on=local_day(ends, account.timezone),
        tax_code=price.tax_code or (None if _belongs_to_all(line) else STANDARD),
        inclusive=price.tax_inclusive,
    )


def _belongs_to_all(line: DraftLine) -> bool:
    """Tell whether it lowers, or raises, the invoice as a whole: credit, or what is carried."""
    return line.kind == "adjustment" and line.period_end is None
