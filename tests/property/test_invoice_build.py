"""Whatever is sold and used: sums add up, and each line can be computed again to the cent."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.derivation import decode, encode, recompute
from tallystick.invoices.entries import issued_entry
from tallystick.ledger.posting import check_entry
from tallystick.pricing.charges import uses_of_totals
from tallystick.pricing.model import FlatPrice, GraduatedPrice, PerUnitPrice, Price, Tier
from tallystick.subscriptions.periods import Period
from tests.invoice_drafts import period_draft

AT = datetime(2026, 1, 31, tzinfo=UTC)
PERIOD = Period(AT, datetime(2026, 2, 28, tzinfo=UTC))
CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD"])


def decimals(least: str, most: str, places: int) -> st.SearchStrategy[Decimal]:
    return st.decimals(Decimal(least), Decimal(most), allow_nan=False, places=places)


AMOUNTS = decimals("0", "100000", 6)
QUANTITIES = decimals("-10", "1000000", 4)
MINIMUMS = st.none() | AMOUNTS


@st.composite
def graduated(draw: st.DrawFn, currency: str, code: str) -> GraduatedPrice:
    edges = sorted(draw(st.sets(st.integers(1, 10**6), max_size=3)))
    tiers = [
        Tier(up_to=up_to, unit=draw(AMOUNTS), flat=draw(AMOUNTS))
        for up_to in [*(Decimal(edge) for edge in edges), None]
    ]
    return GraduatedPrice(
        currency=currency, code=code, meter=code, tiers=tuple(tiers), minimum=draw(MINIMUMS)
    )


@st.composite
def prices(draw: st.DrawFn, currency: str) -> tuple[Price, ...]:
    made: list[Price] = []
    for at in range(draw(st.integers(0, 4))):
        code = f"p{at}"
        one = st.builds(
            PerUnitPrice,
            currency=st.just(currency),
            code=st.just(code),
            meter=st.just(code),
            unit=AMOUNTS,
            included=decimals("0", "1000", 2),
            minimum=MINIMUMS,
        )
        flat = st.builds(FlatPrice, currency=st.just(currency), code=st.just(code), amount=AMOUNTS)
        made.append(draw(one | flat | graduated(currency, code)))
    return tuple(made)


@given(data=st.data(), currency=CURRENCIES, percent=st.none() | decimals("0", "100", 3))
def test_lines_sum_up_and_are_recomputed_to_the_cent(
    data: st.DataObject, currency: str, percent: Decimal | None
) -> None:
    sold = data.draw(prices(currency))
    used: Mapping[str, Decimal] = {price.code: data.draw(QUANTITIES) for price in sold}
    made = period_draft(
        account(currency, percent),
        plan(sold, currency),
        meters(sold),
        PERIOD,
        uses_of_totals(sold, used),
    )
    assert made.subtotal.minor == sum(line.amount.minor for line in made.lines)
    assert made.tax.minor == sum(tax.amount_minor for tax in made.taxes)
    assert made.total == made.subtotal + made.tax
    for line in made.lines:
        assert recompute(decode(encode(line.derivation))) == line.amount
        assert line.amount.minor >= 0
    for price in sold:
        billed = sum(line.amount.minor for line in made.lines if line.price_code == price.code)
        if price.minimum is not None:
            exponent = {"EUR": 2, "JPY": 0, "KWD": 3}[currency]
            assert Decimal(billed) + Decimal("0.5") >= price.minimum.scaleb(exponent)
    entry = issued_entry(made, UUID(int=7), "INV-2026-000001", AT)
    if entry is None:
        assert made.total.is_zero()
    else:
        check_entry(entry)


@given(percent=decimals("0", "100", 4), minor=st.integers(0, 10**12))
def test_tax_is_the_nearest_minor_unit_to_the_exact_share(percent: Decimal, minor: int) -> None:
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(minor).scaleb(-2))
    made = period_draft(account("EUR", percent), plan((fee,), "EUR"), {}, PERIOD, {})
    exact = Decimal(minor) * percent / 100
    assert abs(made.tax.minor - exact) <= Decimal("0.5")
    assert made.taxes[0].base_minor == minor


def account(currency: str, percent: Decimal | None) -> Account:
    return Account(
        account_id=UUID(int=1),
        name="Ada",
        email="ada@example.com",
        currency=currency,
        timezone="UTC",
        country="FR",
        locale="en-US",
        tax_name=None if percent is None else "VAT",
        tax_percent=percent,
        created_at=AT,
    )


def plan(sold: tuple[Price, ...], currency: str) -> PlanVersion:
    return PlanVersion(
        plan_version_id=UUID(int=2),
        plan_id=UUID(int=3),
        plan_code="pro",
        plan_name="Pro",
        version=1,
        currency=currency,
        interval="month",
        interval_count=1,
        prices=sold,
        limits={},
        created_at=AT,
    )


def meters(sold: tuple[Price, ...]) -> dict[str, Meter]:
    return {
        price.code: Meter(
            meter_id=UUID(int=9),
            code=price.code,
            name=price.code,
            unit="unit",
            event_type=price.code,
            aggregation="count",
            property=None,
            created_at=AT,
        )
        for price in sold
    }
