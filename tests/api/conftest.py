"""A small business behind the real application: accounts, people, keys, a plan, and HTTP clients.

Each test module has its own database and its own application, in process and without a network;
tests that need an account to themselves make one. `live` is a real server on a real port.
"""

import asyncio
import logging
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import msgspec
import pytest
import structlog
import uvicorn

from tallystick.accounts import keys, users
from tallystick.accounts import service as accounts
from tallystick.accounts.model import (
    KEY_SCOPES,
    Account,
    KeyScope,
    NewAccount,
    NewUser,
    Role,
    StaffRole,
)
from tallystick.accounts.passwords import Cost
from tallystick.accounts.tokens import csrf_token
from tallystick.api.application import build_asgi
from tallystick.api.edge import Metrics
from tallystick.api.services import Services
from tallystick.app import ServerApp, litestar_of, open_services
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter, NewPlanVersion, PlanVersion
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER, account_scope
from tallystick.metering import service as metering
from tallystick.pricing.model import FlatPrice, GraduatedPrice, PerUnitPrice, Tier
from tallystick.settings import Settings
from tallystick.simulators.stripe.app import Options
from tallystick.simulators.stripe.server import running
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.model import Subscription
from tallystick.work import worker_of

Json = dict[str, Any]
BILLING = "/api/v1/billing"
PASSWORD = "correct horse battery staple"
# A hash in half a millisecond instead of a tenth of a second.
WEAK = Cost(rounds=1, memory_kib=8, lanes=1)
JWT_SECRET = "a secret of the issuer, 32 bytes or more"
STRIPE_KEY = "sk_test_tallystick_0123456789"
WEBHOOK_SECRET = "whsec_tallystick_0123456789"
ISSUER, AUDIENCE = "https://issuer.example", "tallystick"


class Wall:
    """The clock of the application under test: real time, moved ahead at will."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Person(msgspec.Struct, frozen=True):
    """Somebody who can sign in with PASSWORD; `session` is a session's token."""

    id: str
    email: str
    external_id: str
    session: str


class Tenant(msgspec.Struct, frozen=True):
    """An account with its people, and a key of its own for each scope that it may have."""

    account: Account
    owner: Person
    member: Person
    keys: Mapping[KeyScope, str]

    @property
    def id(self) -> str:
        return ids.show("account", self.account.account_id)


