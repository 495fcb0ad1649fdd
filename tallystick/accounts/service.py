"""Accounts and their people: made, read, changed.

Functions that say so run under the writer's scope; the others also under an account's, where
another account's id is NotFound.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from tallystick.accounts import store
from tallystick.accounts.checks import check_account
from tallystick.accounts.model import Account, AccountChange, Member, NewAccount, Role
from tallystick.kernel import test_clocks
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import Conflict, NotFound
from tallystick.kernel.ids import new_id, parse, show, unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page


async def get_account(conn: Connection, account_id: UUID) -> Account:
    """Return the account; raises NotFound `account_not_found`."""
    return _known(await store.find(conn, account_id))


async def list_accounts(conn: Connection, request: PageRequest, search: str = "") -> Page[Account]:
    """Return accounts, newest first; `search` is a part of a name or e-mail, or an external id."""
    wanted = "".join(filter(str.isprintable, search)).strip().lower()
    rows = await store.list_page(conn, request, wanted)
    total = await store.count(conn, wanted)
    return make_page(rows, total, request, lambda row: After(at=row.created_at, id=row.account_id))


async def create_account(conn: Connection, new: NewAccount, now: datetime) -> Account:
    """Make an account, under the writer's scope.

    Raises BadInput naming every bad field, Conflict `external_id_taken`, NotFound for the clock.
    """
    fields = msgspec.structs.asdict(new)
    account = check_account(Account(account_id=new_id(), created_at=now, **fields))
    if account.test_clock_id is not None:
        await test_clocks.live(conn, account.test_clock_id)
    if not await store.insert(conn, account):
        raise _external_id_taken()
    return account


async def update_account(conn: Connection, account_id: UUID, change: AccountChange) -> Account:
    """Change an account; raises NotFound, BadInput, Conflict `external_id_taken`."""
    before = _known(await store.lock(conn, account_id))
    fields = msgspec.structs.asdict(change)
    asked = {name: value for name, value in fields.items() if value is not msgspec.UNSET}
    after = check_account(msgspec.structs.replace(before, **asked))
    if after.external_id is not None and await store.is_external_id_taken(
        conn, account_id, after.external_id
    ):
        raise _external_id_taken()
    await store.update(conn, after)
    return after


async def find_by_subjects(conn: Connection, subjects: Sequence[str]) -> dict[str, Account]:
    """Return the account of each subject (external id or `acct_...`); unknown ones are absent."""
    wanted = {subject for subject in subjects if subject.isprintable()}
    found = await store.find_by_subjects(conn, sorted(wanted), _account_ids(wanted))
    by_name = {show("account", account.account_id): account for account in found}
    by_name |= {account.external_id: account for account in found if account.external_id}
    return {subject: by_name[subject] for subject in wanted if subject in by_name}


async def find_by_emails(conn: Connection, emails: Collection[str]) -> dict[str, UUID]:
    """Return the account of each e-mail address, by the address as it was given.

    An address of no account, or of several, is absent. Under the writer's scope.
    """
    found = await store.find_by_emails(conn, sorted({email.lower() for email in emails}))
    return {email: found[email.lower()] for email in emails if email.lower() in found}


async def accounts_by_ids(conn: Connection, account_ids: Collection[UUID]) -> dict[UUID, Account]:
    """Return these accounts by id; unknown ones are absent. Under the writer's scope or staff's."""
    found = await store.find_by_subjects(conn, [], sorted(account_ids))
    return {account.account_id: account for account in found}


async def set_autopay(
    conn: Connection, account_id: UUID, *, enabled: bool, fallback: bool | None = None
) -> Account:
    """Say whether open invoices are collected by themselves; raises NotFound.

    `fallback`: whether with the next method when one is refused for good; None: as it was.
    """
    return _known(await store.set_autopay(conn, account_id, enabled=enabled, fallback=fallback))


async def set_test_clock(conn: Connection, account_id: UUID, test_clock_id: UUID | None) -> Account:
    """Put an account on a test clock, or back on wall time (None); raises NotFound for either."""
    if test_clock_id is not None:
        await test_clocks.live(conn, test_clock_id)
    return _known(await store.set_test_clock(conn, account_id, test_clock_id))


async def lock_account(conn: Connection, account_id: UUID) -> Account:
    """Return the account, which no other transaction changes before this one ends.

    Raises NotFound.
    """
    return _known(await store.lock(conn, account_id))


async def list_on_clock(
    conn: Connection, test_clock_id: UUID, request: PageRequest
) -> Page[Account]:
    """Return the accounts that live by a test clock, newest first; the writer's or staff's."""
    rows = await store.list_on_clock(conn, test_clock_id, request)
    total = await store.count_on_clock(conn, test_clock_id)
    return make_page(rows, total, request, lambda row: After(at=row.created_at, id=row.account_id))


async def count_on_clock(conn: Connection, test_clock_id: UUID) -> int:
    """Return how many accounts live by a test clock; the writer's or staff's."""
    return await store.count_on_clock(conn, test_clock_id)


async def count_of_issuer(conn: Connection, issuer_id: UUID) -> int:
    """Return how many accounts name this issuer; the writer's or staff's."""
    return await store.count_of_issuer(conn, issuer_id)


async def add_member(
    conn: Connection, account_id: UUID, user_id: UUID, role: Role, now: datetime
) -> None:
    """Make a user a member or an owner of the account, under the writer's scope.

    One who already belongs to it takes the new role. The user must exist.
    """
    await get_account(conn, account_id)
    await store.set_member(conn, account_id, user_id, role, now)


async def remove_member(conn: Connection, account_id: UUID, user_id: UUID) -> None:
    """End a membership, under the writer's scope; raises NotFound `user_not_found`."""
    if not await store.remove_member(conn, account_id, user_id):
        raise unknown("user")


async def list_members(conn: Connection, account_id: UUID) -> list[Member]:
    """Return the people of an account, under the writer's scope."""
    return await store.list_members(conn, account_id)


def _account_ids(subjects: set[str]) -> list[UUID]:
    found = []
    for subject in subjects:
        if subject.startswith("acct_"):
            try:
                found.append(parse("account", subject))
            except NotFound:
                continue
    return found


def _known(account: Account | None) -> Account:
    if account is None:
        raise unknown("account")
    return account


def _external_id_taken() -> Conflict:
    return Conflict("external_id_taken", "Another account has this external_id; use a new one.")
