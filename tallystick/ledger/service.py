"""Posting to the books and reading them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

import asyncpg

from tallystick.kernel.db import Connection, Database
from tallystick.kernel.errors import BadInput, Conflict, PaymentRequired
from tallystick.kernel.group_commit import WAITING_MAX, GroupCommitter
from tallystick.kernel.ids import new_id, show, unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.ledger import store
from tallystick.ledger.model import (
    CARRIES_BALANCE,
    CREDIT,
    Balance,
    Entry,
    PostedEntry,
    Posting,
    ReceivableSums,
)
from tallystick.ledger.posting import check_entry, out_of_range

POSTED: Final = "posted"
REPLAYED: Final = "replayed"
CONFLICT: Final = "conflict"
OVERDRAWN: Final = "overdrawn"


async def post(
    conn: Connection, account_id: UUID, entry: Entry, *, ledger_entry_id: UUID | None = None
) -> bool:
    """Post an entry within the open transaction; False if this key was posted before.

    `ledger_entry_id` is given by who refers to the entry; None: any new id.

    A replay is known by its key, kind, reference and postings; its instant and reason may differ.
    Locks the balances that it touches until the transaction ends. Raises BadEntry for what does
    not balance or takes a balance beyond 2^63, Conflict for a key that was posted with another
    content, PaymentRequired for more prepaid money, or more credits, than there are.
    """
    check_entry(entry)
    new = store.NewEntry(account_id, ledger_entry_id or new_id(), entry)
    try:
        (outcome,) = await store.post_entries(conn, [new])
    except asyncpg.NumericValueOutOfRangeError as error:
        raise out_of_range() from error
    return _was_posted(entry, outcome)


async def post_all(conn: Connection, entries: Sequence[tuple[UUID, Entry]]) -> None:
    """Post entries of many accounts within the open transaction, in one statement; or none.

    What was posted before under its key is passed over. Locks the balances that they touch, lowest
    account first, until the transaction ends. Raises as `post`; asyncpg's SerializationError where
    another transaction posted one of the keys at the same moment.
    """
    for _, entry in entries:
        check_entry(entry)
    if not entries:
        return
    batch = [store.NewEntry(account_id, new_id(), entry) for account_id, entry in entries]
    try:
        outcomes = await store.post_entries(conn, batch)
    except asyncpg.NumericValueOutOfRangeError as error:
        raise out_of_range() from error
    for new, outcome in zip(batch, outcomes, strict=True):
        _was_posted(new.entry, outcome)


async def reverse(
    conn: Connection, account_id: UUID, ledger_entry_id: UUID, reason: str, at: datetime
) -> bool:
    """Post the mirror of an entry within the open transaction; False if that was done before.

    Nothing is ever edited: a mistake and its reversal both stay. Raises NotFound; otherwise as
    `post` (a reversal that takes money or credits which are gone is refused).
    """
    was = await get_entry(conn, account_id, ledger_entry_id)
    mirrored = tuple(Posting(p.ledger_account, p.unit, -p.amount) for p in was.postings)
    reversal = Entry(
        idempotency_key=f"reversal:{ledger_entry_id}",
        kind="reversal",
        reference=show("ledger_entry", ledger_entry_id),
        reason=reason,
        at=at,
        postings=mirrored,
    )
    return await post(conn, account_id, reversal)


class Ledger:
    """Posts entries that are a transaction of their own, in batches; `close` writes the rest."""

    def __init__(self, db: Database, *, waiting_max: int = WAITING_MAX) -> None:
        self._committer = GroupCommitter(
            db, store.post_entries, key=_key, repeat=_repeated, waiting_max=waiting_max
        )

    async def post(self, account_id: UUID, entry: Entry) -> bool:
        """Post an entry and commit it, whatever transaction runs around; else as `post`.

        Never from inside a transaction that has posted to the same account: that one holds the
        balance until it ends. A caller that is cancelled, or told Unavailable (`ledger_busy`,
        `database_unavailable`), sends the same key again to know.
        """
        check_entry(entry)
        new = store.NewEntry(account_id, new_id(), entry)
        try:
            outcome = await self._committer.submit(new)
        except asyncpg.NumericValueOutOfRangeError as error:
            raise out_of_range() from error
        return _was_posted(entry, outcome)

    async def close(self) -> None:
        """Take no more entries, and commit those that were taken."""
        await self._committer.close()


def _key(new: store.NewEntry) -> tuple[UUID, str]:
    return new.account_id, new.entry.idempotency_key


def _repeated(first: store.NewEntry, again: store.NewEntry, outcome: str) -> str | None:
    """Answer a key that its batch had already, as the database would behind the first one."""
    one, other = first.entry, again.entry
    is_same = (one.kind, one.reference, one.postings) == (
        other.kind,
        other.reference,
        other.postings,
    )
    if outcome == POSTED:
        return REPLAYED if is_same else CONFLICT
    if is_same:
        return outcome
    return CONFLICT if outcome == REPLAYED else None


def _was_posted(entry: Entry, outcome: str) -> bool:
    if outcome == CONFLICT:
        raise Conflict(
            "ledger_key_conflict",
            f"The ledger key {entry.idempotency_key} was posted with another content; "
            "another intent needs another key.",
        )
    if outcome == OVERDRAWN and any(posting.unit == CREDIT for posting in entry.postings):
        raise PaymentRequired("insufficient_credits", "There are not as many credits.")
    if outcome == OVERDRAWN:
        raise PaymentRequired(
            "prepaid_insufficient", "There is not as much prepaid money on the account."
        )
    return outcome == POSTED


async def set_floor(conn: Connection, account_id: UUID, floor: int) -> None:
    """Let the account's credits fall to `floor`: 0, or below it the overdraft that it is allowed.

    In 1/100,000 credits. Raises BadInput for a positive one, Conflict when the balance is lower
    already. Locks the balance until the transaction ends.
    """
    if floor > 0:
        raise BadInput.field("floor", "out_of_range", "must be 0, or minus the overdraft")
    if not await store.set_floor(conn, account_id, floor):
        raise Conflict(
            "credits_below_floor", "The overdraft is in use; it can not be less than what is used."
        )


async def balance(conn: Connection, account_id: UUID, ledger_account: str, unit: str) -> int:
    """Return what stands on a ledger account in minor units: positive a debit, negative a credit.

    A customer's (receivable, prepaid) is read from its running balance; one of the house is the
    sum of this account's postings on it.
    """
    if ledger_account in CARRIES_BALANCE:
        return await store.kept_balance(conn, account_id, ledger_account, unit)
    return await store.summed_balance(conn, account_id, ledger_account, unit)


async def lock_prepaid(
    conn: Connection, account_ids: Collection[UUID]
) -> dict[tuple[UUID, str], int]:
    """Return what these accounts have prepaid, in minor units by account and currency.

    Locked until the transaction ends: what is posted of it by then is there.
    """
    return await store.lock_prepaid(conn, account_ids)


async def list_balances(conn: Connection, account_id: UUID) -> tuple[Balance, ...]:
    """Return the account's running balances, one for each ledger account and unit ever touched."""
    return await store.kept_balances(conn, account_id)


