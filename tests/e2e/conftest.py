"""The whole product as processes on free ports, and a way to fill it with data.

The database is an own clone; the simulators, the server and the worker run as they do in
production.
"""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import httpx
import msgspec
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts import users
from tallystick.accounts.model import NewAccount, NewUser, Role, StaffRole
from tallystick.api.services import Services
from tallystick.app import open_services
from tallystick.catalog import service as catalog
from tallystick.catalog.model import NewMeter, NewPlanVersion
from tallystick.invoices import service as invoices
from tallystick.kernel import test_clocks
from tallystick.kernel.db import WRITER, Connection
from tallystick.kernel.ids import new_id, show
from tallystick.kernel.paging import PageRequest
from tallystick.metering import service as metering
from tallystick.metering.model import UsageEvent
from tallystick.payments import methods
from tallystick.pricing.validate import read_price
from tallystick.settings import read_settings
from tallystick.subscriptions import service as subscriptions
from tests.ccbill import ACCNUM, BACKEND, FRONTEND, CcbillSimulator

START = datetime(2025, 1, 31, 9, tzinfo=UTC)
PASSWORD = "correct horse battery staple"
READY_SECONDS_MAX = 60
WAIT_SECONDS_MAX = 30
METERS = (
    NewMeter(code="api_calls", name="API calls", unit="calls", aggregation="sum", property="n"),
    NewMeter(code="storage", name="Storage", unit="GB", aggregation="sum", property="n"),
    NewMeter(code="seats", name="Seats", unit="seats", aggregation="sum", property="n"),
)
PLANS = {
    "studio": (
        {"code": "fee", "model": "flat", "amount": "149"},
        {
            "code": "api_calls",
            "meter": "api_calls",
            "model": "graduated",
            "included": "10000",
            "tiers": [{"up_to": "5000", "unit": "0.0004"}, {"up_to": None, "unit": "0.0003"}],
        },
        {"code": "storage", "meter": "storage", "model": "per_unit", "included": "50",
         "unit": "0.09"},
        {"code": "seats", "meter": "seats", "model": "per_unit", "unit": "4"},
    ),
    "vast": (
        {"code": "fee", "model": "flat", "amount": "999999999999999.99"},
        {"code": "api_calls", "meter": "api_calls", "model": "per_unit", "included": "1",
         "unit": "0.000000000001"},
    ),
}  # fmt: skip


class Customer(msgspec.Struct, frozen=True, kw_only=True):
    """An account on a test clock, with an owner who can sign in with PASSWORD."""

    account_id: UUID
    subject: str
    test_clock_id: UUID
    owner: str

    @property
    def id(self) -> str:
        return show("account", self.account_id)


