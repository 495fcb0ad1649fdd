"""Several processes at once on the same books, one of them killed in the middle of a batch."""

import asyncio
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from pathlib import Path
from uuid import uuid4

from tallystick.kernel.db import WRITER, Database
from tallystick.ledger.model import PREPAID, REVENUE, clearing
from tallystick.ledger.service import Ledger, balance
from tests.service.ledger.test_committer import is_clean, move, owed

KEYS = 1200
HELD = 500
POSTER = f"""
    import asyncio, random, sys
    from datetime import UTC, datetime
    from uuid import UUID
    from tallystick.kernel.db import open_database
    from tallystick.kernel.errors import PaymentRequired
    from tallystick.ledger.model import Entry, Posting
    from tallystick.ledger.service import Ledger

    AT = datetime(2026, 3, 1, tzinfo=UTC)

    async def main(dsn, seed, accounts):
        ledger, room = Ledger(await open_database(dsn)), asyncio.Semaphore(200)

        async def post(key, debit, credit, account):
            postings = (Posting(debit, "EUR", 1), Posting(credit, "EUR", -1))
            async with room:
                try:
                    entry = Entry(key, "test_move", "ref", "a test", AT, postings)
                    print(key, await ledger.post(account, entry), flush=True)
                except PaymentRequired:
                    print(key, None, flush=True)

        works = [
            (f"{{kind}}{{n}}", debit, "revenue", accounts[n % len(accounts)])
            for n in range({KEYS})
            for kind, debit in (("owe", "receivable"), ("spend", "prepaid"))
        ]
        random.Random(seed).shuffle(works)
        await asyncio.gather(*(post(*work) for work in works))
        await ledger.close()

    asyncio.run(main(sys.argv[1], sys.argv[2], [UUID(one) for one in sys.argv[3:]]))
"""


async def test_each_key_counts_once_and_nobody_overspends(
    db: Database, dsn: str, tmp_path: Path
) -> None:
    accounts, ledger = [uuid4() for _ in range(3)], Ledger(db)
    for account in accounts:
        await ledger.post(account, move("top-up", clearing("manual"), PREPAID, HELD // 3 + 1))
    await ledger.close()
    script = tmp_path / "poster.py"
    script.write_text(textwrap.dedent(POSTER))
    posters = [
        await asyncio.create_subprocess_exec(
            sys.executable, script, dsn, str(seed), *map(str, accounts), stdout=subprocess.PIPE
        )
        for seed in range(3)
    ]
    first = posters[0].stdout
    assert first is not None
    told = [await first.readline() for _ in range(300)]
    posters[0].send_signal(signal.SIGKILL)
    for text in await asyncio.gather(*(poster.communicate() for poster in posters)):
        told += text[0].splitlines()
    assert [poster.returncode for poster in posters] == [-signal.SIGKILL, 0, 0]

    posted = Counter(line.split()[0] for line in told if line.split()[-1:] == [b"True"])
    assert set(posted.values()) == {1}
    # Whoever was killed may have posted what it could tell nobody; every key came to the others.
    assert [await owed(db, account) for account in accounts] == [KEYS // 3] * 3
    async with db.transaction(WRITER) as conn:
        left = [await balance(conn, account, PREPAID, "EUR") for account in accounts]
        spent = [await balance(conn, account, REVENUE, "EUR") for account in accounts]
    assert left == [0] * 3
    assert spent == [-(KEYS // 3) - (HELD // 3 + 1)] * 3
    assert await is_clean(dsn)
