"""Every model against one that is right by its simplicity: fractions, piece by piece.

The models here share no code with `pricing`: no tiers walked, no sums of sums.
"""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tallystick.money.exact import total
from tallystick.pricing.filters import filter_of
from tallystick.pricing.minimum import bounded
from tallystick.pricing.model import (
    BlockPrice,
    BlockTier,
    CapacityPrice,
    CapacityTier,
    CustomUnit,
    GraduatedPercentagePrice,
    PackagePrice,
    PercentagePrice,
    PercentageTier,
    PerUnitPrice,
    Price,
    PriceFilter,
    Rated,
    Tier,
    VolumePrice,
)
from tallystick.pricing.percentage import tally_of
from tallystick.pricing.rate import rate
from tallystick.pricing.usage import DynamicEvent, DynamicUsage, EventsUsage, EventTally
from tallystick.pricing.validate import validate

ZERO = Decimal(0)


def numbers(top: int, places: int, least: int = 0) -> st.SearchStrategy[Decimal]:
    return st.integers(least, top * 10**places).map(lambda n: Decimal(n).scaleb(-places))


amounts = numbers(10**9, 12) | numbers(100, 2)
sizes = numbers(10**6, 6, least=1) | st.integers(1, 20).map(Decimal)
quantities = numbers(10**12, 9) | st.integers(0, 60).map(Decimal) | numbers(60, 1)
counts = st.integers(1, 30).map(Decimal)


def tiered(
    draw: st.DrawFn, make: Callable[..., Any], ends: st.SearchStrategy[Decimal], name: str = "up_to"
) -> tuple[Any, ...]:
    ups = sorted(draw(st.sets(ends.filter(bool), max_size=5)))
    return tuple(make(draw, **{name: end}) for end in [*ups, None])


def tier_with(draw: st.DrawFn, up_to: Decimal | None) -> Tier:
    return Tier(up_to=up_to, unit=draw(amounts), flat=draw(amounts))


def percentage_tier(draw: st.DrawFn, up_to: Decimal | None) -> PercentageTier:
    return PercentageTier(up_to=up_to, rate=draw(amounts), flat=draw(amounts))


def capacity_tier(draw: st.DrawFn, up_to: Decimal | None) -> CapacityTier:
    return CapacityTier(up_to=up_to, amount=draw(amounts))


def block_tier(draw: st.DrawFn, up_to_blocks: Decimal | None) -> BlockTier:
    return BlockTier(up_to_blocks=up_to_blocks, amount=draw(amounts), size=draw(st.none() | sizes))


@st.composite
def volumes(draw: st.DrawFn) -> VolumePrice:
    tiers = tiered(draw, tier_with, quantities)
    return VolumePrice(currency="USD", tiers=tiers, included=draw(quantities))


@st.composite
def graduated_percentages(draw: st.DrawFn) -> GraduatedPercentagePrice:
    return GraduatedPercentagePrice(currency="USD", tiers=tiered(draw, percentage_tier, quantities))


@st.composite
def capacities(draw: st.DrawFn) -> CapacityPrice:
    return CapacityPrice(currency="USD", tiers=tiered(draw, capacity_tier, quantities))


@st.composite
def blocks(draw: st.DrawFn) -> BlockPrice:
    return BlockPrice(
        currency="USD",
        tiers=tiered(draw, block_tier, counts, "up_to_blocks"),
        size=draw(sizes),
        policy=draw(st.sampled_from(["graduated", "volume"])),
    )


packages = st.builds(
    PackagePrice,
    currency=st.just("USD"), size=sizes, amount=amounts, free=quantities, included=quantities,
)  # fmt: skip


@st.composite
def percentages(draw: st.DrawFn) -> PercentagePrice:
    bounds = sorted(draw(st.lists(numbers(50, 2), min_size=2, max_size=2)))
    return PercentagePrice(
        currency="USD",
        rate=draw(numbers(20, 3)),
        fixed=draw(st.just(ZERO) | numbers(3, 2)),
        free_events=draw(st.integers(0, 4).map(Decimal)),
        free_amount=draw(st.just(ZERO) | numbers(300, 2)),
        event_min=draw(st.sampled_from([None, bounds[0]])),
        event_max=draw(st.sampled_from([None, bounds[1]])),
    )


