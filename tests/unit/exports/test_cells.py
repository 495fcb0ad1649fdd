import csv
import io
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.exports.cells import amount, csv_bytes, instant, number, text


@pytest.mark.parametrize(
    ("minor", "currency", "shown"),
    [
        (4900, "USD", "49.00"),
        (-5, "EUR", "-0.05"),
        (1200, "JPY", "1200"),
        (1234, "KWD", "1.234"),
    ],
)
def test_an_amount_has_all_decimals_of_its_currency(minor: int, currency: str, shown: str) -> None:
    assert amount(minor, currency) == (shown, str(minor))


def test_a_number_has_no_exponent() -> None:
    assert number(Decimal("1E+3")) == "1000"
    assert number(Decimal("0.0000001")) == "0.0000001"
    assert number(None) == ""


def test_an_instant_is_told_in_utc() -> None:
    noon = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=1)))
    assert instant(noon) == "2026-01-31T11:00:00Z"
    assert (
        instant(datetime(2026, 1, 31, microsecond=5, tzinfo=UTC)) == "2026-01-31T00:00:00.000005Z"
    )
    assert instant(None) == ""


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_what_looks_like_a_formula_is_text(begin: str) -> None:
    assert text(f"{begin}1+1") == f"'{begin}1+1"
    assert text("Acme = great") == "Acme = great"


@given(st.lists(st.tuples(st.text(), st.text())))
def test_whatever_stands_in_cells_is_read_again(rows: list[tuple[str, str]]) -> None:
    read = csv.reader(io.StringIO(csv_bytes(rows).decode(), newline=""), strict=True)
    assert [tuple(row) for row in read] == rows