class Product:
    """What runs, and a way to fill it with data."""

    def __init__(
        self, address: str, simulator: str, services: Services, ccbill: CcbillSimulator
    ) -> None:
        self.address = address
        self.simulator = simulator
        self.ccbill = ccbill
        self.services = services

    async def customer(
        self,
        plan: str | None = "studio",
        *,
        autopay: bool = True,
        name: str = "Atelier Lumière",
        currency: str = "EUR",
    ) -> Customer:
        """Make an account; `plan` None leaves it without a subscription."""
        subject = f"acme-{uuid4().hex[:12]}"
        async with self.services.db.transaction(WRITER) as conn:
            clock = await test_clocks.create(conn, new_id(), subject, START, START)
            new = NewAccount(
                name=name,
                email=f"billing@{subject}.example",
                external_id=subject,
                currency=currency,
                country="FR",
                timezone="Europe/Paris",
                locale="en-GB",
                address=("12 rue des Ateliers", "69001 Lyon"),
                test_clock_id=clock.test_clock_id,
            )
            account = await accounts.create_account(conn, new, START)
            account = await accounts.set_autopay(conn, account.account_id, enabled=autopay)
            if plan:
                version = await catalog.current_plan_version(conn, plan)
                await subscriptions.subscribe(conn, account, version, START)
        owner = await self.member(account.account_id, "owner")
        return Customer(
            account_id=account.account_id,
            subject=subject,
            test_clock_id=clock.test_clock_id,
            owner=owner,
        )

    async def member(self, account_id: UUID, role: Role) -> str:
        """Make a person of an account and return the e-mail address."""
        email = f"{role}@{uuid4().hex[:12]}.example"
        async with self._person(email, None) as (conn, user_id):
            await accounts.add_member(conn, account_id, user_id, role, START)
        return email

    async def staff(self, role: StaffRole = "admin") -> str:
        """Make a person of the business and return the e-mail address."""
        email = f"{role}@{uuid4().hex[:12]}.example"
        async with self._person(email, role):
            return email

    async def newest_invoice(self, customer: Customer) -> str:
        """Return the id of the account's newest invoice."""
        async with self.services.db.transaction(WRITER) as conn:
            found = await invoices.list_invoices(conn, customer.account_id, None, PageRequest())
        return show("invoice", found.items[0].invoice_id)

    @asynccontextmanager
    async def _person(
        self, email: str, role: StaffRole | None
    ) -> AsyncIterator[tuple[Connection, UUID]]:
        """Make a person, in a transaction that stays open for what belongs to them."""
        hashed = await self.services.passwords.hash(PASSWORD)
        new = NewUser(email=email, name="Odile", password_hash=hashed, staff_role=role)
        async with self.services.db.transaction(WRITER) as conn:
            user = await users.create_user(conn, new, START)
            yield conn, user.user_id

    async def use(
        self, customer: Customer, meter: str, quantity: str, at: datetime = START
    ) -> None:
        """Report usage, if nothing else is said in the first period."""
        event = UsageEvent(
            source="test",
            id=uuid4().hex,
            type=meter,
            subject=customer.subject,
            at=at,
            properties={"n": quantity},
        )
        await self.services.ingest.record([event], now=at)

    async def save_card(self, customer: Customer, card: str = "pm_card_visa") -> None:
        """Save a card as if the page had: at the gateway, which tells us by webhook."""
        known = await self._method_count(customer)
        token = await self.services.card_setup.ensure_customer(customer.account_id, "stripe")
        async with httpx.AsyncClient(headers={"Authorization": "Bearer sk_test_1"}) as http:
            url = f"{self.simulator}/v1/payment_methods/{card}/attach"
            (await http.post(url, data={"customer": token})).raise_for_status()

        async def saved() -> bool:
            return await self._method_count(customer) > known

        await until(saved)

    async def _method_count(self, customer: Customer) -> int:
        async with self.services.db.transaction(WRITER) as conn:
            return len(await methods.list_methods(conn, customer.account_id))

    async def advance(self, customer: Customer, to: datetime) -> None:
        """Move the account's test clock, and wait until everything on the way is done."""
        async with self.services.db.transaction(WRITER) as conn:
            await test_clocks.aim(conn, customer.test_clock_id, to)

        async def arrived() -> bool:
            async with self.services.db.transaction(WRITER) as conn:
                clock = await test_clocks.get(conn, customer.test_clock_id)
            return clock.status == "ready"

        await until(arrived)