event_lists = st.lists(numbers(200, 2) | st.just(ZERO), max_size=12)
by_quantity: st.SearchStrategy[Price] = st.one_of(
    volumes(), graduated_percentages(), capacities(), blocks(), packages
)


def paid(of: Price, quantity: Decimal) -> Fraction:
    return Fraction(rate(of, quantity).amount)


@given(packages, quantities)
def test_a_package_is_due_for_each_one_that_is_opened(of: PackagePrice, quantity: Decimal) -> None:
    left = Fraction(quantity) - Fraction(of.included) - Fraction(of.free)
    opened = max(0, ceil(left / Fraction(of.size)))
    assert paid(of, quantity) == opened * Fraction(of.amount)


@given(volumes(), quantities)
def test_all_units_pay_the_tier_of_their_number(of: VolumePrice, quantity: Decimal) -> None:
    units = max(Fraction(0), Fraction(quantity) - Fraction(of.included))
    passed = sum(tier.up_to is not None and Fraction(tier.up_to) < ceil(units) for tier in of.tiers)
    tier = of.tiers[passed]
    assert paid(of, quantity) == units * Fraction(tier.unit) + Fraction(tier.flat)


@given(graduated_percentages(), quantities)
def test_each_part_pays_its_tiers_percentage(
    of: GraduatedPercentagePrice, quantity: Decimal
) -> None:
    cost, start = Fraction(0), Fraction(0)
    for tier in of.tiers:
        end = Fraction(quantity) if tier.up_to is None else Fraction(tier.up_to)
        part = max(Fraction(0), min(Fraction(quantity), end) - start)
        cost += part * Fraction(tier.rate) / 100
        cost += Fraction(tier.flat) if part or start == 0 else 0
        start = end
    assert paid(of, quantity) == cost


@given(capacities(), quantities)
def test_a_peak_pays_the_smallest_capacity_that_holds_it(
    of: CapacityPrice, quantity: Decimal
) -> None:
    enough = [tier for tier in of.tiers if tier.up_to is None or tier.up_to >= quantity]
    assert paid(of, quantity) == Fraction(enough[0].amount)


def blocks_opened(of: BlockPrice, quantity: Fraction) -> list[BlockTier]:
    """Open a block at a time until all units have a place; return the tier of each."""
    opened: list[BlockTier] = []
    while quantity > 0:
        number = len(opened) + 1
        tier = next(
            one for one in of.tiers if one.up_to_blocks is None or number <= one.up_to_blocks
        )
        opened.append(tier)
        quantity -= Fraction(tier.size or of.size or 0)
    return opened


small = st.integers(0, 400).map(Decimal) | numbers(400, 2)


@given(
    blocks(),
    st.integers(1, 9).map(Decimal),
    small,
)
def test_blocks_are_opened_one_by_one(of: BlockPrice, size: Decimal, quantity: Decimal) -> None:
    tiers = tuple(
        msgspec.structs.replace(tier, size=tier.size and size + at)
        for at, tier in enumerate(of.tiers)
    )
    of = msgspec.structs.replace(of, size=size, tiers=tiers)
    opened = blocks_opened(of, Fraction(quantity))
    if of.policy == "graduated" or not opened:
        expected = sum((Fraction(tier.amount) for tier in opened), Fraction(0))
    else:
        last = opened[-1]
        count = ceil(Fraction(quantity) / Fraction(last.size or size))
        expected = count * Fraction(last.amount)
    assert paid(of, quantity) == expected


