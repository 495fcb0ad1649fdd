"""The pages in process: what a browser never asks for, and installations set up otherwise."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tallystick.kernel.ids import new_id, show
from tallystick.settings import Settings

from .conftest import HTML, World, opened


@pytest.fixture
async def closed_world(dsn: str, tmp_path: Path) -> AsyncIterator[World]:
    """Billing switched off, cookies for https alone."""
    settings = Settings(home=tmp_path, billing_enabled=False, cookie_secure=True)
    async for one in opened(settings, dsn):
        yield one


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/home", "/sign-in"),
        ("/billing", "/sign-in?next=%2Fbilling"),
        ("/billing/invoices?page=2", "/sign-in?next=%2Fbilling%2Finvoices%3Fpage%3D2"),
        ("/staff/accounts", "/sign-in?next=%2Fstaff%2Faccounts"),
    ],
)
async def test_whoever_is_not_signed_in_goes_to_the_door(
    world: World, path: str, location: str
) -> None:
    answer = await world.http.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, location)


async def test_a_form_of_nobody_goes_to_the_door_and_is_not_asked_for_again(world: World) -> None:
    answer = await world.http.post("/billing/autopay", data={"enabled": "true"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")


async def test_people_begin_where_their_work_is(world: World) -> None:
    account = await world.account()
    await world.enter(await world.person((account.account_id, "member")))
    assert (await world.http.get("/home")).headers["location"] == "/billing/usage"
    assert (await world.http.get("/billing")).headers["location"] == "/billing/usage"
    await world.enter(await world.person(staff_role="support"))
    assert (await world.http.get("/home")).headers["location"] == "/staff/accounts"


async def test_signing_in_never_leads_to_another_site(world: World) -> None:
    account = await world.account()
    email = await world.person((account.account_id, "owner"))
    answer = await world.enter(email, "//evil.example/")
    assert answer.headers["location"] == "/"


async def test_pages_are_not_kept_by_any_cache(world: World) -> None:
    account = await world.account()
    await world.enter(await world.person((account.account_id, "owner")))
    for path in ("/billing/usage", "/billing/payment-methods", "/billing/nothing"):
        answer = await world.http.get(path, headers=HTML)
        assert answer.headers["cache-control"] == "no-store"


async def test_an_unknown_address_is_a_page_for_people_and_a_problem_for_programs(
    world: World,
) -> None:
    page = await world.http.get("/nothing", headers=HTML)
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert page.headers["x-request-id"] in page.text
    problem = await world.http.get("/nothing")
    assert problem.headers["content-type"] == "application/problem+json"
    api = await world.http.get("/api/v1/nothing", headers=HTML)
    assert api.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/billing/invoices?status=lost", 422),
        ("/billing/invoices?page=0", 422),
        ("/billing/invoices?sort=up", 422),
        ("/billing/invoices/inv_none", 404),
        ("/billing/payment-methods?done=everything", 422),
    ],
)
async def test_what_can_not_be_taken_is_a_page_with_its_status(
    world: World, path: str, status: int
) -> None:
    account = await world.account()
    await world.enter(await world.person((account.account_id, "owner")))
    answer = await world.http.get(path)
    assert answer.status_code == status
    assert "<h1>" in answer.text
    assert "Sign out" in answer.text


async def test_a_person_of_several_accounts_is_told_in_words(world: World) -> None:
    both = [(await world.account()).account_id for _ in range(2)]
    await world.enter(await world.person(*[(one, "owner") for one in both]))
    answer = await world.http.get("/billing/usage")
    assert answer.status_code == 400
    assert "X-Account-Id" not in answer.text
    assert "the console shows one" in answer.text


async def test_a_choice_that_is_none_changes_nothing(world: World) -> None:
    account = await world.account()
    await world.enter(await world.person((account.account_id, "owner")))
    assert (await world.post("/billing/autopay", enabled="maybe")).status_code == 422
    assert (await world.post("/billing/autopay", enabled="true")).status_code == 303
    assert "Each invoice will be charged" in (await world.http.get("/billing/payment-methods")).text


async def test_a_member_may_not_change_how_the_account_pays(world: World) -> None:
    account = await world.account()
    await world.enter(await world.person((account.account_id, "member")))
    assert (await world.post("/billing/autopay", enabled="true")).status_code == 403


async def test_a_method_that_is_not_there_can_not_be_chosen(world: World) -> None:
    account = await world.account()
    await world.enter(await world.person((account.account_id, "owner")))
    unknown = show("payment_method", new_id())
    for name in (unknown, "pm_nonsense"):
        for step in ("default", "remove"):
            path = f"/billing/payment-methods/{name}/{step}"
            assert (await world.post(path)).status_code == 404


@pytest.mark.parametrize(
    ("query", "done"),
    [("redirect_status=succeeded&setup_intent=seti_1", "accepted"), ("x=1", "not_saved")],
)
async def test_a_payer_comes_back_from_the_bank_with_whatever_query(
    world: World, query: str, done: str
) -> None:
    account = await world.account()
    await world.enter(await world.person((account.account_id, "owner")))
    answer = await world.http.get(f"/billing/payment-methods/return?{query}")
    assert answer.headers["location"] == f"/billing/payment-methods?done={done}"


async def test_without_a_gateway_the_page_says_that_cards_can_not_be_saved(world: World) -> None:
    account = await world.account()
    await world.enter(await world.person((account.account_id, "owner")))
    page = (await world.http.get("/billing/payment-methods")).text
    assert "Cards can not be saved here yet" in page
    assert "<script" not in page


async def test_a_clock_is_moved_on_by_admins_and_only_forward(world: World) -> None:
    account = await world.account(on_test_clock=True)
    path = f"/staff/accounts/{show('account', account.account_id)}"
    await world.enter(await world.person(staff_role="finance"))
    assert (await world.post(f"{path}/advance", to="2026-12-01T00:00")).status_code == 403
    await world.enter(await world.person(staff_role="admin"))
    for wrong, status in (("2020-01-01T00:00", 422), ("soon", 422)):
        answer = await world.post(f"{path}/advance", to=wrong)
        assert answer.status_code == status
        assert 'role="alert"' in answer.text
    assert (await world.post(f"{path}/advance", to="2026-12-01T00:00")).status_code == 303
    assert "Moving on to Dec 1, 2026, 00:00 UTC" in (await world.http.get(path)).text
    again = await world.post(f"{path}/advance", to="2026-12-02T00:00")
    assert (again.status_code, "still being advanced" in again.text) == (409, True)


async def test_an_account_on_wall_time_has_no_clock_to_move(world: World) -> None:
    account = await world.account()
    path = f"/staff/accounts/{show('account', account.account_id)}"
    await world.enter(await world.person(staff_role="admin"))
    assert "Test clock" not in (await world.http.get(path)).text
    assert (await world.post(f"{path}/advance", to="2026-12-01T00:00")).status_code == 409


async def test_staff_search_through_pages_of_accounts(world: World) -> None:
    for _ in range(21):
        await world.account()
    await world.enter(await world.person(staff_role="support"))
    first = await world.http.get("/staff/accounts?search=atelier")
    assert "21 accounts, newest first" in first.text
    assert 'href="/staff/accounts?search=atelier&amp;page=2"' in first.text
    assert "Page 2 of 2" in (await world.http.get("/staff/accounts?search=atelier&page=2")).text
    assert "Nothing matches." in (await world.http.get("/staff/accounts?search=%25")).text


async def test_with_billing_switched_off_people_are_told_and_led_nowhere(
    closed_world: World,
) -> None:
    account = await closed_world.account()
    signed_in = await closed_world.enter(await closed_world.person((account.account_id, "owner")))
    assert "Secure" in signed_in.headers["set-cookie"]
    # The client, like a browser, keeps a secure cookie from plain http.
    headers = {"Cookie": signed_in.headers["set-cookie"].partition(";")[0]}
    for path in ("/", "/home"):
        start = await closed_world.http.get(path, headers=headers)
        assert start.status_code == 200
        assert "Billing is switched off" in start.text
        assert "/billing/usage" not in start.text
    usage = await closed_world.http.get("/billing/usage", headers=headers)
    assert (usage.status_code, "<h1>" in usage.text) == (404, True)
