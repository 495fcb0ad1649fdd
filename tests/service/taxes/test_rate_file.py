"""The rates that come along, and loading rates from files."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tallystick.accounts.tax_numbers import EU_COUNTRIES
from tallystick.kernel.db import STAFF, Database
from tallystick.kernel.errors import BadInput, SetupError
from tallystick.tax_commands import load_file, read_rates
from tallystick.taxes import service
from tallystick.taxes.model import NewTaxRate, TaxRate

RATES = """
[[groups]]
source = "a test"
looked_up_on = 2026-01-01
rates = [
  {{ country = "FI", name = "VAT", percent = "25.5", valid_from = 2024-09-01 }},
  {{ country = "FI", name = "VAT", percent = "{before}", valid_from = 2016-01-01 }},
]
"""


def written(folder: Path, text: str) -> tuple[NewTaxRate, ...]:
    file = folder / "rates.toml"
    file.write_text(text)
    return read_rates(file)


async def load(dsn: str, rates: tuple[NewTaxRate, ...], *, dry: bool = False) -> list[str]:
    shown: list[str] = []
    await load_file(dsn, rates, show=shown.append, agree=None if dry else lambda: True)
    return shown


async def known(db: Database, country: str | None, day: date | None) -> tuple[TaxRate, ...]:
    async with db.transaction(STAFF) as conn:
        return await service.list_rates(conn, country, day)


async def test_the_rates_that_come_along_hold_in_all_of_the_union_and_beyond(
    db: Database, dsn: str
) -> None:
    await load(dsn, read_rates(None))
    today = {
        (rate.country, rate.region, rate.name): rate.percent
        for rate in await known(db, None, date(2026, 11, 1))
    }
    standard = {country: percent for (country, region, _), percent in today.items() if not region}
    assert standard.keys() >= EU_COUNTRIES | {"GB", "CH", "NO", "CA"}
    assert standard["DE"] == 19
    assert standard["CH"] == Decimal("8.1")
    assert today["CA", "QC", "QST"] == Decimal("9.975")
    assert today["CA", "NS", "HST"] == 14
    assert all(15 <= standard[country] <= 27 for country in EU_COUNTRIES)
    assert all(
        rate.source.count("https://") == 1 and rate.looked_up_on >= date(2026, 11, 21)
        for rate in await known(db, None, None)
    )


@pytest.mark.parametrize(("country", "day", "percent"), [
    ("FI", date(2024, 8, 31), "24"), ("FI", date(2024, 9, 1), "25.5"),
    ("EE", date(2023, 12, 31), "20"), ("EE", date(2025, 6, 30), "22"),
    ("EE", date(2025, 7, 1), "24"), ("DE", date(2020, 7, 1), "16"), ("DE", date(2021, 1, 1), "19"),
    ("RO", date(2025, 7, 31), "19"), ("RO", date(2025, 8, 1), "21"),
    ("SK", date(2025, 1, 1), "23"), ("CH", date(2024, 1, 1), "8.1"),
])  # fmt: skip
def test_they_know_when_a_rate_changed(country: str, day: date, percent: str) -> None:
    begun = [
        rate
        for rate in read_rates(None)
        if (rate.country, rate.region) == (country, None) and rate.valid_from <= day
    ]
    assert max(begun, key=lambda rate: rate.valid_from).percent == Decimal(percent)


async def test_a_file_is_shown_then_loaded_and_changes_nothing_the_second_time(
    db: Database, dsn: str, tmp_path: Path
) -> None:
    rates = written(tmp_path, RATES.format(before="24"))
    lines = [
        "+ FI VAT 25.5% standard from 2024-09-01",
        "+ FI VAT 24% standard from 2016-01-01 until 2024-09-01",
    ]
    assert await load(dsn, rates, dry=True) == lines
    assert await known(db, None, None) == ()
    assert await load(dsn, rates) == lines
    assert await load(dsn, rates) == ["nothing changes"]


async def test_a_rate_that_is_added_later_ends_the_one_before(dsn: str, tmp_path: Path) -> None:
    both = written(tmp_path, RATES.format(before="24"))
    await load(dsn, both[1:])
    assert await load(dsn, both) == [
        "+ FI VAT 25.5% standard from 2024-09-01",
        "~ FI VAT 24% standard from 2016-01-01 until 2024-09-01",
    ]


async def test_a_known_rate_with_another_percent_is_refused_with_its_place(
    db: Database, dsn: str, tmp_path: Path
) -> None:
    await load(dsn, written(tmp_path, RATES.format(before="24")))
    with pytest.raises(BadInput) as caught:
        await load(dsn, written(tmp_path, RATES.format(before="23")))
    assert [(one.field, one.code) for one in caught.value.errors] == [
        ("rates[1].percent", "unchangeable")]  # fmt: skip
    assert len(await known(db, None, None)) == 2


def test_every_fault_of_a_file_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as caught:
        written(tmp_path, RATES.format(before="a fifth"))
    assert [one.field for one in caught.value.errors] == ["groups[0].rates[1].percent"]
    with pytest.raises(BadInput):
        written(tmp_path, RATES.format(before='1", colour = "2'))
    with pytest.raises(SetupError):
        written(tmp_path, "groups = ")
    with pytest.raises(SetupError):
        read_rates(tmp_path / "none.toml")
