"""By how much what is billed would change, in percent. Pure."""

from decimal import Decimal

from tallystick.money.exact import multiply, shift
from tallystick.money.rounding import round_ratio
from tallystick.whatif.model import Summary

PERCENT = 100
_PLACES = 2


def exceeded(summary: Summary, percent_max: Decimal) -> bool:
    """Tell whether the whole differs by more than so many percent of what is billed now, exactly.

    Where nothing is billed now, anything is more.
    """
    allowed = multiply(percent_max, Decimal(abs(summary.now.minor)))
    return abs(summary.difference.minor) * PERCENT > allowed


def percent(summary: Summary) -> Decimal | None:
    """Return the difference in percent of what is billed now, to two decimals.

    A tie goes away from zero. None where nothing is billed now.
    """
    if summary.now.minor <= 0:
        return None
    hundredths = summary.difference.minor * PERCENT * 10**_PLACES
    return shift(Decimal(round_ratio(hundredths, summary.now.minor)), -_PLACES)


def figures(summary: Summary) -> dict[str, object]:
    """Return what a refusal tells."""
    change = percent(summary)
    return {
        "currency": summary.currency.lower(),
        "now_cents": summary.now.minor,
        "then_cents": summary.then.minor,
        "difference_cents": summary.difference.minor,
        "difference_percent": None if change is None else str(change),
    }
