"""Lists of every seed have one shape, bounds, and two ways to walk them."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.kernel.db import WRITER
from tallystick.kernel.paging import After, write_cursor

if TYPE_CHECKING:
    from tests.api.conftest import Shop

BILLING = "/api/v1/billing"
LISTS = [
    ("/api/v1/admin/accounts", "accounts"),
    ("/api/v1/admin/api-keys", "api_keys"),
    ("/api/v1/admin/audit", "entries"),
    (f"{BILLING}/invoices", "invoices"),
    (f"{BILLING}/payments", "payments"),
]
WHOLE = [
    (f"{BILLING}/plans", "plans"),
    (f"{BILLING}/payment-methods", "payment_methods"),
    ("/api/v1/meters", "meters"),
    ("/api/v1/admin/payments/pending", "payments"),
]
Json = dict[str, Any]


@pytest.fixture
def admin(shop: "Shop") -> httpx.AsyncClient:
    return shop.with_key(shop.house_keys["admin"], shop.acme.id)


@pytest.mark.parametrize(("path", "name"), LISTS)
async def test_a_list_says_where_its_part_stands(
    admin: httpx.AsyncClient, path: str, name: str
) -> None:
    answer = await admin.get(path, params={"limit": 3})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {name, "pagination", "total"}
    told = body["pagination"]
    assert set(told) == {"page", "limit", "total", "total_pages", "next_cursor"}
    assert (told["page"], told["limit"], told["total"]) == (1, 3, body["total"])
    assert told["total_pages"] == -(-body["total"] // 3)
    assert len(body[name]) == min(3, body["total"])
    assert (told["next_cursor"] is None) is (body["total"] <= 3)


@pytest.mark.parametrize(("path", "name"), WHOLE)
async def test_a_short_list_comes_whole(admin: httpx.AsyncClient, path: str, name: str) -> None:
    body = (await admin.get(path)).json()
    assert body["total"] == len(body[name])


@pytest.mark.parametrize("path", [path for path, _ in LISTS])
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"page": 0}, "page"),
        ({"page": -1}, "page"),
        ({"page": 1_000_001}, "page"),
        ({"limit": 0}, "limit"),
        ({"limit": 101}, "limit"),
        ({"limit": -5}, "limit"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "A" * 33}, "cursor"),
        ({"cursor": "f" * 32}, "cursor"),
        ({"cursor": "ä"}, "cursor"),
    ],
    ids=str,
)
async def test_a_part_out_of_bounds_is_refused(
    shop: "Shop",
    admin: httpx.AsyncClient,
    path: str,
    query: dict[str, str | int],
    field: str,
) -> None:
    problem = shop.refused(await admin.get(path, params=query), 422, "validation_failed")
    assert [wrong for wrong, _ in shop.fields(problem)] == [field]


@pytest.mark.parametrize(("path", "name"), LISTS)
async def test_the_furthest_page_is_empty_and_no_error(
    admin: httpx.AsyncClient, path: str, name: str
) -> None:
    answer = await admin.get(path, params={"page": 1_000_000, "limit": 100})
    assert answer.status_code == 200
    body = answer.json()
    assert body[name] == []
    assert body["pagination"]["next_cursor"] is None


@pytest.mark.parametrize("path", [path for path, _ in LISTS + WHOLE])
async def test_a_slash_at_the_end_is_taken(admin: httpx.AsyncClient, path: str) -> None:
    plain, slashed = await admin.get(path), await admin.get(f"{path}/")
    assert plain.status_code == slashed.status_code == 200
    assert plain.json()["total"] == slashed.json()["total"]


@pytest.mark.parametrize("name", ["config", "settings", "plans", "subscription", "usage/current"])
async def test_both_bases_serve_the_same_routes(admin: httpx.AsyncClient, name: str) -> None:
    answers = [
        await admin.get(f"{base}/{name}{end}")
        for base in (BILLING, "/api/billing")
        for end in ("", "/")
    ]
    assert {answer.status_code for answer in answers} == {200}
    assert len({frozenset(answer.json()) for answer in answers}) == 1


async def several(shop: "Shop", count: int, email: str) -> list[str]:
    """Make so many accounts, newest last; pairs share their instant."""
    made = []
    for number in range(count):
        new = NewAccount(
            name=f"List {number}",
            email=email,
            currency="USD",
            country="US",
            external_id=f"{email}-{number}",
        )
        at = shop.wall() + timedelta(microseconds=number // 2)
        async with shop.db.transaction(WRITER) as conn:
            await accounts.create_account(conn, new, at)
        made.append(f"{email}-{number}")
    return made


async def walk(
    client: httpx.AsyncClient, email: str, limit: int, shop: "Shop | None" = None
) -> list[str]:
    """All external ids by cursor; with a shop, a row comes in at the front after each part."""
    found: list[str] = []
    query: Json = {"search": email, "limit": limit}
    while True:
        body = (await client.get("/api/v1/admin/accounts", params=query)).json()
        found += [account["external_id"] for account in body["accounts"]]
        cursor = body["pagination"]["next_cursor"]
        if cursor is None:
            return found
        query = {**query, "cursor": cursor}
        if shop is not None:
            await shop.account(email=email, external_id=f"late-{len(found)}-{email}")


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
async def test_pages_and_cursors_meet_every_row_once_newest_first(
    shop: "Shop", admin: httpx.AsyncClient, limit: int
) -> None:
    email = f"walk{limit}@example.com"
    made = await several(shop, 7, email)
    by_page: list[str] = []
    for page in range(1, 9):
        query: Json = {"search": email, "limit": limit, "page": page}
        body = (await admin.get("/api/v1/admin/accounts", params=query)).json()
        by_page += [account["external_id"] for account in body["accounts"]]
    assert sorted(by_page) == made
    assert by_page[0][-1] in {"6", "5"}
    assert await walk(admin, email, limit) == by_page


async def test_rows_that_come_in_meanwhile_shift_no_cursor(
    shop: "Shop", admin: httpx.AsyncClient
) -> None:
    email = "shift@example.com"
    made = await several(shop, 6, email)
    assert sorted(await walk(admin, email, 2, shop)) == made


async def test_a_cursor_that_was_made_up_reads_no_other_account(shop: "Shop") -> None:
    """A cursor is a position and no right: what it points into is the caller's own list."""
    await shop.billed()
    forged = write_cursor(
        After(at=shop.wall() + timedelta(days=1), id=shop.globex.account.account_id)
    )
    owner = shop.with_key(shop.acme.keys["billing:read"])
    answer = await owner.get(f"{BILLING}/invoices", params={"cursor": forged})
    assert answer.json()["invoices"] == []