class Shop:
    """The application, what is in it, and ways to ask it."""

    acme: Tenant
    globex: Tenant
    support: Person
    finance: Person
    admin: Person
    house_keys: Mapping[KeyScope, str]
    plan: PlanVersion

    def __init__(self, services: Services, wall: Wall) -> None:
        self.services = services
        self.db = services.db
        self.wall = wall
        self.metrics = Metrics()
        self.app = litestar_of(services, self.metrics)
        self.transport = httpx.ASGITransport(
            build_asgi(self.app, services, self.metrics),  # type: ignore[arg-type]  # litestar's own ASGI types
            client=("192.0.2.7", 4242),
        )
        self.anybody = self.client()

    # -- asking --

    def client(self, headers: Mapping[str, str] | None = None) -> httpx.AsyncClient:
        """A client that sends these headers with every request, and keeps no cookies."""
        return httpx.AsyncClient(
            transport=self.transport,
            base_url="http://tallystick.test",
            headers=headers,
            trust_env=False,
        )

    def with_key(self, secret: str, account: str | None = None) -> httpx.AsyncClient:
        """A machine with this key."""
        return self.client(bearer(secret) | ({"X-Account-Id": account} if account else {}))

    def as_person(self, person: Person, account: str | None = None) -> httpx.AsyncClient:
        """A page of this person: session cookie, and the CSRF token in the header."""
        named = {"X-Account-Id": account} if account else {}
        return self.client({**cookie_of(person), "X-CSRF-Token": csrf_of(person), **named})

    # -- making --

    async def account(self, **fields: Any) -> Account:
        name = fields.pop("name", "Initech")
        new = NewAccount(
            **{
                "name": name,
                "email": "billing@example.com",
                "currency": "USD",
                "country": "US",
                "external_id": f"crm-{uuid4().hex}",
                **fields,
            }
        )
        async with self.db.transaction(WRITER) as conn:
            return await accounts.create_account(conn, new, self.wall())

    async def person(self, name: str, staff_role: StaffRole | None = None) -> Person:
        external_id, email = f"idp|{uuid4().hex}", f"{name.lower()}.{uuid4().hex[:8]}@example.com"
        kept = await self.services.passwords.hash(PASSWORD)
        new = NewUser(
            email=email,
            name=name,
            external_id=external_id,
            staff_role=staff_role,
            password_hash=kept,
        )
        async with self.db.transaction(WRITER) as conn:
            user = await users.create_user(conn, new, self.wall())
        signed_in = await self.services.sign_in.sign_in(email, PASSWORD, "192.0.2.1", self.wall())
        return Person(ids.show("user", user.user_id), email, external_id, signed_in.token)

    async def member(self, account: Account, name: str, role: Role) -> Person:
        person = await self.person(name)
        async with self.db.transaction(WRITER) as conn:
            user_id = ids.parse("user", person.id)
            await accounts.add_member(conn, account.account_id, user_id, role, self.wall())
        return person

    async def key(self, account: Account | None, *scopes: KeyScope) -> str:
        account_id = account.account_id if account else None
        async with self.db.transaction(WRITER) as conn:
            _, secret = await keys.create_api_key(
                conn, account_id, name="test", scopes=scopes, now=self.wall()
            )
        return secret

    async def tenant(self, **fields: Any) -> Tenant:
        account = await self.account(**fields)
        own: list[KeyScope] = [scope for scope in KEY_SCOPES if scope != "admin"]
        return Tenant(
            account=account,
            owner=await self.member(account, "Olive", "owner"),
            member=await self.member(account, "Mel", "member"),
            keys={scope: await self.key(account, scope) for scope in own},
        )

    async def subscribe(self, account: Account, ago: timedelta = timedelta()) -> Subscription:
        async with self.db.transaction(account_scope(account.account_id)) as conn:
            return await subscriptions.subscribe(conn, account, self.plan, self.wall() - ago)

    async def billed(self, **fields: Any) -> tuple[Tenant, Json]:
        """An account with one open invoice over a fee of 49.00 and nothing else."""
        tenant = await self.tenant(**fields)
        await self.subscribe(tenant.account, ago=timedelta(days=32))
        await self.work()
        answer = await self.with_key(tenant.keys["billing:read"]).get(f"{BILLING}/invoices")
        (invoice,) = answer.json()["invoices"]
        return tenant, invoice

    async def work(self) -> int:
        """Do all that is due now, as the worker does."""
        return await worker_of(self.services).run_once()

    # -- looking --

    async def counts(self, but: Sequence[str] = ()) -> dict[str, int]:
        """How many rows each table has."""
        async with self.db.pool.acquire() as conn:
            await conn.execute("SET ROLE NONE")
            try:
                found = await conn.fetch(
                    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')"
                    " AND relnamespace = 'public'::regnamespace AND NOT relispartition"
                )
                return {
                    name: await conn.fetchval(f'SELECT count(*) FROM "{name}"')  # noqa: S608 - names of the catalogue
                    for name in sorted(row["relname"] for row in found)
                    if name not in but
                }
            finally:
                await conn.execute(f"SET ROLE {WRITER.role}")

    @staticmethod
    def refused(answer: httpx.Response, status: int, code: str) -> Json:
        """Return the problem (RFC 9457) of a refusal, after a look at all its members."""
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        problem: Json = answer.json()
        assert problem["code"] == code, problem
        assert problem["type"] == f"urn:tallystick:error:{code}"
        assert problem["title"] == HTTPStatus(status).phrase
        assert problem["status"] == status
        assert problem["detail"].endswith((".", "…")) or problem.get("errors"), problem
        assert problem["request_id"] == answer.headers["x-request-id"]
        assert ("www-authenticate" in answer.headers) is (status == HTTPStatus.UNAUTHORIZED)
        for error in problem.get("errors", ()):
            assert set(error) == {"field", "code", "message"}
        return problem

    @staticmethod
    def fields(problem: Json) -> list[tuple[str, str]]:
        """The wrong fields of a problem, with their codes."""
        return [(error["field"], error["code"]) for error in problem["errors"]]

    async def lock_awaited(self) -> None:
        """Wait until somebody waits for a lock in this database."""
        waits = (
            "SELECT FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE NOT granted AND datname = current_database()"
        )
        async with asyncio.timeout(10):
            while not await self.rows(waits):  # noqa: ASYNC110 - the database tells nobody of its locks
                await asyncio.sleep(0.01)

    async def rows(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        async with self.db.transaction(WRITER) as conn:
            return list(await conn.fetch(sql, *values))


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def cookie_of(person: Person) -> dict[str, str]:
    return {"Cookie": f"session_token={person.session}"}


def csrf_of(person: Person) -> str:
    return csrf_token(person.session)


def settings_for(**changes: Any) -> Settings:
    """The settings of a test: tokens of an issuer are taken, Stripe is not there."""
    base = Settings(
        home=Path("/nowhere"),
        rate_limit_per_minute=1_000_000,
        jwt_secret=JWT_SECRET,
        jwt_issuer=ISSUER,
        jwt_audience=AUDIENCE,
        seller_name="Tallystick GmbH",
    )
    return msgspec.structs.replace(base, **changes)


async def furnish(shop: Shop) -> Shop:
    """Put the installation in: two meters, a plan, two accounts, staff, the business's keys."""
    async with shop.db.transaction(WRITER) as conn:
        for code in ("api_calls", "storage"):
            meter = NewMeter(code=code, name=code.title(), aggregation="sum", property="n")
            await metering.create_meter(conn, meter, shop.wall())
        shop.plan = await catalog.create_plan_version(conn, pro_plan(), shop.wall())
    shop.acme = await shop.tenant(name="Acme")
    shop.globex = await shop.tenant(name="Globex")
    shop.support = await shop.person("Sue", "support")
    shop.finance = await shop.person("Finn", "finance")
    shop.admin = await shop.person("Ada", "admin")
    shop.house_keys = {scope: await shop.key(None, scope) for scope in KEY_SCOPES}
    return shop


def pro_plan() -> NewPlanVersion:
    """A fee of 49.00; calls 1,000 at 0.02 with 5.00 for entering, then 0.01; storage at 0.10."""
    tiers = (
        Tier(up_to=Decimal(1000), unit=Decimal("0.02"), flat=Decimal(5)),
        Tier(up_to=None, unit=Decimal("0.01")),
    )
    return NewPlanVersion(
        plan_code="pro",
        plan_name="Pro",
        currency="USD",
        interval="month",
        prices=(
            FlatPrice(currency="USD", code="fee", amount=Decimal(49)),
            GraduatedPrice(
                currency="USD", code="calls", meter="api_calls", included=Decimal(100), tiers=tiers
            ),
            PerUnitPrice(currency="USD", code="storage", meter="storage", unit=Decimal("0.10")),
        ),
        limits={"storage": Decimal(10)},
    )


@asynccontextmanager
async def cloned(server_dsn: str, template: str) -> AsyncIterator[str]:
    """The address of a fresh database with all migrations, dropped afterwards."""
    name = f"test_api_{uuid4().hex[:16]}"
    conn = await asyncpg.connect(server_dsn)
    try:
        await conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        address, _, query = server_dsn.partition("?")
        yield f"{address.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")
        await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await conn.close()


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Only what went wrong, as plain text: drawing all variables of a trace takes a second."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(
                colors=False, exception_formatter=structlog.dev.plain_traceback
            ),
        ],
    )