async def until(reached: Callable[[], Awaitable[bool]]) -> None:
    """Wait for something that another process does; fail after half a minute."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not await reached():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        await asyncio.sleep(0.05)


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="tallystick-e2e-") as made:
        yield Path(made)


@pytest.fixture(scope="session")
async def own_dsn(server_dsn: str, template: str) -> AsyncIterator[str]:
    """An own database for all browser tests of this process."""
    name = f"test_{uuid4().hex[:16]}"
    conn = await asyncpg.connect(server_dsn)
    address, _, query = server_dsn.partition("?")
    try:
        await conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY wal_log")
        yield f"{address.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")
        await conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await conn.close()


@pytest.fixture(scope="session")
async def product(own_dsn: str, folder: Path) -> AsyncIterator[Product]:
    """The product, running, with the plans of `PLANS` on offer."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with ExitStack() as running:
        simulator = start_simulator(
            running, folder, "stripe", address, "--webhook-secret", "whsec_e2e"
        )
        ccbill = start_simulator(running, folder, "ccbill", address)
        environment = {
            **base_environment(),
            **ccbill_environment(ccbill),
            "DATABASE_URL": own_dsn,
            "DEFAULT_MONTHLY_PRICE_CENTS": "1800",
            "TALLYSTICK_HOME": str(folder),
            "TALLYSTICK_PORT": str(port),
            "STRIPE_SECRET_KEY": "sk_test_e2e",
            "STRIPE_PUBLISHABLE_KEY": "pk_test_e2e",
            "STRIPE_WEBHOOK_SECRET": "whsec_e2e",
            "STRIPE_BASE_URL": simulator,
            "STRIPE_JS_URL": f"{simulator}/stripe.js",
        }
        running.enter_context(process(folder, "server", environment, "serve"))
        running.enter_context(process(folder, "worker", environment, "worker"))
        wait_until_ready(f"{address}/readyz", folder / "server.log")
        settings = read_settings(environment, os.geteuid())
        async with open_services(settings, own_dsn) as services:
            await offer_plans(services)
            yield Product(address, simulator, services, CcbillSimulator(ccbill))


async def offer_plans(services: Services) -> None:
    async with services.db.transaction(WRITER) as conn:
        for meter in METERS:
            await metering.create_meter(conn, meter, START)
        for code, prices in PLANS.items():
            new = NewPlanVersion(
                plan_code=code,
                plan_name=code.capitalize(),
                currency="EUR",
                interval="month",
                prices=tuple(read_price({**price, "currency": "EUR"}) for price in prices),
            )
            await catalog.create_plan_version(conn, new, START)


def ccbill_environment(simulator: str) -> dict[str, str]:
    """Return the settings of the simulated merchant."""
    return {
        "CCBILL_BASE_URL": simulator,
        "CCBILL_WIDGET_URL": f"{simulator}/v1.13.1/ccbill-advanced-widget.js",
        "CCBILL_FRONTEND_CLIENT_ID": FRONTEND[0],
        "CCBILL_FRONTEND_CLIENT_SECRET": FRONTEND[1],
        "CCBILL_BACKEND_CLIENT_ID": BACKEND[0],
        "CCBILL_BACKEND_CLIENT_SECRET": BACKEND[1],
        "CCBILL_CLIENT_ACCNUM": str(ACCNUM),
        "CCBILL_DATALINK_URL": simulator,
        "CCBILL_DATALINK_USERNAME": "simlink",
        "CCBILL_DATALINK_PASSWORD": "simlink-secret",
    }


def start_simulator(running: ExitStack, folder: Path, name: str, product: str, *more: str) -> str:
    """Start the simulator of a gateway and return its address, which it prints."""
    running.enter_context(
        process(
            folder, name, base_environment(), "simulators", name, "--port", "0",
            "--webhook-url", f"{product}/api/{name}/webhook", *more,
        )
    )  # fmt: skip
    deadline = time.monotonic() + READY_SECONDS_MAX
    log = folder / f"{name}.log"
    while time.monotonic() < deadline:
        for line in log.read_text().splitlines():
            if "listening on " in line:
                return line.rpartition(" ")[2].strip()
        time.sleep(0.05)
    raise AssertionError(f"the simulator did not start: {log.read_text()}")


def wait_until_ready(url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            if httpx.get(url).status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the server did not start: {log.read_text()[-4000:]}")


@contextmanager
def process(
    folder: Path, name: str, environment: dict[str, str], *arguments: str
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a command of ours; it ends with the block, or with this process."""
    with (folder / f"{name}.log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "tallystick", *arguments],
            env={**environment, "TALLYSTICK_WITH_PARENT": "true"},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(15)
            except subprocess.TimeoutExpired:
                started.kill()
                started.wait()


def base_environment() -> dict[str, str]:
    """What a process needs that is no setting of ours."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH")
    return {name: os.environ[name] for name in kept if name in os.environ}


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@pytest.fixture
async def http(product: Product) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a browser's manners: it sends what it is told, and follows nothing."""
    async with httpx.AsyncClient(base_url=product.address) as client:
        yield client
