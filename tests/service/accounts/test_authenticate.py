from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest

from tallystick.accounts import keys, service, users
from tallystick.accounts.authenticate import Authenticator
from tallystick.accounts.jwt_tokens import JwtSettings, JwtVerifier
from tallystick.accounts.model import Account, Credentials, KeyScope, Principal, User
from tallystick.accounts.passwords import Passwords
from tallystick.accounts.sign_in import SignIn, sign_out
from tallystick.accounts.tries import FailedTries
from tallystick.kernel import test_clocks
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.errors import NotFound, NotSignedIn, TallystickError
from tallystick.kernel.ids import new_id, show

MakeAccount = Callable[..., Awaitable[Account]]
MakeUser = Callable[..., Awaitable[User]]
SECRET = "0123456789abcdef0123456789abcdef"
SETTINGS = JwtSettings(secret=SECRET, issuer="https://id.example", audience="billing")


@pytest.fixture
def who(db: Database, now: datetime) -> Callable[..., Awaitable[Principal]]:
    """Authenticates what a request shows."""
    authenticator = Authenticator(db, lambda: now, JwtVerifier(SETTINGS))

    async def authenticate(**given: str | None) -> Principal:
        return await authenticator.authenticate(Credentials(**given))

    return authenticate


Who = Callable[..., Awaitable[Principal]]


@pytest.fixture
def sign_in(db: Database, passwords: Passwords, now: datetime) -> Callable[..., Awaitable[str]]:
    """Signs a user in (and out again, if asked) and returns the session's token."""

    async def enter(name: str, *, and_out: bool = False) -> str:
        door = SignIn(db, passwords, FailedTries())
        entered = await door.sign_in(f"{name}@example.com", "correct horse", "1.1.1.1", now)
        if and_out:
            async with db.transaction(WRITER) as conn:
                await sign_out(conn, entered.token, now)
        return entered.token

    return enter


@pytest.fixture
def make_key(db: Database, now: datetime) -> Callable[..., Awaitable[tuple[UUID, str]]]:
    """Makes a key of an account, or of the business, and returns its id and its secret."""

    async def make(account: Account | None, *scopes: KeyScope) -> tuple[UUID, str]:
        async with db.transaction(WRITER) as conn:
            key, secret = await keys.create_api_key(
                conn,
                account.account_id if account else None,
                name="k",
                scopes=scopes or ("billing:read",),
                now=now,
            )
        return key.api_key_id, secret

    return make


