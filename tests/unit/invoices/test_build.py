from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from msgspec.structs import replace

from tallystick.accounts.model import Account
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.documents.document import TaxLine
from tallystick.invoices.derivation import decode, encode, recompute
from tallystick.invoices.model import InvoiceDraft
from tallystick.invoices.usage_lines import metered_codes
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.pricing.charges import uses_of_totals
from tallystick.pricing.model import FlatPrice, GraduatedPrice, PerUnitPrice, Price, Tier
from tallystick.subscriptions.periods import Period
from tests.invoice_drafts import period_draft

AT = datetime(2026, 1, 31, tzinfo=UTC)
PERIOD = Period(AT, datetime(2026, 2, 28, tzinfo=UTC))
ACCOUNT = Account(
    account_id=UUID(int=1),
    name="Ada",
    email="ada@example.com",
    currency="EUR",
    timezone="Europe/Paris",
    country="FR",
    locale="fr-FR",
    created_at=AT,
)
FEE = FlatPrice(currency="EUR", code="fee", amount=Decimal(49))
CALLS = GraduatedPrice(
    currency="EUR",
    code="calls",
    meter="api_calls",
    tiers=(
        Tier(up_to=Decimal(1000), unit=Decimal("0.02"), flat=Decimal(5)),
        Tier(up_to=None, unit=Decimal("0.01")),
    ),
)
SEATS = PerUnitPrice(currency="EUR", code="seats", meter="seats", unit=Decimal("0.333"))


def meter(code: str, name: str, unit: str) -> Meter:
    return Meter(
        meter_id=UUID(int=9),
        code=code,
        name=name,
        unit=unit,
        event_type=code,
        aggregation="count",
        property=None,
        created_at=AT,
    )


METERS = {
    "api_calls": meter("api_calls", "API calls", "calls"),
    "seats": meter("seats", "Seats", "seats"),
}


def plan(*prices: Price, currency: str = "EUR") -> PlanVersion:
    return PlanVersion(
        plan_version_id=UUID(int=2),
        plan_id=UUID(int=3),
        plan_code="pro",
        plan_name="Pro",
        version=1,
        currency=currency,
        interval="month",
        interval_count=1,
        prices=prices,
        limits={},
        created_at=AT,
    )


def draft(
    *prices: Price,
    totals: Mapping[str, str] | None = None,
    account: Account = ACCOUNT,
    currency: str = "EUR",
) -> InvoiceDraft:
    quantities = {code: Decimal(quantity) for code, quantity in (totals or {}).items()}
    uses = uses_of_totals(prices, quantities)
    return period_draft(account, plan(*prices, currency=currency), METERS, PERIOD, uses)


def test_each_price_has_a_line_in_the_plans_order() -> None:
    made = draft(FEE, CALLS, SEATS, totals={"api_calls": "1500", "seats": "2.5"})
    assert [(line.kind, line.price_code, line.amount.minor) for line in made.lines] == [
        ("subscription", "fee", 4900),
        ("usage", "calls", 3000),  # 5 + 1000 x 0.02 + 500 x 0.01
        ("usage", "seats", 83),  # 0.8325 rounds down
    ]
    assert [line.description for line in made.lines] == ["Pro", "API calls", "Seats"]
    assert [line.unit for line in made.lines] == [None, "calls", "seats"]
    assert [line.quantity for line in made.lines] == [1, 1500, Decimal("2.5")]
    assert made.subtotal == made.total == Money(7983, "EUR")
    assert made.taxes == ()
    assert (made.period_start, made.period_end) == (PERIOD.start, PERIOD.end)


def test_a_meter_that_was_not_used_keeps_its_line_over_nothing() -> None:
    (line,) = draft(SEATS).lines
    assert (line.quantity, line.amount) == (Decimal(0), Money(0, "EUR"))


def test_the_flat_fee_of_the_first_tier_is_due_without_usage() -> None:
    (line,) = draft(CALLS).lines
    assert line.amount == Money(500, "EUR")