def event_by_event(of: PercentagePrice, events: list[Decimal]) -> Fraction:
    """Charge one event after the other, with what is free counted down."""
    if sum(events) == 0:
        of = msgspec.structs.replace(of, fixed=ZERO)
    has_allowance = bool(of.free_events or of.free_amount)
    covered_so_far, cost = Fraction(0), Fraction(0)
    for at, event in enumerate(events):
        amount = Fraction(event)
        in_count = not of.free_events or at < of.free_events
        room = Fraction(of.free_amount) - covered_so_far if of.free_amount else None
        is_open = has_allowance and in_count and (room is None or room > 0)
        covered = min(amount, amount if room is None else room) if is_open else Fraction(0)
        covered_so_far += covered
        if is_open and covered == amount:
            continue
        if is_open:
            has_allowance = False
        fee = (amount - covered) * Fraction(of.rate) / 100 + Fraction(of.fixed)
        if of.event_min is not None:
            fee = max(fee, Fraction(of.event_min))
        if of.event_max is not None:
            fee = min(fee, Fraction(of.event_max))
        cost += fee
    return cost


@given(percentages(), event_lists)
def test_a_percentage_is_the_same_event_by_event(
    of: PercentagePrice, events: list[Decimal]
) -> None:
    rated = rate(of, EventsUsage(amounts=iter(events)))
    assert Fraction(rated.amount) == event_by_event(of, events)


@given(percentages(), event_lists)
def test_a_tally_of_events_rates_as_they_do(of: PercentagePrice, events: list[Decimal]) -> None:
    usage = EventsUsage(amounts=events)
    tally = msgspec.json.decode(msgspec.json.encode(tally_of(of, usage)), type=EventTally)
    assert rate(of, tally) == rate(of, usage)
    assert tally.event_count == len(events)


@given(percentages(), st.lists(numbers(200, 2, least=-20_000), max_size=12))
def test_events_that_take_something_back_never_pay_out(
    of: PercentagePrice, events: list[Decimal]
) -> None:
    rated = rate(of, EventsUsage(amounts=events))
    assert rated.amount >= 0
    assert total(step.amount for step in rated.steps) == rated.amount
    assert rate(of, tally_of(of, EventsUsage(amounts=events))) == rated


@given(percentages(), event_lists, numbers(200, 2, least=1))
def test_one_more_event_never_costs_less(
    of: PercentagePrice, events: list[Decimal], more: Decimal
) -> None:
    before = rate(of, EventsUsage(amounts=events)).amount
    assert before <= rate(of, EventsUsage(amounts=[*events, more])).amount


@given(st.lists(st.tuples(amounts, st.integers(-5, 5).map(Decimal)), max_size=8))
def test_dynamic_is_the_sum_unless_no_units_were(events: list[tuple[Decimal, Decimal]]) -> None:
    made = [DynamicEvent(amount=amount, quantity=quantity) for amount, quantity in events]
    expected = sum((Fraction(amount) for amount, _ in events), Fraction(0))
    units = sum(quantity for _, quantity in events)
    rated = rate(PRICE_OF_EVENTS, DynamicUsage(events=made))
    assert Fraction(rated.amount) == (expected if units else 0)


PRICE_OF_EVENTS = msgspec.convert({"model": "dynamic", "currency": "USD"}, Price)


def reckoned(rated: Rated) -> Fraction:
    """Add up each step by its own terms."""
    found = Fraction(0)
    for step in rated.steps:
        quantity, unit = Fraction(step.quantity or 0), Fraction(step.unit or 0)
        flat, count = Fraction(step.flat or 0), step.event_count or 0
        if step.kind in {"included", "below_zero", "free_events"}:
            amount = Fraction(0)
        elif step.kind in {"percentage", "percentage_tier"}:
            share = quantity * Fraction(step.rate or 0) / 100
            amount = share + count * Fraction(step.fixed or 0) + flat
        elif step.kind in {"event_min", "event_max"}:
            amount = count * unit
        else:
            amount = quantity * unit + flat
        assert Fraction(step.amount) == amount, step
        found += amount
    return found


