"""Rates and exemptions in the database."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.documents.document import Party
from tallystick.issuers import service as issuers
from tallystick.issuers.model import TaxRegistration
from tallystick.kernel.db import STAFF, WRITER, Database, account_scope
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import new_id
from tallystick.processes import find_hints
from tallystick.settings import Settings
from tallystick.taxes import service
from tallystick.taxes.model import NO_TAXES, NewExemption, NewTaxRate, Place, TaxRate

MakeAccount = Callable[..., Awaitable[Account]]


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def make_account(db: Database, now: datetime) -> MakeAccount:
    async def make(**fields: Any) -> Account:
        told = {"name": "A", "email": "a@example.com", "currency": "EUR", "country": "FR", **fields}
        async with db.transaction(WRITER) as conn:
            return await accounts.create_account(conn, NewAccount(**told), now)

    return make


def new(**fields: Any) -> NewTaxRate:
    known: dict[str, Any] = {
        "country": "FI", "name": "VAT", "percent": Decimal(24), "valid_from": date(2020, 1, 1),
        "source": "a test", "looked_up_on": date(2026, 1, 1),
    }  # fmt: skip
    return NewTaxRate(**known | fields)


async def add(db: Database, now: datetime, **fields: Any) -> TaxRate:
    async with db.transaction(WRITER) as conn:
        return await service.add_rate(conn, new(**fields), now)


async def known(db: Database) -> list[TaxRate]:
    async with db.transaction(STAFF) as conn:
        return list(await service.list_rates(conn))


async def test_a_new_rate_ends_the_one_before_on_its_first_day(db: Database, now: datetime) -> None:
    await add(db, now)
    await add(db, now, percent=Decimal("25.5"), valid_from=date(2024, 9, 1))
    newest, oldest = await known(db)
    assert (newest.percent, newest.valid_until) == (Decimal("25.5"), None)
    assert (oldest.percent, oldest.valid_until) == (Decimal(24), date(2024, 9, 1))
    async with db.transaction(STAFF) as conn:
        on_the_eve = await service.list_rates(conn, "FI", date(2024, 8, 31))
    assert [one.percent for one in on_the_eve] == [24]


@pytest.mark.parametrize("fields", [
    {}, {"valid_from": date(2019, 1, 1)}, {"valid_from": date(2019, 1, 1), "percent": Decimal(1),
    "valid_until": date(2020, 1, 2)},
])  # fmt: skip
async def test_two_rates_of_one_tax_never_hold_on_one_day(
    db: Database, now: datetime, fields: dict[str, Any]
) -> None:
    await add(db, now)
    with pytest.raises(Conflict) as caught:
        await add(db, now, **fields)
    assert caught.value.code == "tax_rate_overlaps"
    assert [one.valid_from for one in await known(db)] == [date(2020, 1, 1)]


async def test_rates_of_other_places_codes_and_names_stand_beside(
    db: Database, now: datetime
) -> None:
    for fields in ({}, {"region": "01"}, {"tax_code": "books"}, {"name": "Extra"},
                   {"country": "SE"}, {"valid_from": date(2019, 1, 1),
                                       "valid_until": date(2020, 1, 1)}):  # fmt: skip
        await add(db, now, **fields)
    assert len(await known(db)) == 6


async def test_a_rate_never_changes_but_for_its_end(db: Database, now: datetime, dsn: str) -> None:
    rate = await add(db, now)
    async with db.transaction(WRITER) as conn:
        await service.end_rate(conn, rate.tax_rate_id, date(2026, 1, 1))
    with pytest.raises(Conflict) as caught:
        async with db.transaction(WRITER) as conn:
            await service.end_rate(conn, rate.tax_rate_id, date(2027, 1, 1))
    assert caught.value.code == "tax_rate_ended"
    owner = await asyncpg.connect(dsn)
    try:
        for sql in ("UPDATE tax_rates SET percent = 1", "DELETE FROM tax_rates",
                    "UPDATE tax_rates SET valid_until = NULL"):  # fmt: skip
            with pytest.raises(asyncpg.RestrictViolationError):
                await owner.execute(sql)
    finally:
        await owner.close()


async def test_a_mistaken_rate_is_ended_on_its_first_day_and_another_takes_its_place(
    db: Database, now: datetime
) -> None:
    wrong = await add(db, now, percent=Decimal(42))
    async with db.transaction(WRITER) as conn:
        await service.end_rate(conn, wrong.tax_rate_id, wrong.valid_from)
    await add(db, now)
    assert not (await known(db))[0].holds_on(date(2019, 12, 31))


async def test_a_rate_does_not_end_before_it_begins(db: Database, now: datetime) -> None:
    rate = await add(db, now)
    async with db.transaction(WRITER) as conn:
        with pytest.raises(BadInput):
            await service.end_rate(conn, rate.tax_rate_id, date(2019, 1, 1))
        with pytest.raises(NotFound):
            await service.end_rate(conn, new_id(), date(2026, 1, 1))


@pytest.mark.parametrize(("fields", "field"), [
    ({"country": "XX"}, "country"), ({"region": "Québec"}, "region"),
    ({"tax_code": "Books"}, "tax_code"), ({"name": ""}, "name"), ({"source": ""}, "source"),
    ({"percent": Decimal(101)}, "percent"), ({"percent": Decimal("NaN")}, "percent"),
    ({"percent": Decimal("0.0000001")}, "percent"), ({"percent": Decimal(0)}, "category"),
    ({"percent": Decimal(0), "category": "E"}, "reason"), ({"category": "Z"}, "category"),
    ({"reason": "why"}, "reason"), ({"replaces_national": True}, "replaces_national"),
    ({"valid_until": date(2019, 1, 1)}, "valid_until"),
    ({"valid_from": date(1, 1, 1)}, "valid_from"),
])  # fmt: skip
async def test_a_rate_that_says_no_rate_is_refused_by_field(
    db: Database, now: datetime, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        await add(db, now, **fields)
    assert [fault.field for fault in caught.value.errors] == [field]
    assert await known(db) == []


async def test_an_exemption_is_given_listed_and_ended(
    db: Database, now: datetime, make_account: MakeAccount
) -> None:
    account, other = await make_account(), await make_account()
    wanted = NewExemption(reason="Embassy", certificate="7", valid_from=date(2026, 1, 1))
    async with db.transaction(WRITER) as conn:
        made = await service.add_exemption(conn, account.account_id, wanted, now)
        await service.end_exemption(
            conn, account.account_id, made.tax_exemption_id, date(2026, 6, 1)
        )
        with pytest.raises(Conflict):
            await service.end_exemption(
                conn, account.account_id, made.tax_exemption_id, date(2026, 7, 1)
            )
        with pytest.raises(NotFound):
            await service.end_exemption(
                conn, other.account_id, made.tax_exemption_id, date(2026, 7, 1)
            )
    async with db.transaction(account_scope(account.account_id)) as conn:
        (found,) = await service.list_exemptions(conn, account.account_id)
    assert (found.reason, found.valid_until) == ("Embassy", date(2026, 6, 1))
    async with db.transaction(account_scope(other.account_id)) as conn:
        assert await service.list_exemptions(conn, account.account_id) == ()


@pytest.mark.parametrize(("fields", "field"), [
    ({"reason": ""}, "reason"), ({"country": "XX"}, "country"), ({"region": "NY"}, "region"),
    ({"certificate": ""}, "certificate"), ({"valid_until": date(2025, 1, 1)}, "valid_until"),
])  # fmt: skip
async def test_an_exemption_that_can_not_be_is_refused(
    db: Database, now: datetime, make_account: MakeAccount, fields: dict[str, Any], field: str
) -> None:
    account = await make_account()
    wanted = NewExemption(**{"reason": "Embassy", "valid_from": date(2026, 1, 1), **fields})
    async with db.transaction(WRITER) as conn:
        with pytest.raises(BadInput) as caught:
            await service.add_exemption(conn, account.account_id, wanted, now)
    assert [fault.field for fault in caught.value.errors] == [field]


async def test_the_terms_are_those_of_the_issuer_the_places_and_the_account(
    db: Database, now: datetime, make_account: MakeAccount
) -> None:
    account = await make_account(country="FI")
    async with db.transaction(WRITER) as conn:
        assert await service.read_terms(conn, [account]) == {account.account_id: NO_TAXES}
        issuer = await issuers.follow_settings(conn, Party("Seller"), now)
        assert await service.read_terms(conn, [account]) == {account.account_id: NO_TAXES}
        told = {"country": "FR", "vat_number": "FR40303265045",
                "tax_registrations": (TaxRegistration(country="EU", number="1"),)}  # fmt: skip
        await issuers.change_issuer(conn, issuer.issuer_id, told)
        await service.add_rate(conn, new(), now)
        await service.add_rate(conn, new(country="JP", name="JCT"), now)
        freed = NewExemption(reason="Embassy", valid_from=date(2026, 1, 1))
        await service.add_exemption(conn, account.account_id, freed, now)
    async with db.transaction(account_scope(account.account_id)) as conn:
        terms = (await service.read_terms(conn, [account]))[account.account_id]
    assert terms.seller.places == (Place("FR"), Place("EU"))
    assert list(terms.rates) == ["FI"]
    assert [one.reason for one in terms.exemptions[account.account_id]] == ["Embassy"]


async def test_check_names_the_places_whose_rate_an_issuer_lacks(
    db: Database, dsn: str, now: datetime, tmp_path: Path
) -> None:
    settings = Settings(home=tmp_path, database_url=dsn)
    async with db.transaction(WRITER) as conn:
        made = await issuers.follow_settings(conn, Party("S", ("Main Street",)), now)
        told = {"country": "FI", "vat_number": "FI20774740"}
        await issuers.change_issuer(conn, made.issuer_id, told)
    (hint,) = await find_hints(settings)
    assert "Issuer MAIN" in hint
    assert "missing: FI." in hint
    await add(db, now)
    assert await find_hints(settings) == ()
