"""Whatever is cut or killed in the middle of a debit: all of it stays, or none, and once."""

import asyncio
import re
import subprocess
import sys
from typing import Any

import asyncpg
import pytest

from tallystick.credits.model import Debited, Outcome
from tallystick.credits.service import CreditService

from .conftest import Bank

# The statements of `debit_credits` that write; after each of them the connection is cut.
STEPS = ("credit_usage_log", "credit_allocations", "credit_grants", "ledger_entries",
         "ledger_postings", "ledger_balances")  # fmt: skip

CUT = """
CREATE FUNCTION cut_once() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    -- The mark is outside the transaction, so the second try goes on.
    IF nextval('cuts') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
    RETURN NULL;
END $$;
CREATE SEQUENCE cuts;
GRANT USAGE ON SEQUENCE cuts TO tallystick_writer, tallystick_account;
"""

CHILD = """
import asyncio, sys
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID
from tallystick.credits.service import CreditService, Deduct
from tallystick.kernel.db import open_database

async def main():
    db = await open_database(sys.argv[1], connections_max=2)
    credits_ = CreditService(db)
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    async def one(number):
        await credits_.deduct(Deduct(account_id=UUID(sys.argv[2]), key=f"k{number}", at=at,
                                     operation="write", credits=Decimal("0.5")))
        print(f"k{number}", flush=True)
    print("ready", flush=True)
    await asyncio.gather(*(one(number) for number in range(int(sys.argv[3]))))
    await credits_.close()
    await db.close()

asyncio.run(main())
"""


@pytest.mark.parametrize("table", STEPS)
async def test_a_connection_cut_behind_each_step_debits_once(
    bank: Bank, dsn: str, table: str
) -> None:
    account = await bank.account()
    await bank.grant(account, "10")
    owner = await asyncpg.connect(dsn)
    await owner.execute(CUT)
    events = "UPDATE" if table in {"credit_grants", "ledger_balances"} else "INSERT"
    await owner.execute(
        f"CREATE TRIGGER zz_cut AFTER {events} ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION cut_once()"
    )
    answer = await bank.deduct(account, "4")
    assert answer.outcome is Outcome.DEBITED
    assert await owner.fetchval("SELECT last_value FROM cuts") >= 2
    await owner.close()
    assert (await bank.balance(account)).available == 600_000


async def test_a_process_killed_in_the_middle_of_batches_is_finished_by_the_same_keys(
    bank: Bank, dsn: str
) -> None:
    account = await bank.account()
    await bank.grant(account, "1000")
    child = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs in this test
        [sys.executable, "-c", CHILD, dsn, str(account), "2000"], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    answered = [child.stdout.readline().strip() for _ in range(200)][1:]
    child.kill()
    answered += re.findall(r"^k\d+$", child.stdout.read(), re.MULTILINE)
    child.wait()
    assert await bank.agrees()
    wanted = [bank.wanted(account, "0.5", key=f"k{number}") for number in range(1000)]
    answers: list[Any] = list(await bank.credits.deduct_many(wanted))
    answers += await bank.credits.deduct_many(
        [bank.wanted(account, "0.5", key=f"k{number}") for number in range(1000, 2000)]
    )
    outcomes = {f"k{n}": one.outcome for n, one in enumerate(answers) if isinstance(one, Debited)}
    assert {outcomes[key] for key in answered} == {Outcome.REPLAYED}
    assert (await bank.balance(account)).available == 0


async def test_several_processes_with_the_same_keys_debit_once(bank: Bank, dsn: str) -> None:
    account = await bank.account()
    await bank.grant(account, "100")
    children = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, dsn, str(account), "200", stdout=subprocess.DEVNULL
        )
        for _ in range(3)
    ]
    assert [await child.wait() for child in children] == [0, 0, 0]
    assert (await bank.balance(account)).available == 0


async def test_a_caller_that_is_cancelled_neither_loses_nor_doubles_its_debit(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10")
    task = asyncio.create_task(bank.deduct(account, "4", key="k"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    answer = await bank.deduct(account, "4", key="k")
    assert answer.outcome in (Outcome.REPLAYED, Outcome.DEBITED)
    assert (await bank.balance(account)).available == 600_000


async def test_closing_commits_what_was_taken(bank: Bank) -> None:
    account = await bank.account()
    await bank.grant(account, "10")
    own = CreditService(bank.db)
    tasks = [asyncio.create_task(own.deduct(bank.wanted(account, "1"))) for _ in range(5)]
    await asyncio.sleep(0)
    await own.close()
    assert [one.outcome for one in await asyncio.gather(*tasks)] == [Outcome.DEBITED] * 5
