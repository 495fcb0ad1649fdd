import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import Account, NewAccount
from tallystick.audit.service import list_audit
from tallystick.catalog import features, service
from tallystick.catalog.feature_model import FeatureOverride, NewFeature
from tallystick.catalog.model import FeatureValue, NewMeter, NewPlanVersion
from tallystick.kernel.db import STAFF, WRITER, Actor, Database, account_scope, acting
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.paging import PageRequest
from tallystick.subscriptions import access
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.access_lookup import AccessLookup
from tallystick.subscriptions.entitlements import Entitlement

AT = datetime(2026, 1, 1, tzinfo=UTC)
KINDS: dict[str, Any] = {"sso": "boolean", "seats": "number", "support": "text", "calls": "metered"}


@pytest.fixture
async def account(db: Database) -> Account:
    async with db.transaction(WRITER) as conn:
        await service.create_meter(conn, NewMeter(code="api_calls"), AT)
        for code, kind in KINDS.items():
            meter = "api_calls" if kind == "metered" else None
            await features.create_feature(conn, NewFeature(code=code, kind=kind, meter=meter), AT)
        new = NewAccount(name="Ada", email="ada@example.com", currency="EUR", country="FR")
        return await accounts.create_account(conn, new, AT)


def pro(**given: FeatureValue) -> NewPlanVersion:
    return NewPlanVersion(
        plan_code="pro", plan_name="Pro", currency="EUR", interval="month", features=given
    )


async def give(db: Database, account: Account, feature: str, value: FeatureValue) -> None:
    new = FeatureOverride(feature=feature, value=value, reason="a deal", until=None, set_at=AT)
    async with db.transaction(WRITER) as conn:
        await features.set_override(conn, account.account_id, new)


async def may(db: Database, account: Account, code: str, at: datetime = AT) -> Entitlement:
    lookup = AccessLookup(db)
    try:
        return await lookup.find(account, code, at)
    finally:
        await lookup.close()


async def test_an_account_has_what_its_plan_gives(db: Database, account: Account) -> None:
    async with db.transaction(WRITER) as conn:
        plan = await service.create_plan_version(conn, pro(sso=True, seats="5.0", calls="10"), AT)
        assert plan.features == {"sso": True, "seats": "5", "calls": "10"}
        await subscriptions.subscribe(conn, account, plan, AT)
    async with db.transaction(account_scope(account.account_id)) as conn:
        found = {
            one.feature.code: one
            for one in await access.entitlements(conn, account, AT + timedelta(days=1))
        }
    assert {code: one.allowed for code, one in found.items()} == {
        "sso": True, "seats": True, "calls": True, "support": False
    }  # fmt: skip
    assert (found["calls"].used, found["calls"].remaining) == (Decimal(0), Decimal(10))
    assert found["calls"].resets_at == datetime(2026, 2, 1, tzinfo=UTC)
    assert found["support"].why == "not_in_plan"
    for code, one in found.items():
        assert await may(db, account, code, AT + timedelta(days=1)) == one


async def test_all_who_ask_at_once_get_their_own_answers(db: Database, account: Account) -> None:
    async with db.transaction(WRITER) as conn:
        plan = await service.create_plan_version(conn, pro(sso=True, calls="10"), AT)
        await subscriptions.subscribe(conn, account, plan, AT)
        new = NewAccount(name="Bob", email="bob@example.com", currency="EUR", country="FR")
        other = await accounts.create_account(conn, new, AT)
    await give(db, other, "calls", "3")
    lookup = AccessLookup(db)
    asked = [(who, code) for who in (account, other) for code in KINDS] * 3
    found = await asyncio.gather(*(lookup.find(who, code, AT) for who, code in asked))
    await lookup.close()
    given = {
        (who.name, one.feature.code)
        for (who, _), one in zip(asked, found, strict=True)
        if one.allowed
    }
    assert given == {("Ada", "sso"), ("Ada", "calls"), ("Bob", "calls")}
    assert [one.feature.code for one in found] == [code for _, code in asked]
    left = {
        (who.name, one.remaining)
        for (who, code), one in zip(asked, found, strict=True)
        if code == "calls"
    }
    assert left == {("Ada", Decimal(10)), ("Bob", Decimal(3))}


async def test_a_check_is_two_statements_and_one_more_counts_what_is_used(
    db: Database, account: Account
) -> None:
    async with db.transaction(WRITER) as conn:
        plan = await service.create_plan_version(conn, pro(sso=True, calls="10"), AT)
        await subscriptions.subscribe(conn, account, plan, AT)
    lookup = AccessLookup(db)
    await lookup.find(account, "calls", AT)
    (reader,) = lookup._reader._idle
    asked: list[str] = []
    reader.add_query_logger(lambda query: asked.append(query.query))
    async with db.reading() as conn:
        conn.add_query_logger(lambda query: asked.append(query.query))
    await lookup.find(account, "sso", AT)
    assert len(asked) == 2, asked
    await lookup.find(account, "calls", AT)
    assert len(asked) == 5, asked
    await lookup.close()


