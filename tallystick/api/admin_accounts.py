"""For staff: accounts, their people, keys, and test clocks."""

from datetime import datetime
from typing import Final

import msgspec
from litestar import get, patch, post

from tallystick.accounts import keys, service, users
from tallystick.accounts.model import (
    Account,
    AccountChange,
    ApiKey,
    KeyScope,
    NewAccount,
    NewUser,
    Role,
)
from tallystick.api.answers import Pagination, pagination
from tallystick.api.services import Services
from tallystick.api.strict import Body
from tallystick.kernel import ids, test_clocks
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.ids import new_id
from tallystick.kernel.paging import PageRequest
from tallystick.kernel.test_clocks import TestClock

BASE: Final = "/api/v1/admin"
TAGS: Final = ["Admin: accounts"]
READ: Final = {"permission": "staff:read"}
ADMIN: Final = {"permission": "staff:admin"}


class AccountAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is billed."""

    id: str
    external_id: str | None
    name: str
    email: str
    currency: str
    country: str
    timezone: str
    locale: str
    address: list[str]
    tax_number: str | None
    tax_name: str | None
    tax_percent: str | None
    payment_due_days: int
    autopay: bool
    test_clock: str | None
    created: datetime


class AccountList(msgspec.Struct, frozen=True):
    """One part of all accounts, newest first."""

    accounts: list[AccountAnswer]
    pagination: Pagination
    total: int


class NewMember(Body, frozen=True, kw_only=True):
    """A person to let into the account; one with that e-mail is taken, else made."""

    email: str
    name: str
    role: Role = "member"
    password: str | None = None


class MemberAnswer(msgspec.Struct, frozen=True):
    """A person of the account."""

    id: str
    email: str
    name: str
    role: Role


class NewKey(Body, frozen=True, kw_only=True):
    """A key to be made; without `account` it is the business's own, for any account."""

    name: str
    scopes: list[KeyScope]
    account: str | None = None


class KeyAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A key. `secret` is shown once, when it is made."""

    id: str
    account: str | None
    name: str
    last_four: str
    scopes: list[KeyScope]
    created: datetime
    revoked_at: datetime | None
    secret: str | None = None


class KeyList(msgspec.Struct, frozen=True):
    """One part of all keys, newest first, without their secrets."""

    api_keys: list[KeyAnswer]
    pagination: Pagination
    total: int


class NewClock(Body, frozen=True, kw_only=True):
    """A test clock that stands at `now` (RFC 3339), and the accounts to put on it."""

    name: str
    now: datetime
    accounts: tuple[str, ...] = ()


class Advance(Body, frozen=True, kw_only=True):
    """Move the clock on to `to` (RFC 3339); everything due on the way is done in order."""

    to: datetime


class ClockAnswer(msgspec.Struct, frozen=True):
    """A test clock; `advancing` until due work on the way is done, then `ready`."""

    id: str
    name: str
    status: str
    now: datetime
    target: datetime


@get(f"{BASE}/accounts", opt=READ, tags=TAGS, summary="Accounts")
async def list_accounts(services: Services, paging: PageRequest, search: str = "") -> AccountList:
    """List accounts; `search` is a part of a name or an e-mail, or an external id."""
    async with services.db.transaction(STAFF) as conn:
        found = await service.list_accounts(conn, paging, search)
    answers = [account_answer(account) for account in found.items]
    return AccountList(answers, pagination(found), found.total)


@post(f"{BASE}/accounts", opt=ADMIN, tags=TAGS, summary="Make an account")
async def create_account(data: NewAccount, services: Services) -> AccountAnswer:
    """Make an account; its currency never changes."""
    async with services.db.transaction(WRITER) as conn:
        return account_answer(await service.create_account(conn, data, services.clock()))


@get(f"{BASE}/accounts/{{account_id:str}}", opt=READ, tags=TAGS, summary="An account")
async def read_account(account_id: str, services: Services) -> AccountAnswer:
    """Return one account."""
    async with services.db.transaction(STAFF) as conn:
        return account_answer(await service.get_account(conn, ids.parse("account", account_id)))


@patch(f"{BASE}/accounts/{{account_id:str}}", opt=ADMIN, tags=TAGS, summary="Change an account")
async def change_account(account_id: str, data: AccountChange, services: Services) -> AccountAnswer:
    """Change what is named; the rest stays."""
    wanted = ids.parse("account", account_id)
    async with services.db.transaction(WRITER) as conn:
        return account_answer(await service.update_account(conn, wanted, data))


@post(f"{BASE}/accounts/{{account_id:str}}/members", opt=ADMIN, tags=TAGS, summary="Add a person")
async def add_member(account_id: str, data: NewMember, services: Services) -> MemberAnswer:
    """Let a person into the account, as member or owner."""
    wanted = ids.parse("account", account_id)
    password_hash = await services.passwords.hash(data.password) if data.password else None
    new = NewUser(email=data.email, name=data.name, password_hash=password_hash)
    async with services.db.transaction(WRITER) as conn:
        user = await users.find_user_by_email(conn, data.email)
        if user is None:
            user = await users.create_user(conn, new, services.clock())
        await service.add_member(conn, wanted, user.user_id, data.role, services.clock())
    return MemberAnswer(ids.show("user", user.user_id), user.email, user.name, data.role)


@get(f"{BASE}/api-keys", opt=ADMIN, tags=TAGS, summary="API keys")
async def list_keys(services: Services, paging: PageRequest) -> KeyList:
    """List all keys, newest first, without their secrets."""
    async with services.db.transaction(WRITER) as conn:
        found = await keys.list_api_keys(conn, None, paging)
    return KeyList([key_answer(key) for key in found.items], pagination(found), found.total)


@post(f"{BASE}/api-keys", opt=ADMIN, tags=TAGS, summary="Make an API key")
async def create_key(data: NewKey, services: Services) -> KeyAnswer:
    """Make a key; its secret is in this answer and nowhere else."""
    account_id = ids.parse("account", data.account) if data.account else None
    async with services.db.transaction(WRITER) as conn:
        key, secret = await keys.create_api_key(
            conn, account_id, name=data.name, scopes=data.scopes, now=services.clock()
        )
    return msgspec.structs.replace(key_answer(key), secret=secret)


@post(
    f"{BASE}/api-keys/{{api_key_id:str}}/revoke",
    opt=ADMIN,
    tags=TAGS,
    status_code=200,
    summary="Revoke an API key",
)
async def revoke_key(api_key_id: str, services: Services) -> KeyAnswer:
    """End a key at once, for good."""
    wanted = ids.parse("api_key", api_key_id)
    async with services.db.transaction(WRITER) as conn:
        return key_answer(await keys.revoke_api_key(conn, wanted, None, services.clock()))


@post(f"{BASE}/test-clocks", opt=ADMIN, tags=TAGS, summary="Make a test clock")
async def create_clock(data: NewClock, services: Services) -> ClockAnswer:
    """Make a clock and put accounts on it."""
    async with services.db.transaction(WRITER) as conn:
        clock = await test_clocks.create(conn, new_id(), data.name, data.now, services.clock())
        for account in data.accounts:
            wanted = ids.parse("account", account)
            await service.set_test_clock(conn, wanted, clock.test_clock_id)
    return clock_answer(clock)


@get(f"{BASE}/test-clocks/{{test_clock_id:str}}", opt=READ, tags=TAGS, summary="A test clock")
async def read_clock(test_clock_id: str, services: Services) -> ClockAnswer:
    """Return a clock and whether it is being advanced."""
    async with services.db.transaction(STAFF) as conn:
        return clock_answer(await test_clocks.get(conn, ids.parse("test_clock", test_clock_id)))


@post(
    f"{BASE}/test-clocks/{{test_clock_id:str}}/advance",
    opt=ADMIN,
    tags=TAGS,
    status_code=202,
    summary="Advance a test clock",
)
async def advance_clock(test_clock_id: str, data: Advance, services: Services) -> ClockAnswer:
    """Ask for the clock to be advanced; the worker does it, and the clock says when it is done."""
    wanted = ids.parse("test_clock", test_clock_id)
    async with services.db.transaction(WRITER) as conn:
        return clock_answer(await test_clocks.aim(conn, wanted, data.to))


def account_answer(account: Account) -> AccountAnswer:
    """Show an account."""
    return AccountAnswer(
        id=ids.show("account", account.account_id),
        external_id=account.external_id,
        name=account.name,
        email=account.email,
        currency=account.currency.lower(),
        country=account.country,
        timezone=account.timezone,
        locale=account.locale,
        address=list(account.address),
        tax_number=account.tax_number,
        tax_name=account.tax_name,
        tax_percent=None if account.tax_percent is None else str(account.tax_percent),
        payment_due_days=account.payment_due_days,
        autopay=account.autopay,
        test_clock=ids.show("test_clock", account.test_clock_id) if account.test_clock_id else None,
        created=account.created_at,
    )


def key_answer(key: ApiKey) -> KeyAnswer:
    """Show a key without its secret."""
    return KeyAnswer(
        id=ids.show("api_key", key.api_key_id),
        account=ids.show("account", key.account_id) if key.account_id else None,
        name=key.name,
        last_four=key.last_four,
        scopes=list(key.scopes),
        created=key.created_at,
        revoked_at=key.revoked_at,
    )


def clock_answer(clock: TestClock) -> ClockAnswer:
    """Show a test clock."""
    shown = ids.show("test_clock", clock.test_clock_id)
    return ClockAnswer(shown, clock.name, clock.status, clock.now_at, clock.target_at)


ROUTES: Final = (
    list_accounts,
    create_account,
    read_account,
    change_account,
    add_member,
    list_keys,
    create_key,
    revoke_key,
    create_clock,
    read_clock,
    advance_clock,
)
