from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from tallystick.accounts import service, users
from tallystick.accounts.model import Account, NewAccount, NewUser, Role, StaffRole, User
from tallystick.accounts.passwords import Cost, Passwords
from tallystick.kernel.db import WRITER, Database

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse"


@pytest.fixture
def now() -> datetime:
    """The present of these tests."""
    return NOW


@pytest.fixture
def passwords() -> Passwords:
    """Passwords that cost next to nothing."""
    return Passwords(Cost(rounds=1, memory_kib=8, lanes=1))


@pytest.fixture
def make_account(db: Database) -> Callable[..., Awaitable[Account]]:
    """Makes an account; its external id is its name."""

    async def make(name: str = "acme") -> Account:
        new = NewAccount(
            name=name, email=f"{name}@example.com", currency="EUR", country="DE", external_id=name
        )
        async with db.transaction(WRITER) as conn:
            return await service.create_account(conn, new, NOW)

    return make


@pytest.fixture
def make_user(db: Database, passwords: Passwords) -> Callable[..., Awaitable[User]]:
    """Makes a user with the password of these tests, and memberships."""

    async def make(
        name: str = "ann", *seats: tuple[Account, Role], staff_role: StaffRole | None = None
    ) -> User:
        kept = await passwords.hash(PASSWORD)
        new = NewUser(
            email=f"{name}@example.com", name=name, external_id=f"ext-{name}",
            staff_role=staff_role, password_hash=kept,
        )  # fmt: skip
        async with db.transaction(WRITER) as conn:
            user = await users.create_user(conn, new, NOW)
            for account, role in seats:
                await service.add_member(conn, account.account_id, user.user_id, role, NOW)
        return user

    return make
