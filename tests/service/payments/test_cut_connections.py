"""Each call of a gateway with its connection cut before, during and after: once, and not lost."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import Conflict, Unavailable
from tallystick.payments import methods
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.stripe import StripeGateway
from tallystick.payments.model import AttemptOutcome, PaymentStatus
from tests.cutting_proxy import CuttingProxy, Point, cutting_proxy
from tests.service.payments.refunds import REFUNDS, Back
from tests.service.payments.test_checkout import opened, pay
from tests.service.payments.test_unclear_outcomes import INTENTS, assert_paid_once, owing

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

LATER = timedelta(minutes=5)


@pytest.fixture
async def proxy(world: "World") -> AsyncIterator[CuttingProxy]:
    """A proxy before the simulator; the world goes through it."""
    async with cutting_proxy(world.base_url) as made:
        world.settings = replace(world.settings, base_url=made.base_url)
        world.stripe = StripeGateway(world.settings)
        world.wire(Gateways([world.stripe]))
        yield made
        await world.gateways.close()


Story = Callable[["World", CuttingProxy, Point], Awaitable[None]]


async def charge(world: "World", proxy: CuttingProxy, point: Point) -> None:
    account, invoice = await owing(world)
    proxy.cut(lambda line: line.startswith(f"POST {INTENTS} "), point)
    await world.collector.run_due(world.clock(), None)
    proxy.mend()
    answered = point is Point.ANSWERED
    status = PaymentStatus.SUCCEEDED if answered else PaymentStatus.PROCESSING
    assert (await world.payment(account)).status is status
    world.ahead += LATER
    await world.settle_down()
    await assert_paid_once(world, account, invoice)


async def look_up(world: "World", proxy: CuttingProxy, point: Point) -> None:
    """The charge went through and its answer was lost; then the look-up is cut too."""
    account, invoice = await owing(world)
    proxy.cut(lambda line: line.startswith(f"POST {INTENTS} "), Point.UNANSWERED)
    await world.collector.run_due(world.clock(), None)
    proxy.cut(lambda line: "/v1/payment_intents" in line, point)
    world.ahead += LATER
    await world.resolver.run_due(world.clock())
    proxy.mend()
    world.ahead += LATER
    await world.settle_down()
    await assert_paid_once(world, account, invoice)


async def cancel(world: "World", proxy: CuttingProxy, point: Point) -> None:
    """A payer who did not answer the bank pays anew: the first charge is cancelled, or stays."""
    account, invoice = await owing(world, "pm_card_authenticationRequired")
    await world.collector.run_due(world.clock(), None)
    world.endpoint.arrive = world.take_in
    good = await world.save_card(account)
    proxy.cut(lambda line: "/cancel " in line, point)
    key = good.payment_method_id
    with suppress(Conflict):  # `payment_in_progress`: nobody may say that it is cancelled
        await world.collector.pay_invoice(account, invoice, request_key="1", method_id=key)
    proxy.mend()
    await world.collector.pay_invoice(account, invoice, request_key="1", method_id=key)
    world.ahead += LATER
    await world.settle_down()
    assert len(await world.charges()) == 1
    assert await world.settled_entries(account) == 1
    assert await world.balances(account) == (0, 4900)
    statuses = {intent["status"] for intent in await world.look("payment_intents")}
    assert statuses == {"canceled", "succeeded"}


async def refund(world: "World", proxy: CuttingProxy, point: Point) -> None:
    """A refund whose call was cut is looked up, and made once."""
    world.endpoint.arrive = world.take_in
    back = Back(world)
    account, _, payment = await back.paid()
    proxy.cut(lambda line: line.startswith(f"POST {REFUNDS} "), point)
    await back.ask(account, payment, amount_minor=1000)
    proxy.mend()
    world.ahead += LATER
    while await back.refunds.look_due(world.clock()):
        pass
    assert [one["amount"] for one in await world.look("refunds")] == [1000]
    assert (await world.payment(account)).status is PaymentStatus.PARTIALLY_REFUNDED
    async with world.db.transaction(WRITER) as conn:
        rows = await conn.fetch("SELECT outcome FROM refund_attempts")
    assert [row["outcome"] for row in rows] == ["succeeded"]
    assert await back.books(account) == {"clearing:stripe": 3900, "revenue": -3900}


async def checkout(world: "World", proxy: CuttingProxy, point: Point) -> None:
    """A page that did not open is opened again under its key; it is one page, and paid once."""
    account = await world.account()
    invoice = await world.invoice(account)
    await world.setup.ensure_customer(account, "stripe")
    proxy.cut(lambda line: line.startswith("POST /v1/checkout/sessions "), point)
    with suppress(Unavailable):
        await opened(world, account, invoice_ids=(invoice,))
    proxy.mend()
    page = await opened(world, account, invoice_ids=(invoice,))
    asked = [r for r in await world.look("requests") if r["path"] == "/v1/checkout/sessions"]
    assert len({request["idempotency_key"] for request in asked}) == 1
    world.endpoint.arrive = world.take_in
    await pay(world, page)
    await world.endpoint.wait("payment_intent.succeeded")
    await world.settle_down()
    world.ahead += LATER
    await world.settle_down()
    await assert_paid_once(world, account, invoice)


async def customer(world: "World", proxy: CuttingProxy, point: Point) -> None:
    account = await world.account()
    proxy.cut(lambda line: line.startswith("POST /v1/customers"), point)
    with suppress(Unavailable):
        await world.setup.ensure_customer(account, "stripe")
    proxy.mend()
    token = await world.setup.ensure_customer(account, "stripe")
    assert [one["id"] for one in await world.look("customers")] == [token]
    async with world.db.transaction(WRITER) as conn:
        rows = await conn.fetch("SELECT token FROM gateway_customers")
    assert [row["token"] for row in rows] == [token]


async def setup(world: "World", proxy: CuttingProxy, point: Point) -> None:
    """A form that did not open is opened again; one method comes of it."""
    world.endpoint.arrive = world.take_in
    account = await world.account()
    proxy.cut(lambda line: line.startswith("POST /v1/setup_intents "), point)
    with suppress(Unavailable):
        await world.setup.start_card_setup(account)
    proxy.mend()
    await world.save_card(account)
    assert len(await world.methods(account)) == 1
    assert len(await world.look("customers")) == 1


async def detach(world: "World", proxy: CuttingProxy, point: Point) -> None:
    world.endpoint.arrive = world.take_in
    account = await world.account()
    method = await world.save_card(account)
    async with world.db.transaction(WRITER) as conn:
        await methods.remove(conn, account, method.payment_method_id)
    proxy.cut(lambda line: "/detach " in line, point)
    await world.teller.run_due(world.clock())
    proxy.mend()
    world.ahead += LATER
    await world.settle_down()
    (kept,) = await world.look("payment_methods")
    assert kept["customer"] is None
    asked = [r for r in await world.look("requests") if r["path"].endswith("/detach")]
    assert len({request["idempotency_key"] for request in asked}) == 1


MONEY: Mapping[str, Story] = {
    "charge": charge,
    "cancel": cancel,
    "refund": refund,
    "checkout": checkout,
}
OTHERS: Mapping[str, Story] = {
    "look_up": look_up,
    "customer": customer,
    "setup": setup,
    "detach": detach,
}
CASES = [
    *((name, point) for name in MONEY for point in Point),
    *((name, point) for name in OTHERS for point in (Point.BEFORE, Point.UNANSWERED)),
]


@pytest.mark.parametrize(
    ("call", "point"), CASES, ids=[f"{name}-{point.name.lower()}" for name, point in CASES]
)
async def test_a_cut_connection_doubles_nothing_and_loses_nothing(
    world: "World", proxy: CuttingProxy, call: str, point: Point
) -> None:
    await {**MONEY, **OTHERS}[call](world, proxy, point)
    assert proxy.cut_count > 0
    assert AttemptOutcome.CREATED not in await outcomes(world)


async def outcomes(world: "World") -> set[str]:
    """Return what is known of all attempts."""
    async with world.db.transaction(WRITER) as conn:
        rows = await conn.fetch("SELECT outcome FROM payment_attempts")
    return {row["outcome"] for row in rows}
