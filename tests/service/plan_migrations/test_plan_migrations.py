"""Subscriptions that come to another version of a plan: shown, confirmed, moved, taken back."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from tallystick.accounts.model import Account, NewAccount
from tallystick.accounts.service import create_account
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion, PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices import service as invoices
from tallystick.invoices.billing_run import BillingRun
from tallystick.kernel.db import STAFF, WRITER, Database, account_scope
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.outbox import Teller
from tallystick.kernel.paging import PageRequest
from tallystick.money.amount import Money
from tallystick.plan_migrations import jobs, service
from tallystick.plan_migrations.jobs import PlanMigrations
from tallystick.plan_migrations.model import Migration, Row, RowState, Status, Wanted
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import changing
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.events import SUBSCRIPTION_CHANGED
from tallystick.subscriptions.lifecycle import Start
from tallystick.subscriptions.model import Subscription

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 10, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
MAY = datetime(2026, 5, 1, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, tzinfo=UTC)
SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")
MANY = PageRequest(limit=100)


def eur(minor: int) -> Money:
    return Money(minor, "EUR")


class World:
    """One plan that was sold at 10 a month and is sold at 12 now, paid in advance."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.now = NOW

    async def furnish(self) -> None:
        self.old = await self.version("10")
        self.members: list[Account] = []

    async def version(self, amount: str, code: str = "pro", **more: Any) -> PlanVersion:
        price = FlatPrice(currency="EUR", code="fee", amount=Decimal(amount), billing="in_advance")
        new = NewPlanVersion(
            plan_code=code, plan_name="Pro", currency="EUR", interval="month", prices=(price,),
            **more,
        )  # fmt: skip
        async with self.db.transaction(WRITER) as conn:
            return await catalog.create_plan_version(conn, new, JANUARY)

    async def member(self, start: Start | None = None) -> tuple[Account, Subscription]:
        name = f"a{len(self.members)}"
        new = NewAccount(
            name=name, external_id=name, email="a@example.com", currency="EUR", country="FR"
        )
        async with self.db.transaction(WRITER) as conn:
            account = await create_account(conn, new, JANUARY)
            made = await subscriptions.subscribe(conn, account, self.old, JANUARY, start)
        self.members.append(account)
        await self.bill()
        return account, made

    async def bill(self) -> None:
        run = BillingRun(self.db, lambda: self.now, SELLER)
        while await run.run_due(self.now, None):
            pass

    async def read(self, one: Subscription) -> Subscription:
        async with self.db.transaction(WRITER) as conn:
            return await subscriptions.get_subscription(conn, one.account_id, one.subscription_id)

    async def invoiced(self, account: Account, since: datetime) -> int:
        async with self.db.transaction(account_scope(account.account_id)) as conn:
            page = await invoices.list_invoices(conn, account.account_id, None, MANY)
        return sum(one.subtotal.minor for one in page.items if (one.issued_at or NOW) >= since)

    # -- migrations --

    async def start(self, to: PlanVersion, **wanted: Any) -> Migration:
        fields = {"plan_code": "pro", "when": "period_end", "reason": "a new price", **wanted}
        async with self.db.transaction(WRITER) as conn:
            asked = Wanted(to_plan_version_id=to.plan_version_id, **fields)
            return await service.start(conn, asked, self.now)

    async def preview(self, to: PlanVersion, **wanted: Any) -> Migration:
        begun = await self.start(to, **wanted)
        await self.work()
        return await self.look(begun)

    async def confirm(self, one: Migration) -> Migration:
        async with self.db.transaction(WRITER) as conn:
            await service.confirm(conn, one.plan_migration_id, one.confirmation or "", self.now)
        await self.work()
        return await self.look(one)

    async def cancel(self, one: Migration) -> Migration:
        async with self.db.transaction(WRITER) as conn:
            await service.cancel(conn, one.plan_migration_id, self.now)
        await self.work()
        return await self.look(one)

    async def work(self) -> None:
        """Let the worker do all that is due by now, and tell of it."""
        work = PlanMigrations(self.db, SELLER)
        tell = Teller(self.db, {SUBSCRIPTION_CHANGED: work.on_subscription_changed})
        await self.bill()
        for _ in range(100):
            if not await work.run_due(self.now) + await tell.run_due(datetime.now(UTC)):
                return

    async def look(self, one: Migration) -> Migration:
        async with self.db.transaction(STAFF) as conn:
            return await service.get_migration(conn, one.plan_migration_id)

    async def rows(self, one: Migration) -> Sequence[Row]:
        async with self.db.transaction(STAFF) as conn:
            page = await service.list_rows(conn, one.plan_migration_id, MANY, None, None)
        return page.items[::-1]

    async def told(self, kind: str) -> list[Mapping[str, Any]]:
        async with self.db.transaction(WRITER) as conn:
            rows = await conn.fetch(
                """SELECT payload FROM (SELECT outbox_id, kind, payload FROM outbox UNION ALL
                   SELECT outbox_id, kind, payload FROM outbox_done) AS o
                   WHERE kind = $1 ORDER BY outbox_id""",
                kind,
            )
        return [json.loads(row["payload"]) for row in rows]


