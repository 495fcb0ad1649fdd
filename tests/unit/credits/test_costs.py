"""What operations cost: which version holds, and how a quantity becomes credits."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.credits.costs import Cost, CostBook, price
from tallystick.kernel.errors import BadInput, NotFound

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ACCOUNT, OTHER = UUID(int=1), UUID(int=2)


def cost(**fields: Any) -> Cost:
    given_ = {
        "credit_cost_id": uuid4(),
        "account_id": None,
        "operation": "write",
        "model": None,
        "version": 1,
        "unit": "token",
        "unit_size": Decimal(1),
        "credits_per_unit": Decimal(1),
        "minimum": Decimal(0),
        "rounding": "up",
        "step": Decimal("0.00001"),
        "effective_at": NOW,
        "is_active": True,
        "created_at": NOW,
    }
    return Cost(**{**given_, **fields})


@pytest.mark.parametrize(
    ("fields", "quantity", "units"),
    [
        ({"unit_size": Decimal(1000), "credits_per_unit": Decimal(2)}, "1500", 300_000),
        ({"unit_size": Decimal(3)}, "1", 33_334),
        ({"unit_size": Decimal(3), "rounding": "down"}, "1", 33_333),
        ({"unit_size": Decimal(8), "step": Decimal("0.25"), "rounding": "nearest"}, "1", 25_000),
        ({"step": Decimal(1)}, "0.001", 100_000),
        ({"minimum": Decimal(5)}, "2", 500_000),
        ({"minimum": Decimal("0.1"), "credits_per_unit": Decimal(0)}, "7", 10_000),
    ],
)
def test_a_quantity_is_rounded_once_and_not_below_the_minimum(
    fields: dict[str, Any], quantity: str, units: int
) -> None:
    assert price(cost(**fields), Decimal(quantity)) == units


@given(
    st.decimals("0.00001", "1000000", places=5),
    st.decimals("0.00001", "1000", places=5),
    st.sampled_from([Decimal(1), Decimal(3), Decimal(7), Decimal(1000)]),
    st.sampled_from([Decimal("0.00001"), Decimal("0.01"), Decimal(1)]),
)
def test_rounding_up_never_asks_less_and_never_a_whole_step_more(
    quantity: Decimal, each: Decimal, size: Decimal, step: Decimal
) -> None:
    exact = Fraction(quantity) * Fraction(each) / Fraction(size)
    asked = Fraction(
        price(cost(unit_size=size, credits_per_unit=each, step=step), quantity), 100_000
    )
    assert exact <= asked < exact + Fraction(step)


def test_the_accounts_own_cost_and_the_models_own_come_first() -> None:
    general, model = cost(), cost(model="big")
    own, own_model = cost(account_id=ACCOUNT), cost(account_id=ACCOUNT, model="big")
    whole = CostBook(1, [general, model, own, own_model])
    assert whole.cost_at(ACCOUNT, "write", "big", NOW) == own_model
    assert whole.cost_at(ACCOUNT, "write", "small", NOW) == own
    assert whole.cost_at(OTHER, "write", "big", NOW) == model
    assert whole.cost_at(OTHER, "write", None, NOW) == general


def test_a_version_holds_from_its_instant_and_an_inactive_one_ends_the_cost() -> None:
    first = cost()
    second = cost(version=2, effective_at=NOW + timedelta(days=1))
    ended = cost(version=3, effective_at=NOW + timedelta(days=2), is_active=False)
    book = CostBook(1, [ended, second, first])
    assert book.cost_at(ACCOUNT, "write", None, NOW - timedelta(seconds=1)) is None
    assert book.cost_at(ACCOUNT, "write", None, NOW) == first
    assert book.cost_at(ACCOUNT, "write", None, NOW + timedelta(days=1)) == second
    with pytest.raises(NotFound):
        book.price(ACCOUNT, "write", None, Decimal(1), NOW + timedelta(days=2))


def test_a_quantity_that_costs_nothing_is_refused() -> None:
    with pytest.raises(BadInput):
        price(cost(rounding="down", step=Decimal(1)), Decimal("0.5"))
