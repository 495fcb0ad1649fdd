"""People: made, their passwords set, disabled. All of it runs under the writer's scope."""

from datetime import datetime
from uuid import UUID

import msgspec

from tallystick.accounts import identity_store as store
from tallystick.accounts.checks import check_name, clean_email, is_external_id
from tallystick.accounts.model import NewUser, StaffRole, User
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id, unknown


async def create_user(conn: Connection, new: NewUser, now: datetime) -> User:
    """Make a user; hash the password first (`Passwords.hash`).

    Raises BadInput for the name, the e-mail address or the external id, Conflict `user_exists`
    when one of them is taken.
    """
    check_name(new.name)
    if not is_external_id(new.external_id, "usr_"):
        raise BadInput.field("external_id", "invalid_external_id", "can not be used as a name")
    tidied = msgspec.structs.replace(new, email=clean_email(new.email))
    user = await store.insert_user(conn, new_id(), tidied, now)
    if user is None:
        raise Conflict("user_exists", "A user with this email or external_id exists already.")
    return user


async def get_user(conn: Connection, user_id: UUID) -> User:
    """Return the user; raises NotFound `user_not_found`."""
    user = await store.find_user(conn, user_id)
    if user is None:
        raise unknown("user")
    return user


async def find_user_by_email(conn: Connection, email: str) -> User | None:
    """Return the user with this e-mail address, or None."""
    found = await store.find_secret(conn, email.strip().lower())
    return None if found is None else found.user


async def set_password(conn: Connection, user_id: UUID, password_hash: str, now: datetime) -> None:
    """Keep a new password's hash and end every session of the user; raises NotFound."""
    if not await store.set_password(conn, user_id, password_hash):
        raise unknown("user")
    await store.end_sessions_of(conn, user_id, now)


async def set_staff_role(conn: Connection, user_id: UUID, role: StaffRole | None) -> User:
    """Say what the user is to the business (None: nothing); raises NotFound."""
    user = await store.set_staff_role(conn, user_id, role)
    if user is None:
        raise unknown("user")
    return user


async def disable_user(conn: Connection, user_id: UUID, now: datetime) -> None:
    """Let the user in no more, in any way, and end every session; raises NotFound."""
    if not await store.disable_user(conn, user_id, now):
        raise unknown("user")
    await store.end_sessions_of(conn, user_id, now)
