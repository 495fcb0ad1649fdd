import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import msgspec
import pytest

from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.errors import Conflict
from tallystick.kernel.idempotency import (
    KEPT,
    LEASE,
    Answer,
    Intent,
    answer,
    claim,
    forget,
    forget_old,
)

INTENT = Intent(account_id=UUID(int=7), caller="key_1", key="order-1", request_hash=b"one")
FIRST = Answer(status=201, headers={"location": "/x"}, body=b'{"ok": true}')


async def run(db: Database, intent: Intent, now: datetime) -> Answer | None:
    """Claim in a transaction of its own."""
    async with db.transaction(account_scope(intent.account_id)) as conn:
        return await claim(conn, intent, now)


async def run_to_the_end(db: Database, intent: Intent, now: datetime) -> None:
    async with db.transaction(account_scope(intent.account_id)) as conn:
        assert await claim(conn, intent, now) is None
        await answer(conn, intent, FIRST.status, FIRST.headers, FIRST.body)


async def test_the_same_key_and_body_get_the_first_answer_again(
    db: Database, now: datetime
) -> None:
    await run_to_the_end(db, INTENT, now)
    for _ in range(2):
        assert await run(db, INTENT, now + timedelta(days=29)) == FIRST


async def test_the_same_key_with_another_body_is_a_conflict(db: Database, now: datetime) -> None:
    await run_to_the_end(db, INTENT, now)
    other = msgspec.structs.replace(INTENT, request_hash=b"two")
    with pytest.raises(Conflict) as caught:
        await run(db, other, now)
    assert caught.value.code == "idempotency_conflict"


@pytest.mark.parametrize("change", [{"caller": "key_2"}, {"key": "order-2"},
                                    {"account_id": UUID(int=8)}])  # fmt: skip
async def test_keys_of_other_callers_and_accounts_are_apart(
    db: Database, now: datetime, change: dict[str, object]
) -> None:
    await run_to_the_end(db, INTENT, now)
    other = msgspec.structs.replace(INTENT, request_hash=b"two", **change)
    assert await run(db, other, now) is None


async def test_a_key_whose_request_still_runs_is_in_progress(db: Database, now: datetime) -> None:
    assert await run(db, INTENT, now) is None
    with pytest.raises(Conflict) as caught:
        await run(db, INTENT, now + LEASE - timedelta(seconds=1))
    assert caught.value.code == "request_in_progress"


async def test_a_key_in_another_open_transaction_is_in_progress_at_once(
    db: Database, now: datetime
) -> None:
    claimed, finish = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with db.transaction(account_scope(INTENT.account_id)) as conn:
            await claim(conn, INTENT, now)
            claimed.set()
            await finish.wait()
            await answer(conn, INTENT, FIRST.status, FIRST.headers, FIRST.body)

    async with asyncio.TaskGroup() as group:
        group.create_task(slow())
        await claimed.wait()
        with pytest.raises(Conflict) as caught:
            await run(db, INTENT, now)
        finish.set()
    assert caught.value.code == "request_in_progress"
    assert await run(db, INTENT, now) == FIRST


async def test_of_many_at_once_one_claims_the_key(db: Database, now: datetime) -> None:
    results = await asyncio.gather(
        *(run(db, INTENT, now) for _ in range(8)), return_exceptions=True
    )
    assert results.count(None) == 1
    assert all(isinstance(result, Conflict) for result in results if result is not None)


async def test_after_a_crash_the_lease_runs_out_and_the_key_runs_again(
    db: Database, now: datetime
) -> None:
    assert await run(db, INTENT, now) is None
    assert await run(db, INTENT, now + LEASE) is None


async def test_a_rolled_back_request_leaves_the_key_free(db: Database, now: datetime) -> None:
    with suppress(LookupError):
        async with db.transaction(WRITER) as conn:
            await claim(conn, INTENT, now)
            raise LookupError
    assert await run(db, INTENT, now) is None


async def test_a_key_given_back_may_carry_a_corrected_request(db: Database, now: datetime) -> None:
    async with db.transaction(WRITER) as conn:
        await claim(conn, INTENT, now)
        await forget(conn, INTENT)
    corrected = msgspec.structs.replace(INTENT, request_hash=b"two")
    assert await run(db, corrected, now) is None


async def test_after_thirty_days_a_key_is_new(db: Database, now: datetime) -> None:
    await run_to_the_end(db, INTENT, now)
    other = msgspec.structs.replace(INTENT, request_hash=b"two")
    assert await run(db, other, now + KEPT) is None


async def test_old_keys_are_dropped_and_young_ones_stay(db: Database, now: datetime) -> None:
    old = msgspec.structs.replace(INTENT, account_id=uuid4())
    await run_to_the_end(db, old, now - KEPT - timedelta(seconds=1))
    await run_to_the_end(db, INTENT, now - KEPT + timedelta(seconds=1))
    async with db.transaction(WRITER) as conn:
        assert await forget_old(conn, now) == 1
        assert await forget_old(conn, now) == 0
    assert await run(db, INTENT, now) == FIRST


async def test_an_answer_keeps_bytes_that_are_no_text(db: Database, now: datetime) -> None:
    async with db.transaction(WRITER) as conn:
        await claim(conn, INTENT, now)
        await answer(conn, INTENT, 200, {}, b"\x00\xff")
    assert await run(db, INTENT, now) == Answer(status=200, headers={}, body=b"\x00\xff")