@pytest.fixture
async def world(db: Database) -> World:
    made = World(db)
    await made.furnish()
    return made


def code(row: Row) -> str | None:
    return row.reason


async def test_a_subscription_keeps_the_version_it_bought_until_it_is_migrated(
    world: World,
) -> None:
    account, one = await world.member()
    await world.version("12")
    world.now = APRIL
    await world.bill()
    assert (await world.read(one)).plan_version_id == world.old.plan_version_id
    assert await world.invoiced(account, APRIL) == 1000


async def test_a_preview_says_what_is_invoiced_until_the_first_period_ends_and_changes_nothing(
    world: World,
) -> None:
    _, one = await world.member()
    await world.member(Start(quantity=3))
    new = await world.version("12")
    seen = await world.preview(new, notice_days=30)
    assert (seen.status, seen.account_count, seen.counts) == ("previewed", 2, {"foreseen": 2})
    first, second = await world.rows(seen)
    # 30 days of notice reach into April, so it is moved in May: April at 10, May at 12.
    assert (first.at, first.until) == (MAY, JUNE)
    assert (first.now, first.then) == (eur(2000), eur(2200))
    assert (second.now, second.then) == (eur(6000), eur(6600))
    (summary,) = seen.summaries
    assert (summary.now, summary.then, summary.difference) == (eur(8000), eur(8800), eur(800))
    assert (summary.more_count, summary.less_count, summary.same_count) == (2, 0, 0)
    assert [each.difference for each in summary.largest] == [eur(600), eur(200)]
    assert (await world.read(one)).change_at is None
    assert await world.told("subscription.migration_scheduled") == []


async def test_what_is_confirmed_is_told_and_takes_place_and_is_invoiced_as_it_was_shown(
    world: World,
) -> None:
    account, one = await world.member()
    before = await world.invoiced(account, JANUARY)
    new = await world.version("12")
    seen = await world.preview(new, notice_days=30)
    scheduled = await world.confirm(seen)
    assert (scheduled.status, scheduled.counts) == ("scheduled", {"scheduled": 1})
    (told,) = await world.told("subscription.migration_scheduled")
    assert told["subscription_id"] == str(one.subscription_id)
    assert (told["at"], told["notice_days"]) == ("2026-05-01T00:00:00Z", 30)
    world.now = MAY - timedelta(seconds=1)
    await world.work()
    assert (await world.read(one)).plan_version_id == world.old.plan_version_id
    world.now = MAY
    await world.work()
    assert (await world.read(one)).plan_version_id == new.plan_version_id
    done = await world.look(seen)
    assert (done.status, done.counts) == ("done", {"moved": 1})
    (row,) = await world.rows(seen)
    assert row.then is not None
    assert await world.invoiced(account, NOW) - before == row.then.minor == 2200


