"""Percentages of events: what is free, the fixed fee, and the bounds of one event."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from tallystick.kernel.errors import BadInput
from tallystick.money.exact import plain
from tallystick.pricing.model import PercentagePrice, Step
from tallystick.pricing.percentage import tally_of
from tallystick.pricing.rate import rate
from tallystick.pricing.usage import EventsUsage, EventTally, QuantityUsage
from tallystick.pricing.validate import read_price

D = Decimal


def percentage(**figures: Any) -> PercentagePrice:
    price = read_price({"model": "percentage", "currency": "USD", **figures})
    assert isinstance(price, PercentagePrice)
    return price


def cost(price: PercentagePrice, *amounts: str) -> str:
    return plain(rate(price, EventsUsage(amounts=map(D, amounts))).amount)


def test_the_rate_is_in_percent_of_the_sum() -> None:
    assert cost(percentage(rate="1.5"), "10", "20.5") == "0.4575"
    assert cost(percentage(rate="1.5")) == "0"


def test_each_event_pays_the_fixed_fee() -> None:
    assert cost(percentage(rate="1", fixed="0.3"), "100", "50", "0") == "2.4"


@pytest.mark.parametrize("amounts", [(), ("0",), ("0", "0"), ("10", "-10")])
def test_no_units_owe_no_fixed_fee(amounts: tuple[str, ...]) -> None:
    assert cost(percentage(rate="1", fixed="0.3"), *amounts) == "0"
    assert cost(percentage(rate="1", fixed="0.3", max="5"), *amounts) == "0"


def test_the_first_events_are_free_with_their_fixed_fee() -> None:
    price = percentage(rate="1", fixed="1", free_events=2)
    assert cost(price, "100") == "0"
    assert cost(price, "100", "200") == "0"
    assert cost(price, "100", "200", "300") == "4"


def test_an_event_that_is_free_in_part_pays_the_whole_fixed_fee() -> None:
    price = percentage(rate="1", fixed="1", free_amount="150")
    assert cost(price, "100") == "0"
    assert cost(price, "100", "100") == "1.5"
    assert cost(price, "100", "100", "100") == "3.5"


def test_an_event_that_just_fits_into_what_is_free_is_free() -> None:
    price = percentage(rate="1", fixed="1", free_amount="150")
    assert cost(price, "100", "50") == "0"
    assert cost(price, "100", "50", "10") == "1.1"


@pytest.mark.parametrize(
    ("free_events", "free_amount", "amount"),
    [
        ("3", "150", "5.5"),  # it is the amount, within the second event
        ("1", "150", "6"),
        ("2", "1000", "4"),
        ("9", "1000", "0"),
    ],
)
def test_whichever_runs_out_first_ends_what_is_free(
    free_events: str, free_amount: str, amount: str
) -> None:
    price = percentage(rate="1", fixed="1", free_events=free_events, free_amount=free_amount)
    assert cost(price, "100", "100", "100", "100") == amount


def test_min_and_max_bound_each_event_with_its_fixed_fee() -> None:
    price = percentage(rate="1", fixed="0.5", min="1", max="5")
    assert cost(price, "10") == "1"
    assert cost(price, "50") == "1"
    assert cost(price, "100") == "1.5"
    assert cost(price, "450") == "5"
    assert cost(price, "10000", "10", "100") == "7.5"


def test_free_events_owe_no_min() -> None:
    assert cost(percentage(rate="1", min="1", free_events="1"), "10", "10") == "1"


def test_the_steps_of_events_are_few_and_say_all() -> None:
    price = percentage(rate="1", fixed="0.5", min="1", max="5", free_amount="20")
    usage = EventsUsage(amounts=[D(15), D(10), D(100), D(100), D(2000), D(1)])
    assert rate(price, usage).steps == (
        Step(kind="free_events", quantity=D(20), event_count=1, amount=D(0)),
        Step(
            kind="percentage", quantity=D(200), rate=D(1), fixed=D("0.5"), event_count=2,
            amount=D(3),
        ),
        Step(kind="event_min", quantity=D(6), event_count=2, unit=D(1), amount=D(2)),
        Step(kind="event_max", quantity=D(2000), event_count=1, unit=D(5), amount=D(5)),
    )  # fmt: skip


def test_a_stored_tally_rates_as_its_events_did() -> None:
    price = percentage(rate="1", fixed="0.5", min="1", max="5", free_amount="20")
    events = EventsUsage(amounts=[D(15), D(10), D(100), D(2000), D(1)])
    tally = tally_of(price, events)
    stored = msgspec.json.decode(msgspec.json.encode(tally), type=EventTally)
    assert rate(price, stored) == rate(price, events)


def test_a_quantity_and_a_count_suffice_where_no_single_event_matters() -> None:
    price = percentage(rate="1", fixed="0.5")
    summed = QuantityUsage(quantity=D("30.5"), event_count=2)
    assert rate(price, summed) == rate(price, EventsUsage(amounts=[D(10), D("20.5")]))
    free = percentage(rate="1", free_amount="20")
    amount = rate(free, QuantityUsage(quantity=D(30))).amount
    assert amount == rate(free, EventsUsage(amounts=[D(10), D(20)])).amount == D("0.1")


def test_what_was_taken_back_beyond_what_was_used_counts_as_nothing() -> None:
    rated = rate(percentage(rate="1", fixed="1", min="1"), EventsUsage(amounts=[D(5), D(-9)]))
    assert rated.amount == 0
    assert rated.steps[0] == Step(kind="below_zero", quantity=D(-4), amount=D(0))


def test_a_refund_larger_than_what_the_max_let_bill_is_not_paid_out() -> None:
    rated = rate(percentage(rate="10", max="1"), EventsUsage(amounts=[D(1000), D(-999)]))
    assert rated.amount == 0
    assert rated.steps[-1] == Step(kind="below_zero", amount=D("98.9"))


@pytest.mark.parametrize("figures", [{"fixed": "1"}, {"free_events": 2}, {"max": "5"}])
def test_of_no_use_no_events_need_to_be_told(figures: dict[str, Any]) -> None:
    assert rate(percentage(rate="1", **figures), D(0)).amount == 0


def test_a_minimum_for_each_event_needs_their_count_even_of_no_use() -> None:
    price = percentage(rate="1", min="2")
    assert rate(price, QuantityUsage(quantity=D(0), event_count=0)).amount == 0
    with pytest.raises(BadInput):
        rate(price, D(0))
    assert cost(price, "0") == "2"
