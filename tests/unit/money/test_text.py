from decimal import Decimal, localcontext

import pytest

from tallystick.money.amount import Money
from tallystick.money.errors import BadAmount, UnknownCurrency, UnknownLocale
from tallystick.money.text import parse_money, show_decimal, show_money, show_price

NBSP, NNBSP = "\u00a0", "\u202f"


@pytest.mark.parametrize(
    ("text", "currency", "locale", "minor"),
    [
        ("1,234.56", "USD", "en", 123456),
        ("1.234,56", "EUR", "de", 123456),
        ("1 234,56", "EUR", "fr", 123456),
        (f"1{NNBSP}234,56{NBSP}€", "EUR", "fr-FR", 123456),
        ("1'234.56", "CHF", "de_CH", 123456),
        ("1\u2019234.56", "CHF", "de-CH", 123456),
        ("12,34,567.89", "INR", "hi", 123456789),
        ("1234.5", "USD", "en", 123450),
        ("7", "USD", "en", 700),
        ("0.07", "USD", "en", 7),
        ("$5", "USD", "en", 500),
        ("-$5.00", "USD", "en", -500),
        ("$-5.00", "USD", "en", -500),
        ("\u22125.00", "USD", "en", -500),
        ("5.00-", "USD", "en", -500),
        ("USD 5", "USD", "en", 500),
        ("5 usd", "USD", "en", 500),
        ("-0", "USD", "en", 0),
        ("1,235", "JPY", "en", 1235),
        ("￥1,235", "JPY", "ja", 1235),
        ("1.235", "JPY", "de", 1235),
        ("1.234,500", "KWD", "de", 1234500),
        ("1,234", "KWD", "de", 1234),
        ("1,234,567", "KWD", "en", 1234567000),
        ("0,1235", "CLF", "de", 1235),
        ("5.25", "MGA", "en", 525),
        ("92233720368547758.07", "USD", "en", 2**63 - 1),
    ],
)
def test_text_is_read_as_the_locale_writes_it(
    text: str, currency: str, locale: str, minor: int
) -> None:
    assert parse_money(text, currency, locale) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency", "locale"),
    [
        ("", "USD", "en"),
        ("$", "USD", "en"),
        ("-", "USD", "en"),
        ("--5", "USD", "en"),
        ("-5-", "USD", "en"),
        ("+5", "USD", "en"),
        ("(5.00)", "USD", "en"),
        (".5", "USD", "en"),
        ("5.", "USD", "en"),
        ("1.2.3", "USD", "en"),
        ("1.234,56", "USD", "en"),
        ("1,234.56", "EUR", "de"),
        ("12,34", "USD", "en"),
        ("1,2345", "USD", "en"),
        ("12,34,567", "USD", "en"),
        ("1,234,56.00", "USD", "en"),
        ("0,123", "USD", "en"),
        (",123", "USD", "en"),
        ("007", "USD", "en"),
        ("1 234.00", "USD", "en"),
        ("1_000", "USD", "en"),
        ("1e3", "USD", "en"),
        ("NaN", "USD", "en"),
        ("Infinity", "USD", "en"),
        ("5 EUR", "USD", "en"),
        ("$5", "CAD", "en"),
        ("$5$", "USD", "en"),
        ("\u0665", "USD", "en"),
        ("5.\u0665", "USD", "en"),
        ("5\n", "USD", "en"),
        ("5.0\n", "USD", "en"),
        ("0x10", "USD", "en"),
        ("9" * 65, "USD", "en"),
    ],
)
def test_malformed_text_is_refused(text: str, currency: str, locale: str) -> None:
    with pytest.raises(BadAmount) as refusal:
        parse_money(text, currency, locale)
    assert refusal.value.code == "amount_malformed"


