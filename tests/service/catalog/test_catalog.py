import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import msgspec
import pytest

from tallystick.catalog import service
from tallystick.catalog.checks import read_prices
from tallystick.catalog.currencies import commitment, currencies_of, priced_in
from tallystick.catalog.model import NewMeter, NewPlanVersion, PlanVersion
from tallystick.kernel.db import STAFF, WRITER, Database, account_scope
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import new_id

AT = datetime(2026, 1, 1, tzinfo=UTC)
PRICES = read_prices(
    [
        {"code": "base", "currency": "USD", "model": "flat", "amount": "49"},
        {
            "code": "calls", "meter": "api_calls", "currency": "USD", "model": "graduated",
            "included": "100", "tiers": [{"up_to": "1000", "unit": "0.000000000001", "flat": "5"},
                                         {"up_to": None, "unit": "0.01"}],
        },
    ],
    currency="USD",
)  # fmt: skip


def pro(**changes: Any) -> NewPlanVersion:
    told: dict[str, Any] = {
        "plan_code": "pro", "plan_name": "Pro", "currency": "USD", "interval": "month",
        "prices": PRICES, "limits": {"api_calls": Decimal("1000.5")},
    }  # fmt: skip
    return NewPlanVersion(**{**told, **changes})


@pytest.fixture(autouse=True)
async def api_calls(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        await service.create_meter(conn, NewMeter(code="api_calls", event_type="call"), AT)


async def test_a_version_is_read_back_as_it_was_sold(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        made = await service.create_plan_version(conn, pro(), AT)
    async with db.transaction(account_scope(new_id())) as conn:
        read = await service.get_plan_version(conn, made.plan_version_id)
    assert read == made
    assert (read.version, read.prices, read.created_at) == (1, PRICES, AT)
    assert read.limits == {"api_calls": Decimal("1000.5")}


async def test_a_new_version_leaves_the_old_one_as_it_was(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        old = await service.create_plan_version(conn, pro(), AT)
        new = await service.create_plan_version(conn, pro(prices=PRICES[:1], limits={}), AT)
        assert (new.version, new.plan_id) == (2, old.plan_id)
        assert await service.current_plan_version(conn, "pro") == new
        kept = await service.get_plan_version(conn, old.plan_version_id)
    assert kept == msgspec.structs.replace(old, status="retired", retired_at=AT)


async def test_plans_are_listed_with_what_they_are_sold_as_now(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        await service.create_plan_version(conn, pro(), AT)
        second = await service.create_plan_version(conn, pro(), AT)
        basic = await service.create_plan_version(conn, pro(plan_code="basic"), AT)
    async with db.transaction(STAFF) as conn:
        assert await service.list_plans(conn) == (basic, second)


async def test_two_versions_at_once_get_two_numbers(db: Database) -> None:
    async def create() -> int:
        async with db.transaction(WRITER) as conn:
            return (await service.create_plan_version(conn, pro(), AT)).version

    assert sorted(await asyncio.gather(*(create() for _ in range(4)))) == [1, 2, 3, 4]


async def test_a_draft_is_not_sold_until_it_is_activated(db: Database) -> None:
    later = AT + timedelta(days=1)
    async with db.transaction(WRITER) as conn:
        sold = await service.create_plan_version(conn, pro(), AT)
        draft = await service.create_plan_version(conn, pro(plan_name="Pro 2"), AT, draft=True)
        assert (draft.status, draft.activated_at) == ("draft", None)
        assert await service.current_plan_version(conn, "pro") == sold
        active = await service.activate_plan_version(conn, draft.plan_version_id, later)
        assert await service.list_plans(conn) == (active,)
        assert (active.status, active.activated_at, active.plan_name) == ("active", later, "Pro 2")
        was = await service.get_plan_version(conn, sold.plan_version_id)
        assert (was.status, was.retired_at, was.plan_name) == ("retired", later, "Pro")
        assert await service.list_plan_versions(conn, "pro") == (active, was)


async def test_a_plan_of_drafts_alone_is_not_on_offer(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        await service.create_plan_version(conn, pro(), AT, draft=True)
        assert await service.list_plans(conn) == ()
        with pytest.raises(NotFound):
            await service.current_plan_version(conn, "pro")


async def test_what_is_sold_or_retired_is_no_draft(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        sold = await service.create_plan_version(conn, pro(), AT)
        with pytest.raises(Conflict, match="active"):
            await service.activate_plan_version(conn, sold.plan_version_id, AT)
        await service.retire_plan_version(conn, sold.plan_version_id, AT)
        assert await service.list_plans(conn) == ()
        with pytest.raises(Conflict):
            await service.retire_plan_version(conn, sold.plan_version_id, AT)
        with pytest.raises(NotFound):
            await service.activate_plan_version(conn, new_id(), AT)


async def test_two_drafts_activated_at_once_leave_one_on_sale(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        drafts = [await service.create_plan_version(conn, pro(), AT, draft=True) for _ in range(2)]

    async def activate(draft: PlanVersion) -> None:
        async with db.transaction(WRITER) as conn:
            await service.activate_plan_version(conn, draft.plan_version_id, AT)

    await asyncio.gather(*(activate(draft) for draft in drafts))
    async with db.transaction(STAFF) as conn:
        found = await service.list_plan_versions(conn, "pro")
    assert sorted(version.status for version in found) == ["active", "retired"]


async def test_an_account_buys_the_prices_of_its_currency(db: Database) -> None:
    euros = tuple(msgspec.structs.replace(price, currency="EUR") for price in PRICES)
    async with db.transaction(WRITER) as conn:
        made = await service.create_plan_version(conn, pro(prices=(*euros, *PRICES)), AT)
        assert await service.get_plan_version(conn, made.plan_version_id) == made
    assert (made.prices, made.prices_elsewhere) == (PRICES, euros)
    assert currencies_of(made) == ("USD", "EUR")
    bought = priced_in(made, "EUR")
    assert (bought.currency, bought.prices, bought.prices_elsewhere) == ("EUR", euros, ())
    with pytest.raises(Conflict, match="USD, EUR"):
        priced_in(made, "JPY")


async def test_the_terms_of_a_version_are_read_back(db: Database) -> None:
    terms: dict[str, Any] = {
        "tier": "professional", "interval": "year", "usage_interval": "month", "trial_days": 14,
        "billing": "in_advance", "proration": "by_second", "fixed_months": True,
        "minimum_commitment": {"USD": Decimal("99.5")},
    }  # fmt: skip
    async with db.transaction(WRITER) as conn:
        made = await service.create_plan_version(conn, pro(**terms), AT)
    assert {name: getattr(made, name) for name in terms} == terms
    assert commitment(made) == Decimal("99.5")


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE plan_versions SET prices = '[]'",
        "UPDATE plan_versions SET status = 'draft'",
        "UPDATE plan_versions SET plan_id = gen_random_uuid()",
    ],
)
async def test_not_even_the_owner_changes_a_version(db: Database, dsn: str, change: str) -> None:
    async with db.transaction(WRITER) as conn:
        await service.create_plan_version(conn, pro(), AT)
    owner = await asyncpg.connect(dsn)
    for statement in (change, "DELETE FROM plan_versions", "TRUNCATE plan_versions CASCADE"):
        with pytest.raises(asyncpg.RestrictViolationError):
            await owner.execute(statement)
    await owner.close()


async def test_a_version_can_not_be_changed(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        await service.create_plan_version(conn, pro(), AT)
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.transaction(WRITER) as conn:
            await conn.execute("UPDATE plan_versions SET prices = '[]'")


async def test_a_limit_of_an_unknown_meter_is_refused(db: Database) -> None:
    with pytest.raises(BadInput, match=r"limits\.tokens"):
        async with db.transaction(WRITER) as conn:
            await service.create_plan_version(conn, pro(limits={"tokens": Decimal(1)}), AT)


async def test_what_is_not_there_is_not_found(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        with pytest.raises(NotFound):
            await service.get_plan_version(conn, new_id())
        with pytest.raises(NotFound):
            await service.current_plan_version(conn, "pro")
        with pytest.raises(NotFound):
            await service.get_meter(conn, "tokens")


async def test_a_meters_code_is_given_once(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        with pytest.raises(Conflict):
            await service.create_meter(conn, NewMeter(code="api_calls"), AT)
        assert [meter.code for meter in await service.list_meters(conn)] == ["api_calls"]


async def test_meters_are_found_by_event_type_and_through_a_sibling(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        new = NewMeter(code="tokens", event_type="call", aggregation="sum", property="n")
        await service.create_meter(conn, new, AT)
        await service.create_meter(conn, NewMeter(code="seats"), AT)
        by_type = await service.meters_of_events(conn, ["call"], [])
        by_code = await service.meters_of_events(conn, [], ["tokens", "no_such"])
        by_codes = await service.meters_by_codes(conn, ["seats", "no_such"])
    assert [meter.code for meter in by_type] == ["api_calls", "tokens"]
    assert by_code == by_type
    assert list(by_codes) == ["seats"]
