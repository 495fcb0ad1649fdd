"""Staff see how usage goes to Lago, what it refused, and where totals differ."""

from typing import TYPE_CHECKING
from uuid import UUID

from tallystick.kernel.db import WRITER

if TYPE_CHECKING:
    from tests.api.conftest import Shop

LAGO = "/api/v1/admin/lago"
SET_ASIDE = """
INSERT INTO lago_refused (account_id, transaction_id, event, reason, refused_at)
VALUES ($1, $2, $3, 'no', now())
"""
DIFFER = """
INSERT INTO lago_differences (account_id, meter_id, period_start, period_end, ours, theirs,
    found_at, seen_at)
SELECT $1, meter_id, '2026-03-01Z', '2026-04-01Z', 12.50, NULL, now(), now() FROM meters LIMIT 1
"""


async def set_aside(shop: "Shop", account_id: UUID, name: str, event: str = "{}") -> None:
    async with shop.db.transaction(WRITER) as conn:
        await conn.execute(SET_ASIDE, account_id, name, event)


async def test_without_a_lago_server_the_state_says_so(shop: "Shop") -> None:
    async with shop.as_person(shop.support) as staff:
        told = (await staff.get(LAGO)).json()
    assert told["configured"] is False
    assert (told["sent"], told["lag_seconds"], told["last_error"]) == (0, 0, None)


async def test_only_staff_see_it_and_only_admins_send_again(shop: "Shop") -> None:
    async with shop.as_person(shop.acme.owner) as owner:
        assert (await owner.get(LAGO)).status_code == 403
    async with shop.as_person(shop.support) as support:
        assert (await support.post(f"{LAGO}/refused/retry")).status_code == 403


async def test_what_was_refused_is_listed_and_sent_again(shop: "Shop") -> None:
    account = shop.acme.account.account_id
    await set_aside(shop, account, "one")
    await set_aside(shop, account, "two")
    await set_aside(shop, account, "person", event="")
    async with shop.as_person(shop.admin) as admin:
        found = (await admin.get(f"{LAGO}/refused")).json()
        assert found["total"] == 3
        assert found["events"][0]["account"] == shop.acme.id
        unknown = await admin.post(f"{LAGO}/refused/retry?transaction_id=nothing")
        assert (unknown.status_code, unknown.json()["code"]) == (404, "lago_event_not_found")
        one = await admin.post(f"{LAGO}/refused/retry?transaction_id=one")
        assert one.json() == {"retried": 1}
        assert (await admin.post(f"{LAGO}/refused/retry")).json() == {"retried": 1}
        state = (await admin.get(LAGO)).json()
    assert (state["waiting"], state["refused"]) == (2, 1)


async def test_differences_are_listed(shop: "Shop") -> None:
    async with shop.db.transaction(WRITER) as conn:
        await conn.execute(DIFFER, shop.globex.account.account_id)
    async with shop.as_person(shop.support) as staff:
        found = (await staff.get(f"{LAGO}/differences")).json()
    assert found["total"] == 1
    (row,) = found["differences"]
    assert (row["account"], row["ours"], row["lago"]) == (shop.globex.id, "12.5", None)


async def test_an_id_that_can_be_none_is_refused_and_changes_nothing(shop: "Shop") -> None:
    async with shop.as_person(shop.admin) as admin:
        answer = await admin.post(f"{LAGO}/refused/retry?transaction_id=a%00b")
    assert answer.status_code in {404, 422}, answer.text
