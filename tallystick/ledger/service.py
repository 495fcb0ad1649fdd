"""Posting to the books and reading them."""

from typing import Final
from uuid import UUID

from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.errors import Conflict, PaymentRequired
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.ledger import store
from tallystick.ledger.model import CARRIES_BALANCE, Balance, Entry, PostedEntry
from tallystick.ledger.posting import check_entry

POSTED: Final = "posted"
CONFLICT: Final = "conflict"
OVERDRAWN: Final = "overdrawn"


async def post(conn: Connection, account_id: UUID, entry: Entry) -> bool:
    """Post an entry within the open transaction; False if this key was posted before.

    A replay is known by its key, kind, reference and postings; its instant and reason may differ.
    Locks the balances that it touches until the transaction ends. Raises BadEntry for what does
    not balance, Conflict for a key that was posted with another content, PaymentRequired for more
    prepaid money than there is.
    """
    check_entry(entry)
    (outcome,) = await store.post_entries(conn, [store.NewEntry(account_id, new_id(), entry)])
    if outcome == CONFLICT:
        raise Conflict(
            "ledger_key_conflict",
            f"The ledger key {entry.idempotency_key} was posted with another content; "
            "another intent needs another key.",
        )
    if outcome == OVERDRAWN:
        raise PaymentRequired(
            "prepaid_insufficient", "There is not as much prepaid money on the account."
        )
    return outcome == POSTED


class Ledger:
    """Posts entries that are a transaction of their own."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def post(self, account_id: UUID, entry: Entry) -> bool:
        """Post an entry and commit it, whatever transaction runs around; else as `post`."""
        async with self._db.own_transaction(WRITER) as conn:
            return await post(conn, account_id, entry)


async def balance(conn: Connection, account_id: UUID, ledger_account: str, unit: str) -> int:
    """Return what stands on a ledger account in minor units: positive a debit, negative a credit.

    A customer's (receivable, prepaid) is read from its running balance; one of the house is the
    sum of this account's postings on it.
    """
    if ledger_account in CARRIES_BALANCE:
        return await store.kept_balance(conn, account_id, ledger_account, unit)
    return await store.summed_balance(conn, account_id, ledger_account, unit)


async def list_balances(conn: Connection, account_id: UUID) -> tuple[Balance, ...]:
    """Return the account's running balances, one for each ledger account and unit ever touched."""
    return await store.kept_balances(conn, account_id)


async def list_entries(
    conn: Connection, account_id: UUID, request: PageRequest
) -> Page[PostedEntry]:
    """Return a page of the account's entries, newest first."""
    rows = await store.entries(conn, account_id, request)
    total = await store.entry_count(conn, account_id)
    return make_page(rows, total, request, lambda row: After(row.at, row.ledger_entry_id))