@pytest.mark.parametrize(("quantity", "minor"), [("1", 1), ("2", 1), ("3", 2), ("5", 3), ("7", 4)])
def test_a_line_is_rounded_once_half_away_from_zero(quantity: str, minor: int) -> None:
    half_cent = replace(SEATS, unit=Decimal("0.005"))
    (line,) = draft(half_cent, totals={"seats": quantity}).lines
    assert line.amount.minor == minor
    assert line.derivation.exact == Decimal(quantity) * Decimal("0.005")


def test_lines_are_rounded_each_and_summed_as_rounded() -> None:
    third = replace(SEATS, unit=Decimal("0.004"))
    other = replace(third, code="calls", meter="api_calls")
    made = draft(third, other, totals={"seats": "1", "api_calls": "1"})
    assert [line.amount.minor for line in made.lines] == [0, 0]
    assert made.subtotal.minor == 0  # what the customer adds up, not 0.008


@pytest.mark.parametrize(
    ("currency", "unit", "minor"), [("JPY", "0.5", 3), ("KWD", "0.0005", 3), ("USD", "0.005", 3)]
)
def test_amounts_round_to_the_currencys_own_minor_unit(
    currency: str, unit: str, minor: int
) -> None:
    price = PerUnitPrice(currency=currency, code="p", meter="seats", unit=Decimal(unit))
    made = draft(price, totals={"seats": "5"}, currency=currency)
    assert made.total == Money(minor, currency)


def test_tax_is_reckoned_once_on_the_sum_of_the_lines() -> None:
    taxed = replace(ACCOUNT, tax_name="VAT", tax_percent=Decimal(20))
    small = replace(FEE, amount=Decimal("0.33"))
    made = draft(small, replace(small, code="b"), replace(small, code="c"), account=taxed)
    assert made.taxes == (TaxLine("VAT", Decimal(20), 99, 20),)  # 0.198; each line alone gives 7
    assert (made.subtotal.minor, made.tax.minor, made.total.minor) == (99, 20, 119)


def test_a_tax_of_zero_percent_is_said_and_none_is_not() -> None:
    exempt = replace(ACCOUNT, tax_name="Reverse charge", tax_percent=Decimal(0))
    assert draft(FEE, account=exempt).taxes == (TaxLine("Reverse charge", Decimal(0), 4900, 0),)
    assert draft(FEE).taxes == ()


def test_several_fees_are_told_apart_by_their_codes() -> None:
    made = draft(FEE, replace(FEE, code="support"))
    assert [line.description for line in made.lines] == ["Pro: fee", "Pro: support"]


def test_a_minimum_that_is_not_reached_adds_a_line_for_the_rest() -> None:
    least = replace(SEATS, minimum=Decimal(10))
    usage, rest = draft(least, totals={"seats": "3"}).lines
    assert (usage.amount.minor, rest.amount.minor) == (100, 900)
    assert (rest.kind, rest.description) == ("minimum", "Seats: up to the minimum")
    assert recompute(rest.derivation) == rest.amount


def test_a_minimum_that_is_reached_adds_nothing() -> None:
    least = replace(SEATS, minimum=Decimal(10))
    assert len(draft(least, totals={"seats": "31"}).lines) == 1


def test_a_price_whose_meter_is_gone_is_refused_by_name() -> None:
    with pytest.raises(Conflict, match="gone") as caught:
        draft(replace(SEATS, meter="gone"))
    assert caught.value.code == "meter_missing"


def test_a_plan_without_prices_makes_an_invoice_over_nothing() -> None:
    made = draft()
    assert (made.lines, made.total) == ((), Money(0, "EUR"))


def test_only_metered_prices_need_totals() -> None:
    assert metered_codes(plan(FEE, CALLS, SEATS)) == {"api_calls", "seats"}


def test_a_derivation_names_the_price_as_sold_and_survives_its_storage() -> None:
    line = draft(CALLS, totals={"api_calls": "1500"}).lines[0]
    derivation = decode(encode(line.derivation))
    assert derivation == line.derivation
    assert derivation.price == CALLS
    assert derivation.plan_version_id == UUID(int=2)
    assert (derivation.period_start, derivation.period_end) == (PERIOD.start, PERIOD.end)
    assert sum(step.amount for step in derivation.steps) == derivation.exact == 30
    assert '"exact":"30"' in encode(line.derivation)
