"""A collecting world with CCBill: real PostgreSQL, and its simulator on a port of its own."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import msgspec
import pytest

from tallystick.invoices.events import INVOICE_PAID
from tallystick.kernel.db import WRITER, Database
from tallystick.payments import methods, schedules
from tallystick.payments.events import (
    GATEWAY_REFERENCE_LINKED,
    GATEWAY_SCHEDULE_UNWANTED,
    PAYMENT_FAILED,
    GatewayReferenceLinked,
    GatewayScheduleUnwanted,
)
from tallystick.payments.facts import Delivery
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.ccbill import CcbillGateway
from tallystick.payments.gateways.manual import ManualGateway
from tallystick.payments.model import PaymentMethod
from tallystick.payments.news import GatewayNews
from tallystick.payments.schedule_news import ScheduleNews
from tallystick.settings_ccbill import CcbillSettings
from tallystick.simulators.ccbill.app import Options
from tallystick.simulators.ccbill.config import Config
from tallystick.simulators.ccbill.server import running
from tallystick.subscription_events import SubscriptionEvents
from tallystick.webhooks.jobs import InboxWorker
from tests.service.payments.conftest import SELLER, WAIT_S, Endpoint, World

Json = dict[str, Any]
ACCNUM = 900000
ACCEPT = "application/vnd.mcn.transaction-service.api.v.2+json"
GOOD = "4111111111111111"


def settings_for(base_url: str, **changes: Any) -> CcbillSettings:
    own = CcbillSettings(
        base_url=base_url,
        datalink_url=base_url,
        frontend_id="sim-frontend",
        frontend_secret="sim-frontend-secret",
        backend_id="sim-backend",
        backend_secret="sim-backend-secret",
        accnum=ACCNUM,
        datalink_username="simlink",
        datalink_password="simlink-secret",
    )
    return msgspec.structs.replace(own, **changes)


class CcbillEndpoint(Endpoint):
    """Where CCBill's webhooks go: what they are stands in the query."""

    def __init__(self) -> None:
        super().__init__()
        self.deliveries: list[Delivery] = []
        self.take: CcbillWorld | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *rest = head.split("\r\n")
        pairs = [line.partition(": ") for line in rest if line]
        headers = {name.lower(): value for name, _, value in pairs}
        body = await reader.readexactly(int(headers["content-length"]))
        query = dict(parse_qsl(urlsplit(first.split(" ")[1]).query))
        sent = Delivery(body=body, headers=headers, query=query, peer="64.38.212.7")
        if self.take is not None:
            await self.take.inbox.receive("ccbill", sent, datetime.now(UTC))
        self.deliveries.append(sent)
        writer.write(b"HTTP/1.1 200 x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        async with self._news:
            self._news.notify_all()

    def kinds(self) -> list[str]:
        return [sent.query["eventType"] for sent in self.deliveries]

    async def wait(self, kind: str, count: int = 1) -> None:
        async with asyncio.timeout(WAIT_S), self._news:
            await self._news.wait_for(lambda: self.kinds().count(kind) >= count)


class CcbillWorld(World):
    """The world of payments, in which CCBill charges."""

    events: CcbillEndpoint

    @classmethod
    async def made(cls, db: Database, base_url: str, events: CcbillEndpoint) -> "CcbillWorld":
        world = cls(db, base_url, events)
        world.events = events
        world.own = settings_for(base_url)
        world.renew_adapter()
        await world.put_config()
        return world

    own: CcbillSettings
    ccbill: CcbillGateway

    def renew_adapter(self, **changes: Any) -> None:
        """Start over with an adapter that remembers nothing, as another process has."""
        self.own = msgspec.structs.replace(self.own, **changes)
        self.ccbill = CcbillGateway(self.db, self.own, self.clock)
        self.wire(Gateways([self.ccbill, ManualGateway()]))
        schedule = ScheduleNews(self.db, self.clock, SELLER)
        self.news = GatewayNews(self.db, self.gateways, self.tries, self.clock, schedule)
        self.inbox_worker = InboxWorker(self.db, self.gateways, self.news)
        standing = SubscriptionEvents(self.db, self.clock)
        self.teller._handlers = {
            **self.teller._handlers,
            GATEWAY_REFERENCE_LINKED: self._on_reference_linked,
            GATEWAY_SCHEDULE_UNWANTED: self._on_unwanted,
            INVOICE_PAID: standing.on_invoice_paid,
            PAYMENT_FAILED: standing.on_payment_failed,
        }

    async def _on_unwanted(self, event: Any) -> None:
        unwanted = msgspec.json.decode(event.payload, type=GatewayScheduleUnwanted)
        await schedules.tell_gateway(self.gateways, unwanted)

    async def _on_reference_linked(self, event: Any) -> None:
        linked = msgspec.json.decode(event.payload, type=GatewayReferenceLinked)
        await self.inbox.on_reference_linked(linked, self.clock())

    # -- the simulator --

    async def put_config(self, **wish: Any) -> None:
        (await self.http.put("/_sim/config", json=wish)).raise_for_status()

    async def pass_time(self, span: timedelta) -> None:
        """Let time pass here and at CCBill."""
        self.ahead += span
        await self.http.post("/_sim/clock/advance", json={"seconds": span.total_seconds()})

    async def happens(self, subscription: str, name: str, **wish: Any) -> Json:
        answer = await self.http.post(f"/_sim/subscriptions/{subscription}/{name}", json=wish)
        answer.raise_for_status()
        return dict(answer.json() or {})

    async def token(self, card: str = GOOD, **more: Any) -> str:
        """Make a payment token as the page's script does."""
        bearer = (await self.ccbill.page_token()).token
        answer = await self.http.post(
            "/payment-tokens/merchant-only",
            headers={"authorization": f"Bearer {bearer}", "accept": ACCEPT},
            json={
                "clientAccnum": ACCNUM,
                "clientSubacc": 0,
                "subscriptionId": 0,
                "customerInfo": {
                    "customerFname": "Ada", "customerLname": "Byron", "email": "ada@example.com",
                    "country": "US", "zipcode": "85281",
                },
                "paymentInfo": {
                    "creditCardPaymentInfo": {
                        "cardNum": card, "expMonth": "03", "expYear": "2031", "nameOnCard": "Ada B",
                    }
                },
                **more,
            },
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        return str(answer.json()["paymentTokenId"])

    async def save_card(self, account_id: UUID, test_card: str = GOOD) -> PaymentMethod:
        token = await self.token(test_card)
        return await self.setup.save_token(account_id, "ccbill", token)

    async def sales(self) -> list[Json]:
        """Return all sales in CCBill's books, oldest first."""
        return (await self.look("subscriptions"))[::-1]

    async def pay(self, account_id: UUID, minor: int, currency: str = "USD") -> Any:
        """Make an invoice and press the button."""
        invoice_id = await self.invoice(account_id, minor, currency)
        view = await self.collector.pay_invoice(account_id, invoice_id, request_key=str(invoice_id))
        return view.payment

    async def methods(self, account_id: UUID) -> tuple[PaymentMethod, ...]:
        async with self.db.transaction(WRITER) as conn:
            return await methods.list_methods(conn, account_id)


@pytest.fixture(scope="session")
async def events_address() -> AsyncIterator[tuple[CcbillEndpoint, str]]:
    endpoint = CcbillEndpoint()
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield endpoint, f"http://127.0.0.1:{port}/api/ccbill/webhook"
    server.close()


@pytest.fixture(scope="session")
def ccbill_simulator(events_address: tuple[CcbillEndpoint, str]) -> Iterator[str]:
    config = Config(slow_reply_s=0.5)
    with running(Options(webhook_url=events_address[1], config=config)) as base_url:
        yield base_url


@pytest.fixture
async def world(
    db: Database, ccbill_simulator: str, events_address: tuple[CcbillEndpoint, str]
) -> AsyncIterator[CcbillWorld]:
    """A world in which nothing has happened yet; webhooks come in by themselves."""
    events, _ = events_address
    world = await CcbillWorld.made(db, ccbill_simulator, events)
    await world.http.post("/_sim/reset", json={})
    events.deliveries.clear()
    events.take = world
    yield world
    events.take = None
    await world.http.post("/_sim/reset", json={})
    await world.ccbill.close()
    await world.http.aclose()
