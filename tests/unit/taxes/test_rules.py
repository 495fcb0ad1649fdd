"""Who pays which tax: a table to read."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tallystick.kernel.errors import Conflict
from tallystick.taxes.model import (
    Buyer,
    Exemption,
    ManualRate,
    Place,
    Seller,
    TaxRate,
    TaxTerms,
)
from tallystick.taxes.rules import OUTSIDE_EU, REVERSE_CHARGE, determine, places_without_rate

MADE = datetime(2026, 1, 1, tzinfo=UTC)


def rate(country: str, name: str, percent: str, **other: Any) -> TaxRate:
    told: dict[str, Any] = {"valid_from": date(2020, 1, 1), **other}
    return TaxRate(
        tax_rate_id=UUID(int=1), created_at=MADE, country=country, name=name,
        percent=Decimal(percent), source="a test", looked_up_on=date(2026, 1, 1), **told,
    )  # fmt: skip


def terms(seller: Seller, *rates: TaxRate) -> TaxTerms:
    by_country: dict[str, list[TaxRate]] = {}
    for one in rates:
        by_country.setdefault(one.country, []).append(one)
    return TaxTerms(seller=seller, rates=by_country)


RATES = (
    rate("FR", "TVA", "20"),
    rate("DE", "USt", "19"),
    rate("DE", "USt", "7", tax_code="books"),
    rate("IE", "VAT", "23"),
    rate("FI", "ALV", "24", valid_until=date(2024, 9, 1)),
    rate("FI", "ALV", "25.5", valid_from=date(2024, 9, 1)),
    rate("EE", "KM", "22", valid_from=date(2024, 1, 1), valid_until=date(2025, 7, 1)),
    rate("EE", "KM", "24", valid_from=date(2025, 7, 1)),
    rate("PT", "IVA", "23"),
    rate("PT", "IVA", "16", region="20", replaces_national=True),  # the Azores
    rate("GB", "VAT", "20"),
    rate("US", "Sales tax", "4", region="NY"),
    rate("CA", "GST", "5"),
    rate("CA", "QST", "9.975", region="QC"),
    rate("CA", "PST", "7", region="BC"),
    rate("CA", "HST", "13", region="ON", replaces_national=True),
)

FRENCH = Seller(country="FR", tax_number="FR40303265045")
IN_ONE_STOP_SHOP = Seller(country="FR", tax_number="FR40303265045", registrations=(Place("EU"),))
IN_BRITAIN_TOO = Seller(country="FR", tax_number="FR40303265045", registrations=(Place("GB"),))
IN_NEW_YORK = Seller(country="US", registrations=(Place("US", "NY"),))
CANADIAN = Seller(country="CA", tax_number="123456789RT0001")
IN_QUEBEC = Seller(country="CA", tax_number="1", registrations=(Place("CA", "QC"),))
IN_BC = Seller(country="CA", tax_number="1", registrations=(Place("CA", "BC"),))
AMERICAN_IN_ONE_STOP_SHOP = Seller(country="US", registrations=(Place("EU"),))
NOWHERE = Seller()

DAY = date(2026, 3, 15)
GERMAN_NUMBER, IRISH_NUMBER = "DE136695976", "IE6433435F"


def told(seller: Seller, buyer: Buyer, code: str = "standard", on: date = DAY) -> list[str]:
    taxes = determine(terms(seller, *RATES))(buyer, code, on)
    return [f"{tax.name} {tax.percent} {tax.category}" for tax in taxes]


CASES: list[tuple[str, Seller, Buyer, list[str]]] = [
    # -- a seller in the European Union --
    ("a person at home", FRENCH, Buyer(country="FR"), ["TVA 20 S"]),
    ("a business at home", FRENCH, Buyer(country="FR", tax_number="FR40303265045"), ["TVA 20 S"]),
    ("a business in another member state", FRENCH,
        Buyer(country="DE", tax_number=GERMAN_NUMBER), ["VAT 0 AE"]),
    ("the same with the one-stop shop", IN_ONE_STOP_SHOP,
        Buyer(country="DE", tax_number=GERMAN_NUMBER), ["VAT 0 AE"]),
    ("a person in another member state", FRENCH, Buyer(country="DE"), ["TVA 20 S"]),
    ("a person there, with the one-stop shop", IN_ONE_STOP_SHOP, Buyer(country="DE"),
        ["USt 19 S"]),
    ("a number of another country than the buyer's", IN_ONE_STOP_SHOP,
        Buyer(country="DE", tax_number=IRISH_NUMBER), ["USt 19 S"]),
    ("a region with a rate in place of the country's", IN_ONE_STOP_SHOP,
        Buyer(country="PT", region="20"), ["IVA 16 S"]),
    ("a region without one of its own", IN_ONE_STOP_SHOP,
        Buyer(country="PT", region="11"), ["IVA 23 S"]),
    ("somebody outside the union", FRENCH, Buyer(country="US", region="NY"), ["VAT 0 O"]),
    ("a business outside the union", FRENCH,
        Buyer(country="CH", tax_number="CHE107787577"), ["VAT 0 O"]),
    ("somebody outside, where the seller is registered", IN_BRITAIN_TOO, Buyer(country="GB"),
        ["VAT 20 S"]),
    # -- a seller outside, for buyers in the union --
    ("a person in the union", AMERICAN_IN_ONE_STOP_SHOP, Buyer(country="IE"), ["VAT 23 S"]),
    ("a business in the union", AMERICAN_IN_ONE_STOP_SHOP,
        Buyer(country="IE", tax_number=IRISH_NUMBER), ["VAT 0 AE"]),
    ("the union without a registration", IN_NEW_YORK, Buyer(country="IE"), []),
    # -- the United States and Canada: where the seller is registered --
    ("a state with nexus", IN_NEW_YORK, Buyer(country="US", region="NY"), ["Sales tax 4 S"]),
    ("a state without nexus", IN_NEW_YORK, Buyer(country="US", region="TX"), []),
    ("a province without a tax of its own", CANADIAN, Buyer(country="CA", region="AB"),
        ["GST 5 S"]),
    ("a province with a harmonised tax", CANADIAN, Buyer(country="CA", region="ON"),
        ["HST 13 S"]),
    ("Quebec, registered for it", IN_QUEBEC, Buyer(country="CA", region="QC"),
        ["GST 5 S", "QST 9.975 S"]),
    ("Quebec, not registered for it", CANADIAN, Buyer(country="CA", region="QC"), ["GST 5 S"]),
    ("British Columbia, registered for it", IN_BC, Buyer(country="CA", region="BC"),
        ["GST 5 S", "PST 7 S"]),
    ("the United States from Canada", CANADIAN, Buyer(country="US", region="NY"), []),
    # -- no duty --
    ("a seller who is registered nowhere", NOWHERE, Buyer(country="FR"), []),
    ("a rate of the account's own", FRENCH,
        Buyer(country="DE", manual=ManualRate("VAT", Decimal("8.1"))), ["VAT 8.1 None"]),
    ("the same without any registration", NOWHERE,
        Buyer(country="FR", manual=ManualRate("None", Decimal(0))), ["None 0 None"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("seller", "buyer", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_who_pays_what(seller: Seller, buyer: Buyer, expected: list[str]) -> None:
    assert told(seller, buyer) == expected


@pytest.mark.parametrize(("country", "day", "expected"), [
    ("FI", date(2024, 8, 31), "ALV 24 S"),
    ("FI", date(2024, 9, 1), "ALV 25.5 S"),
    ("EE", date(2025, 6, 30), "KM 22 S"),
    ("EE", date(2025, 7, 1), "KM 24 S"),
])  # fmt: skip
def test_a_rate_holds_from_its_first_day(country: str, day: date, expected: str) -> None:
    assert told(IN_ONE_STOP_SHOP, Buyer(country=country), on=day) == [expected]


def test_a_product_has_its_own_rate_where_one_is_known_and_else_the_standard_one() -> None:
    assert told(IN_ONE_STOP_SHOP, Buyer(country="DE"), "books") == ["USt 7 S"]
    assert told(IN_ONE_STOP_SHOP, Buyer(country="FR"), "books") == ["TVA 20 S"]


def test_the_reasons_name_the_directive() -> None:
    taxes = determine(terms(FRENCH, *RATES))
    german = Buyer(country="DE", tax_number=GERMAN_NUMBER)
    assert taxes(german, "standard", DAY) == (REVERSE_CHARGE,)
    assert "Article 196 of Directive 2006/112/EC" in (REVERSE_CHARGE.reason or "")
    assert taxes(Buyer(country="US"), "standard", DAY) == (OUTSIDE_EU,)


@pytest.mark.parametrize(("seller", "buyer", "code", "place"), [
    (IN_ONE_STOP_SHOP, Buyer(country="PL"), "tax_rate_missing", "PL"),
    (IN_ONE_STOP_SHOP, Buyer(country="EE"), "tax_rate_missing", "EE"),  # on a day before the first
    (Seller(country="CH", tax_number="CHE107787577"), Buyer(country="CH"),
        "tax_rate_missing", "CH"),
    (IN_NEW_YORK, Buyer(country="US"), "tax_region_missing", "US"),
    (CANADIAN, Buyer(country="CA"), "tax_region_missing", "CA"),
])  # fmt: skip
def test_no_rate_where_one_must_be_is_told_with_its_place_code_and_day(
    seller: Seller, buyer: Buyer, code: str, place: str
) -> None:
    with pytest.raises(Conflict) as caught:
        told(seller, buyer, "standard", date(2023, 12, 31))
    assert caught.value.code == code
    assert place in caught.value.detail
    if code == "tax_rate_missing":
        assert "standard" in caught.value.detail
        assert "2023-12-31" in caught.value.detail


def exemption(**fields: Any) -> Exemption:
    return Exemption(
        account_id=UUID(int=1), tax_exemption_id=UUID(int=2), created_at=MADE,
        **{"reason": "Diplomatic mission", "valid_from": date(2026, 1, 1), **fields},
    )  # fmt: skip


@pytest.mark.parametrize(("freed", "on", "expected"), [
    (exemption(), DAY, ["TVA 0 E"]),
    (exemption(country="FR"), DAY, ["TVA 0 E"]),
    (exemption(country="DE"), DAY, ["TVA 20 S"]),
    (exemption(), date(2025, 12, 31), ["TVA 20 S"]),
    (exemption(valid_until=DAY), DAY, ["TVA 20 S"]),
    (exemption(valid_until=DAY), date(2026, 3, 14), ["TVA 0 E"]),
])  # fmt: skip
def test_an_exemption_frees_in_its_place_and_time(
    freed: Exemption, on: date, expected: list[str]
) -> None:
    assert told(FRENCH, Buyer(country="FR", exemptions=(freed,)), on=on) == expected


def test_an_exemption_prints_its_reason_and_certificate_and_needs_no_rate() -> None:
    freed = exemption(certificate="NY-77")
    (tax,) = determine(terms(IN_NEW_YORK, *RATES))(
        Buyer(country="US", region="NY", exemptions=(freed,)), "standard", DAY
    )
    assert tax.reason == "Diplomatic mission (certificate NY-77)"
    swiss = Seller(country="CH", tax_number="CHE107787577")
    assert told(swiss, Buyer(country="CH", exemptions=(freed,))) == ["Tax 0 E"]


def test_nobody_is_freed_of_what_is_not_charged() -> None:
    freed = exemption()
    assert told(IN_NEW_YORK, Buyer(country="US", region="TX", exemptions=(freed,))) == []
    german = Buyer(country="DE", tax_number=GERMAN_NUMBER, exemptions=(freed,))
    assert told(FRENCH, german) == ["VAT 0 AE"]


def missing(seller: Seller, on: date = date(2026, 1, 1)) -> list[str]:
    return [str(place) for place in places_without_rate(seller, RATES, on)]


def test_places_are_named_whose_rate_nobody_has_told() -> None:
    assert missing(FRENCH) == missing(Seller()) == []
    assert missing(Seller(country="CH", tax_number="CHE-1")) == ["CH"]
    abroad = (Place("US", "NY"), Place("US", "CA"), Place("CA", "QC"), Place("CA", "AB"))
    assert missing(Seller(country="US", tax_number="1", registrations=abroad)) == [
        "CA-AB", "US-CA",
    ]  # fmt: skip


def test_a_rate_that_has_ended_is_none() -> None:
    finnish = Seller(country="FI", tax_number="FI1")
    assert (missing(finnish), missing(finnish, date(2019, 1, 1))) == ([], ["FI"])


def test_the_one_stop_shop_wants_the_rates_of_all_member_states() -> None:
    found = missing(IN_ONE_STOP_SHOP)
    assert {"ES", "IT"} <= {*found}
    assert not {"FR", "DE", "EU"} & {*found}
