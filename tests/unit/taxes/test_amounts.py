"""What taxes come to."""

from datetime import date
from decimal import Decimal

from tallystick.documents.document import TaxLine
from tallystick.money.amount import Money
from tallystick.taxes.amounts import Taxed, taxed
from tallystick.taxes.model import Applied, Buyer, Supply

DAY = date(2026, 3, 15)
VAT, REDUCED = Applied("VAT", Decimal(20), "S"), Applied("VAT", Decimal(10), "S")
BY_CODE = {
    "standard": (VAT,),
    "reduced": (REDUCED,),
    "quebec": (Applied("GST", Decimal(5), "S"), Applied("QST", Decimal("9.975"), "S")),
    "gross": (Applied("VAT", Decimal(20), "S", inclusive=True),),
    "free": (),
}


def euro(minor: int, code: str | None = "standard", inclusive: bool | None = None) -> Supply:  # noqa: FBT001 -- a short way to write a case
    return Supply(amount=Money(minor, "EUR"), on=DAY, tax_code=code, inclusive=inclusive)


def come_to(*supplies: Supply) -> Taxed:
    return taxed(supplies, Buyer(country="FR"), lambda _who, code, _on: BY_CODE[code], "EUR")


def figures(found: Taxed) -> list[tuple[str, int, int]]:
    return [(f"{tax.name} {tax.percent}", tax.base_minor, tax.amount_minor) for tax in found.taxes]


def test_a_tax_is_rounded_once_on_the_sum() -> None:
    found = come_to(euro(33), euro(33), euro(33))
    assert found.taxes == (TaxLine("VAT", Decimal(20), 99, 20, "S"),)  # 0.198; by lines 0.21
    assert (found.net.minor, found.tax.minor) == (99, 20)


def test_several_taxes_stand_on_one_line_each_on_the_net_price() -> None:
    assert figures(come_to(euro(10_000, "quebec"))) == [
        ("GST 5", 10_000, 500), ("QST 9.975", 10_000, 998)]  # fmt: skip


def test_lines_of_the_same_tax_are_one_and_others_stand_apart() -> None:
    assert figures(come_to(euro(1000), euro(500, "reduced"), euro(250), euro(100, "free"))) == [
        ("VAT 20", 1250, 250), ("VAT 10", 500, 50)]  # fmt: skip


def test_what_is_printed_with_its_tax_comes_to_exactly_that() -> None:
    found = come_to(euro(10_000, "gross"))
    assert (found.net.minor, found.tax.minor) == (8333, 1667)
    assert [one.minor for one in found.included] == [1667]
    assert figures(found) == [("VAT 20", 8333, 1667)]


def test_a_price_says_itself_whether_it_contains_its_taxes() -> None:
    assert figures(come_to(euro(12_000, inclusive=True))) == [("VAT 20", 10_000, 2000)]
    assert figures(come_to(euro(12_000, "gross", inclusive=False))) == [("VAT 20", 12_000, 2400)]


def test_several_taxes_that_are_contained_share_what_is_left() -> None:
    found = come_to(euro(11_498, "quebec", inclusive=True))
    assert found.net.minor == 10_000  # 114.98 / 1.14975 = 100.004
    assert figures(found) == [("GST 5", 10_000, 500), ("QST 9.975", 10_000, 998)]


def test_contained_tax_of_lines_sums_to_the_tax_of_the_invoice() -> None:
    found = come_to(euro(333, "gross"), euro(333, "gross"), euro(334, "gross"), euro(-100, "gross"))
    assert sum(one.minor for one in found.included) == found.tax.minor == 150
    assert [one.minor for one in found.included] == [55, 56, 56, -17]


def test_what_is_contained_and_what_comes_on_top_are_one_line_of_a_tax() -> None:
    assert figures(come_to(euro(12_000, inclusive=True), euro(1000))) == [("VAT 20", 11_000, 2200)]


def test_a_discount_on_everything_lowers_each_base_by_its_share() -> None:
    found = come_to(euro(2000), euro(1000, "reduced"), euro(-300, None))
    assert figures(found) == [("VAT 20", 1800, 360), ("VAT 10", 900, 90)]
    assert found.net.minor == 2700


def test_what_belongs_to_all_and_stands_alone_is_standard() -> None:
    assert figures(come_to(euro(-300, None))) == [("VAT 20", -300, -60)]


def test_a_discount_over_lines_of_nothing_stays_whole() -> None:
    assert figures(come_to(euro(0), euro(0, "reduced"), euro(-5, None))) == [
        ("VAT 20", -5, -1), ("VAT 10", 0, 0)]  # fmt: skip


def test_untaxed_supplies_have_no_lines() -> None:
    found = come_to(euro(500, "free"), euro(500, "free", inclusive=True))
    assert (found.taxes, found.net.minor, found.tax.minor) == ((), 1000, 0)


def test_no_supplies_come_to_nothing() -> None:
    assert come_to() == Taxed(net=Money(0, "EUR"), taxes=(), included=())


def test_each_supply_says_which_taxes_hold_for_it() -> None:
    found = come_to(
        euro(1000), euro(500, "reduced"), euro(700, "quebec"), euro(-300, None), euro(100, "free")
    )
    names = [f"{tax.name} {tax.percent}" for tax in found.taxes]
    assert names == ["VAT 20", "VAT 10", "GST 5", "QST 9.975"]
    assert found.places == ((0,), (1,), (2, 3), None, ())