@pytest.fixture(scope="module")
async def module_dsn(server_dsn: str, template: str) -> AsyncIterator[str]:
    """The address of the module's own database."""
    async with cloned(server_dsn, template) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def settings() -> Settings:
    """The settings of the module's application; a module may have its own."""
    return settings_for()


@pytest.fixture(scope="session")
def own_settings() -> Callable[..., Settings]:
    """Make settings of a test with changes."""
    return settings_for


@pytest.fixture(scope="session")
def opened() -> Callable[[Settings, str], AbstractAsyncContextManager[Shop]]:
    """Open another application with its own gateways on a database."""

    @asynccontextmanager
    async def open_shop(settings: Settings, dsn: str) -> AsyncIterator[Shop]:
        wall = Wall()
        async with open_services(settings, dsn, wall, cost=WEAK) as services:
            yield Shop(services, wall)

    return open_shop


@pytest.fixture(scope="module")
async def shop(module_dsn: str, settings: Settings) -> AsyncIterator[Shop]:
    """The module's application with the small installation in it."""
    wall = Wall()
    async with open_services(settings, module_dsn, wall, cost=WEAK) as services:
        yield await furnish(Shop(services, wall))


@pytest.fixture
def again(shop: Shop) -> Callable[..., Shop]:
    """Make a second application with other settings on the same data."""

    def make(services: Services | None = None, **changes: Any) -> Shop:
        base = services or shop.services
        changed = msgspec.structs.replace(base.settings, **changes)
        other = Shop(msgspec.structs.replace(base, settings=changed), shop.wall)
        for name in ("acme", "globex", "support", "finance", "admin", "house_keys", "plan"):
            setattr(other, name, getattr(shop, name))
        return other

    return make