async def test_moved_at_once_the_rest_is_given_back_and_billed_anew_as_it_was_shown(
    world: World,
) -> None:
    account, one = await world.member()
    before = await world.invoiced(account, JANUARY)
    new = await world.version("12")
    seen = await world.preview(new, when="now")
    (row,) = await world.rows(seen)
    # 22 of 31 days: 12.00 less 10.00 of each, rounded on its own line.
    assert (row.now, row.then) == (eur(0), eur(852 - 710))
    done = await world.confirm(seen)
    assert (done.status, done.counts) == ("done", {"moved": 1})
    assert (await world.read(one)).plan_version_id == new.plan_version_id
    assert await world.invoiced(account, NOW) - before == 852 - 710


async def test_what_can_not_be_moved_is_listed_with_the_reason_and_the_others_go_on(
    world: World,
) -> None:
    _, fine = await world.member()
    paused, changed, ending = [(await world.member())[1] for _ in range(3)]
    _, owned = await world.member(Start(schedule_owner="ccbill", external_id="0123"))
    other = await world.version("20", "other")
    new = await world.version("12")
    async with world.db.transaction(WRITER) as conn:
        await changing.pause(conn, paused.account_id, paused.subscription_id, NOW)
        await changing.change_terms(
            conn, changed.account_id, changed.subscription_id,
            plan=other, quantity=None, when=APRIL, now=NOW,
        )  # fmt: skip
        await changing.cancel_at_period_end(conn, ending.account_id, ending.subscription_id, NOW)
    seen = await world.preview(new)
    rows = {row.subscription_id: row for row in await world.rows(seen)}
    assert {rows[one.subscription_id].reason for one in (fine,)} == {None}
    assert [code(rows[one.subscription_id]) for one in (paused, changed, ending, owned)] == [
        "subscription_paused",
        "subscription_change_scheduled",
        "subscription_ends_before",
        "schedule_owned_by_gateway",
    ]
    assert seen.counts == {"foreseen": 1, "refused": 4}
    scheduled = await world.confirm(seen)
    assert scheduled.counts == {"scheduled": 1, "refused": 4}
    assert (await world.read(changed)).next_plan_version_id == other.plan_version_id


async def test_what_was_changed_since_the_preview_is_not_moved(world: World) -> None:
    _, one = await world.member()
    new = await world.version("12")
    seen = await world.preview(new)
    async with world.db.transaction(WRITER) as conn:
        await changing.change_terms(
            conn, one.account_id, one.subscription_id,
            plan=None, quantity=2, when="now", now=NOW,
        )  # fmt: skip
    after = await world.confirm(seen)
    (row,) = await world.rows(seen)
    assert (row.state, row.reason) == (RowState.REFUSED, "subscription_changed")
    assert after.status is Status.DONE


async def test_a_migration_is_taken_back_before_its_time(world: World) -> None:
    _, one = await world.member()
    new = await world.version("12")
    seen = await world.confirm(await world.preview(new))
    gone = await world.cancel(seen)
    assert (gone.status, gone.counts) == ("canceled", {"canceled": 1})
    assert (await world.read(one)).change_at is None
    assert len(await world.told("subscription.migration_canceled")) == 1
    world.now = MAY
    await world.work()
    assert (await world.read(one)).plan_version_id == world.old.plan_version_id
    assert (await world.cancel(seen)).status == "canceled"


async def test_what_was_moved_stays_so_when_the_rest_is_taken_back(world: World) -> None:
    _, early = await world.member()
    _, late = await world.member(Start(anchor_on=datetime(2026, 1, 20, tzinfo=UTC).date()))
    new = await world.version("12")
    seen = await world.confirm(await world.preview(new))
    world.now = APRIL
    await world.bill()
    gone = await world.cancel(seen)
    states = {row.subscription_id: row.state for row in await world.rows(seen)}
    assert gone.status == "canceled"
    assert set(states.values()) == {RowState.MOVED}, states  # 20 March was before
    assert {(await world.read(one)).plan_version_id for one in (early, late)} == {
        new.plan_version_id
    }
    with pytest.raises(Conflict, match="canceled"):
        await world.confirm(await world.cancel(await world.preview(await world.version("13"))))


