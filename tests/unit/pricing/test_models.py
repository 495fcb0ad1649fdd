"""Each model by the examples that people coming from Lago and Kill Bill would check first."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from tallystick.kernel.errors import BadInput
from tallystick.money.exact import plain
from tallystick.pricing.model import Price, Step
from tallystick.pricing.rate import rate
from tallystick.pricing.usage import (
    DynamicEvent,
    DynamicSum,
    DynamicUsage,
    EventsUsage,
    QuantityUsage,
    Usage,
    needs,
)
from tallystick.pricing.validate import read_price

D = Decimal


def price(model: str, **figures: Any) -> Price:
    return read_price({"model": model, "currency": "USD", **figures})


def cost(of: Price, quantity: str) -> str:
    return plain(rate(of, D(quantity)).amount)


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [
        ("0", "0"),
        ("499", "0"),
        ("500", "0"),
        ("500.000001", "5"),
        ("1500", "5"),
        ("1501", "10"),
        ("2501", "15"),
        ("-3", "0"),
    ],
)
def test_a_package_that_is_begun_is_due_and_the_free_units_come_first(
    quantity: str, amount: str
) -> None:
    assert cost(price("package", size="1000", amount="5", free="500"), quantity) == amount


def test_packages_say_how_many_were_begun() -> None:
    steps = rate(price("package", size="1000", amount="5", free="500"), D(2501)).steps
    assert steps == (
        Step(kind="included", quantity=D(500), up_to=D(500), amount=D(0)),
        Step(kind="package", quantity=D(3), size=D(1000), unit=D(5), amount=D(15)),
    )


def test_included_units_come_off_before_the_packages() -> None:
    assert cost(price("package", size="10", amount="1", included="5"), "15") == "1"
    assert cost(price("package", size="10", amount="1", included="5"), "15.1") == "2"


VOLUME = [
    {"up_to": "10", "unit": "2", "flat": "3"},
    {"up_to": "100", "unit": "1", "flat": "1"},
    {"up_to": None, "unit": "0.5"},
]


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [
        ("0", "3"),
        ("1", "5"),
        ("10", "23"),
        ("10.2", "11.2"),
        ("11", "12"),
        ("100", "101"),
        ("100.5", "50.25"),
        ("-8", "3"),
    ],
)
def test_one_tier_prices_all_units_and_is_picked_by_the_units_rounded_up(
    quantity: str, amount: str
) -> None:
    assert cost(price("volume", tiers=VOLUME), quantity) == amount


def test_the_volume_step_names_its_tier() -> None:
    (step,) = rate(price("volume", tiers=VOLUME), D("10.2")).steps
    assert (step.kind, step.quantity, step.from_, step.up_to) == (
        "volume", D("10.2"), D(10), D(100)
    )  # fmt: skip


CAPACITY = [
    {"up_to": "10", "amount": "20"},
    {"up_to": "50", "amount": "80"},
    {"up_to": None, "amount": "200"},
]


@pytest.mark.parametrize(
    ("peak", "amount"),
    [("0", "20"), ("10", "20"), ("10.5", "80"), ("50", "80"), ("51", "200"), ("9999", "200")],
)
def test_the_peak_picks_one_tier_of_a_capacity(peak: str, amount: str) -> None:
    assert cost(price("capacity", tiers=CAPACITY), peak) == amount


BLOCKS: list[dict[str, Any]] = [
    {"up_to_blocks": 2, "size": "100", "amount": "5"},
    {"up_to_blocks": "4", "size": "100", "amount": "4"},
    {"up_to_blocks": None, "size": "100", "amount": "3"},
]


@pytest.mark.parametrize(
    ("quantity", "graduated", "volume"),
    [
        ("0", "0", "0"),
        ("0.001", "5", "5"),
        ("100", "5", "5"),
        ("200", "10", "10"),
        ("200.5", "14", "12"),
        ("400", "18", "16"),
        ("401", "21", "15"),
        ("1000", "36", "30"),
    ],
)
def test_a_started_block_is_a_whole_block(quantity: str, graduated: str, volume: str) -> None:
    assert cost(price("block", tiers=BLOCKS), quantity) == graduated
    assert cost(price("block", tiers=BLOCKS, policy="volume"), quantity) == volume


def test_the_size_of_blocks_may_stand_once() -> None:
    bare = [{key: one[key] for key in ("up_to_blocks", "amount")} for one in BLOCKS]
    once = price("block", size="100", tiers=bare)
    assert rate(once, D(401)).steps == rate(price("block", tiers=BLOCKS), D(401)).steps


def test_blocks_of_a_later_tier_may_be_larger() -> None:
    tiers = [
        {"up_to_blocks": "10", "size": "1", "amount": "2"},
        {"up_to_blocks": None, "size": "100", "amount": "50"},
    ]
    assert cost(price("block", tiers=tiers), "10") == "20"
    assert cost(price("block", tiers=tiers), "11") == "70"
    assert cost(price("block", tiers=tiers), "111") == "120"
    assert cost(price("block", tiers=tiers, policy="volume"), "111") == "100"


@pytest.mark.parametrize(
    ("quantity", "amount"),
    [("0", "1"), ("500", "11"), ("1000", "21"), ("1500", "27"), ("10000", "112")],
)
def test_each_part_pays_the_percentage_of_its_tier(quantity: str, amount: str) -> None:
    tiers = [{"up_to": "1000", "rate": "2", "flat": "1"}, {"up_to": None, "rate": "1", "flat": "1"}]
    of = price("graduated_percentage", tiers=tiers)
    assert cost(of, quantity) == amount
    parts = EventsUsage(amounts=iter([D(quantity), D(7), D(-7)]))
    assert rate(of, parts).amount == D(amount)


def test_dynamic_events_are_summed_exactly() -> None:
    events = [DynamicEvent(amount=D("0.1")), DynamicEvent(amount=D("1.0000000001"), quantity=D(3))]
    rated = rate(price("dynamic"), DynamicUsage(events=iter(events)))
    assert rated.steps == (
        Step(kind="dynamic", quantity=D(4), event_count=2, amount=D("1.1000000001")),
    )
    summed = DynamicSum(amount=D("1.1000000001"), event_count=2, quantity=D(4))
    assert rate(price("dynamic"), summed) == rated


def test_no_units_cost_nothing_whatever_dynamic_events_say() -> None:
    events = [DynamicEvent(amount=D(5), quantity=D(2)), DynamicEvent(amount=D(5), quantity=D(-2))]
    assert rate(price("dynamic"), DynamicUsage(events=events)).amount == 0
    assert rate(price("dynamic"), DynamicUsage(events=[])).amount == 0


def test_dynamic_events_below_zero_lower_the_sum_but_not_below_nothing() -> None:
    events = [DynamicEvent(amount=D(5)), DynamicEvent(amount=D(-8))]
    rated = rate(price("dynamic"), DynamicUsage(events=events))
    assert rated.amount == 0
    assert [(step.kind, step.amount) for step in rated.steps] == [
        ("dynamic", D(-3)), ("below_zero", D(3))
    ]  # fmt: skip


QUANTITY: Usage = QuantityUsage(quantity=D(5))
EVENTS: Usage = EventsUsage(amounts=[D(5)])
DYNAMIC: Usage = DynamicUsage(events=[DynamicEvent(amount=D(5))])


@pytest.mark.parametrize(
    ("of", "usage"),
    [
        (price("per_unit", unit="1"), EVENTS),
        (price("per_unit", unit="1"), DYNAMIC),
        (price("flat", amount="1"), EVENTS),
        (price("capacity", tiers=CAPACITY), EVENTS),
        (price("percentage", rate="1"), DYNAMIC),
        (price("percentage", rate="1", fixed="1"), QUANTITY),
        (price("percentage", rate="1", min="1"), QUANTITY),
        (price("percentage", rate="1", free_events="1"), QUANTITY),
        (price("dynamic"), QUANTITY),
        (price("dynamic"), EVENTS),
    ],
)
def test_usage_that_a_model_can_not_be_rated_by_is_refused(of: Price, usage: Usage) -> None:
    with pytest.raises(BadInput) as refusal:
        rate(of, usage)
    assert [(error.field, error.code) for error in refusal.value.errors] == [
        ("usage", "usage_kind")
    ]


@pytest.mark.parametrize(
    ("of", "need"),
    [
        (price("flat", amount="1"), "nothing"),
        (price("volume", tiers=VOLUME), "quantity"),
        (price("percentage", rate="1"), "quantity"),
        (price("percentage", rate="1", free_amount="10"), "quantity"),
        (price("percentage", rate="1", fixed="1"), "quantity_and_count"),
        (price("percentage", rate="1", fixed="1", free_amount="10"), "events"),
        (price("percentage", rate="1", free_events="1"), "events"),
        (price("percentage", rate="1", max="1"), "events"),
        (price("dynamic"), "dynamic"),
    ],
)
def test_each_price_says_what_it_needs_to_know(of: Price, need: str) -> None:
    assert needs(of) == need


@pytest.mark.parametrize(
    ("usage", "field"),
    [
        (EventsUsage(amounts=[D(1), D("NaN")]), "events[1]"),
        (EventsUsage(amounts=[D(1), D("1e18")]), "events[1]"),
        (EventsUsage(amounts=[D("9e17"), D("9e17")]), "quantity"),
    ],
)
def test_events_that_can_not_be_rated_exactly_are_refused(usage: Usage, field: str) -> None:
    with pytest.raises(BadInput) as refusal:
        rate(price("percentage", rate="1"), usage)
    assert refusal.value.errors[0].field == field


MOST, FINEST = "999999999999999.999999999999", "0.000000000001"
LAST = {"up_to": None}
FIRST = {"up_to": "999999999999999999.999999999999"}


@pytest.mark.parametrize(
    ("model", "figures"),
    [
        ("per_unit", {"unit": MOST}),
        ("package", {"size": FINEST, "amount": MOST}),
        ("graduated", {"tiers": [{**FIRST, "unit": MOST, "flat": MOST}, {**LAST, "unit": MOST}]}),
        ("volume", {"tiers": [{**LAST, "unit": MOST, "flat": MOST}]}),
        ("capacity", {"tiers": [{**LAST, "amount": MOST}]}),
        ("block", {"size": FINEST, "tiers": [{"up_to_blocks": None, "amount": MOST}]}),
        ("graduated_percentage", {"tiers": [{**LAST, "rate": MOST, "flat": MOST}]}),
        ("percentage", {"rate": MOST}),
    ],
)
def test_the_largest_and_finest_numbers_are_still_exact_in_every_model(
    model: str, figures: dict[str, Any]
) -> None:
    of = price(model, **figures, custom_unit={"code": "credits", "rate": MOST})
    used = D("9" * 18 + "." + "9" * 40)
    rated = rate(of, used)
    assert rated.custom is not None
    assert Fraction(rated.amount) == Fraction(rated.custom.amount) * Fraction(MOST) > 0


def test_the_costs_of_many_large_events_are_still_exact() -> None:
    of = price("percentage", rate=MOST, fixed=MOST, free_amount="1", max=MOST)
    amounts = [D("9" * 16 + "." + "9" * 40)] * 100
    assert rate(of, EventsUsage(amounts=amounts)).amount == D(MOST) * 100