@pytest.fixture(scope="module")
def listener() -> Iterator[socket.socket]:
    """The port of `live`, taken before anything is told about it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen(512)
        yield held


@pytest.fixture(scope="module")
def live(module_dsn: str, settings: Settings, shop: Shop, listener: socket.socket) -> Iterator[str]:
    """The base URL of a real server over the module's database, in a thread."""
    del shop  # its installation is what the server serves
    config = uvicorn.Config(
        ServerApp(settings, module_dsn),
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
    )
    server = uvicorn.Server(config)
    run = partial(asyncio.run, server.serve(sockets=[listener]))
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    assert server.started
    yield address_of(listener)
    server.should_exit = True
    thread.join(timeout=10)


def address_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


class Stripe(msgspec.Struct, frozen=True):
    """A simulator of Stripe that sends its webhooks to `live`."""

    url: str

    def page(self, path: str, **form: str) -> Json:
        """Do what a page does at Stripe."""
        headers = {"authorization": "Bearer pk_test_tallystick"}
        answer = httpx.post(f"{self.url}{path}", data=form, headers=headers, trust_env=False)
        found: Json = answer.json()
        return found

    def look(self, family: str) -> list[Json]:
        found: list[Json] = httpx.get(f"{self.url}/_sim/{family}", trust_env=False).json()["data"]
        return found

    def arm(self, action: str, **facts: object) -> None:
        body = {"action": action, **facts}
        httpx.post(f"{self.url}/_sim/faults", json=body, trust_env=False).raise_for_status()

    def disarm(self) -> None:
        httpx.delete(f"{self.url}/_sim/faults", trust_env=False).raise_for_status()


@pytest.fixture(scope="module")
def stripe(listener: socket.socket) -> Iterator[Stripe]:
    """The simulator; `stripe_settings` are those of an application that uses it."""
    options = Options(
        webhook_url=f"{address_of(listener)}/api/stripe/webhook", webhook_secret=WEBHOOK_SECRET
    )
    with running(options) as url:
        yield Stripe(url)


@pytest.fixture(scope="module")
def stripe_settings(stripe: Stripe) -> Settings:
    """The settings of an application that collects through the simulator."""
    return settings_for(
        stripe_secret_key=STRIPE_KEY,
        stripe_publishable_key="pk_test_tallystick",
        stripe_webhook_secrets=(WEBHOOK_SECRET,),
        stripe_base_url=stripe.url,
        stripe_js_url=f"{stripe.url}/stripe.js",
    )