async def test_a_change_that_somebody_took_back_meanwhile_is_listed(world: World) -> None:
    _, one = await world.member()
    new = await world.version("12")
    seen = await world.confirm(await world.preview(new))
    async with world.db.transaction(WRITER) as conn:
        await changing.drop_change(conn, one.account_id, one.subscription_id, NOW)
    world.now = APRIL
    await world.work()
    (row,) = await world.rows(seen)
    assert (row.state, row.reason) == (RowState.REFUSED, "subscription_changed")
    assert (await world.look(seen)).status is Status.DONE


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ({"tier": "gold"}, "plan"),
        ({"plan_code": None}, "plan"),
        ({"plan_code": None, "tier": "gold", "versions": (1,)}, "versions"),
        ({"when": "from"}, "at"),
        ({"at": APRIL}, "at"),
        ({"when": "from", "at": JANUARY}, "at"),
        ({"notice_days": -1}, "notice_days"),
        ({"account_ids": ()}, "accounts"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_its_field(
    world: World, wanted: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadInput) as caught:
        await world.start(await world.version("12"), **wanted)
    assert [error.field for error in caught.value.errors] == [field]


async def test_a_date_nearer_than_the_notice_needs_a_reason(world: World) -> None:
    await world.member()
    new = await world.version("12")
    for near in ({"when": "now"}, {"when": "from", "at": APRIL}):
        with pytest.raises(Conflict, match="less than 30 days"):
            await world.start(new, notice_days=30, **near)
    forced = await world.preview(new, notice_days=30, when="now", force_reason="an error of ours")
    assert forced.counts == {"foreseen": 1}
    late = await world.preview(new, notice_days=20, when="from", at=APRIL)
    world.now = APRIL - timedelta(days=19)
    with pytest.raises(Conflict, match="less than 20 days"):
        await world.confirm(late)


async def test_only_what_was_shown_and_lately_can_be_confirmed(world: World) -> None:
    await world.member()
    new = await world.version("12")
    begun = await world.start(new)
    async with world.db.transaction(WRITER) as conn:
        with pytest.raises(Conflict, match="previewing"):
            await service.confirm(conn, begun.plan_migration_id, "x", NOW)
    await world.work()
    seen = await world.look(begun)
    async with world.db.transaction(WRITER) as conn:
        with pytest.raises(Conflict, match="another one"):
            await service.confirm(conn, begun.plan_migration_id, "x", NOW)
        with pytest.raises(Conflict, match="week old"):
            await service.confirm(
                conn, begun.plan_migration_id, seen.confirmation or "", NOW + timedelta(days=8)
            )
        with pytest.raises(NotFound):
            await service.confirm(conn, UUID(int=7), "x", NOW)


async def test_subscriptions_are_chosen_by_version_by_tier_and_by_account(world: World) -> None:
    (first, _), (second, _) = await world.member(), await world.member()
    await world.version("11", tier="gold")
    new = await world.version("12", tier="gold")
    assert (await world.preview(new, versions=(2,))).account_count == 0
    assert (await world.preview(new, versions=(1,))).account_count == 2
    one = await world.preview(new, account_ids=(second.account_id,))
    assert [row.account_id for row in await world.rows(one)] == [second.account_id]
    assert (await world.preview(new, plan_code=None, tier="gold")).account_count == 0
    with pytest.raises(NotFound):
        await world.start(new, plan_code=None, tier="silver")
    with pytest.raises(NotFound):
        await world.start(new, versions=(9,))
    assert first.account_id != second.account_id


async def test_the_next_worker_goes_on_behind_the_batch_that_was_committed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "ACCOUNTS_MAX", 1)
    for _ in range(3):
        await world.member()
    begun = await world.start(await world.version("12"))
    for done in (1, 2, 3):
        await PlanMigrations(world.db, SELLER).run_due(NOW)
        assert (await world.look(begun)).done_count == done
    await world.work()
    seen = await world.look(begun)
    assert (seen.status, seen.counts) == ("previewed", {"foreseen": 3})
    assert (await world.confirm(seen)).counts == {"scheduled": 3}
