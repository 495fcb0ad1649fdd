"""What is exported says all of a catalogue: read again it is the same, through JSON and back."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tallystick.api.catalog_file import parse_catalog
from tallystick.catalog.checks import check_plan_version
from tallystick.catalog.compare import Catalog, as_meter, details, ordered, written
from tallystick.catalog.meter_checks import make_meter
from tallystick.catalog.offer_checks import check_add_on, check_coupon
from tallystick.kernel.ids import HOUSE

AT = datetime(2026, 1, 1, tzinfo=UTC)
amounts = st.decimals(0, 10**9, places=2).map(lambda value: f"{value:f}")
fine = st.integers(0, 10**12).map(lambda units: f"{Decimal(units).scaleb(-12):f}")
currencies = st.lists(st.sampled_from(["USD", "EUR", "JPY"]), min_size=1, max_size=3, unique=True)


@st.composite
def plans(draw: st.DrawFn, code: str) -> dict[str, Any]:
    sold = draw(currencies)
    models = draw(st.lists(st.sampled_from(["flat", "per_unit", "graduated"]), max_size=3))
    prices = []
    for number, model in enumerate(models):
        for currency in sold:
            price: dict[str, Any] = {"code": f"p{number}", "currency": currency, "model": model}
            if model == "flat":
                price["amount"] = draw(amounts)
            else:
                price |= {"meter": f"m{number}", "included": draw(amounts)}
            if model == "per_unit":
                price["unit"] = draw(fine)
            if model == "graduated":
                price["tiers"] = [{"up_to": "10", "unit": draw(fine), "flat": draw(amounts)},
                                  {"up_to": None, "unit": draw(fine)}]  # fmt: skip
            prices.append(price)
    return {
        "code": code, "name": code, "currency": sold[0], "prices": draw(st.permutations(prices)),
        "interval": draw(st.sampled_from(["month", "quarter", "half_year", "year"])),
        "interval_count": draw(st.integers(1, 12)), "usage_interval": "month",
        "billing": draw(st.sampled_from(["in_advance", "in_arrears"])),
        "trial_days": draw(st.integers(0, 30)), "fixed_months": draw(st.booleans()),
        "minimum_commitment": {sold[0]: draw(amounts)} if prices else {},
        "limits": {"m0": draw(amounts), "m1": [{"limit": draw(fine), "per": "day"}]},
        "credits": {"amount": "1.50000", "rollover": "all"} if draw(st.booleans()) else None,
    }  # fmt: skip


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    scale = {"USD": draw(amounts), "EUR": "1.5"}
    return {
        "meters": [{"code": f"m{at}", "unit": draw(st.sampled_from(["call", "GB"]))}
                   for at in range(3)],
        "plans": [draw(plans(f"plan{at}")) for at in range(draw(st.integers(0, 2)))],
        "add_ons": [{"code": "a", "name": "A", "charge": "once", "amounts": scale}],
        "coupons": [{"code": "c", "name": "C", "percent": "12.5", "duration": "periods",
                     "periods": draw(st.integers(1, 12)), "meters": ["m1"],
                     "valid_from": "2026-01-01T00:00:00Z"}],
    }  # fmt: skip


def kept(read: Catalog) -> Catalog:
    """Bring a catalogue into the form in which it is stored."""
    known = {meter.code for meter in read.meters}
    return Catalog(
        meters=tuple(as_meter(make_meter(one, HOUSE, AT)) for one in read.meters),
        plans=tuple(ordered(check_plan_version(one, known)) for one in read.plans),
        add_ons=tuple(check_add_on(one, {}) for one in read.add_ons),
        coupons=tuple(check_coupon(one) for one in read.coupons),
    )


@given(documents())
def test_a_catalogue_that_is_written_and_read_is_the_same(document: dict[str, Any]) -> None:
    first = kept(parse_catalog(document))
    told = msgspec.json.decode(msgspec.json.encode(written(first)))
    again = kept(parse_catalog(told))
    assert again == first
    assert [details(one, other) for one, other in zip(first.plans, again.plans, strict=True)] == [
        () for _ in first.plans
    ]


@given(documents(), documents())
def test_two_plans_differ_exactly_where_details_are_told(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    for left, right in zip(
        kept(parse_catalog(one)).plans, kept(parse_catalog(other)).plans, strict=False
    ):
        assert (left == right) == (details(left, right) == ())
