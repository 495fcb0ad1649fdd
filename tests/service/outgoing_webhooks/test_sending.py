"""From the outbox to endpoints: once each, signed, in order, and again after failures."""

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest
from standardwebhooks.webhooks import Webhook

from tallystick.kernel import outbox
from tallystick.kernel.db import WRITER, Connection
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import HOUSE, new_id, show
from tallystick.outgoing_webhooks import deliveries, endpoints
from tallystick.outgoing_webhooks.model import EndpointChanges, NewEndpoint, Replay
from tests.service.outgoing_webhooks.conftest import RULES, Told, status

if TYPE_CHECKING:
    from tests.service.outgoing_webhooks.conftest import Hooks

_AUDIT = "SELECT a::text AS text FROM billing_audit a"
BROKEN = status(500, "out of order")


async def test_an_event_is_told_once_signed_and_logged(hooks: "Hooks") -> None:
    endpoint, secret = await hooks.endpoint()
    invoice_id = new_id()
    await hooks.tell("invoice.paid", invoice_id)
    assert await hooks.send() == 1
    assert await hooks.send() == 0
    (heard,) = hooks.listener.heard
    assert Webhook(secret).verify(heard.body, dict(heard.headers))
    assert heard.data["data"]["invoice_id"] == str(invoice_id)
    (delivery,) = await hooks.all(account_id=endpoint.account_id)
    assert heard.headers["webhook-id"] == show("webhook_delivery", delivery.webhook_delivery_id)
    assert (delivery.status, delivery.status_code, delivery.next_try_at) == ("delivered", 200, None)
    log = await hooks.log(delivery)
    assert log.body == heard.body
    assert [(one.number, one.status_code, one.error) for one in log.tries] == [(1, 200, None)]


async def test_an_endpoint_hears_of_its_account_and_its_types_only(hooks: "Hooks") -> None:
    await hooks.endpoint("/all")
    await hooks.endpoint("/paid", "invoice.paid", "payment.failed")
    await hooks.endpoint("/business", "invoice.paid", owner=HOUSE)
    await hooks.endpoint("/stranger", owner=new_id())
    for kind in ("invoice.finalized", "invoice.paid"):
        await hooks.tell(kind)
    await hooks.tell("invoice.paid", account=new_id())
    await hooks.send()
    counts = {path: len(hooks.listener.of(path)) for path in ("/all", "/paid", "/business")}
    assert counts == {"/all": 2, "/paid": 1, "/business": 2}
    assert hooks.listener.of("/stranger") == []


async def test_what_was_rolled_back_is_not_told(hooks: "Hooks") -> None:
    await hooks.endpoint()
    async with hooks.db.pool.acquire() as held:
        conn = cast("Connection", held)
        change = conn.transaction()
        await change.start()
        await outbox.append(conn, hooks.account, "invoice.paid", Told(new_id()))
        await change.rollback()
    assert await hooks.send() == 0


async def test_a_failure_is_tried_again_with_the_same_id_and_body_over_three_days(
    hooks: "Hooks",
) -> None:
    await hooks.endpoint()
    hooks.listener.answers["/hook"] = BROKEN
    await hooks.tell()
    start = hooks.clock()
    while (delivery := (await hooks.all())[0]) and delivery.next_try_at is not None:
        hooks.ahead = max(hooks.ahead, delivery.next_try_at - start + timedelta(seconds=1))
        await hooks.send()
    assert (delivery.status, delivery.status_code, delivery.try_count) == ("failed", 500, 10)
    assert timedelta(days=3) < hooks.ahead < timedelta(days=4)
    assert len({heard.headers["webhook-id"] for heard in hooks.listener.heard}) == 1
    assert len({heard.body for heard in hooks.listener.heard}) == 1
    assert len({heard.headers["webhook-timestamp"] for heard in hooks.listener.heard}) == 10
    log = await hooks.log(delivery)
    assert [one.answer for one in log.tries] == ["out of order"] * 10


async def test_an_objects_later_event_waits_and_other_objects_go_on(hooks: "Hooks") -> None:
    await hooks.endpoint()
    one, other = new_id(), new_id()
    hooks.listener.answers["/hook"] = BROKEN
    await hooks.tell("invoice.finalized", one, 1)
    await hooks.send()
    hooks.listener.answers.clear()
    await hooks.tell("invoice.paid", one, 2)
    await hooks.tell("invoice.paid", other, 3)
    await hooks.send()
    assert [heard.data["data"]["number"] for heard in hooks.listener.heard] == [1, 3]
    hooks.ahead = timedelta(seconds=6)
    while await hooks.send():
        pass
    assert [heard.data["data"]["number"] for heard in hooks.listener.heard] == [1, 3, 1, 2]


