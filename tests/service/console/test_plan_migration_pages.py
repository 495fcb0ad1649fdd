"""Staff look at plan migrations; nobody else does."""

from datetime import UTC, datetime
from decimal import Decimal

from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import show
from tallystick.plan_migrations import service
from tallystick.plan_migrations.jobs import PlanMigrations
from tallystick.plan_migrations.model import Migration, Wanted
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import service as subscriptions

from .conftest import HTML, World

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def version(amount: str) -> NewPlanVersion:
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(amount))
    return NewPlanVersion(
        plan_code="pro", plan_name="Pro", currency="EUR", interval="month", prices=(fee,)
    )


async def begin(world: World) -> Migration:
    account = await world.account()
    async with world.services.db.transaction(WRITER) as conn:
        old = await catalog.create_plan_version(conn, version("1000"), NOW)
        await subscriptions.subscribe(conn, account, old, NOW)
        new = await catalog.create_plan_version(conn, version("1100"), NOW)
        wanted = Wanted(
            plan_code="pro", to_plan_version_id=new.plan_version_id, when="period_end",
            notice_days=10, reason="new prices",
        )  # fmt: skip
        return await service.start(conn, wanted, NOW)


async def test_the_page_shows_how_far_it_is_and_then_the_figures(world: World) -> None:
    begun = await begin(world)
    await world.enter(await world.person(staff_role="support"))
    path = f"/staff/plan-migrations/{show('plan_migration', begun.plan_migration_id)}"
    running = await world.http.get(path, headers=HTML)
    assert "0 of 1" in running.text
    assert "Look again" in running.text
    work = PlanMigrations(world.services.db, world.services.seller)
    while await work.run_due(NOW):
        pass
    done = (await world.http.get(path, headers=HTML)).text
    for figure in ("€2,000.00", "€2,100.00", "1, 0, 0", "Plan pro", "new prices", "Foreseen"):
        assert figure in done
    assert done.count("€100.00") == 3
    listed = await world.http.get("/staff/plan-migrations", headers=HTML)
    assert path in listed.text
    assert "1 foreseen" in listed.text


async def test_an_account_does_not_see_it(world: World) -> None:
    begun = await begin(world)
    account = await world.account()
    await world.enter(await world.person((account.account_id, "owner")))
    for path in ("", f"/{show('plan_migration', begun.plan_migration_id)}"):
        answer = await world.http.get(f"/staff/plan-migrations{path}", headers=HTML)
        assert answer.status_code == 403


async def test_without_any_the_page_says_how_to_begin(world: World) -> None:
    await world.enter(await world.person(staff_role="support"))
    answer = await world.http.get("/staff/plan-migrations", headers=HTML)
    assert "tallystick plans migrate" in answer.text
    gone = "/staff/plan-migrations/pmig_00000000000000000000000001"
    assert (await world.http.get(gone, headers=HTML)).status_code == 404
