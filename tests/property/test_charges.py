"""What usage comes to, against sums that are reckoned day by day and unit by unit."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.derivation import decode, encode, recompute
from tallystick.invoices.usage_lines import usage_lines
from tallystick.money.amount import Money
from tallystick.money.rounding import round_ratio
from tallystick.pricing.charges import Part, bound, charge_for, charges
from tallystick.pricing.model import (
    CustomUnit,
    GraduatedPrice,
    PerUnitPrice,
    Price,
    PriceFilter,
    Tier,
    VolumePrice,
)
from tallystick.pricing.rate import rate
from tallystick.pricing.use import Held, Level, Use
from tallystick.subscriptions.periods import Period

AT = datetime(2026, 1, 1, tzinfo=UTC)
PERIOD = Period(AT, datetime(2026, 2, 1, tzinfo=UTC))
FIGURES = st.decimals("0", "1000", places=3)
WHOLE = st.integers(0, 40).map(Decimal)
CENTS = st.decimals("0", "5000", places=2)
LEVELS = st.lists(
    st.builds(Level, st.integers(0, 40).map(Decimal), st.integers(1, 9)), min_size=1, max_size=6
)


@st.composite
def tiers(draw: st.DrawFn) -> tuple[Tier, ...]:
    ends: list[Decimal | None] = [
        *map(Decimal, sorted(draw(st.sets(st.integers(1, 30), max_size=3)))),
        None,
    ]
    return tuple(Tier(up_to=end, unit=draw(FIGURES), flat=draw(FIGURES)) for end in ends)


@st.composite
def prices(draw: st.DrawFn) -> Price:
    common: dict[str, Any] = {
        "currency": draw(st.sampled_from(["EUR", "JPY", "KWD"])),
        "code": "calls",
        "meter": "calls",
        "included": draw(WHOLE),
        "minimum": draw(st.none() | CENTS),
        "custom_unit": draw(
            st.none() | st.builds(CustomUnit, code=st.just("credits"), rate=FIGURES)
        ),
    }
    one = PerUnitPrice(**common, unit=draw(FIGURES))
    other = GraduatedPrice(**common, tiers=draw(tiers()))
    choices: list[Price] = [one, other, VolumePrice(**common, tiers=draw(tiers()))]
    return draw(st.sampled_from(choices))


@given(
    quantities=st.lists(st.decimals("0", "10000", places=4), min_size=1, max_size=20), unit=FIGURES
)
def test_groups_of_a_linear_price_cost_together_what_all_usage_costs(
    quantities: list[Decimal], unit: Decimal
) -> None:
    price = PerUnitPrice(currency="EUR", unit=unit)
    uses = [Use(quantity=one, group={"at": str(at)}) for at, one in enumerate(quantities)]
    found = charges(price, uses)
    assert sum(one.exact for one in found) == rate(price, sum(quantities, Decimal(0))).amount
    assert sum(one.use.quantity for one in found) == sum(quantities)


@given(price=prices(), levels=LEVELS, rest=st.integers(0, 5))
def test_held_units_cost_what_each_unit_costs_on_each_day(
    price: Price, levels: list[Level], rest: int
) -> None:
    days = sum(level.days for level in levels)
    held = Held(levels=tuple(levels), whole=days + rest, timezone="UTC")
    use = Use(quantity=levels[-1].quantity, held=held)
    expected = by_hand(price, use.quantity, held)
    exponent = {"EUR": 2, "JPY": 0, "KWD": 3}[price.currency]
    minor = expected * 10**exponent
    charge = charge_for(price, use)
    assert charge.amount == Money(round_ratio(minor.numerator, minor.denominator), price.currency)
    assert abs(Fraction(charge.exact) - expected) < Fraction(1, 10**5)


def by_hand(price: Price, quantity: Decimal, held: Held) -> Fraction:
    """Walk days, then units, one by one."""
    if isinstance(price, PerUnitPrice):
        own: tuple[Tier, ...] = (Tier(up_to=None, unit=price.unit),)
    elif isinstance(price, VolumePrice):
        counted = max(quantity - price.included, Decimal(0))
        chosen = next(tier for tier in price.tiers if tier.up_to is None or counted <= tier.up_to)
        own = (Tier(up_to=None, unit=chosen.unit, flat=chosen.flat),)
    else:
        assert isinstance(price, GraduatedPrice)
        own = price.tiers
    cost, reached = Fraction(0), {0}
    for level in held.levels:
        for unit in range(int(max(level.quantity - price.included, Decimal(0)))):
            at = next(at for at, tier in enumerate(own) if tier.up_to is None or unit < tier.up_to)
            reached.add(at)
            cost += Fraction(own[at].unit) * level.days / held.whole
    cost += sum(Fraction(own[at].flat) for at in reached)
    return cost * Fraction(price.custom_unit.rate) if price.custom_unit else cost


@given(limit=CENTS, whole=st.integers(1, 31), cuts=st.sets(st.integers(0, 31), max_size=4))
def test_parts_of_a_period_have_parts_of_the_minimum_that_sum_to_it(
    limit: Decimal, whole: int, cuts: set[int]
) -> None:
    price = PerUnitPrice(currency="EUR", unit=Decimal(1), minimum=limit)
    edges = [0, *sorted(cut for cut in cuts if 0 < cut < whole), whole]
    parts = [Part(start, end, whole) for start, end in pairwise(edges)]
    steps = [bound(price, Money.zero("EUR"), part) for part in parts]
    assert sum(step.amount for step in steps if step) == limit


@given(
    uses=st.lists(FIGURES, max_size=5),
    unit=FIGURES,
    least=st.none() | CENTS,
    more=st.none() | CENTS,
)
def test_all_that_is_charged_stays_within_the_bounds(
    uses: list[Decimal], unit: Decimal, least: Decimal | None, more: Decimal | None
) -> None:
    most = None if more is None else (least or Decimal(0)) + more
    price = PerUnitPrice(currency="EUR", unit=unit, minimum=least, maximum=most)
    found = charges(price, [Use(quantity=one) for one in uses])
    total = sum(one.amount.to_decimal() for one in found)
    assert total >= (least or 0)
    assert most is None or total <= most
    rated = sum(one.amount.to_decimal() for one in found if one.kind == "rated")
    if (least or 0) <= rated and (most is None or rated <= most):
        assert total == rated
    else:
        assert total in (least, most)


@given(price=prices(), quantities=st.lists(FIGURES, max_size=4), levels=LEVELS)
def test_every_line_is_computed_again_from_what_is_stored_with_it(
    price: Price, quantities: list[Decimal], levels: list[Level]
) -> None:
    own = PerUnitPrice(currency=price.currency, unit=Decimal("1.005"))
    if isinstance(price, PerUnitPrice):
        price = replace(price, filters=(PriceFilter(values={"region": ("eu",)}, price=own),))
    first = 0 if isinstance(price, PerUnitPrice) else None
    held = Held(levels=tuple(levels), whole=60, timezone="Europe/Paris")
    uses = [
        Use(quantity=levels[-1].quantity, held=held, group={"tier": None}),
        *(
            Use(quantity=one, group={"tier": str(at)}, filter=first if at % 2 else None)
            for at, one in enumerate(quantities)
        ),
    ]
    for line in usage_lines(PLAN, price, {"calls": METER}, PERIOD, uses):
        derivation = decode(encode(line.derivation))
        assert derivation == line.derivation
        assert recompute(derivation) == line.amount


PLAN = PlanVersion(
    plan_version_id=UUID(int=2),
    plan_id=UUID(int=3),
    plan_code="pro",
    plan_name="Pro",
    version=1,
    currency="EUR",
    interval="month",
    interval_count=1,
    prices=(),
    limits={},
    created_at=AT,
)
METER = Meter(
    meter_id=UUID(int=9),
    code="calls",
    name="Calls",
    unit="call",
    event_type="calls",
    aggregation="sum",
    property="n",
    created_at=AT,
)