async def test_what_waits_behind_a_long_wait_is_put_off_and_woken(hooks: "Hooks") -> None:
    """It is not looked at each second, and goes as soon as the earlier one has gone."""
    await hooks.endpoint()
    invoice_id = new_id()
    hooks.listener.answers["/hook"] = BROKEN
    await hooks.tell("invoice.finalized", invoice_id, 1)
    for hooks.ahead in (timedelta(0), timedelta(seconds=10), timedelta(minutes=6)):
        await hooks.send()
    await hooks.tell("invoice.paid", invoice_id, 2)
    await hooks.send()
    first, second = await hooks.all()
    assert first.next_try_at is not None
    assert second.next_try_at is not None
    assert first.next_try_at > second.next_try_at > hooks.clock() + timedelta(minutes=4)
    hooks.listener.answers.clear()
    async with hooks.db.transaction(WRITER) as conn:
        await deliveries.replay_one(
            conn, first.account_id, first.webhook_delivery_id, hooks.clock()
        )
    while await hooks.send():
        pass
    assert [one.status for one in await hooks.all()] == ["delivered", "delivered"]


async def test_a_slow_endpoint_holds_up_no_other(hooks: "Hooks") -> None:
    hooks.listener.hold["/slow"] = asyncio.Event()
    await hooks.endpoint("/slow", "invoice.paid")
    await hooks.endpoint("/fast", "invoice.finalized")
    for _ in range(8):
        await hooks.tell("invoice.paid")
    for _ in range(8):
        await hooks.tell("invoice.finalized")
    sending = asyncio.create_task(hooks.send())
    async with asyncio.timeout(10):
        while len(hooks.listener.of("/fast")) < 8:  # noqa: ASYNC110 - the listener tells nobody
            await asyncio.sleep(0.005)
    assert len(hooks.listener.of("/slow")) == 5
    hooks.listener.hold["/slow"].set()
    assert await sending == 16


async def test_a_process_that_dies_after_sending_sends_again_with_the_same_id(
    hooks: "Hooks",
) -> None:
    await hooks.endpoint()
    hooks.listener.hold["/hook"] = asyncio.Event()
    await hooks.tell()
    sending = asyncio.create_task(hooks.send())
    async with asyncio.timeout(10):
        while not hooks.listener.heard:  # noqa: ASYNC110 - the listener tells nobody
            await asyncio.sleep(0.005)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    hooks.listener.hold.pop("/hook").set()
    assert await hooks.send() == 0
    hooks.ahead = timedelta(seconds=121)
    assert await hooks.send() == 1
    first, second = hooks.listener.heard
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


async def test_an_old_secret_signs_along_for_a_day(hooks: "Hooks") -> None:
    endpoint, old = await hooks.endpoint()
    ids = (endpoint.account_id, endpoint.webhook_endpoint_id)
    async with hooks.db.transaction(WRITER) as conn:
        _, new = await endpoints.rotate_secret(conn, *ids, hooks.clock())
    await hooks.tell()
    await hooks.send()
    heard = hooks.listener.heard[-1]
    for secret in (old, new):
        assert Webhook(secret).verify(heard.body, dict(heard.headers))
    hooks.ahead = timedelta(hours=24, seconds=1)
    await hooks.tell()
    await hooks.send()
    signatures = hooks.listener.heard[-1].headers["webhook-signature"]
    assert signatures.count("v1,") == 1


async def test_days_of_failures_disable_an_endpoint_and_tell_of_it(hooks: "Hooks") -> None:
    endpoint, _ = await hooks.endpoint("/hook")
    await hooks.endpoint("/staff", owner=HOUSE)
    hooks.listener.answers["/hook"] = BROKEN
    await hooks.tell()
    await hooks.send()
    assert (await hooks.get(endpoint)).failing_since is not None
    hooks.ahead = timedelta(days=5, minutes=1)
    await hooks.tell()
    while await hooks.send():
        pass
    now_is = await hooks.get(endpoint)
    assert (now_is.is_enabled, now_is.disabled_reason) == (False, "failing")
    told = hooks.listener.of("/staff")[-1].data
    assert told["type"] == "webhook_endpoint.disabled"
    assert told["data"]["reason"] == "failing"


async def test_one_success_in_between_forgets_the_failures(hooks: "Hooks") -> None:
    endpoint, _ = await hooks.endpoint()
    hooks.listener.answers["/hook"] = BROKEN
    await hooks.tell()
    await hooks.send()
    hooks.listener.answers.clear()
    hooks.ahead = timedelta(seconds=6)
    await hooks.send()
    assert (await hooks.get(endpoint)).failing_since is None


