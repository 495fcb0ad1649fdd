"""Who asks: a key, a token, a session; and about which account.

The first credential in this order decides, and none makes up for another that is not valid:
`Authorization` (with `X-SESSION-ID` beside it both must hold), the cookie `session_token`, the
cookie `access_token`.
"""

from uuid import UUID

from tallystick.accounts import caller_store as store
from tallystick.accounts.caller_store import AccountName, Seat
from tallystick.accounts.identity_store import find_user_by_subject
from tallystick.accounts.jwt_tokens import JwtVerifier, invalid_token
from tallystick.accounts.key_lookup import KeyLookup
from tallystick.accounts.model import Credentials, Method, Principal, User
from tallystick.accounts.tokens import (
    API_KEY_PREFIX,
    SESSION_PREFIX,
    TOKEN_LENGTH_MAX,
    token_hash,
)
from tallystick.kernel.clock import Clock
from tallystick.kernel.db import Connection, Database
from tallystick.kernel.errors import NotFound, NotSignedIn
from tallystick.kernel.ids import parse, unknown


class Authenticator:
    """Finds the principal of a request; `jwt` None: no tokens of other issuers are taken."""

    def __init__(self, db: Database, clock: Clock, jwt: JwtVerifier | None = None) -> None:
        self._db = db
        self._keys = KeyLookup(db)
        self._clock = clock
        self._jwt = jwt

    async def authenticate(self, given: Credentials) -> Principal:
        """Return who asks, with at most two queries.

        Raises NotSignedIn (`not_signed_in`, `invalid_api_key`, `invalid_token`,
        `invalid_session`, `session_mismatch`); NotFound `account_not_found` for an account that
        the caller may not name; Unavailable when a token's keys can not be fetched.
        """
        bearer = _bearer(given.authorization)
        if given.session_id is not None:
            return await self._by_pair(given.session_id, bearer, given.account)
        if bearer is not None and bearer.startswith(API_KEY_PREFIX):
            return await self._by_key(bearer, given.account)
        if bearer is not None:
            return await self._by_token(bearer, given.account, "jwt", None)
        if given.session_cookie:
            return await self._by_session(given.session_cookie, given.account)
        if given.jwt_cookie:
            cookie = given.jwt_cookie
            return await self._by_token(cookie, given.account, "cookie_jwt", cookie)
        raise NotSignedIn("not_signed_in", "Sign in, or send an API key.")

    async def _by_key(self, secret: str, account: str | None) -> Principal:
        if len(secret) > TOKEN_LENGTH_MAX:
            raise _invalid_key()
        found = await self._keys.find(token_hash(secret), _account_name(account))
        if found is None:
            raise _invalid_key()
        seat = found.seat
        if account is not None and (seat is None or not _may_name(found.account_id, seat)):
            raise unknown("account")
        return Principal(
            kind="service",
            method="bearer_key",
            api_key_id=found.api_key_id,
            account=seat.account if seat else None,
            clock_at=seat.clock_at if seat else None,
            scopes=frozenset(found.scopes),
        )

    async def _by_token(
        self, token: str, account: str | None, method: Method, csrf_secret: str | None
    ) -> Principal:
        subject = await self._subject(token)
        async with self._db.reading() as conn:
            user = await find_user_by_subject(conn, _user_id(subject), subject)
            if user is None or user.disabled_at is not None:
                raise invalid_token()
            return await _person(conn, user, account, method, csrf_secret)

    async def _by_session(self, token: str, account: str | None) -> Principal:
        async with self._db.reading() as conn:
            user = (await self._users(conn, token)).get(token)
            if user is None:
                raise _invalid_session()
            return await _person(conn, user, account, "session", token)

    async def _by_pair(self, session: str, bearer: str | None, account: str | None) -> Principal:
        """Take a session with a JWT, or with a session token, of the same user."""
        if bearer is None:
            raise NotSignedIn("not_signed_in", "Send a bearer token beside X-SESSION-ID.")
        is_session = bearer.startswith(SESSION_PREFIX)
        subject = None if is_session else await self._subject(bearer)
        async with self._db.reading() as conn:
            users = await self._users(conn, session, bearer)
            user = users.get(session)
            if user is None or (is_session and bearer not in users):
                raise _invalid_session()
            is_same = users[bearer] == user if subject is None else _is_meant(subject, user)
            if not is_same:
                raise NotSignedIn("session_mismatch", "X-SESSION-ID and token differ; sign in.")
            return await _person(conn, user, account, "session_pair", None)

    async def _users(self, conn: Connection, *tokens: str) -> dict[str, User]:
        hashes = {t: token_hash(t) for t in tokens if len(t) <= TOKEN_LENGTH_MAX}
        found = await store.find_session_users(conn, list(hashes.values()), self._clock())
        return {token: found[key] for token, key in hashes.items() if key in found}

    async def _subject(self, token: str) -> str:
        if self._jwt is None:
            raise invalid_token()
        return await self._jwt.subject(token)


async def _person(
    conn: Connection, user: User, account: str | None, method: Method, csrf_secret: str | None
) -> Principal:
    seat = await _seat(conn, user, account)
    return Principal(
        kind="user",
        method=method,
        user_id=user.user_id,
        account=seat.account if seat else None,
        clock_at=seat.clock_at if seat else None,
        role=seat.role if seat else None,
        staff_role=user.staff_role,
        csrf_secret=csrf_secret,
    )


async def _seat(conn: Connection, user: User, account: str | None) -> Seat | None:
    """Return the account named, else the only one of the user; staff may name any."""
    name = _account_name(account)
    if name is None:
        own = await store.own_seats(conn, user.user_id)
        return own[0] if len(own) == 1 else None
    seat = await store.named_seat(conn, user.user_id, name)
    if seat is None or (seat.role is None and user.staff_role is None):
        raise unknown("account")
    return seat


def _account_name(text: str | None) -> AccountName | None:
    """Read how an account is named; what is neither an id nor printable names none at all."""
    if text is None:
        return None
    try:
        return AccountName(parse("account", text), None)
    except NotFound:
        return AccountName(None, text if text.isprintable() else "")


def _bearer(header: str | None) -> str | None:
    """Return the bearer token (RFC 6750), None without the header; else raises NotSignedIn."""
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotSignedIn("not_signed_in", "Send the header as: Authorization: Bearer <token>.")
    return token.strip()


def _may_name(bound_to: UUID | None, seat: Seat) -> bool:
    return bound_to is None or bound_to == seat.account.account_id


def _user_id(subject: str) -> UUID | None:
    try:
        return parse("user", subject)
    except NotFound:
        return None


def _is_meant(subject: str, user: User) -> bool:
    own = _user_id(subject)
    return user.user_id == own if own is not None else user.external_id == subject


def _invalid_key() -> NotSignedIn:
    return NotSignedIn("invalid_api_key", "The API key is not known or was revoked.")


def _invalid_session() -> NotSignedIn:
    return NotSignedIn("invalid_session", "The session has ended; sign in again.")
