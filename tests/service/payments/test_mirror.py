"""What lives at Stripe, read into the mirror by the official SDK and kept in step by webhooks."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import stripe

from tallystick.kernel.db import STAFF, WRITER, account_scope
from tallystick.kernel.errors import Unavailable
from tallystick.kernel.paging import PageRequest
from tallystick.mirror import store
from tallystick.mirror.model import Step
from tallystick.mirror.news import MirrorNews
from tallystick.mirror.service import Mirror
from tallystick.payments import methods
from tallystick.payments.mirrored import MirrorKind
from tallystick.webhooks.jobs import InboxWorker

if TYPE_CHECKING:
    from uuid import UUID

    from tests.service.payments.conftest import World

YEARLY = {"unit_amount": 12000, "recurring": {"interval": "year"}}
WEEKLY = {"unit_amount": 700, "recurring": {"interval": "week"}}


def at_stripe(world: "World") -> stripe.StripeClient:
    addresses = dict.fromkeys(("api", "connect", "files", "meter_events"), world.base_url)
    return stripe.StripeClient("sk_test_elsewhere", base_addresses=addresses)  # type: ignore[arg-type]  # all four


def mirror_of(world: "World") -> Mirror:
    return Mirror(
        world.db, "stripe", world.stripe.mirror, world.clock, country="US", currency="USD"
    )


def living(world: "World", email: str | None = "ann@x.example", **more: Any) -> stripe.Customer:
    """Return a customer at Stripe with a saved card."""
    client = at_stripe(world)
    who: Any = {"name": "Ann", **({"email": email} if email else {}), **more}
    customer = client.v1.customers.create(who)
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": customer.id})
    client.v1.customers.update(
        customer.id, {"invoice_settings": {"default_payment_method": card.id}}
    )
    return customer


def subscribed(world: "World", customer: str, price: Any, **more: Any) -> stripe.Subscription:
    client = at_stripe(world)
    product = client.v1.products.create({"name": "Professional"})
    wanted: Any = {"currency": "usd", "product": product.id, **price}
    made = client.v1.prices.create(wanted)
    params: Any = {"customer": customer, "items": [{"price": made.id, "quantity": 2}], **more}
    return client.v1.subscriptions.create(params)


async def read_all(world: "World", **more: bool) -> dict[str, Step]:
    steps: dict[str, Step] = {}
    await mirror_of(world).read_all(lambda step: steps.update({step.kind: step}), **more)
    return steps


async def account_of(world: "World", customer: str) -> "UUID":
    async with world.db.transaction(WRITER) as conn:
        found: UUID = await conn.fetchval(
            "SELECT account_id FROM gateway_customers WHERE token = $1", customer
        )
    return found


async def test_a_business_that_lives_at_stripe_is_seen_at_once(world: "World") -> None:
    customer = living(world)
    plan = subscribed(world, customer.id, YEARLY)
    steps = await read_all(world)
    assert {kind: step.object_count for kind, step in steps.items()} == {
        "customer": 1,
        "subscription": 1,
        "invoice": 1,
        "charge": 1,
    }
    account = await account_of(world, customer.id)
    async with world.db.transaction(account_scope(account)) as conn:
        default = await methods.default_method(conn, account)
        seen = await store.newest_subscription(conn, account)
        invoices, total = await store.invoices(conn, account, None, PageRequest())
    assert default is not None
    assert default.card is not None
    assert default.card.last4 == "4242"
    assert seen is not None
    assert (seen.reference, seen.status, seen.tier) == (plan.id, "active", "Professional")
    # Two seats at 120.00 a year are 240.00 a year and 20.00 a month.
    assert (seen.amount_minor, seen.interval, seen.monthly_minor) == (24000, "year", Decimal(2000))
    assert seen.period_end is not None
    assert seen.period_end > datetime.now(UTC)
    assert (total, invoices[0].status, invoices[0].paid_minor) == (1, "paid", 24000)


async def test_weeks_are_months_of_a_year_of_365_days(world: "World") -> None:
    customer = living(world)
    subscribed(world, customer.id, WEEKLY)
    await read_all(world)
    async with world.db.transaction(STAFF) as conn:
        monthly = await conn.fetchval("SELECT monthly_minor FROM mirrored_subscriptions")
    # 14.00 a week: 1400 x 365 / 84 = 6083.33… minor units a month.
    assert monthly == Decimal("6083.333333333")


async def test_customers_are_found_by_link_name_and_address_and_else_made(world: "World") -> None:
    linked = await world.account()
    token = await world.setup.ensure_customer(linked, "stripe")
    named = await world.account()
    by_name = living(world, None, metadata={"tallystick_account": str(named)})
    async with world.db.transaction(WRITER) as conn:
        await conn.execute(
            "UPDATE accounts SET external_id = 'u-7', email = 'X@x.example' WHERE account_id = $1",
            named,
        )
    by_id = living(world, None, metadata={"user_id": "u-7"})
    mailed = await world.account()
    async with world.db.transaction(WRITER) as conn:
        await conn.execute(
            "UPDATE accounts SET email = 'Ann@Y.example' WHERE account_id = $1", mailed
        )
    by_mail = living(world, "ann@y.EXAMPLE")
    new, nameless = living(world, "new@z.example"), living(world, None, name="")
    await read_all(world)
    assert await account_of(world, token) == linked
    assert await account_of(world, by_id.id) == named
    assert await account_of(world, by_mail.id) == mailed
    made = {await account_of(world, one.id) for one in (new, nameless, by_name)}
    assert len(made | {linked, named, mailed}) == 6
    async with world.db.transaction(WRITER) as conn:
        email = await conn.fetchval(
            "SELECT email FROM accounts WHERE account_id = $1", await account_of(world, nameless.id)
        )
    assert email == f"{nameless.id.lower()}@stripe.invalid"


async def test_a_reading_goes_on_where_it_stopped_and_again_changes_nothing(
    world: "World",
) -> None:
    for number in range(3):
        subscribed(world, living(world, f"c{number}@x.example").id, YEARLY)
    fault = {"action": "status", "status": 500, "path": "/v1/invoices", "method": "GET"}
    await world.http.post("/_sim/faults", json={**fault, "times": None})
    with pytest.raises(Unavailable):
        await read_all(world)
    async with world.db.transaction(STAFF) as conn:
        before = await store.progress(conn, "stripe")
    assert before[MirrorKind.SUBSCRIPTION].is_done
    assert not before[MirrorKind.INVOICE].is_done
    await world.http.delete("/_sim/faults")
    asked = len(await world.look("requests"))
    await read_all(world)
    later = (await world.look("requests"))[: len(await world.look("requests")) - asked]
    assert not [one for one in later if one["path"] == "/v1/customers"]
    for _ in range(2):
        steps = await read_all(world)
    assert [step.object_count for step in steps.values()] == [3, 3, 3, 3]
    async with world.db.transaction(STAFF) as conn:
        assert await conn.fetchval("SELECT count(*) FROM mirrored_charges") == 3
        assert await conn.fetchval("SELECT count(*) FROM accounts") == 3


async def test_webhooks_keep_it_in_step_once_it_was_read(world: "World") -> None:
    mirror = mirror_of(world)
    news = MirrorNews(mirror, world.news)
    world.inbox_worker = InboxWorker(world.db, world.gateways, news)
    customer = living(world)
    plan = subscribed(world, customer.id, YEARLY)
    await world.endpoint.wait("customer.subscription.created")
    await world.deliver("customer.subscription.created")
    await world.inbox_worker.run_due(world.clock())
    async with world.db.transaction(STAFF) as conn:
        assert await conn.fetchval("SELECT count(*) FROM mirrored_subscriptions") == 0
    await read_all(world)
    client = at_stripe(world)
    client.v1.subscriptions.cancel(plan.id)
    (charge,) = client.v1.charges.list({"customer": customer.id}).data
    client.v1.refunds.create({"charge": charge.id, "amount": 1000})
    other = living(world, "later@x.example")
    newer = subscribed(world, other.id, WEEKLY)
    for kind in ("customer.subscription.deleted", "charge.refunded", "refund.created"):
        await world.deliver(kind)
    await world.endpoint.wait("customer.subscription.created", 2)
    await world.deliver("customer.subscription.created")
    await world.settle_down()
    async with world.db.transaction(STAFF) as conn:
        rows = await conn.fetch("SELECT reference, status FROM mirrored_subscriptions")
        refunded = await conn.fetchval(
            "SELECT refunded_minor FROM mirrored_charges WHERE reference = $1", charge.id
        )
        open_count = await conn.fetchval(
            "SELECT count(*) FROM webhook_inbox WHERE status NOT IN ('done', 'ignored')"
        )
    statuses = {row["reference"]: row["status"] for row in rows}
    assert statuses == {plan.id: "canceled", newer.id: "active"}
    assert (refunded, open_count) == (1000, 0)


async def test_charges_made_from_here_are_payments_and_not_mirrored(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    await world.invoice(account)
    await world.settle_down()
    assert len(await world.charges()) == 1
    await read_all(world)
    async with world.db.transaction(STAFF) as conn:
        assert await conn.fetchval("SELECT count(*) FROM mirrored_charges") == 0
