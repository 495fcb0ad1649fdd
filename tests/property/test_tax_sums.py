"""Sums of taxes, whatever the amounts."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tallystick.money.amount import Money
from tallystick.money.rounding import round_decimal
from tallystick.taxes.amounts import Taxed, taxed
from tallystick.taxes.model import Applied, Buyer, Supply

CODES = ("a", "b", "c")
percents = st.decimals(0, 40, places=3)
applied = st.builds(
    Applied,
    st.sampled_from(["VAT", "GST", "QST"]),
    percents,
    st.just("S"),
    st.none(),
    st.booleans(),
)
taxes = st.fixed_dictionaries(
    {
        code: st.lists(applied, max_size=3, unique_by=lambda tax: tax.name).map(tuple)
        for code in CODES
    }
)
supplies = st.lists(
    st.builds(
        Supply,
        amount=st.integers(-(10**9), 10**9).map(lambda minor: Money(minor, "EUR")),
        on=st.just(date(2026, 1, 1)),
        tax_code=st.sampled_from([*CODES, None]),
        inclusive=st.sampled_from([None, True, False]),
    ),
    max_size=8,
)
Taxes = dict[str, tuple[Applied, ...]]


def come_to(these: list[Supply], by_code: Taxes) -> Taxed:
    def told(_who: Buyer, code: str, _on: date) -> tuple[Applied, ...]:
        return by_code.get(code, by_code["a"])

    return taxed(these, Buyer(country="FR"), told, "EUR")


@given(supplies, taxes)
def test_net_and_contained_tax_are_what_was_printed(these: list[Supply], by_code: Taxes) -> None:
    found = come_to(these, by_code)
    printed = sum(one.amount.minor for one in these)
    assert found.net.minor + sum(one.minor for one in found.included) == printed
    assert found.tax.minor == sum(tax.amount_minor for tax in found.taxes)


@given(supplies, taxes)
def test_gross_prices_come_to_what_is_printed(these: list[Supply], by_code: Taxes) -> None:
    gross = [Supply(amount=one.amount, on=one.on, inclusive=True, tax_code="b") for one in these]
    found = come_to(gross, by_code)
    assert found.net + found.tax == sum((one.amount for one in these), Money.zero("EUR"))


@given(supplies, taxes)
def test_net_prices_are_the_net_and_each_tax_is_rounded_once(
    these: list[Supply], by_code: Taxes
) -> None:
    on_top = [
        Supply(amount=one.amount, on=one.on, inclusive=False, tax_code=one.tax_code)
        for one in these
    ]
    found = come_to(on_top, by_code)
    assert found.net.minor == sum(one.amount.minor for one in these)
    for tax in found.taxes:
        base = Money(tax.base_minor, "EUR").to_decimal()
        assert tax.amount_minor == round_decimal(base * tax.percent / 100, "EUR").minor


@given(supplies, taxes)
def test_no_tax_stands_on_two_lines(these: list[Supply], by_code: Taxes) -> None:
    names = [(tax.name, tax.percent, tax.category) for tax in come_to(these, by_code).taxes]
    assert len(names) == len(set(names))


@given(st.integers(0, 10**12), st.decimals(0, 40, places=3))
def test_a_contained_tax_is_off_by_less_than_a_cent(minor: int, percent: Decimal) -> None:
    only = Supply(amount=Money(minor, "EUR"), on=date(2026, 1, 1), inclusive=True, tax_code="a")
    found = come_to([only], {"a": (Applied("VAT", percent, "S"),)})
    exact = minor - Decimal(minor) / (1 + percent / 100)
    assert abs(found.tax.minor - exact) <= Decimal("0.5000001")
