"""Whatever is done to the books behind their back is found, online and on an export."""

from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest

from tallystick import verify
from tallystick.credits import grants
from tallystick.credits.model import NewGrant
from tallystick.kernel.db import WRITER, Database, account_scope
from tallystick.kernel.errors import NotFound, SetupError
from tallystick.ledger import anchors, service, verify_store
from tallystick.ledger.model import (
    GATEWAY_FEES,
    PREPAID,
    RECEIVABLE,
    REVENUE,
    Entry,
    Posting,
    clearing,
)

from .conftest import AT, Found, new_account


def move(key: str, debit: str, credit: str, amount: int, unit: str = "EUR") -> Entry:
    postings = (Posting(debit, unit, amount), Posting(credit, unit, -amount))
    return Entry(key, "test_move", "réf", f"because of {key} ✓", AT, postings)


@pytest.fixture
async def books(db: Database) -> UUID:
    """A clean book: an account with three chains, another one, and an entry of the house alone."""
    account, other = (await new_account(db)).account_id, uuid4()
    ledger = service.Ledger(db)
    for number in range(1, 6):
        await ledger.post(account, move(f"owe{number}", RECEIVABLE, REVENUE, number))
    await ledger.post(account, move("top-up", clearing("manual"), PREPAID, 100))
    await ledger.post(account, move("use", PREPAID, RECEIVABLE, 7))
    async with db.transaction(WRITER) as conn:
        given = NewGrant(source="manual", units=150_000, reason="réf")
        await grants.grant(conn, account, given, key="given", at=AT)
    await ledger.post(account, move("fee", GATEWAY_FEES, clearing("stripe"), 3))
    await ledger.post(other, move("owe1", RECEIVABLE, REVENUE, 1))
    await ledger.close()
    return account


async def anchored(dsn: str, folder: Path) -> anchors.Anchor:
    path, key = folder / "anchor.ndjson", anchors.open_key(folder / "anchor.key")
    async with verify.snapshot(dsn) as conn:
        await anchors.write_anchor(path, verify_store.heads(conn), key)
    return anchors.read_anchor(path, anchors.public_bytes(key))


@pytest.mark.usefixtures("books")
async def test_clean_books_pass(dsn: str, tmp_path: Path, found: Found) -> None:
    anchor = await anchored(dsn, tmp_path)
    assert anchor.head_count == 4
    assert await found(anchor) == []