@pytest.fixture
async def clocked(db: Database, make_account: MakeAccount, now: datetime) -> Account:
    """An account that lives a year ago."""
    account, clock_id = await make_account(), new_id()
    async with db.transaction(WRITER) as conn:
        await test_clocks.create(conn, clock_id, "clock", now - timedelta(days=365), now)
        return await service.set_test_clock(conn, account.account_id, clock_id)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Fills with every query whose rows are read."""
    queries: list[str] = []
    for name in ("fetch", "fetchrow", "fetchval"):
        monkeypatch.setattr(Connection, name, counting(getattr(Connection, name), queries))
    return queries


Enter = Callable[..., Awaitable[str]]
MakeKey = Callable[..., Awaitable[tuple[UUID, str]]]


def token_for(subject: str, **changes: Any) -> str:
    now = datetime.now(UTC)
    claims = {"sub": subject, "iss": SETTINGS.issuer, "aud": SETTINGS.audience,
              "exp": now + timedelta(minutes=5)} | changes  # fmt: skip
    return jwt.encode(claims, SECRET, algorithm="HS256")


async def refused(asking: Awaitable[Principal]) -> str:
    with pytest.raises(TallystickError) as caught:
        await asking
    assert isinstance(caught.value, NotSignedIn | NotFound)
    return caught.value.code


async def test_without_a_credential_nobody_is_known(who: Who) -> None:
    assert await refused(who()) == "not_signed_in"
    assert await refused(who(account="acme")) == "not_signed_in"
    assert await refused(who(session_cookie="", jwt_cookie="")) == "not_signed_in"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic dXNlcjpwdw==", "tsk_x"])
async def test_a_header_that_is_no_bearer_token_is_refused(who: Who, header: str) -> None:
    assert await refused(who(authorization=header)) == "not_signed_in"


async def test_an_accounts_key_acts_for_its_account(
    who: Who, make_account: MakeAccount, make_key: MakeKey
) -> None:
    account = await make_account()
    key_id, secret = await make_key(account, "usage:write", "billing:read")
    expected = Principal(
        kind="service", method="bearer_key", api_key_id=key_id, account=account,
        scopes=frozenset({"usage:write", "billing:read"}),
    )  # fmt: skip
    assert await who(authorization=f"Bearer {secret}") == expected
    assert await who(authorization=f"bearer  {secret} ", account="acme") == expected
    name = show("account", account.account_id)
    assert await who(authorization=f"Bearer {secret}", account=name) == expected


async def test_an_accounts_key_may_not_name_another_account(
    who: Who, make_account: MakeAccount, make_key: MakeKey
) -> None:
    ours, theirs = await make_account("ours"), await make_account("theirs")
    _, secret = await make_key(ours)
    for name in ("theirs", show("account", theirs.account_id), "nobody", "acct_x", "", "a\x00b",
                 show("account", uuid4())):  # fmt: skip
        asking = who(authorization=f"Bearer {secret}", account=name)
        assert await refused(asking) == "account_not_found", name


async def test_a_key_of_the_business_may_name_any_account_or_none(
    who: Who, make_account: MakeAccount, make_key: MakeKey
) -> None:
    account = await make_account()
    _, secret = await make_key(None, "admin")
    bearer = f"Bearer {secret}"
    assert (await who(authorization=bearer)).account is None
    assert (await who(authorization=bearer, account="acme")).account == account
    assert await refused(who(authorization=bearer, account="nobody")) == "account_not_found"
    assert await refused(who(authorization=bearer, account="a\x00b")) == "account_not_found"


@pytest.mark.parametrize("secret", ["tsk_", "tsk_unknown", "tsk_" + "a" * 100_000, "tsk_\u2603"])
async def test_an_unknown_key_is_refused_whatever_account_is_named(who: Who, secret: str) -> None:
    for account in (None, "acme", "acct_x"):
        asking = who(authorization=f"Bearer {secret}", account=account)
        assert await refused(asking) == "invalid_api_key"


async def test_a_revoked_key_is_refused(
    db: Database, who: Who, make_account: MakeAccount, now: datetime, make_key: MakeKey
) -> None:
    account = await make_account()
    key_id, secret = await make_key(account)
    async with db.transaction(WRITER) as conn:
        await keys.revoke_api_key(conn, key_id, None, now)
    assert await refused(who(authorization=f"Bearer {secret}")) == "invalid_api_key"


@pytest.mark.parametrize("subject", ["ext-ann", None], ids=["external id", "own id"])
async def test_a_token_speaks_for_the_user_whom_it_names(
    who: Who, make_account: MakeAccount, make_user: MakeUser, subject: str | None
) -> None:
    account = await make_account()
    user = await make_user("ann", (account, "member"))
    token = token_for(subject or show("user", user.user_id))
    expected = Principal(
        kind="user", method="jwt", user_id=user.user_id, account=account, role="member"
    )
    assert await who(authorization=f"Bearer {token}") == expected


@pytest.mark.parametrize("token", [
    token_for("ext-nobody"), token_for(show("user", uuid4())), token_for("ext-ann", aud="other"),
    token_for("ext-ann", exp=1), "not.a.token", token_for("ext\x00ann"),
])  # fmt: skip
async def test_a_token_that_is_bad_or_names_nobody_is_refused(
    who: Who, make_user: MakeUser, token: str
) -> None:
    await make_user("ann")
    assert await refused(who(authorization=f"Bearer {token}")) == "invalid_token"
    assert await refused(who(jwt_cookie=token)) == "invalid_token"


async def test_without_settings_no_token_is_taken(
    db: Database, make_user: MakeUser, now: datetime
) -> None:
    await make_user("ann")
    asking = Authenticator(db, lambda: now).authenticate(
        Credentials(authorization=f"Bearer {token_for('ext-ann')}")
    )
    assert await refused(asking) == "invalid_token"


async def test_a_disabled_user_is_refused_in_every_way(
    db: Database, who: Who, make_user: MakeUser, sign_in: Enter, now: datetime
) -> None:
    user = await make_user("ann")
    session, token = await sign_in("ann"), token_for("ext-ann")
    async with db.transaction(WRITER) as conn:
        await users.disable_user(conn, user.user_id, now)
    assert await refused(who(authorization=f"Bearer {token}")) == "invalid_token"
    assert await refused(who(jwt_cookie=token)) == "invalid_token"
    assert await refused(who(session_cookie=session)) == "invalid_session"
    asking = who(session_id=session, authorization=f"Bearer {token}")
    assert await refused(asking) == "invalid_session"


async def test_a_cookie_is_what_a_csrf_token_is_bound_to(
    who: Who, make_user: MakeUser, sign_in: Enter
) -> None:
    await make_user("ann")
    session, token = await sign_in("ann"), token_for("ext-ann")
    by_session, by_token = await who(session_cookie=session), await who(jwt_cookie=token)
    assert (by_session.method, by_session.csrf_secret) == ("session", session)
    assert (by_token.method, by_token.csrf_secret) == ("cookie_jwt", token)
    bearer = f"Bearer {token}"
    assert (await who(authorization=bearer, session_cookie=session)).csrf_secret is None
    assert (await who(session_id=session, authorization=bearer)).csrf_secret is None


async def test_a_session_and_a_token_of_the_same_user_are_taken_together(
    who: Who, make_user: MakeUser, sign_in: Enter
) -> None:
    user = await make_user("ann")
    session = await sign_in("ann")
    for bearer in (token_for("ext-ann"), token_for(show("user", user.user_id)), session,
                   await sign_in("ann")):  # fmt: skip
        found = await who(session_id=session, authorization=f"Bearer {bearer}")
        assert (found.method, found.user_id) == ("session_pair", user.user_id)


async def test_a_session_and_a_token_of_two_users_are_refused(
    who: Who, make_user: MakeUser, sign_in: Enter
) -> None:
    await make_user("ann")
    bob = await make_user("bob")
    session = await sign_in("ann")
    for bearer in (token_for("ext-bob"), token_for(show("user", bob.user_id)),
                   await sign_in("bob")):  # fmt: skip
        asking = who(session_id=session, authorization=f"Bearer {bearer}")
        assert await refused(asking) == "session_mismatch"


async def test_half_a_pair_is_refused(
    who: Who, make_user: MakeUser, make_key: MakeKey, sign_in: Enter
) -> None:
    await make_user("ann")
    session, ended = await sign_in("ann"), await sign_in("ann", and_out=True)
    token = token_for("ext-ann")
    _, key = await make_key(None)
    assert await refused(who(session_id=session)) == "not_signed_in"
    assert await refused(who(session_id=session, session_cookie=session)) == "not_signed_in"
    for first, bearer, code in (
        (session, "bad.to.ken", "invalid_token"), (session, key, "invalid_token"),
        ("tss_unknown", token, "invalid_session"), (ended, token, "invalid_session"),
        (session, "tss_unknown", "invalid_session"), (session, ended, "invalid_session"),
        ("", token, "invalid_session"), ("x" * 100_000, token, "invalid_session"),
    ):  # fmt: skip
        asking = who(session_id=first, authorization=f"Bearer {bearer}")
        assert await refused(asking) == code, (first[:20], bearer[:20])


async def test_a_sessions_token_alone_is_no_bearer_token(
    who: Who, make_user: MakeUser, sign_in: Enter
) -> None:
    await make_user("ann")
    assert await refused(who(authorization=f"Bearer {await sign_in('ann')}")) == "invalid_token"


async def test_no_credential_makes_up_for_one_that_is_not_valid(
    who: Who, make_user: MakeUser, sign_in: Enter
) -> None:
    await make_user("ann")
    session, token = await sign_in("ann"), token_for("ext-ann")
    asking = who(authorization="Bearer tsk_bad", session_cookie=session, jwt_cookie=token)
    assert await refused(asking) == "invalid_api_key"
    assert await refused(who(session_cookie="tss_bad", jwt_cookie=token)) == "invalid_session"


async def test_a_user_of_one_account_need_not_name_it_and_of_several_must(
    who: Who, make_account: MakeAccount, make_user: MakeUser
) -> None:
    first, second = await make_account("first"), await make_account("second")
    await make_user("one", (first, "owner"))
    await make_user("two", (first, "member"), (second, "owner"))
    await make_user("none")
    one, two, none = (f"Bearer {token_for(f'ext-{name}')}" for name in ("one", "two", "none"))
    assert (await who(authorization=one)).account == first
    unnamed = await who(authorization=two)
    assert (unnamed.account, unnamed.role) == (None, None)
    named = await who(authorization=two, account="second")
    assert (named.account, named.role) == (second, "owner")
    assert (await who(authorization=two, account="first")).role == "member"
    assert (await who(authorization=none)).account is None


async def test_an_account_that_is_not_the_users_looks_like_none(
    who: Who, make_account: MakeAccount, make_user: MakeUser, sign_in: Enter
) -> None:
    first, theirs = await make_account("first"), await make_account("theirs")
    await make_user("ann", (first, "owner"))
    session = await sign_in("ann")
    for name in ("theirs", show("account", theirs.account_id), "nobody", "acct_x", "", "a\x00b"):
        assert await refused(who(session_cookie=session, account=name)) == "account_not_found"


async def test_staff_may_name_any_account(
    who: Who, make_account: MakeAccount, make_user: MakeUser
) -> None:
    account, own = await make_account("acme"), await make_account("own")
    await make_user("sue", (own, "owner"), staff_role="support")
    bearer = f"Bearer {token_for('ext-sue')}"
    elsewhere = await who(authorization=bearer, account="acme")
    assert (elsewhere.account, elsewhere.role, elsewhere.staff_role) == (account, None, "support")
    at_home = await who(authorization=bearer)
    assert (at_home.account, at_home.role, at_home.staff_role) == (own, "owner", "support")
    assert await refused(who(authorization=bearer, account="nobody")) == "account_not_found"


async def test_the_present_of_a_test_clock_comes_along(
    who: Who, clocked: Account, make_user: MakeUser, make_key: MakeKey, now: datetime
) -> None:
    await make_user("ann", (clocked, "owner"))
    _, secret = await make_key(clocked)
    for bearer in (secret, token_for("ext-ann")):
        for account in (None, "acme"):
            found = await who(authorization=f"Bearer {bearer}", account=account)
            assert found.account == clocked
            assert found.now(now) == now - timedelta(days=365)


async def test_an_account_on_no_test_clock_lives_in_the_present(
    who: Who, make_account: MakeAccount, make_key: MakeKey, now: datetime
) -> None:
    _, secret = await make_key(await make_account())
    assert (await who(authorization=f"Bearer {secret}")).now(now) == now


async def test_an_own_id_is_not_shadowed_by_another_users_external_id(
    db: Database, who: Who, make_user: MakeUser
) -> None:
    ann, bob = await make_user("ann"), await make_user("bob")
    name = show("user", ann.user_id)
    async with db.transaction(WRITER) as conn:  # past the check that refuses such a name
        await conn.execute(
            "UPDATE users SET external_id = $2 WHERE user_id = $1", bob.user_id, name
        )
    assert (await who(authorization=f"Bearer {token_for(name)}")).user_id == ann.user_id


async def test_a_key_is_recognised_with_its_account_in_one_query(
    who: Who, make_account: MakeAccount, make_key: MakeKey, asked: list[str]
) -> None:
    _, secret = await make_key(await make_account())
    for account in (None, "acme"):
        asked.clear()
        await who(authorization=f"Bearer {secret}", account=account)
        assert len(asked) == 1


async def test_a_person_is_recognised_with_their_account_in_two_queries(
    who: Who, make_account: MakeAccount, make_user: MakeUser, sign_in: Enter, asked: list[str]
) -> None:
    await make_user("ann", (await make_account(), "owner"))
    session = await sign_in("ann")
    for given in (
        {"authorization": f"Bearer {token_for('ext-ann')}"},
        {"session_cookie": session},
        {"session_id": session, "authorization": f"Bearer {session}"},
    ):
        for account in (None, "acme"):
            asked.clear()
            await who(**given, account=account)
            assert len(asked) == 2


def counting(method: Callable[..., Any], asked: list[str]) -> Callable[..., Any]:
    async def counted(self: object, query: str, *values: object, **options: object) -> Any:
        asked.append(query)
        return await method(self, query, *values, **options)

    return counted