@pytest.mark.parametrize("search", ["%", "_", "\\", "'", "ä", "walk%example", " " * 50, "x" * 500])
async def test_a_search_is_text_and_no_pattern(admin: httpx.AsyncClient, search: str) -> None:
    answer = await admin.get("/api/v1/admin/accounts", params={"search": search})
    assert answer.status_code == 200
    if search.strip():
        assert answer.json()["total"] == 0


@pytest.mark.parametrize(
    ("status", "count"),
    [("open", 1), ("pending", 1), ("draft", 0), ("paid", 0), ("void", 0), ("uncollectible", 0)],
)
async def test_invoices_are_listed_by_status(shop: "Shop", status: str, count: int) -> None:
    tenant, _ = await shop.billed()
    owner = shop.with_key(tenant.keys["billing:read"])
    answer = await owner.get(f"{BILLING}/invoices", params={"status": status})
    assert answer.json()["total"] == count


async def test_an_account_that_has_nothing_gets_empty_lists_and_the_free_tier(
    shop: "Shop",
) -> None:
    tenant = await shop.tenant()
    client = shop.as_person(tenant.member)
    for name in ("invoices", "payments", "payment-methods"):
        answer = await client.get(f"{BILLING}/{name}")
        assert (answer.status_code, answer.json()["total"]) == (200, 0)
    subscription = (await client.get(f"{BILLING}/subscription")).json()
    assert (subscription["tier"], subscription["status"]) == ("free", "none")
    usage = (await client.get(f"{BILLING}/usage/current")).json()
    assert (usage["meters"], usage["overages"]["total_overage_cost_cents"]) == ([], 0)