@given(by_quantity, quantities)
def test_steps_say_all_and_sum_to_the_amount(of: Price, quantity: Decimal) -> None:
    rated = rate(of, quantity)
    assert reckoned(rated) == Fraction(rated.amount)
    assert total(step.amount for step in rated.steps) == rated.amount


@given(percentages(), event_lists)
def test_steps_of_events_say_all_and_count_each_once(
    of: PercentagePrice, events: list[Decimal]
) -> None:
    rated = rate(of, EventsUsage(amounts=events))
    assert reckoned(rated) == Fraction(rated.amount)
    assert total(step.quantity or ZERO for step in rated.steps) == sum(events)
    assert sum(step.event_count or 0 for step in rated.steps) == len(events)


@given(packages, quantities, quantities)
def test_more_packages_never_cost_less(of: PackagePrice, some: Decimal, more: Decimal) -> None:
    assert paid(of, some) <= paid(of, some + more)


@given(blocks(), quantities, quantities)
def test_more_graduated_blocks_never_cost_less(
    of: BlockPrice, some: Decimal, more: Decimal
) -> None:
    of = msgspec.structs.replace(of, policy="graduated")
    assert paid(of, some) <= paid(of, some + more)


@given(by_quantity, quantities)
def test_usage_below_zero_costs_what_none_does(of: Price, quantity: Decimal) -> None:
    assert rate(of, -quantity).amount == rate(of, ZERO).amount


@given(by_quantity | percentages())
def test_what_can_be_rated_passes_validation_and_survives_json(of: Price) -> None:
    assert validate(of) == of
    assert msgspec.json.decode(msgspec.json.encode(of), type=Price) == of


@given(by_quantity, quantities, numbers(10, 12, least=1))
def test_a_custom_unit_is_the_same_rating_times_its_rate(
    of: Price, quantity: Decimal, worth: Decimal
) -> None:
    unit = CustomUnit(code="credits", rate=worth)
    rated = rate(msgspec.structs.replace(of, custom_unit=unit), quantity)
    plainly = rate(of, quantity)
    assert rated.custom is not None
    assert rated.custom.amount == plainly.amount
    assert Fraction(rated.amount) == Fraction(plainly.amount) * Fraction(worth)
    money = [step.amount for step in rated.steps if step.custom_unit is None]
    assert total(money) == rated.amount


@given(by_quantity, quantities, st.lists(amounts, min_size=2, max_size=2).map(sorted))
def test_the_bounds_of_a_period_hold(of: Price, quantity: Decimal, ends: list[Decimal]) -> None:
    price = msgspec.structs.replace(of, minimum=ends[0], maximum=ends[1])
    rated = rate(price, quantity)
    found = bounded(price, rated)
    assert found.amount == min(max(rated.amount, ends[0]), ends[1])
    assert total(step.amount for step in found.steps) == found.amount


names, texts = st.sampled_from("abc"), st.sampled_from("xyz")


@st.composite
def filtered_prices(draw: st.DrawFn) -> PerUnitPrice:
    values = st.dictionaries(names, st.sets(texts).map(sorted).map(tuple), min_size=1)
    part = PerUnitPrice(currency="USD", unit=Decimal(1))
    filters = [PriceFilter(values=draw(values), price=part) for _ in range(draw(st.integers(0, 6)))]
    return PerUnitPrice(currency="USD", unit=Decimal(1), filters=tuple(filters))


@given(filtered_prices(), st.dictionaries(names, texts))
def test_no_other_matching_filter_is_more_specific(
    of: PerUnitPrice, properties: dict[str, str]
) -> None:
    def rank(one: PriceFilter) -> tuple[int, int]:
        return len(one.values), len([name for name in one.values if one.values[name]])

    def holds(one: PriceFilter) -> bool:
        return all(
            name in properties and (not values or properties[name] in values)
            for name, values in one.values.items()
        )

    found = filter_of(of, properties)
    matching = [one for one in of.filters if holds(one)]
    if found is None:
        assert not matching
    else:
        best = max(map(rank, matching))
        assert found == next(one for one in matching if rank(one) == best)