FORGERIES = {
    "one amount": (
        "UPDATE ledger_postings SET amount = 20 WHERE amount = 2",
        {"balance_after_differs", "entry_unbalanced", "hash_differs"},
    ),
    "both amounts": (
        (
            "UPDATE ledger_postings SET amount = sign(amount) * 30 WHERE abs(amount) = 3"
            " AND ledger_account IN ('receivable', 'revenue')"
        ),
        {"balance_after_differs", "hash_differs"},
    ),
    "another house account": (
        "UPDATE ledger_postings SET ledger_account = 'tax_payable' WHERE amount = -4",
        {"hash_differs"},
    ),
    "another reason": (
        "UPDATE ledger_entries SET reason = 'nothing' WHERE idempotency_key = 'owe2'",
        {"hash_differs"},
    ),
    "a microsecond": (
        (
            "UPDATE ledger_entries SET at = at + interval '1 microsecond'"
            " WHERE idempotency_key = 'owe2'"
        ),
        {"hash_differs"},
    ),
    "a forged hash": (
        (
            "UPDATE ledger_postings SET hash = sha256('x')"
            " WHERE sequence = 2 AND ledger_account = 'receivable'"
        ),
        {"hash_differs"},
    ),
    "a forged last hash": (
        (
            "UPDATE ledger_postings SET hash = sha256('x')"
            " WHERE sequence = 2 AND ledger_account = 'prepaid'"
        ),
        {"hash_differs", "balance_differs"},
    ),
    "a balance": (
        "UPDATE ledger_balances SET balance = balance - 1 WHERE ledger_account = 'receivable'",
        {"balance_differs"},
    ),
    "an entry without its postings": (
        "DELETE FROM ledger_entries WHERE idempotency_key = 'owe3'",
        {"entry_missing"},
    ),
    "a posting": (
        "DELETE FROM ledger_postings WHERE sequence = 3 AND ledger_account = 'receivable'",
        {"sequence_gap", "entry_unbalanced"},
    ),
    "a whole entry": (
        (
            "DELETE FROM ledger_postings WHERE ledger_entry_id ="
            " (SELECT ledger_entry_id FROM ledger_entries WHERE idempotency_key = 'owe5');"
            " DELETE FROM ledger_entries WHERE idempotency_key = 'owe5'"
        ),
        {"sequence_gap"},
    ),
    "the last posting": (
        "DELETE FROM ledger_postings WHERE sequence = 6",
        {"tail_missing", "entry_unbalanced", "hash_differs"},
    ),
    "a balance row": (
        "DELETE FROM ledger_balances WHERE ledger_account = 'prepaid'",
        {"balance_missing"},
    ),
    "an entry of the house alone, but not its postings": (
        "DELETE FROM ledger_entries WHERE idempotency_key = 'fee'",
        {"entry_missing"},
    ),
    "a posting of the house out of nowhere": (
        (
            "INSERT INTO ledger_postings (account_id, ledger_entry_id, line, ledger_account, unit,"
            " amount) SELECT account_id, gen_random_uuid(), 1, 'revenue', 'EUR', -5"
            " FROM ledger_balances LIMIT 1"
        ),
        {"entry_missing"},
    ),
    "a posting of the house in another unit": (
        (
            "INSERT INTO ledger_postings (account_id, ledger_entry_id, line, ledger_account, unit,"
            " amount) SELECT account_id, ledger_entry_id, 3, 'revenue', 'JPY', -5"
            " FROM ledger_entries WHERE idempotency_key = 'owe4'"
        ),
        {"entry_unbalanced", "hash_differs"},
    ),
    "an entry without any posting": (
        (
            "INSERT INTO ledger_entries (account_id, ledger_entry_id, idempotency_key, kind,"
            " reference, reason, at) SELECT account_id, gen_random_uuid(), 'ghost', 'test_move',"
            " '', '', at FROM ledger_entries LIMIT 1"
        ),
        {"postings_missing"},
    ),
    "an entry of the house alone": (
        "UPDATE ledger_postings SET amount = 4 WHERE ledger_account = 'gateway_fees'",
        {"entry_unbalanced"},
    ),
}


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize(("forgery", "codes"), FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_forgery_is_found(
    forger: asyncpg.Connection, found: Found, forgery: str, codes: set[str]
) -> None:
    await forger.execute(forgery)
    differences = await found()
    assert {one.code for one in differences} == codes
    assert all("acct_" in one.detail or "le_" in one.detail for one in differences)


@pytest.mark.usefixtures("books")
async def test_a_tail_cut_off_with_its_balance_is_seen_by_the_anchor_alone(
    dsn: str, forger: asyncpg.Connection, tmp_path: Path, found: Found
) -> None:
    anchor = await anchored(dsn, tmp_path)
    await forger.execute(
        "DELETE FROM ledger_postings USING ledger_entries AS e"
        " WHERE e.ledger_entry_id = ledger_postings.ledger_entry_id AND idempotency_key = 'use'"
    )
    await forger.execute("DELETE FROM ledger_entries WHERE idempotency_key = 'use'")
    await forger.execute(
        "UPDATE ledger_balances AS b SET balance = p.balance_after, sequence = p.sequence,"
        " hash = p.hash FROM (SELECT DISTINCT ON (account_id, ledger_account) *"
        " FROM ledger_postings WHERE sequence IS NOT NULL"
        " ORDER BY account_id, ledger_account, sequence DESC) AS p"
        " WHERE (b.account_id, b.ledger_account) = (p.account_id, p.ledger_account)"
    )
    assert await found() == []
    differences = await found(anchor)
    assert [(one.verdict, one.code) for one in differences] == [
        ("completeness", "anchored_head_missing")
    ] * 2


async def test_a_chain_computed_anew_over_a_forged_amount_is_seen_by_the_anchor(
    db: Database, dsn: str, forger: asyncpg.Connection, tmp_path: Path, found: Found
) -> None:
    account, ledger = uuid4(), service.Ledger(db)
    await ledger.post(account, move("a", RECEIVABLE, REVENUE, 10))
    anchor = await anchored(dsn, tmp_path)
    await forger.execute("TRUNCATE ledger_postings, ledger_entries, ledger_balances")
    await ledger.post(account, move("a", RECEIVABLE, REVENUE, 1))
    await ledger.close()
    assert await found() == []
    assert [one.code for one in await found(anchor)] == ["anchor_differs"]


@pytest.mark.usefixtures("books")
async def test_a_changed_anchor_is_refused(dsn: str, tmp_path: Path) -> None:
    path = (await anchored(dsn, tmp_path)).path
    text = path.read_text()
    path.write_text(text.replace('"sequence":2', '"sequence":1', 1))
    with pytest.raises(SetupError) as caught:
        anchors.read_anchor(path, None)
    assert caught.value.code == "anchor_invalid"
    path.write_text(text)
    with pytest.raises(SetupError) as caught:
        anchors.read_anchor(path, bytes(32))
    assert caught.value.code == "anchor_of_another_key"


async def test_the_signing_key_is_the_owners_alone_and_stays(tmp_path: Path) -> None:
    first = anchors.open_key(tmp_path / "home" / "anchor.key")
    assert (tmp_path / "home" / "anchor.key").stat().st_mode & 0o777 == 0o600
    again = anchors.open_key(tmp_path / "home" / "anchor.key")
    assert anchors.public_bytes(first) == anchors.public_bytes(again)
    (tmp_path / "bad").write_text("not a key")
    with pytest.raises(SetupError):
        anchors.open_key(tmp_path / "bad")


@pytest.mark.usefixtures("books")
async def test_an_export_that_was_cut_off_is_refused(tmp_path: Path, found: Found) -> None:
    await found()
    export = tmp_path / "books.ndjson"
    lines = export.read_bytes().splitlines(keepends=True)
    for kept in (lines[:-1], lines[1:]):
        export.write_bytes(b"".join(kept))
        with pytest.raises(SetupError, match="cut off"):
            verify.verify_export(export, None, lambda _: None, lambda _: None)


async def test_a_reversal_mirrors_the_entry_once_and_both_stay(
    db: Database, books: UUID, found: Found
) -> None:
    async with db.transaction(WRITER) as conn:
        entry_id = await conn.fetchval(
            "SELECT ledger_entry_id FROM ledger_entries WHERE idempotency_key = 'owe5'"
        )
    async with db.transaction(account_scope(books)) as conn:
        before = await service.balance(conn, books, RECEIVABLE, "EUR")
        assert await service.reverse(conn, books, entry_id, "a mistake", AT)
        assert not await service.reverse(conn, books, entry_id, "again", AT)
        assert await service.balance(conn, books, RECEIVABLE, "EUR") == before - 5
        with pytest.raises(NotFound):
            await service.reverse(conn, uuid4(), entry_id, "another's", AT)
    assert await found() == []