async def get_entry(conn: Connection, account_id: UUID, ledger_entry_id: UUID) -> PostedEntry:
    """Return one entry of the account with its postings; raises NotFound."""
    found = await store.find_entry(conn, account_id, ledger_entry_id)
    if found is None:
        raise unknown("ledger_entry")
    return found


async def find_entry(conn: Connection, account_id: UUID, key: str) -> PostedEntry | None:
    """Return the entry that was posted under this idempotency key."""
    return await store.find_entry_by_key(conn, account_id, key)


async def latest_entry_at(conn: Connection, account_id: UUID) -> datetime | None:
    """Return the latest instant (the account's time) at which anything was booked."""
    return await store.latest_entry_at(conn, account_id)


async def receivable_sums(conn: Connection, account_id: UUID) -> tuple[ReceivableSums, ...]:
    """Return by currency what the account was charged and what it has paid, in minor units."""
    return await store.receivable_sums(conn, account_id)


async def list_entries(
    conn: Connection, account_id: UUID, request: PageRequest, *, ledger_account: str | None = None
) -> Page[PostedEntry]:
    """Return a page of the account's entries, newest first: by id, which is when they were made.

    With a ledger account only those that touch it. On a test clock `at` may tell another order;
    where two were made at the same moment by two processes, `sequence` tells which was first.
    """
    rows = await store.entries(conn, account_id, request, ledger_account)
    total = await store.entry_count(conn, account_id, ledger_account)
    return make_page(rows, total, request, lambda row: After(row.recorded_at, row.ledger_entry_id))
