"""More than can be written: a clear 503; callers that go away; a server that ends under load."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from uuid import UUID

import asyncpg
import httpx
import msgspec
import pytest
import uvicorn

from tallystick.app import ServerApp
from tallystick.credits import grants
from tallystick.credits.model import NewGrant
from tallystick.credits.service import CreditService
from tallystick.kernel.db import WRITER
from tallystick.ledger.service import Ledger
from tests.api.conftest import BILLING, Shop, Tenant, address_of, bearer, settings_for

DEDUCT = f"{BILLING}/credits/deduct"
ONE = {"operation": "write", "credits": "1"}
CHARGE = {"amount_cents": 1, "description": "A try"}


async def with_credits(shop: Shop) -> Tenant:
    tenant = await shop.tenant()
    async with shop.db.transaction(WRITER) as conn:
        new = NewGrant(source="manual", units=1000 * 100_000)
        await grants.grant(conn, tenant.account.account_id, new, key="g", at=shop.wall())
    return tenant


@asynccontextmanager
async def held(dsn: str, table: str, account_id: UUID) -> AsyncIterator[None]:
    """Hold the account's row, so that the batch that needs it waits."""
    conn = await asyncpg.connect(dsn)
    async with conn.transaction():
        await conn.fetch(f"SELECT FROM {table} WHERE account_id = $1 FOR UPDATE", account_id)
        yield
    await conn.close()


async def left(shop: Shop, tenant: Tenant) -> int:
    (row,) = await shop.rows(
        "SELECT -balance / 100000 AS held FROM ledger_balances"
        " WHERE account_id = $1 AND unit = 'CREDIT'",
        tenant.account.account_id,
    )
    found: int = row["held"]
    return found


async def post_all(
    client: httpx.AsyncClient, path: str, body: object, count: int
) -> list[httpx.Response]:
    return await asyncio.gather(
        *(
            client.post(path, json=body, headers={"Idempotency-Key": f"k{number}"})
            for number in range(count)
        )
    )


@pytest.mark.parametrize("what", ["credits", "ledger"])
async def test_a_full_queue_is_a_503_that_says_when_to_come_again(
    shop: Shop, again: Callable[..., Shop], module_dsn: str, what: str
) -> None:
    tenant = await with_credits(shop)
    credits_, ledger = CreditService(shop.db, waiting_max=4), Ledger(shop.db, waiting_max=4)
    small = again(msgspec.structs.replace(shop.services, credits=credits_, ledger=ledger), dev=True)
    body: object = ONE
    if what == "credits":
        path, table, scope = DEDUCT, "credit_accounts", "credits:write"
    else:
        path, body, scope = f"{BILLING}/_dev/add-entry", CHARGE, "billing:write"
        table = "ledger_balances"
        first = await small.with_key(tenant.keys["billing:write"]).post(path, json=body)
        assert first.status_code == 201
    client = small.with_key(tenant.keys[scope])  # type: ignore[index]  # one of the two above
    async with held(module_dsn, table, tenant.account.account_id):
        sent = asyncio.create_task(post_all(client, path, body, 30))
        await shop.lock_awaited()
    answers = await sent
    refused = [number for number, one in enumerate(answers) if not one.is_success]
    assert 0 < len(refused) < 30
    for number in refused:
        problem = Shop.refused(answers[number], 503, "ledger_busy")
        assert "again" in problem["detail"]
        assert answers[number].headers["retry-after"] == "1"
    # The same keys again: what was taken is a replay, what was refused is done now.
    for start in range(0, 30, 3):
        for number in range(start, start + 3):
            key = {"Idempotency-Key": f"k{number}"}
            done = await client.post(path, json=body, headers=key)
            assert done.is_success, done.text
            is_replay = done.headers.get("idempotent-replayed") == "true"
            assert is_replay is (number not in refused)
    if what == "credits":
        assert await left(shop, tenant) == 970
    await credits_.close()
    await ledger.close()


async def test_a_caller_that_hung_up_has_paid_once(shop: Shop, live: str, module_dsn: str) -> None:
    tenant = await with_credits(shop)
    key = {"Idempotency-Key": "gone", **bearer(tenant.keys["credits:write"])}
    async with httpx.AsyncClient(base_url=live, trust_env=False, headers=key) as client:
        async with held(module_dsn, "credit_accounts", tenant.account.account_id):
            with pytest.raises(httpx.ReadTimeout):
                await client.post(DEDUCT, json=ONE, timeout=0.5)
        done = await client.post(DEDUCT, json=ONE)
        again = await client.post(DEDUCT, json=ONE)
    assert done.status_code == again.status_code == 200
    assert again.headers["idempotent-replayed"] == "true"
    assert await left(shop, tenant) == 999


async def test_a_server_that_is_told_to_end_answers_what_it_took(
    shop: Shop, module_dsn: str
) -> None:
    tenant = await with_credits(shop)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(512)
        app = ServerApp(settings_for(), module_dsn)
        server = uvicorn.Server(uvicorn.Config(app, lifespan="on", log_config=None))
        run = partial(asyncio.run, server.serve(sockets=[listener]))
        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        headers = bearer(tenant.keys["credits:write"])
        async with httpx.AsyncClient(
            base_url=address_of(listener), trust_env=False, headers=headers, timeout=20
        ) as client:
            assert (await client.post(DEDUCT, json=ONE)).status_code == 200
            async with held(module_dsn, "credit_accounts", tenant.account.account_id):
                sent = asyncio.create_task(post_all(client, DEDUCT, ONE, 60))
                async with asyncio.timeout(10):
                    while len(server.server_state.tasks) < 60:  # noqa: ASYNC110 - it tells nobody
                        await asyncio.sleep(0.01)
                server.should_exit = True
                await asyncio.sleep(0.3)  # it has begun to end
            answers = await sent
        await asyncio.to_thread(thread.join, 20)
    assert not thread.is_alive()
    taken = [one for one in answers if one.status_code == 200]
    assert len(taken) == 60
    assert await left(shop, tenant) == 1000 - 61
