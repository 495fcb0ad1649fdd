"""Staff look at what-ifs; nobody else does."""

from datetime import UTC, datetime
from decimal import Decimal

from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewPlanVersion
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import show
from tallystick.pricing.model import FlatPrice
from tallystick.subscriptions import service as subscriptions
from tallystick.whatif import service
from tallystick.whatif.jobs import WhatIfs
from tallystick.whatif.model import Question, WhatIf

from .conftest import HTML, World

JANUARY, MARCH = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)


def version(amount: str) -> NewPlanVersion:
    fee = FlatPrice(currency="EUR", code="fee", amount=Decimal(amount))
    return NewPlanVersion(
        plan_code="pro", plan_name="Pro", currency="EUR", interval="month", prices=(fee,)
    )


async def begin(world: World) -> WhatIf:
    account = await world.account()
    async with world.services.db.transaction(WRITER) as conn:
        plan = await catalog.create_plan_version(conn, version("1000"), JANUARY)
        await subscriptions.subscribe(conn, account, plan, JANUARY)
        question = Question(draft=version("1100"), start=JANUARY, end=MARCH)
        return await service.start(conn, question, MARCH)


async def test_the_page_shows_how_far_it_is_and_then_the_figures(world: World) -> None:
    begun = await begin(world)
    await world.enter(await world.person(staff_role="support"))
    path = f"/staff/what-ifs/{show('what_if', begun.what_if_id)}"
    running = await world.http.get(path, headers=HTML)
    assert "0 of 1" in running.text
    assert "Look again" in running.text
    while await WhatIfs(world.services.db).run_due(MARCH):
        pass
    done = (await world.http.get(path, headers=HTML)).text
    for figure in ("€2,000.00", "€2,200.00", "€200.00 (10%)", "1, 0, 0", "A draft of pro"):
        assert figure in done
    assert done.count("€100.00") == 2
    listed = await world.http.get("/staff/what-ifs", headers=HTML)
    assert path in listed.text
    assert "1 of 1" in listed.text


async def test_an_account_does_not_see_it(world: World) -> None:
    begun = await begin(world)
    account = await world.account()
    await world.enter(await world.person((account.account_id, "owner")))
    for path in ("", f"/{show('what_if', begun.what_if_id)}"):
        answer = await world.http.get(f"/staff/what-ifs{path}", headers=HTML)
        assert answer.status_code == 403
    assert "What-ifs" not in (await world.http.get("/billing/usage", headers=HTML)).text


async def test_without_any_the_page_says_how_to_begin(world: World) -> None:
    await world.enter(await world.person(staff_role="support"))
    answer = await world.http.get("/staff/what-ifs", headers=HTML)
    assert "No version of a plan was tried yet" in answer.text
    gone = await world.http.get("/staff/what-ifs/wif_00000000000000000000000001", headers=HTML)
    assert gone.status_code == 404
