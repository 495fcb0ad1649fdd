"""A whole collecting world: real PostgreSQL, and Stripe's simulator as a process of its own."""

import asyncio
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from tallystick.accounts import service as accounts
from tallystick.accounts.model import NewAccount
from tallystick.documents.document import Party
from tallystick.invoices.events import INVOICE_FINALIZED, InvoiceFinalized
from tallystick.invoices.model import Invoice
from tallystick.invoices.service import get_invoice
from tallystick.issuers import service as issuers
from tallystick.kernel import outbox
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.ids import new_id
from tallystick.ledger import service as ledger
from tallystick.ledger.model import PREPAID, RECEIVABLE, REVENUE, Entry, Posting, clearing
from tallystick.payments import methods, service
from tallystick.payments.attempts import Attempts
from tallystick.payments.autopay import Autopay
from tallystick.payments.collect import Collector
from tallystick.payments.events import (
    CHECKOUT_EXPIRED,
    GATEWAY_CUSTOMER_LINKED,
    PAYMENT_FAILED,
    PAYMENT_METHOD_REMOVED,
    PAYMENT_METHOD_SAVED,
    GatewayCustomerLinked,
    PaymentMethodRemoved,
)
from tallystick.payments.facts import Delivery
from tallystick.payments.gateway import Gateway, Gateways
from tallystick.payments.gateways.manual import ManualGateway
from tallystick.payments.gateways.stripe import StripeGateway, StripeSettings
from tallystick.payments.gateways.stripe.client import CallRules
from tallystick.payments.jobs import Resolver
from tallystick.payments.model import Attempt, Payment, PaymentMethod
from tallystick.payments.news import GatewayNews
from tallystick.payments.once import OneTimeCharges
from tallystick.payments.setup import CardSetup
from tallystick.webhooks.jobs import InboxWorker
from tallystick.webhooks.service import Inbox

Json = dict[str, Any]
Arrive = Callable[[bytes, dict[str, str]], Awaitable[int]]
SECRET = "whsec_old_secret_0000"
NEW_SECRET = "whsec_new_secret_1111"
WAIT_S = 10.0
SELLER = Party("Seller", ("1 Main Street",), "billing@example.com", "FR123")


class Endpoint:
    """The address that the simulator's webhooks go to; whoever runs a test says what they meet."""

    def __init__(self) -> None:
        self.received: list[tuple[bytes, dict[str, str]]] = []
        self.arrive: Arrive | None = None
        self._news = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        lines = [line.partition(": ") for line in head.split("\r\n")[1:] if line]
        headers = {name.lower(): value for name, _, value in lines}
        body = await reader.readexactly(int(headers["content-length"]))
        self.received.append((body, headers))
        status = await self.arrive(body, headers) if self.arrive else 200
        reply = f"HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        writer.write(reply.encode())
        await writer.drain()
        writer.close()
        async with self._news:
            self._news.notify_all()

    def of(self, kind: str) -> list[tuple[bytes, dict[str, str]]]:
        return [pair for pair in self.received if msgspec.json.decode(pair[0])["type"] == kind]

    async def wait(self, kind: str, count: int = 1) -> None:
        """Wait until so many events of this kind were received."""
        async with asyncio.timeout(WAIT_S), self._news:
            await self._news.wait_for(lambda: len(self.of(kind)) >= count)


