"""Ratings against models that are right by their simplicity: fractions, and unit by unit."""

from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tallystick.money.exact import add, total
from tallystick.pricing.model import FlatPrice, GraduatedPrice, PerUnitPrice, Price, Tier
from tallystick.pricing.rate import rate
from tallystick.pricing.validate import validate


def numbers(top: int, places: int) -> st.SearchStrategy[Decimal]:
    return st.integers(0, top * 10**places).map(lambda n: Decimal(n).scaleb(-places))


amounts = numbers(10**9, 12) | numbers(100, 2)
quantities = numbers(10**12, 9) | st.integers(0, 60).map(Decimal)


@st.composite
def graduated_prices(
    draw: st.DrawFn,
    ends: st.SearchStrategy[Decimal] = quantities,
    included: st.SearchStrategy[Decimal] = quantities,
) -> GraduatedPrice:
    ups = sorted(draw(st.sets(ends.filter(bool), max_size=6)))
    tiers = [Tier(up_to=end, unit=draw(amounts), flat=draw(amounts)) for end in [*ups, None]]
    return GraduatedPrice(currency="USD", tiers=tuple(tiers), included=draw(included))


prices: st.SearchStrategy[Price] = st.one_of(
    st.builds(FlatPrice, currency=st.just("USD"), amount=amounts),
    st.builds(PerUnitPrice, currency=st.just("USD"), unit=amounts, included=quantities),
    graduated_prices(),
)


def by_fractions(price: GraduatedPrice, quantity: Decimal) -> Fraction:
    """Sum over tiers the overlap of (start, end] with the billable units."""
    units = max(Fraction(0), Fraction(quantity) - Fraction(price.included))
    cost, start = Fraction(0), Fraction(0)
    for tier in price.tiers:
        end = units if tier.up_to is None else Fraction(tier.up_to)
        overlap = max(Fraction(0), min(units, end) - start)
        entered = start == 0 or units > start
        cost += overlap * Fraction(tier.unit) + (Fraction(tier.flat) if entered else 0)
        start = end
    return cost


def unit_by_unit(price: GraduatedPrice, count: int) -> Fraction:
    """Charge whole units one at a time: each finds its tier and pays the fee if it is the first."""
    entered, cost = {0}, Fraction(price.tiers[0].flat)
    for unit in range(1, count + 1):
        at = next(
            i for i, tier in enumerate(price.tiers) if tier.up_to is None or unit <= tier.up_to
        )
        cost += Fraction(price.tiers[at].unit)
        if at not in entered:
            entered.add(at)
            cost += Fraction(price.tiers[at].flat)
    return cost


@given(graduated_prices(), quantities)
def test_graduated_is_the_sum_of_the_overlaps(price: GraduatedPrice, quantity: Decimal) -> None:
    assert Fraction(rate(price, quantity).amount) == by_fractions(price, quantity)


@given(
    graduated_prices(ends=st.integers(1, 40).map(Decimal), included=st.just(Decimal(0))),
    st.integers(0, 60),
)
def test_graduated_is_the_same_unit_by_unit(price: GraduatedPrice, count: int) -> None:
    assert Fraction(rate(price, Decimal(count)).amount) == unit_by_unit(price, count)


@given(amounts, quantities, quantities)
def test_per_unit_is_the_product_of_what_is_not_included(
    unit: Decimal, included: Decimal, quantity: Decimal
) -> None:
    price = PerUnitPrice(currency="USD", unit=unit, included=included)
    billable = max(Fraction(0), Fraction(quantity) - Fraction(included))
    assert Fraction(rate(price, quantity).amount) == billable * Fraction(unit)


@given(prices, quantities)
def test_the_steps_sum_to_the_amount(price: Price, quantity: Decimal) -> None:
    rated = rate(price, quantity)
    assert total(step.amount for step in rated.steps) == rated.amount


@given(prices, quantities)
def test_each_step_is_its_own_reckoning(price: Price, quantity: Decimal) -> None:
    for step in rate(price, quantity).steps:
        if step.kind in {"included", "below_zero"}:
            assert step.amount == 0
        else:
            product = Fraction(step.quantity or 0) * Fraction(step.unit or 0)
            assert Fraction(step.amount) == product + Fraction(step.flat or 0)


@given(graduated_prices(), quantities)
def test_the_steps_cover_every_unit_once(price: GraduatedPrice, quantity: Decimal) -> None:
    steps = rate(price, quantity).steps
    assert total(step.quantity or Decimal(0) for step in steps) == quantity
    tiers = [step for step in steps if step.kind == "tier"]
    assert tiers[0].from_ == 0
    assert all(before.up_to == after.from_ for before, after in pairwise(tiers))


@given(prices, quantities, quantities)
def test_more_usage_never_costs_less(price: Price, some: Decimal, more: Decimal) -> None:
    assert rate(price, some).amount <= rate(price, add(some, more)).amount


@given(prices)
def test_what_can_be_rated_passes_validation(price: Price) -> None:
    assert validate(price) == price