async def test_gone_disables_at_once(hooks: "Hooks") -> None:
    endpoint, _ = await hooks.endpoint()
    hooks.listener.answers["/hook"] = status(410)
    await hooks.tell()
    await hooks.send()
    assert (await hooks.get(endpoint)).disabled_reason == "gone"
    assert [one.status for one in await hooks.all()] == ["failed"]


async def test_what_waits_for_a_disabled_endpoint_goes_when_it_is_enabled(hooks: "Hooks") -> None:
    endpoint, _ = await hooks.endpoint()
    ids = (endpoint.account_id, endpoint.webhook_endpoint_id)
    await hooks.tell()
    for is_enabled, sent in ((False, 0), (True, 1)):
        async with hooks.db.transaction(WRITER) as conn:
            changes = EndpointChanges(is_enabled=is_enabled)
            await endpoints.change(conn, *ids, changes, RULES)
        assert await hooks.send() == sent


async def test_a_range_brings_what_failed_and_what_was_never_told(hooks: "Hooks") -> None:
    start = hooks.clock()
    await hooks.tell("invoice.finalized")
    endpoint, _ = await hooks.endpoint("/hook", "invoice.paid")
    for _ in range(2):
        await hooks.tell()
    await hooks.send()
    ids = (endpoint.account_id, endpoint.webhook_endpoint_id)
    async with hooks.db.transaction(WRITER) as conn:
        await endpoints.change(conn, *ids, EndpointChanges(is_enabled=False), RULES)
    await hooks.tell()
    async with hooks.db.transaction(WRITER) as conn:
        await endpoints.change(conn, *ids, EndpointChanges(is_enabled=True), RULES)
    hooks.ahead = timedelta(seconds=1)
    span = Replay(since=start, until=hooks.clock())
    async with hooks.db.transaction(WRITER) as conn:
        found = await deliveries.replay_range(conn, *ids, span, hooks.clock())
    assert (found.again, found.made, found.more) == (0, 1, False)
    assert await hooks.send() == 1
    hooks.ahead = timedelta(seconds=2)
    whole = Replay(since=start, until=hooks.clock(), delivered=True)
    async with hooks.db.transaction(WRITER) as conn:
        found = await deliveries.replay_range(conn, *ids, whole, hooks.clock())
    assert (found.again, found.made) == (3, 0)
    assert await hooks.send() == 3
    assert len({heard.headers["webhook-id"] for heard in hooks.listener.heard}) == 3


async def test_a_replayed_delivery_has_the_same_id_and_body(hooks: "Hooks") -> None:
    await hooks.endpoint()
    await hooks.tell()
    await hooks.send()
    (delivery,) = await hooks.all()
    ids = (delivery.account_id, delivery.webhook_delivery_id)
    async with hooks.db.transaction(WRITER) as conn:
        await deliveries.replay_one(conn, *ids, hooks.clock())
    await hooks.send()
    first, second = hooks.listener.heard
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert [one.number for one in (await hooks.log(delivery)).tries] == [1, 2]
    async with hooks.db.transaction(WRITER) as conn:
        with pytest.raises(NotFound):
            await deliveries.replay_one(conn, new_id(), delivery.webhook_delivery_id, hooks.clock())


async def test_wrong_fields_are_named_and_too_many_endpoints_refused(
    hooks: "Hooks", monkeypatch: pytest.MonkeyPatch
) -> None:
    async with hooks.db.transaction(WRITER) as conn:
        for new, field in (
            (NewEndpoint(url="no"), "url"),
            (NewEndpoint(url="https://x.example/", event_types=("a.b",)), "event_types[0]"),
            (NewEndpoint(url="https://x.example/", description="a\nb"), "description"),
        ):
            with pytest.raises(BadInput) as refused:
                await endpoints.create(conn, hooks.account, new, RULES, hooks.clock())
            assert [error.field for error in refused.value.errors] == [field]
    monkeypatch.setattr(endpoints, "ENDPOINTS_MAX", 1)
    await hooks.endpoint()
    with pytest.raises(Conflict):
        await hooks.endpoint()


async def test_secrets_stand_in_no_table_but_their_own_and_in_no_audit(hooks: "Hooks") -> None:
    endpoint, secret = await hooks.endpoint()
    async with hooks.db.transaction(WRITER) as conn:
        await endpoints.rotate_secret(
            conn, endpoint.account_id, endpoint.webhook_endpoint_id, hooks.clock()
        )
        kept = await conn.fetch("SELECT encode(secret, 'hex') AS text FROM webhook_secrets")
        audit = "".join(str(row["text"]) for row in await conn.fetch(_AUDIT))
    assert len(kept) == 2
    assert "webhook_secrets" in audit
    assert not any(row["text"] in audit for row in kept)
    assert secret.removeprefix("whsec_") not in audit