class World:
    """Everything of payments and webhooks, wired as the application does it."""

    def __init__(
        self, db: Database, base_url: str, endpoint: Endpoint, adapters: Sequence[Gateway] = ()
    ) -> None:
        self.db = db
        self.base_url = base_url
        self.endpoint = endpoint
        self.ahead = timedelta()
        self.settings = StripeSettings(
            secret_key="sk_test_world",
            publishable_key="pk_test_world",
            webhook_secrets=(NEW_SECRET, SECRET),
            base_url=base_url,
            js_url=f"{base_url}/stripe.js",
            rules=CallRules(wait_factor=0),
        )
        self.stripe = StripeGateway(self.settings)
        self.wire(Gateways([*adapters] or [self.stripe, ManualGateway()]))
        # Plain HTTP: reading the machine's certificates would take longer than most tests do.
        no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.http = httpx.AsyncClient(base_url=base_url, trust_env=False, verify=no_tls)

    def wire(self, gateways: Gateways) -> None:
        db, clock = self.db, self.clock
        self.gateways = gateways
        self.tries = Attempts(db, gateways, clock)
        self.collector = Collector(db, gateways, self.tries, clock)
        self.once = OneTimeCharges(db, gateways, self.tries, clock, SELLER)
        self.autopay = Autopay(db, gateways, clock)
        self.resolver = Resolver(db, gateways, self.tries)
        self.news = GatewayNews(db, gateways, self.tries, clock)
        self.inbox = Inbox(db, gateways)
        self.inbox_worker = InboxWorker(db, gateways, self.news)
        self.setup = CardSetup(db, gateways, clock)
        self.teller = outbox.Teller(
            db,
            {
                INVOICE_FINALIZED: self.autopay.on_invoice_finalized,
                CHECKOUT_EXPIRED: self.autopay.on_checkout_expired,
                PAYMENT_METHOD_SAVED: self.autopay.on_method_saved,
                PAYMENT_FAILED: self._on_payment_failed,
                PAYMENT_METHOD_REMOVED: self._on_method_removed,
                GATEWAY_CUSTOMER_LINKED: self._on_customer_linked,
            },
        )

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    # -- what a day brings --

    async def account(self, *, autopay: bool = True, test_clock_id: UUID | None = None) -> UUID:
        new = NewAccount(
            name="Ada Byron",
            email="ada@example.com",
            currency="USD",
            country="US",
            test_clock_id=test_clock_id,
        )
        async with self.db.transaction(WRITER) as conn:
            made = await accounts.create_account(conn, new, self.clock())
            await accounts.set_autopay(conn, made.account_id, enabled=autopay)
        return made.account_id

    async def invoice(self, account_id: UUID, minor: int = 4900, currency: str = "USD") -> UUID:
        """An open invoice, as finalizing leaves it: numbered, in the books, told to the outbox."""
        invoice_id = new_id()
        async with self.db.transaction(WRITER) as conn:
            issuer = await issuers.follow_settings(conn, SELLER, self.clock())
            await conn.execute(
                """INSERT INTO invoices (account_id, invoice_id, number, issuer_id, status,
                       currency, subtotal_minor, tax_minor, total_minor, issued_at, due_at,
                       created_at) VALUES ($1, $2, $3, $4, 'open', $5, $6, 0, $6, $7, $7, $7)""",
                account_id,
                invoice_id,
                str(invoice_id),
                issuer.issuer_id,
                currency,
                minor,
                self.clock(),
            )
            owed = (Posting(RECEIVABLE, currency, minor), Posting(REVENUE, currency, -minor))
            entry = Entry(f"invoice:{invoice_id}", "issued", "inv", "test", self.clock(), owed)
            await ledger.post(conn, account_id, entry)
            told = InvoiceFinalized(invoice_id)
            await outbox.append(conn, account_id, INVOICE_FINALIZED, told)
        return invoice_id

    async def save_card(self, account_id: UUID, test_card: str = "pm_card_visa") -> PaymentMethod:
        """Save a card as a person does on the page, and let the webhooks come in."""
        before = len(await self.methods(account_id))
        await self.confirm_setup(account_id, test_card)
        await self.settle_down()
        saved = await self.methods(account_id)
        assert len(saved) == before + 1
        return saved[-1]

    async def confirm_setup(self, account_id: UUID, test_card: str) -> None:
        """Do the page's part, and wait until both events were received."""
        count = len(self.endpoint.of("setup_intent.succeeded")) + 1
        secret = (await self.setup.start_card_setup(account_id)).client_secret
        intent = secret.partition("_secret_")[0]
        answer = await self.page(
            f"/v1/setup_intents/{intent}/confirm", client_secret=secret, payment_method=test_card
        )
        if answer["status"] == "requires_action":
            await self.page("/_page/authenticate", client_secret=secret, outcome="complete")
        await self.endpoint.wait("setup_intent.succeeded", count)
        await self.endpoint.wait("payment_method.attached", count)

    # -- the simulator, as a page and as its operator --

    async def page(self, path: str, **form: str) -> Json:
        headers = {"authorization": "Bearer pk_test_world"}
        answer = await self.http.post(path, data=form, headers=headers)
        return dict(answer.json())

    async def look(self, family: str) -> list[Json]:
        return list((await self.http.get(f"/_sim/{family}")).json()["data"])

    async def charges(self) -> list[Json]:
        return [charge for charge in await self.look("charges") if charge["status"] == "succeeded"]

    async def arm(self, action: str, **facts: object) -> None:
        answer = await self.http.post("/_sim/faults", json={"action": action, **facts})
        answer.raise_for_status()

    async def disarm(self) -> None:
        await self.http.delete("/_sim/faults")

    # -- the worker's work --

    async def settle_down(self) -> None:
        """Do what is due until nothing is: inbox, outbox, payments, attempts."""
        while await self.round():
            pass

    async def round(self) -> int:
        now = self.clock()
        return (
            await self.inbox_worker.run_due(now)
            + await self.teller.run_due(now)
            + await self.collector.run_due(now, None)
            + await self.resolver.run_due(now)
        )

    async def deliver(self, kind: str, times: int = 1) -> None:
        """Hand in all received events of a kind, so many times each."""
        await self.endpoint.wait(kind)
        for body, headers in self.endpoint.of(kind) * times:
            await self.inbox.receive(
                "stripe", Delivery(body=body, headers=headers), datetime.now(UTC)
            )

    def mute(self) -> None:
        """Keep webhooks back: they are received by nobody until a test delivers them."""
        self.endpoint.arrive = None

    async def take_in(self, body: bytes, headers: dict[str, str]) -> int:
        await self.inbox.receive("stripe", Delivery(body=body, headers=headers), datetime.now(UTC))
        return 200

    # -- looking --

    async def methods(self, account_id: UUID) -> tuple[PaymentMethod, ...]:
        async with self.db.transaction(WRITER) as conn:
            return await methods.list_methods(conn, account_id)

    async def payments(self, account_id: UUID) -> list[Payment]:
        async with self.db.transaction(WRITER) as conn:
            ids = await conn.fetch(
                "SELECT payment_id FROM payments WHERE account_id = $1 ORDER BY created_at",
                account_id,
            )
            views = [await service.get_payment(conn, account_id, row["payment_id"]) for row in ids]
        return [view.payment for view in views]

    async def payment(self, account_id: UUID) -> Payment:
        (only,) = await self.payments(account_id)
        return only

    async def attempt(self, payment: Payment) -> Attempt:
        async with self.db.transaction(WRITER) as conn:
            view = await service.get_payment(conn, payment.account_id, payment.payment_id)
        assert view.attempt is not None
        return view.attempt

    async def get_invoice(self, account_id: UUID, invoice_id: UUID) -> Invoice:
        async with self.db.transaction(WRITER) as conn:
            return await get_invoice(conn, account_id, invoice_id)

    async def balances(self, account_id: UUID, currency: str = "USD") -> tuple[int, int]:
        """Return what the customer owes, and what Stripe owes to us."""
        async with self.db.transaction(WRITER) as conn:
            owed = await ledger.balance(conn, account_id, RECEIVABLE, currency)
            held = await ledger.balance(conn, account_id, clearing("stripe"), currency)
        return owed, held

    async def prepaid(self, account_id: UUID, currency: str = "USD") -> int:
        """Return what the customer has with us, for what will be invoiced."""
        async with self.db.transaction(WRITER) as conn:
            return -await ledger.balance(conn, account_id, PREPAID, currency)

    async def settled_entries(self, account_id: UUID) -> int:
        async with self.db.transaction(WRITER) as conn:
            count: int = await conn.fetchval(
                "SELECT count(*) FROM ledger_entries WHERE account_id = $1 AND kind = $2",
                account_id,
                "payment_settled",
            )
        return count

    async def told(self, account_id: UUID) -> list[str]:
        """Return the kinds of all events that the outbox had for the account."""
        async with self.db.transaction(WRITER) as conn:
            rows = await conn.fetch(
                """SELECT kind, outbox_id FROM outbox WHERE account_id = $1
                   UNION ALL SELECT kind, outbox_id FROM outbox_done WHERE account_id = $1
                   ORDER BY outbox_id""",
                account_id,
            )
        return [row["kind"] for row in rows]

    async def inbox_rows(self) -> list[Json]:
        async with self.db.transaction(WRITER) as conn:
            rows = await conn.fetch("SELECT * FROM webhook_inbox ORDER BY received_at")
        return [dict(row) for row in rows]

    async def _on_payment_failed(self, event: outbox.Event) -> None:
        await self.once.on_payment_failed(event)
        await self.autopay.on_payment_failed(event)

    async def _on_method_removed(self, event: outbox.Event) -> None:
        removed = msgspec.json.decode(event.payload, type=PaymentMethodRemoved)
        await self.setup.detach_removed(removed)

    async def _on_customer_linked(self, event: outbox.Event) -> None:
        linked = msgspec.json.decode(event.payload, type=GatewayCustomerLinked)
        await self.inbox.on_customer_linked(linked, self.clock())


