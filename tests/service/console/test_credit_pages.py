"""The credits' pages in process: what they show, what they refuse, and that a form buys once."""

import re
from decimal import Decimal

import pytest

from tallystick.accounts.model import Account
from tallystick.credits import grants, packages, service
from tallystick.credits.model import NewGrant, Package, Settings
from tallystick.credits.service import Deduct
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import new_id, show

from .conftest import HTML, NOW, World

CREDITS = "/billing/credits"


async def stocked(world: World) -> tuple[Account, Package]:
    """An account with 100 credits of which 3 were used, and a package on sale."""
    account = await world.account()
    async with world.services.db.transaction(WRITER) as conn:
        given = NewGrant(source="promotion", units=10_000_000, reason="Welcome")
        await grants.grant(conn, account.account_id, given, key="g", at=NOW)
        new = packages.NewPackage(
            code=f"p{new_id().hex[:20]}", name="Small & fine", units=50_000_000, currency="EUR",
            amount_minor=900,
        )  # fmt: skip
        package = await packages.create_package(conn, new, NOW)
        wanted = Settings(
            top_up_below=100_000, top_up_package_id=package.credit_package_id,
            top_up_month_max_minor=900,
        )  # fmt: skip
        await service.set_settings(conn, account.account_id, wanted, NOW)
    wanted_use = Deduct(
        account_id=account.account_id, key="u", at=NOW, operation="write_article", model="large",
        credits=Decimal(3),
    )  # fmt: skip
    await world.services.credits.deduct(wanted_use)
    return account, package


async def test_the_page_shows_balance_grants_usage_and_packages(world: World) -> None:
    account, _ = await stocked(world)
    await world.enter(await world.person((account.account_id, "member")))
    page = (await world.http.get(CREDITS)).text
    assert "97 <span>credits</span>" in page
    assert "Promotion" in page
    assert "write_article · large" in page
    assert "Small &amp; fine" in page
    assert "is bought by itself" in page
    assert '<button class="small">Buy' not in page
    changes = (await world.http.get(CREDITS, params={"show": "changes"})).text
    assert "Welcome" in changes
    assert "+100" in changes
    found = re.search(rf"{CREDITS}/changes/le_\w+", page)
    assert found is not None
    change = (await world.http.get(found[0])).text
    assert "3 credits were asked for." in change
    assert "3 from: Welcome." in change


async def test_a_form_that_is_sent_twice_buys_once(world: World) -> None:
    account, package = await stocked(world)
    await world.enter(await world.person((account.account_id, "owner")))
    assert "Buy for €9.00" in (await world.http.get(CREDITS)).text
    path = f"{CREDITS}/buy/{show('credit_package', package.credit_package_id)}"
    answers = [await world.post(path, key="once") for _ in range(2)]
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    invoice = await world.http.get(answers[0].headers["location"])
    assert "Small &amp; fine" in invoice.text


async def test_a_member_buys_nothing_and_a_stranger_sees_nothing(world: World) -> None:
    account, package = await stocked(world)
    other = await world.account()
    await world.enter(await world.person((account.account_id, "member")))
    path = f"{CREDITS}/buy/{show('credit_package', package.credit_package_id)}"
    assert (await world.post(path, key="once")).status_code == 403
    page = (await world.http.get(CREDITS)).text
    change = re.search(rf"{CREDITS}/changes/le_\w+", page)
    assert change is not None
    await world.enter(await world.person((other.account_id, "owner")))
    assert (await world.http.get(change[0], headers=HTML)).status_code == 404
    assert "0 <span>credits</span>" in (await world.http.get(CREDITS)).text


@pytest.mark.parametrize("key", ["", "x" * 65, "a\nb"])
async def test_a_form_without_its_key_is_refused(world: World, key: str) -> None:
    account, package = await stocked(world)
    await world.enter(await world.person((account.account_id, "owner")))
    path = f"{CREDITS}/buy/{show('credit_package', package.credit_package_id)}"
    assert (await world.post(path, key=key)).status_code == 422
