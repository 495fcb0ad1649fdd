import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import pytest

from tallystick.accounts import users
from tallystick.accounts.authenticate import Authenticator
from tallystick.accounts.model import Credentials, NewUser, User
from tallystick.accounts.passwords import Cost, Passwords
from tallystick.accounts.sign_in import (
    SESSION_LASTS,
    SignedIn,
    SignIn,
    forget_old_sessions,
    sign_out,
)
from tallystick.accounts.tokens import csrf_matches, token_hash
from tallystick.accounts.tries import PAIR_TRIES_MAX, FailedTries
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.errors import NotSignedIn, TooMany
from tallystick.kernel.ids import show

MakeUser = Callable[..., Awaitable[User]]
SECOND = timedelta(seconds=1)
PASSWORD = "correct horse"


@pytest.fixture
def door(db: Database, passwords: Passwords) -> SignIn:
    return SignIn(db, passwords, FailedTries())


async def enter(
    door: SignIn, now: datetime, password: str = PASSWORD, email: str = "ann@example.com"
) -> SignedIn:
    return await door.sign_in(email, password, "192.0.2.1", now)


async def is_valid(db: Database, token: str, at: datetime) -> bool:
    try:
        await Authenticator(db, lambda: at).authenticate(Credentials(session_cookie=token))
    except NotSignedIn as error:
        assert error.code == "invalid_session"  # noqa: PT017 - both outcomes are looked at
        return False
    return True


async def test_a_session_lasts_fourteen_days_and_not_a_moment_longer(
    db: Database, door: SignIn, make_user: MakeUser, now: datetime
) -> None:
    user = await make_user("ann")
    entered = await enter(door, now)
    assert entered.user == user
    assert entered.session.expires_at == now + timedelta(days=14)
    assert csrf_matches(entered.token, entered.csrf_token)
    assert await is_valid(db, entered.token, now)
    assert await is_valid(db, entered.token, now + SESSION_LASTS - SECOND)
    assert not await is_valid(db, entered.token, now + SESSION_LASTS)


async def test_only_the_hash_of_a_session_is_kept(
    db: Database, door: SignIn, make_user: MakeUser, now: datetime
) -> None:
    await make_user("ann")
    entered = await enter(door, now)
    async with db.transaction(WRITER) as conn:
        row = await conn.fetchrow("SELECT * FROM sessions")
        audited = await conn.fetchval("SELECT string_agg(after::text, '') FROM billing_audit")
    assert row is not None
    assert row["token_hash"] == token_hash(entered.token)
    assert entered.token not in str(dict(row))
    assert row["token_hash"].hex() not in audited


@pytest.mark.parametrize(("email", "password"), [
    ("ann@example.com", "wrong horse"), ("bob@example.com", PASSWORD), ("", ""), ("x", "y"),
    ("ann@example.com", ""), ("ann@example.com", "x" * 5000), ("ann\x00@example.com", PASSWORD),
    ("a" * 100_000, PASSWORD),
])  # fmt: skip
async def test_whatever_is_wrong_the_answer_is_the_same(
    door: SignIn, make_user: MakeUser, now: datetime, email: str, password: str
) -> None:
    await make_user("ann")
    with pytest.raises(NotSignedIn) as caught:
        await enter(door, now, password, email)
    assert caught.value.code == "wrong_credentials"
    assert caught.value.detail == "The e-mail address or the password is wrong."


async def test_the_email_may_be_written_in_any_case(
    door: SignIn, make_user: MakeUser, now: datetime
) -> None:
    user = await make_user("ann")
    assert (await enter(door, now, email=" ANN@Example.com ")).user == user


async def test_a_disabled_user_or_one_without_a_password_does_not_come_in(
    db: Database, door: SignIn, make_user: MakeUser, now: datetime
) -> None:
    user = await make_user("ann")
    entered = await enter(door, now)
    async with db.transaction(WRITER) as conn:
        await users.disable_user(conn, user.user_id, now)
        await users.create_user(conn, NewUser(email="jwt@example.com", name="J"), now)
    assert not await is_valid(db, entered.token, now)
    for email in ("ann@example.com", "jwt@example.com"):
        with pytest.raises(NotSignedIn):
            await enter(door, now, email=email)


