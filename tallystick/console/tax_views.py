"""An account's taxes as staff see them. Pure."""

from collections.abc import Iterator

from tallystick.console.formats import NONE, Formats
from tallystick.console.invoice_views import Fact
from tallystick.taxes.model import Applied, Exemption, NumberCheck
from tallystick.taxes.outlook import TaxesToday

_OUTCOMES = {
    "confirmed": "known to its authority",
    "refused": "unknown to its authority, so it counts as none",
    "unknown": "not confirmed",
}


def tax_facts(found: TaxesToday, formats: Formats) -> Iterator[Fact]:
    """Yield what an invoice of today would be taxed with, and why; then numbers and exemptions."""
    if found.problem is not None:
        yield Fact("Taxes today", found.problem)
    elif not found.taxes:
        yield Fact("Taxes today", "none")
    for tax in found.taxes:
        yield Fact("Tax today", _tax(tax, formats))
    yield Fact("Tax number", _number(found.tax_number, found.number_check))
    for one in found.exemptions:
        yield Fact("Exemption", _exemption(one, formats))


def _tax(tax: Applied, formats: Formats) -> str:
    contained = ", contained in prices" if tax.inclusive else ""
    reason = f": {tax.reason}" if tax.reason else ""
    return f"{tax.name} {formats.percent(tax.percent)}{contained}{reason}"


def _number(number: str | None, check: NumberCheck | None) -> str:
    if number is None:
        return NONE
    return number if check is None else f"{number} ({_OUTCOMES[check.outcome]})"


def _exemption(one: Exemption, formats: Formats) -> str:
    paper = f", certificate {one.certificate}" if one.certificate else ""
    where = "" if one.country is None else f", in {one.country}"
    if one.region is not None:
        where += f"-{one.region}"
    until = "" if one.valid_until is None else f" until {formats.date(one.valid_until)}"
    return f"{one.reason}{paper}{where}, from {formats.date(one.valid_from)}{until}"
