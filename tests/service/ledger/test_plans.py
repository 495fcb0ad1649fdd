"""Postings read by whole keys, whatever the planner knew when a connection made its plans."""

import asyncio
import hashlib
from uuid import UUID, uuid4

import asyncpg

from tallystick.kernel.db import Database
from tallystick.ledger.service import Ledger
from tests.service.ledger.test_committer import owe

READ = """
SELECT sum(seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_user_tables
WHERE relname IN ('ledger_entries', 'ledger_postings', 'ledger_balances')
"""
COUNT = 1500
POSTED = 240
# 2,000 accounts with 100 entries each, behind the triggers' back: 600,000 rows in two seconds.
FILL = """
SET session_replication_role = replica;
INSERT INTO ledger_entries
SELECT md5('account' || a)::uuid, md5(a || 'entry' || n)::uuid, 'old' || n, 'test_move', 'ref', '',
       now(), now()
FROM generate_series(1, 2000) AS a, generate_series(1, 100) AS n;
INSERT INTO ledger_postings (account_id, ledger_entry_id, line, ledger_account, unit, amount)
SELECT account_id, ledger_entry_id, line, account, 'EUR', amount
FROM ledger_entries CROSS JOIN (VALUES (1, 'revenue', 1), (2, 'tax_payable', -1))
     AS p (line, account, amount)
WHERE idempotency_key LIKE 'old%';
ANALYZE ledger_entries, ledger_postings, ledger_balances;
SET session_replication_role = origin;
"""


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
    await ledger.close()
    # Guards and replays read each row a few times; all of an account's at each: over a million.
    assert COUNT < await rows_read(owner, COUNT) < COUNT * 12
    await owner.close()


async def test_a_posting_reads_as_many_rows_of_a_large_table_as_of_a_small_one(
    db: Database, dsn: str
) -> None:
    owner = await asyncpg.connect(dsn)
    small = await read_by_postings(db, owner, "small")
    await owner.execute(FILL)
    large = await read_by_postings(db, owner, "large")
    assert 0 < large <= small + POSTED  # one account's old entries alone are 100 for each posting
    await owner.close()


async def read_by_postings(db: Database, owner: asyncpg.Connection, name: str) -> int:
    """Post to new accounts and to those there are, one by one and together; return rows read."""
    ledger, before = Ledger(db), await rows_read(owner)
    accounts = [uuid4(), *(UUID(hashlib.md5(b"account%d" % n).hexdigest()) for n in (7, 1999))]  # noqa: S324 - as in FILL
    works = [(account, owe(f"{name}{n}")) for account in accounts for n in range(POSTED // 6)]
    for work in works:
        await ledger.post(*work)
    assert not any(await asyncio.gather(*(ledger.post(*work) for work in works)))
    await ledger.close()
    return await rows_read(owner, before + 1) - before


async def rows_read(owner: asyncpg.Connection, least: int = 0) -> int:
    """Return how many rows were read by now; a session tells its counts when it ends."""
    read = -1
    for _ in range(100):
        await asyncio.sleep(0.05)
        was, read = read, await owner.fetchval(READ)
        if was == read >= least:
            break
    return read
