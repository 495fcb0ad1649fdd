"""A plan in several currencies: each account sees and pays the prices in its own, and no others."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import chain
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.catalog.model import NewPlanVersion, PlanVersion
from tallystick.kernel.errors import Conflict, FieldError
from tallystick.money.currency import currencies
from tallystick.pricing.model import Price

CURRENCIES_MAX: Final = 30
_NONE: Final = UUID(int=0)


def currencies_of(version: PlanVersion) -> tuple[str, ...]:
    """Return the currencies in which the version can be bought, its own first."""
    others = dict.fromkeys(price.currency for price in version.prices_elsewhere)
    return (version.currency, *others)


def priced_in(version: PlanVersion, currency: str) -> PlanVersion:
    """Return the version as an account with this currency buys it: in that currency alone.

    A version without any price costs nothing in every currency. Raises Conflict
    `plan_not_in_currency`, which names its currencies, when there are prices, but none in this one.
    """
    if currency == version.currency:
        if not version.prices_elsewhere:
            return version
        return replace(version, prices_elsewhere=())
    prices = tuple(price for price in version.prices_elsewhere if price.currency == currency)
    if not prices and (version.prices or version.minimum_commitment):
        raise Conflict(
            "plan_not_in_currency",
            f"The plan is sold in {', '.join(currencies_of(version))}, the account is billed in "
            f"{currency}; choose a plan that has a price in {currency}.",
        )
    return replace(version, currency=currency, prices=prices, prices_elsewhere=())


def as_version(checked: NewPlanVersion, now: datetime) -> PlanVersion:
    """Return a checked version that is stored nowhere; its ids are zeros."""
    fields = {name: getattr(checked, name) for name in checked.__struct_fields__}
    sold = by_currency(checked.currency, checked.prices)
    own = sold.pop(checked.currency.upper())
    return PlanVersion(
        **fields
        | {"prices": tuple(own), "prices_elsewhere": tuple(chain.from_iterable(sold.values()))},
        plan_version_id=_NONE,
        plan_id=_NONE,
        version=0,
        created_at=now,
        status="draft",
    )


def commitment(version: PlanVersion) -> Decimal | None:
    """Return what a period bills at least, in major units of the version's currency."""
    return version.minimum_commitment.get(version.currency)


def by_currency(currency: str, prices: Sequence[Price]) -> dict[str, list[Price]]:
    """Return the prices of each currency, in upper case; `currency` is there without any too."""
    found: dict[str, list[Price]] = {currency.upper(): []}
    for price in prices:
        found.setdefault(price.currency.upper(), []).append(price)
    return found


def currency_problems(new: NewPlanVersion) -> Iterator[FieldError]:
    """Yield what would make the plan another one in another currency.

    The same codes are sold in each, for the same meters: else usage would be free for those who
    pay in a currency in which its price was forgotten.
    """
    sold = by_currency(new.currency, new.prices)
    if len(sold) > CURRENCIES_MAX:
        yield FieldError("prices", "too_many", f"may be of {CURRENCIES_MAX} currencies at most")
    wanted = {price.code: price for price in sold[new.currency.upper()]}
    for currency, prices in sold.items():
        missing = wanted.keys() - {price.code for price in prices}
        for code in sorted(missing):
            message = f"{code} has no price in {currency}; sell the same in each currency"
            yield FieldError("prices", "currency_incomplete", message)
    for at, price in enumerate(new.prices):
        first = wanted.get(price.code)
        if first is None:
            message = f"is not sold in {new.currency.upper()}, the plan's own currency"
            yield FieldError(f"prices[{at}].currency", "currency_differs", message)
        elif price.meter != first.meter:
            message = f"must be {first.meter}, as in {first.currency.upper()}"
            yield FieldError(f"prices[{at}].meter", "currency_incomplete", message)
    for currency in new.minimum_commitment:
        if currency.upper() in currencies().keys() - sold.keys():
            message = "the plan has no price in this currency"
            yield FieldError(f"minimum_commitment.{currency}", "currency_differs", message)
