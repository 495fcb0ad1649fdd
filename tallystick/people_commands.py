"""What `tallystick staff add` does: the first people of the business, who then make the others."""

import secrets
from typing import Final

import typer

from tallystick.accounts import users
from tallystick.accounts.model import NewUser, StaffRole
from tallystick.accounts.passwords import Passwords
from tallystick.app import PASSWORD_COST
from tallystick.kernel.clock import system_clock
from tallystick.kernel.db import WRITER, Actor, acting, open_database
from tallystick.kernel.errors import SetupError

ROLES: Final[dict[str, StaffRole]] = {"support": "support", "finance": "finance", "admin": "admin"}
PASSWORD_BYTES: Final = 12


async def add_staff(dsn: str, *, email: str, name: str, role: str, again: bool) -> None:
    """Make a person of the business and print a password, once; `again`: a new one, and the role.

    Raises SetupError for a role that is none, and what `users.create_user` raises.
    """
    if role not in ROLES:
        raise SetupError("option_invalid", f"--role must be one of {', '.join(ROLES)}.")
    password = secrets.token_urlsafe(PASSWORD_BYTES)
    hashed, now = await Passwords(PASSWORD_COST).hash(password), system_clock()
    db = await open_database(dsn, connections_max=1)
    try:
        with acting(Actor("job", "staff add")):
            async with db.transaction(WRITER) as conn:
                known = await users.find_user_by_email(conn, email) if again else None
                if known is not None:
                    await users.set_password(conn, known.user_id, hashed, now)
                    await users.set_staff_role(conn, known.user_id, ROLES[role])
                else:
                    new = NewUser(
                        email=email, name=name, staff_role=ROLES[role], password_hash=hashed
                    )
                    await users.create_user(conn, new, now)
    finally:
        await db.close()
    typer.echo(f"{role:<9}{email}   {password}")
    typer.echo("The password is shown this once. Sign in at /sign-in.")
