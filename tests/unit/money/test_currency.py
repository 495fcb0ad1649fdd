"""Every currency against the standard's own table and against facts known from elsewhere."""

from collections import Counter

import iso4217
import pytest

from tallystick.money.currency import Currency, currencies, currency
from tallystick.money.errors import MoneyError, UnknownCurrency

BILLABLE = {
    code: entry
    for code, entry in iso4217.raw_table.items()
    if code is not None and str(entry["CcyMnrUnts"]).isdigit()
}


@pytest.mark.parametrize("code", sorted(BILLABLE))
def test_each_currency_of_the_standard_has_its_exponent_and_numbers(code: str) -> None:
    row = BILLABLE[code]
    found = currency(code)
    assert found == Currency(
        code=code,
        exponent=int(str(row["CcyMnrUnts"])),
        numeric=str(row["CcyNbr"]).rjust(3, "0"),
        name=str(row["CcyNm"]),
    )
    assert currency(code.lower()) is found


def test_no_currency_is_missing_and_none_is_invented() -> None:
    assert set(currencies()) == set(BILLABLE)
    assert len(currencies()) == 165


def test_no_two_currencies_share_a_numeric_code() -> None:
    numerics = [entry.numeric for entry in currencies().values()]
    assert len(set(numerics)) == len(numerics)
    assert all(len(numeric) == 3 and numeric.isdigit() for numeric in numerics)


def test_exponents_are_spread_as_in_the_standard() -> None:
    spread = Counter(entry.exponent for entry in currencies().values())
    assert spread == {2: 139, 0: 17, 3: 7, 4: 2}


@pytest.mark.parametrize(
    ("code", "exponent", "numeric"),
    [
        ("USD", 2, "840"),
        ("EUR", 2, "978"),
        ("ALL", 2, "008"),
        ("AUD", 2, "036"),
        ("JPY", 0, "392"),
        ("KRW", 0, "410"),
        ("ISK", 0, "352"),
        ("XOF", 0, "952"),
        ("KWD", 3, "414"),
        ("BHD", 3, "048"),
        ("TND", 3, "788"),
        ("CLF", 4, "990"),
        ("UYW", 4, "927"),
        ("MGA", 2, "969"),
        ("MRU", 2, "929"),
    ],
)
def test_currencies_known_for_their_decimals(code: str, exponent: int, numeric: str) -> None:
    assert (currency(code).exponent, currency(code).numeric) == (exponent, numeric)


@pytest.mark.parametrize("code", ["XAU", "XDR", "XXX", "XTS", "XBA", "XSU"])
def test_what_has_no_minor_unit_is_refused(code: str) -> None:
    with pytest.raises(UnknownCurrency):
        currency(code)


@pytest.mark.parametrize("code", ["", "US", "USDT", "EURO", " USD", "840", "\u0131sk", "u\u017fd"])
def test_an_unknown_code_is_refused_with_a_stable_code(code: str) -> None:
    with pytest.raises(MoneyError) as refusal:
        currency(code)
    assert refusal.value.code == "unknown_currency"


def test_any_case_is_taken_and_upper_case_kept() -> None:
    assert currency("uSd").code == "USD"