@pytest.fixture(scope="session")
async def endpoint_address() -> AsyncIterator[tuple[Endpoint, str]]:
    endpoint = Endpoint()
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield endpoint, f"http://127.0.0.1:{port}/api/stripe/webhook"
    server.close()


@pytest.fixture(scope="session")
def simulator(endpoint_address: tuple[Endpoint, str]) -> Iterator[str]:
    """The simulator's address; it runs as its own process, as it does for a person."""
    command = [
        sys.executable,
        "-m",
        "tallystick.simulators.stripe",
        *("--port", "0", "--webhook-url", endpoint_address[1], "--webhook-secret", SECRET),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().rpartition(" ")[2].strip()
        process.terminate()


@pytest.fixture
async def world(
    db: Database, simulator: str, endpoint_address: tuple[Endpoint, str]
) -> AsyncIterator[World]:
    """A world in which nothing has happened yet; webhooks come in by themselves."""
    endpoint, _ = endpoint_address
    world = World(db, simulator, endpoint)
    await _forget(world)
    endpoint.arrive = world.take_in
    yield world
    endpoint.arrive = None
    await _forget(world)
    await world.gateways.close()
    await world.http.aclose()


async def _forget(world: World) -> None:
    answer = await world.http.post("/_sim/reset", json={})
    answer.raise_for_status()
    world.endpoint.received.clear()
