"""A rating in words, with its numbers as a locale writes them; the words are English."""

from tallystick.money.text import show_decimal, show_price
from tallystick.pricing.model import ZERO, Rated, Step

_DASH = "\u2013"
_TIMES = "\u00d7"


def explain(rated: Rated, locale: str) -> tuple[str, ...]:
    """Return a sentence for each step.

    Such as "2,500 of 10,000 included" and "tier 0-1,000: 1,000 x $0.02 + $5.00 = $25.00" (with
    the typographic dash and times sign). Raises UnknownLocale.
    """
    return tuple(explain_step(step, rated.currency, locale) for step in rated.steps)


def explain_step(step: Step, currency: str, locale: str) -> str:
    """Return one step as a sentence. Raises UnknownLocale."""
    quantity = show_decimal(step.quantity or ZERO, locale)
    match step.kind:
        case "below_zero":
            return f"{quantity} counted as {show_decimal(ZERO, locale)}"
        case "included":
            return f"{quantity} of {show_decimal(step.up_to or ZERO, locale)} included"
        case "flat":
            return show_price(step.amount, currency, locale)
        case "per_unit":
            return _product(step, quantity, currency, locale)
        case "tier":
            return f"{_range(step, locale)}: {_product(step, quantity, currency, locale)}"


def _product(step: Step, quantity: str, currency: str, locale: str) -> str:
    terms = f"{quantity} {_TIMES} {show_price(step.unit or ZERO, currency, locale)}"
    if step.flat:
        terms += f" + {show_price(step.flat, currency, locale)}"
    return f"{terms} = {show_price(step.amount, currency, locale)}"


def _range(step: Step, locale: str) -> str:
    start = show_decimal(step.from_ or ZERO, locale)
    if step.up_to is None:
        return f"tier above {start}"
    return f"tier {start}{_DASH}{show_decimal(step.up_to, locale)}"