@pytest.mark.parametrize(
    ("text", "currency", "locale"),
    [
        ("1.005", "USD", "en"),
        ("1,005", "EUR", "de"),
        ("1.0", "JPY", "en"),
        ("1.2345", "KWD", "en"),
        ("1.500", "USD", "en"),
    ],
)
def test_more_decimals_than_the_currency_has_are_refused(
    text: str, currency: str, locale: str
) -> None:
    with pytest.raises(BadAmount) as refusal:
        parse_money(text, currency, locale)
    assert refusal.value.code == "too_many_decimals"


@pytest.mark.parametrize(("text", "locale"), [("1,234", "en"), ("1.234", "de"), ("12.345", "es")])
def test_a_lone_group_in_a_currency_of_three_decimals_is_ambiguous(text: str, locale: str) -> None:
    with pytest.raises(BadAmount) as refusal:
        parse_money(text, "KWD", locale)
    assert refusal.value.code == "amount_ambiguous"


def test_a_space_between_groups_is_never_taken_for_a_decimal_mark() -> None:
    assert parse_money("1 234", "KWD", "fr") == Money(1_234_000, "KWD")


def test_an_absurd_size_is_refused() -> None:
    with pytest.raises(BadAmount) as refusal:
        parse_money("9" * 20, "USD", "en")
    assert refusal.value.code == "amount_too_large"


def test_locale_and_currency_must_be_known() -> None:
    for locale in ("xx", "", "de_XX_YY_ZZ", "en;q=0.8", "../../etc/passwd", "e" * 200):
        with pytest.raises(UnknownLocale):
            parse_money("1", "USD", locale)
    with pytest.raises(UnknownCurrency):
        parse_money("1", "ZZZ", "en")


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "text"),
    [
        (123456, "EUR", "de", f"1.234,56{NBSP}€"),
        (123456, "EUR", "en", "€1,234.56"),
        (-500, "USD", "en", "-$5.00"),
        (1235, "JPY", "en", "¥1,235"),
        (1235, "KWD", "en", f"KWD{NBSP}1.235"),
        (525, "MGA", "en", f"MGA{NBSP}5.25"),
        (12345, "CLF", "de", f"1,2345{NBSP}CLF"),
        (1235, "ISK", "de", f"1.235{NBSP}ISK"),
        (0, "USD", "en", "$0.00"),
        (123456789, "INR", "hi", "₹12,34,567.89"),
        (2**63 - 1, "USD", "en", "$92,233,720,368,547,758.07"),
    ],
)
def test_money_is_shown_with_the_decimals_of_the_standard(
    minor: int, currency: str, locale: str, text: str
) -> None:
    with localcontext(prec=3):
        assert show_money(Money(minor, currency), locale) == text


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("0.000125", "USD", "$0.000125"),
        ("5", "USD", "$5.00"),
        ("0.0000000000001", "JPY", "¥0.0000000000001"),
        ("1E+3", "USD", "$1,000.00"),
        ("-0.5", "USD", "-$0.50"),
        (
            "12345678901234567890123456789012345.125",
            "USD",
            "$12,345,678,901,234,567,890,123,456,789,012,345.125",
        ),
    ],
)
def test_a_price_keeps_all_its_decimals(amount: str, currency: str, text: str) -> None:
    assert show_price(Decimal(amount), currency, "en") == text


@pytest.mark.parametrize(
    ("value", "locale", "text"),
    [
        ("1234.5", "de", "1.234,5"),
        ("2500", "en", "2,500"),
        ("1E+4", "en", "10,000"),
        ("0.123456789012345678901234567890123", "en", "0.123456789012345678901234567890123"),
        ("-0", "en", "0"),
        ("1234567.10", "en-IN", "12,34,567.1"),
    ],
)
def test_a_quantity_is_shown_exactly(value: str, locale: str, text: str) -> None:
    assert show_decimal(Decimal(value), locale) == text


def test_what_is_not_finite_is_not_shown() -> None:
    with pytest.raises(BadAmount):
        show_decimal(Decimal("NaN"), "en")
    with pytest.raises(BadAmount):
        show_price(Decimal("Infinity"), "USD", "en")