async def test_a_new_password_ends_every_session(
    db: Database, door: SignIn, make_user: MakeUser, passwords: Passwords, now: datetime
) -> None:
    user = await make_user("ann")
    sessions = [await enter(door, now + number * SECOND) for number in range(2)]
    kept = await passwords.hash("another horse")
    async with db.transaction(WRITER) as conn:
        await users.set_password(conn, user.user_id, kept, now)
    assert not any([await is_valid(db, entered.token, now) for entered in sessions])
    with pytest.raises(NotSignedIn):
        await enter(door, now)
    assert await is_valid(db, (await enter(door, now, "another horse")).token, now)


async def test_signing_out_ends_that_session_alone(
    db: Database, door: SignIn, make_user: MakeUser, now: datetime
) -> None:
    await make_user("ann")
    first, second = await enter(door, now), await enter(door, now)
    async with db.transaction(WRITER) as conn:
        await sign_out(conn, first.token, now)
        await sign_out(conn, first.token, now)
        await sign_out(conn, "tss_unknown", now)
    assert not await is_valid(db, first.token, now)
    assert await is_valid(db, second.token, now)


async def test_the_eleventh_failure_in_a_quarter_of_an_hour_is_refused_even_if_right(
    door: SignIn, make_user: MakeUser, now: datetime
) -> None:
    await make_user("ann")
    for number in range(PAIR_TRIES_MAX):
        with pytest.raises(NotSignedIn):
            await enter(door, now + number * SECOND, "wrong horse")
    with pytest.raises(TooMany) as caught:
        await enter(door, now + 60 * SECOND)
    assert caught.value.code == "too_many_sign_ins"
    assert caught.value.extra["retry_after"] == 840
    assert await enter(door, now + timedelta(minutes=15))


async def test_many_guesses_at_once_do_not_slip_through(
    door: SignIn, make_user: MakeUser, now: datetime
) -> None:
    await make_user("ann")
    guesses = (enter(door, now, f"wrong horse {number}") for number in range(30))
    results = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(result, NotSignedIn) for result in results) == PAIR_TRIES_MAX
    assert sum(isinstance(result, TooMany) for result in results) == 20


async def test_signing_in_often_is_no_failure(
    door: SignIn, make_user: MakeUser, now: datetime
) -> None:
    await make_user("ann")
    for number in range(3 * PAIR_TRIES_MAX):
        await enter(door, now + number * SECOND)


async def test_a_hash_of_an_older_cost_is_made_anew_and_works_on(
    db: Database, make_user: MakeUser, now: datetime
) -> None:
    await make_user("ann")
    stronger = SignIn(db, Passwords(Cost(rounds=2, memory_kib=16, lanes=1)), FailedTries())
    first = await enter(stronger, now)
    async with db.transaction(WRITER) as conn:
        kept: str = await conn.fetchval("SELECT password_hash FROM users")
    assert "$m=16,t=2,p=1$" in kept
    await enter(stronger, now)
    assert await is_valid(db, first.token, now)


async def test_a_sign_in_is_written_down_as_that_users_doing(
    db: Database, door: SignIn, make_user: MakeUser, now: datetime
) -> None:
    user = await make_user("ann")
    await enter(door, now)
    async with db.transaction(WRITER) as conn:
        row = await conn.fetchrow("SELECT * FROM billing_audit WHERE table_name = 'sessions'")
    assert row is not None
    assert (row["actor_kind"], row["actor_id"]) == ("user", show("user", user.user_id))
    assert row["reason"] == "sign-in"


async def test_expired_sessions_are_dropped_and_valid_ones_stay(
    db: Database, door: SignIn, make_user: MakeUser, now: datetime
) -> None:
    await make_user("ann")
    await enter(door, now - SESSION_LASTS - SECOND)
    young = await enter(door, now)
    async with db.transaction(WRITER) as conn:
        assert await forget_old_sessions(conn, now) == 1
        assert await forget_old_sessions(conn, now) == 0
    assert await is_valid(db, young.token, now)
