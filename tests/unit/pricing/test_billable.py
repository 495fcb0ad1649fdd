"""What invoices do not bill yet is known before anybody subscribes to it."""

from typing import Any

import pytest

from tallystick.pricing.billable import why_not_billable
from tallystick.pricing.validate import read_price

BASE: dict[str, Any] = {"model": "per_unit", "currency": "USD", "meter": "calls", "unit": "1"}
PERCENTAGE = {"model": "percentage", "currency": "USD", "meter": "calls", "rate": "1"}


@pytest.mark.parametrize(
    "price",
    [
        {**BASE, "filters": [{"values": {"a": ["x"]}, "price": {"unit": "2"}}]},
        {**BASE, "maximum": "5"},
        {**BASE, "custom_unit": {"code": "credits", "rate": "0.1"}},
        {**PERCENTAGE, "fixed": "1"},
        {**PERCENTAGE, "min": "1"},
        {"model": "dynamic", "currency": "USD", "meter": "calls"},
    ],
)
def test_what_can_not_be_billed_yet_says_so(price: dict[str, Any]) -> None:
    assert why_not_billable(read_price(price)) is not None


@pytest.mark.parametrize("price", [BASE, PERCENTAGE, {**PERCENTAGE, "free_amount": "10"}])
def test_what_a_quantity_suffices_for_is_billed(price: dict[str, Any]) -> None:
    assert why_not_billable(read_price(price)) is None
