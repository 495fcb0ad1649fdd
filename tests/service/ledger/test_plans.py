"""Postings read by whole keys, whatever the planner knew when a connection made its plans."""

import asyncio
from uuid import uuid4

import asyncpg

from tallystick.kernel.db import Database
from tallystick.ledger.service import Ledger
from tests.service.ledger.test_committer import owe

READ = """
SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_user_tables
WHERE relname IN ('ledger_entries', 'ledger_postings', 'ledger_balances')
"""
COUNT = 1500


async def test_plans_made_when_each_account_had_one_entry_do_not_read_all_of_an_accounts(
    db: Database, dsn: str
) -> None:
    ledger, owner = Ledger(db), await asyncpg.connect(dsn)
    await asyncio.gather(*(ledger.post(uuid4(), owe("a")) for _ in range(60)))
    await owner.execute("ANALYZE ledger_entries, ledger_postings, ledger_balances")
    # Now the connection plans anew, and keeps these plans from its sixth batch on.
    account = uuid4()
    for number in range(8):
        await ledger.post(account, owe(f"first{number}"))
    await asyncio.gather(*(ledger.post(account, owe(f"k{n}")) for n in range(COUNT)))
    again = await asyncio.gather(*(ledger.post(account, owe(f"k{n}")) for n in range(COUNT)))
    assert not any(again)
    await ledger.close()  # a session tells its counts when it ends
    for _ in range(100):
        await asyncio.sleep(0.02)
        read = await owner.fetchval(READ)
        if read > COUNT:
            break
    # Guards and replays read each row a few times; all of an account's at each: over a million.
    assert COUNT < read < COUNT * 12
    await owner.close()
