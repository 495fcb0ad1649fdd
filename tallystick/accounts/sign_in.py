"""Signing in with e-mail and password, and out; a session lasts 14 days and is not prolonged."""

from datetime import datetime, timedelta
from typing import Final

import msgspec
import structlog

from tallystick.accounts import identity_store as store
from tallystick.accounts.checks import EMAIL_LENGTH_MAX, is_email
from tallystick.accounts.model import Session, User
from tallystick.accounts.passwords import Passwords
from tallystick.accounts.tokens import SESSION_PREFIX, csrf_token, new_token, token_hash
from tallystick.accounts.tries import FailedTries
from tallystick.kernel.db import WRITER, Actor, Connection, Database, acting, actor
from tallystick.kernel.errors import NotSignedIn
from tallystick.kernel.ids import show

log = structlog.get_logger()

SESSION_LASTS: Final = timedelta(days=14)


class SignedIn(msgspec.Struct, frozen=True):
    """A fresh session; `token` goes into the cookie `session_token`, and is kept nowhere else."""

    user: User
    session: Session
    token: str

    @property
    def csrf_token(self) -> str:
        """What the page sends as `X-CSRF-Token` beside that cookie."""
        return csrf_token(self.token)


class SignIn:
    """The console's door; opens its own transactions, none of them while a password is checked."""

    def __init__(self, db: Database, passwords: Passwords, tries: FailedTries) -> None:
        self._db = db
        self._passwords = passwords
        self._tries = tries

    async def sign_in(self, email: str, password: str, address: str, now: datetime) -> SignedIn:
        """Check the password and begin a session; `address` is the caller's network address.

        Raises NotSignedIn `wrong_credentials` (whatever was wrong), TooMany `too_many_sign_ins`
        after 10 failures in 15 minutes.
        """
        wanted = email.strip().lower()[: EMAIL_LENGTH_MAX + 1]
        self._tries.begin(wanted, address, now)
        async with self._db.transaction(WRITER) as conn:
            found = await store.find_secret(conn, wanted) if is_email(wanted) else None
        kept = found.password_hash if found and found.user.disabled_at is None else None
        if not await self._passwords.verify(kept, password) or found is None or kept is None:
            log.info("sign_in_failed")
            raise NotSignedIn("wrong_credentials", "The e-mail address or the password is wrong.")
        self._tries.succeeded(wanted, address, now)
        rehashed = await self._rehashed(kept, password)
        return await self._begin(found.user, rehashed, now)

    async def _rehashed(self, kept: str, password: str) -> str | None:
        if self._passwords.needs_rehash(kept):
            return await self._passwords.hash(password)
        return None

    async def _begin(self, user: User, rehashed: str | None, now: datetime) -> SignedIn:
        token = new_token(SESSION_PREFIX)
        session = Session(user_id=user.user_id, created_at=now, expires_at=now + SESSION_LASTS)
        who = Actor("user", show("user", user.user_id), actor().request_id, "sign-in")
        with acting(who):
            async with self._db.transaction(WRITER) as conn:
                if rehashed is not None:
                    await store.set_password(conn, user.user_id, rehashed)
                await store.insert_session(conn, token_hash(token), session)
        return SignedIn(user, session, token)


async def sign_out(conn: Connection, token: str, now: datetime) -> None:
    """End the session of this token, under the writer's scope; an unknown one changes nothing."""
    await store.end_session(conn, token_hash(token), now)


async def forget_old_sessions(conn: Connection, now: datetime) -> int:
    """Delete up to 1,000 expired sessions and return how many those were (writer's scope)."""
    return await store.forget_sessions(conn, now)
