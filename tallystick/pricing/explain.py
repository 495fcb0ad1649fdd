"""A rating in words, with its numbers as a locale writes them; the words are English."""

from collections.abc import Iterator
from decimal import Decimal

import msgspec

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


def explain_step(step: Step, currency: str, locale: str) -> str:  # noqa: C901, PLR0911, PLR0912 -- one a kind
    """Return one step as a sentence. Raises UnknownLocale."""
    say = _Words(step, currency, locale)
    match step.kind:
        case "below_zero":
            return say.below_zero()
        case "included":
            return f"{say.quantity} of {say.number(step.up_to)} included"
        case "held":
            return f"{say.quantity} on {say.number(step.size)} of {say.number(step.up_to)} days"
        case "flat":
            return say.amount
        case "per_unit":
            return say.product(say.quantity)
        case "package":
            return say.product(f"{say.quantity} {say.pieces('package')}")
        case "tier":
            return f"{say.range('tier')}: {say.product(say.quantity)}"
        case "volume":
            return f"all units by {say.range('tier')}: {say.product(say.quantity)}"
        case "capacity":
            return f"peak of {say.quantity}, {say.range('tier')}: {say.amount}"
        case "block":
            counted = say.product(f"{say.quantity} {say.pieces('block')}")
            return f"{say.range('blocks')}: {counted}"
        case "free_events":
            return f"{say.price(step.quantity)} free, with {say.events()} wholly free"
        case "percentage":
            return say.percentage()
        case "event_min":
            return f"{say.events()} at the minimum of {say.unit} each = {say.amount}"
        case "event_max":
            return f"{say.events()} at the maximum of {say.unit} each = {say.amount}"
        case "percentage_tier":
            return f"{say.range('tier')}: {say.percentage()}"
        case "dynamic":
            return f"{say.events()} with amounts of their own: {say.amount}"
        case "conversion":
            return say.product(say.quantity)
        case "minimum":
            return f"{say.amount} up to the minimum of {say.price(step.flat)}"
        case "maximum":
            return f"{say.amount} down to the maximum of {say.price(step.flat)}"


class _Words(msgspec.Struct, frozen=True):
    """The parts of a sentence about one step."""

    step: Step
    currency: str
    locale: str

    @property
    def quantity(self) -> str:
        return self.number(self.step.quantity)

    @property
    def unit(self) -> str:
        return self.price(self.step.unit)

    @property
    def amount(self) -> str:
        return self.price(self.step.amount)

    def number(self, value: Decimal | None) -> str:
        return show_decimal(value or ZERO, self.locale)

    def price(self, value: Decimal | None) -> str:
        """Write an amount of the step: in its custom unit, or in money."""
        if self.step.custom_unit is not None:
            return f"{self.number(value)} {self.step.custom_unit}"
        return show_price(value or ZERO, self.currency, self.locale)

    def product(self, units: str) -> str:
        return self._sum([f"{units} {_TIMES} {self.unit}", *self._flat()])

    def percentage(self) -> str:
        """Write a rate of the quantity, and what comes on top."""
        terms = [f"{self.number(self.step.rate)}% of {self.price(self.step.quantity)}"]
        if self.step.fixed and self.step.event_count:
            fixed = self.price(self.step.fixed)
            terms.append(f"{self.events()} {_TIMES} {fixed}")
        return self._sum([*terms, *self._flat()])

    def pieces(self, name: str) -> str:
        """Write what is counted: "packages of 1,000"."""
        return f"{_plural(self.step.quantity or ZERO, name)} of {self.number(self.step.size)}"

    def events(self) -> str:
        count = Decimal(self.step.event_count or 0)
        return f"{self.number(count)} {_plural(count, 'event')}"

    def range(self, name: str) -> str:
        """Write what a tier covers: "tier 0-1,000", "tier above 1,000"."""
        start = self.number(self.step.from_)
        if self.step.up_to is None:
            return f"{name} above {start}"
        return f"{name} {start}{_DASH}{self.number(self.step.up_to)}"

    def below_zero(self) -> str:
        if self.step.quantity is None:
            return f"a sum below zero counted as {self.price(ZERO)}"
        return f"{self.quantity} counted as {self.number(ZERO)}"

    def _flat(self) -> Iterator[str]:
        if self.step.flat:
            yield self.price(self.step.flat)

    def _sum(self, terms: list[str]) -> str:
        return f"{' + '.join(terms)} = {self.amount}"


def _plural(count: Decimal, name: str) -> str:
    return name if count == 1 else f"{name}s"
