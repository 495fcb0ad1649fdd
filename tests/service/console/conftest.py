"""One installation with its pages, and people who come to it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import httpx
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts import users
from tallystick.accounts.model import Account, NewAccount, NewUser, Role, StaffRole
from tallystick.accounts.tokens import csrf_token
from tallystick.api.application import build_asgi
from tallystick.api.edge import Metrics
from tallystick.api.services import Services
from tallystick.app import litestar_of, open_services
from tallystick.kernel import test_clocks
from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import new_id
from tallystick.settings import Settings

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
HTML = {"Accept": "text/html"}


class World:
    """One installation, and people who come to it."""

    def __init__(self, services: Services, http: httpx.AsyncClient) -> None:
        self.services = services
        self.http = http

    async def account(self, *, on_test_clock: bool = False) -> Account:
        async with self.services.db.transaction(WRITER) as conn:
            clock_id = new_id() if on_test_clock else None
            if clock_id:
                await test_clocks.create(conn, clock_id, "Clock", NOW, NOW)
            new = NewAccount(
                name="Atelier",
                email="a@atelier.example",
                currency="EUR",
                country="FR",
                test_clock_id=clock_id,
            )
            return await accounts.create_account(conn, new, NOW)

    async def person(
        self, *memberships: tuple[UUID, Role], staff_role: StaffRole | None = None
    ) -> str:
        """Make a person and return the e-mail address."""
        email = f"{new_id().hex}@people.example"
        hashed = await self.services.passwords.hash(PASSWORD)
        new = NewUser(email=email, name="Odile", password_hash=hashed, staff_role=staff_role)
        async with self.services.db.transaction(WRITER) as conn:
            user = await users.create_user(conn, new, NOW)
            for account_id, role in memberships:
                await accounts.add_member(conn, account_id, user.user_id, role, NOW)
        return email

    async def enter(self, email: str, following: str = "/home") -> httpx.Response:
        form = {"email": email, "password": PASSWORD, "next": following}
        return await self.http.post("/sign-in", data=form)

    async def post(self, path: str, **form: str) -> httpx.Response:
        """Post a form as the page would."""
        token = csrf_token(self.http.cookies["session_token"])
        return await self.http.post(path, data={**form, "csrf_token": token})


async def opened(settings: Settings, dsn: str) -> AsyncIterator[World]:
    async with open_services(settings, dsn) as services:
        metrics = Metrics()
        app = build_asgi(litestar_of(services, metrics), services, metrics)
        transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # two spellings of ASGI
        async with httpx.AsyncClient(transport=transport, base_url="http://ours") as http:
            yield World(services, http)


@pytest.fixture
async def world(dsn: str, tmp_path: Path) -> AsyncIterator[World]:
    async for one in opened(Settings(home=tmp_path), dsn):
        yield one
