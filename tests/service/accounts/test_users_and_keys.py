from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tallystick.accounts import keys, users
from tallystick.accounts.model import Account, NewUser, User
from tallystick.accounts.tokens import token_hash
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.paging import PageRequest

MakeAccount = Callable[..., Awaitable[Account]]
MakeUser = Callable[..., Awaitable[User]]


async def test_a_user_is_made_with_an_email_in_lower_case(db: Database, now: datetime) -> None:
    async with db.transaction(WRITER) as conn:
        made = await users.create_user(conn, NewUser(email=" Ann@X.com", name="Ann"), now)
        assert made.email == "ann@x.com"
        assert await users.get_user(conn, made.user_id) == made
        assert await users.find_user_by_email(conn, "ANN@x.com ") == made
        assert await users.find_user_by_email(conn, "bob@x.com") is None
        with pytest.raises(NotFound):
            await users.get_user(conn, uuid4())


@pytest.mark.parametrize("new", [
    NewUser(email="ann@example.com", name="Other"),
    NewUser(email="ANN@example.com", name="Other"),
    NewUser(email="other@example.com", name="Other", external_id="ext-ann"),
])  # fmt: skip
async def test_an_email_or_external_id_is_one_users(
    db: Database, make_user: MakeUser, now: datetime, new: NewUser
) -> None:
    await make_user("ann")
    async with db.transaction(WRITER) as conn:
        with pytest.raises(Conflict) as caught:
            await users.create_user(conn, new, now)
    assert caught.value.code == "user_exists"


@pytest.mark.parametrize("fields", [{"email": "nobody"}, {"external_id": "usr_1"},
                                    {"external_id": ""}])  # fmt: skip
async def test_a_bad_user_is_not_made(db: Database, now: datetime, fields: dict[str, Any]) -> None:
    whole = {"email": "a@b.c", "name": "A"} | fields
    async with db.transaction(WRITER) as conn:
        with pytest.raises(BadInput):
            await users.create_user(conn, NewUser(**whole), now)


async def test_a_staff_role_is_given_and_taken(db: Database, make_user: MakeUser) -> None:
    user = await make_user("ann")
    async with db.transaction(WRITER) as conn:
        given = await users.set_staff_role(conn, user.user_id, "finance")
        taken = await users.set_staff_role(conn, user.user_id, None)
    assert (given.staff_role, taken.staff_role) == ("finance", None)


async def test_what_is_done_to_an_unknown_user_is_not_found(db: Database, now: datetime) -> None:
    async with db.transaction(WRITER) as conn:
        for attempt in (
            users.set_password(conn, uuid4(), "hash", now),
            users.set_staff_role(conn, uuid4(), "admin"),
            users.disable_user(conn, uuid4(), now),
        ):
            with pytest.raises(NotFound):
                await attempt


async def test_a_keys_secret_is_kept_nowhere(
    db: Database, make_account: MakeAccount, now: datetime
) -> None:
    account = await make_account()
    async with db.transaction(WRITER) as conn:
        key, secret = await keys.create_api_key(
            conn, account.account_id, name="ci", scopes=["usage:write", "billing:read"], now=now
        )
        row = await conn.fetchrow("SELECT * FROM api_keys")
        audited = await conn.fetchval("SELECT string_agg(after::text, '') FROM billing_audit")
    assert row is not None
    assert row["key_hash"] == token_hash(secret)
    assert key.last_four == secret[-4:]
    assert key.scopes == ("billing:read", "usage:write")
    for kept in (str(dict(row)), audited, repr(key)):
        assert secret not in kept
        assert row["key_hash"].hex() not in kept


@pytest.mark.parametrize(("name", "scopes"), [
    ("", ["billing:read"]), ("x" * 201, ["billing:read"]), ("ci", []), ("ci", ["root"]),
    ("ci", ["admin"]),
])  # fmt: skip
async def test_a_bad_key_is_not_made(
    db: Database, make_account: MakeAccount, now: datetime, name: str, scopes: list[Any]
) -> None:
    account = await make_account()
    async with db.transaction(WRITER) as conn:
        with pytest.raises(BadInput):
            await keys.create_api_key(conn, account.account_id, name=name, scopes=scopes, now=now)


async def test_the_database_too_refuses_admin_for_an_accounts_key(
    db: Database, make_account: MakeAccount, now: datetime
) -> None:
    account = await make_account()
    statement = (
        "INSERT INTO api_keys (api_key_id, account_id, name, key_hash, last_four, scopes, "
        "created_at) VALUES ($1, $2, 'x', 'x', 'xxxx', '{admin}', $3)"
    )
    async with db.transaction(WRITER) as conn:
        await conn.execute(statement, uuid4(), None, now)
    with pytest.raises(asyncpg.CheckViolationError):
        async with db.transaction(WRITER) as conn:
            await conn.execute(statement, uuid4(), account.account_id, now)


async def test_keys_are_listed_and_revoked_by_their_own_account_only(
    db: Database, make_account: MakeAccount, now: datetime
) -> None:
    ours, theirs = await make_account("ours"), await make_account("theirs")
    async with db.transaction(WRITER) as conn:
        for number, account_id in enumerate((ours.account_id, theirs.account_id, None)):
            at = now + timedelta(seconds=number)
            await keys.create_api_key(
                conn, account_id, name=f"k{number}", scopes=["billing:read"], now=at
            )
        page = await keys.list_api_keys(conn, ours.account_id, PageRequest())
        every = await keys.list_api_keys(conn, None, PageRequest())
        assert ([key.name for key in page.items], page.total) == (["k0"], 1)
        assert [key.name for key in every.items] == ["k2", "k1", "k0"]
        [own] = page.items
        with pytest.raises(NotFound) as caught:
            await keys.revoke_api_key(conn, own.api_key_id, theirs.account_id, now)
        assert caught.value.code == "api_key_not_found"
        revoked = await keys.revoke_api_key(conn, own.api_key_id, ours.account_id, now)
        again = await keys.revoke_api_key(conn, own.api_key_id, None, now + timedelta(days=1))
    assert revoked.revoked_at == again.revoked_at == now


async def test_a_key_needs_an_account_that_exists(db: Database, now: datetime) -> None:
    async with db.transaction(WRITER) as conn:
        with pytest.raises(NotFound):
            await keys.create_api_key(conn, uuid4(), name="ci", scopes=["billing:read"], now=now)