async def test_what_an_account_is_given_is_audited_with_the_reason(
    db: Database, account: Account
) -> None:
    with acting(Actor("user", "usr_1", "req_1", "a deal")):
        await give(db, account, "seats", "50")
    found = await may(db, account, "seats")
    assert (found.allowed, found.value, found.why) == (True, "50", "account_was_given")
    async with db.transaction(STAFF) as conn:
        [entry, *_] = (await list_audit(conn, account.account_id, PageRequest())).items
    assert (entry.table_name, entry.reason) == ("feature_overrides", "a deal")


async def test_what_was_given_can_be_changed_and_taken_away(db: Database, account: Account) -> None:
    await give(db, account, "support", "gold")
    await give(db, account, "support", "silver")
    async with db.transaction(WRITER) as conn:
        [own] = await features.list_overrides(conn, account.account_id)
        assert own.value == "silver"
        await features.remove_override(conn, account.account_id, "support")
        assert await features.list_overrides(conn, account.account_id) == ()
        with pytest.raises(NotFound):
            await features.remove_override(conn, account.account_id, "support")


@pytest.mark.parametrize(
    ("feature", "value"),
    [("sso", "yes"), ("sso", None), ("seats", True), ("seats", "many"), ("seats", "-1"),
     ("support", True), ("support", ""), ("calls", "1e3")],
)  # fmt: skip
async def test_a_value_must_fit_the_kind(
    db: Database, account: Account, feature: str, value: FeatureValue
) -> None:
    with pytest.raises(BadInput, match="value"):
        await give(db, account, feature, value)
    with pytest.raises(BadInput, match=f"features.{feature}"):
        async with db.transaction(WRITER) as conn:
            await service.create_plan_version(conn, pro(**{feature: value}), AT)


async def test_no_limit_is_null(db: Database, account: Account) -> None:
    await give(db, account, "calls", None)
    found = await may(db, account, "calls")
    assert (found.allowed, found.used, found.remaining) == (True, Decimal(0), None)


async def test_a_feature_that_is_not_there_is_not_given(db: Database, account: Account) -> None:
    with pytest.raises(NotFound):
        await give(db, account, "magic", "1")
    async with db.transaction(WRITER) as conn:
        with pytest.raises(BadInput, match=r"features\.magic"):
            await service.create_plan_version(conn, pro(magic="1"), AT)
    with pytest.raises(NotFound):
        await may(db, account, "magic")


@pytest.mark.parametrize(
    ("new", "field"),
    [
        (NewFeature(code="S", kind="boolean"), "code"),
        (NewFeature(code="s", kind="boolean", name=" "), "name"),
        (NewFeature(code="s", kind="boolean", meter="api_calls"), "meter"),
        (NewFeature(code="s", kind="metered"), "meter"),
        (NewFeature(code="s", kind="metered", meter="nothing"), "meter"),
    ],
)
async def test_a_feature_that_can_not_be_is_refused(
    db: Database, new: NewFeature, field: str
) -> None:
    async with db.transaction(WRITER) as conn:
        with pytest.raises(BadInput, match=field):
            await features.create_feature(conn, new, AT)


@pytest.mark.usefixtures("account")
async def test_a_features_code_is_given_once_and_its_name_may_change(db: Database) -> None:
    async with db.transaction(WRITER) as conn:
        with pytest.raises(Conflict):
            await features.create_feature(conn, NewFeature(code="sso", kind="text"), AT)
        assert (await features.rename_feature(conn, "sso", "Single sign-on")).kind == "boolean"
        assert (await features.get_feature(conn, "sso")).name == "Single sign-on"
        with pytest.raises(NotFound):
            await features.rename_feature(conn, "magic", "Magic")


async def test_of_two_subscriptions_the_better_plan_counts_until_it_ends(
    db: Database, account: Account
) -> None:
    small = pro(seats="1", calls="5")
    large = NewPlanVersion(
        plan_code="large", plan_name="Large", currency="EUR", interval="year",
        features={"seats": "9", "calls": "100"},
    )  # fmt: skip
    later = AT + timedelta(days=40)
    async with db.transaction(WRITER) as conn:
        for new, at in ((small, AT), (large, AT + timedelta(days=1))):
            plan = await service.create_plan_version(conn, new, AT)
            await subscriptions.subscribe(conn, account, plan, at)
    before = await may(db, account, "seats")
    found = await may(db, account, "calls", later)
    assert (before.plan, before.value) == ("pro", "1")
    assert (found.plan, found.remaining) == ("large", Decimal(100))
    assert found.resets_at == datetime(2027, 1, 2, tzinfo=UTC)
