"""A card saved end to end: setup, page, signed webhooks, stored method."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from tallystick.kernel.db import WRITER
from tallystick.kernel.errors import NotFound, Unavailable
from tallystick.kernel.ids import show
from tallystick.payments import methods
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.manual import ManualGateway
from tallystick.payments.requests import Card
from tallystick.payments.verdicts import Handled, Skipped

if TYPE_CHECKING:
    from tests.service.payments.conftest import World


async def test_a_card_is_stored_once_though_two_events_tell_of_it(world: "World") -> None:
    account = await world.account()
    method = await world.save_card(account)
    assert (method.type, method.is_default, method.priority) == ("card", True, 1)
    assert method.card is not None
    assert (method.card.brand, method.card.last4) == ("visa", "4242")
    rows = {row["kind"]: row["status"] for row in await world.inbox_rows()}
    assert rows["setup_intent.succeeded"] == rows["payment_method.attached"] == "done"
    assert (await world.told(account)).count("payment_method.saved") == 1


@pytest.mark.parametrize("turned", [False, True])
async def test_the_order_of_the_two_events_does_not_matter(world: "World", turned: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    account = await world.account()
    world.mute()
    await world.confirm_setup(account, "pm_card_mastercard")
    kinds = ["setup_intent.succeeded", "payment_method.attached"]
    for kind in reversed(kinds) if turned else kinds:
        await world.deliver(kind, times=2)
        await world.settle_down()
    (method,) = await world.methods(account)
    assert method.card is not None
    assert (method.card.brand, method.card.last4) == ("mastercard", "4444")


async def test_two_events_handled_at_once_store_one_method(world: "World") -> None:
    account = await world.account()
    world.mute()
    await world.confirm_setup(account, "pm_card_visa")
    for kind in ("setup_intent.succeeded", "payment_method.attached"):
        await world.deliver(kind)
    events = [
        world.stripe.read_event(row["body"])
        for row in await world.inbox_rows()
        if row["kind"] in {"setup_intent.succeeded", "payment_method.attached"}
    ]
    await asyncio.gather(*(world.news.apply("stripe", event) for event in events * 3))
    assert len(await world.methods(account)) == 1


async def test_one_gateway_customer_is_made_however_many_ask_at_once(world: "World") -> None:
    account = await world.account()
    tokens = await asyncio.gather(
        *(world.setup.ensure_customer(account, "stripe") for _ in range(4))
    )
    assert len(set(tokens)) == 1
    (customer,) = await world.look("customers")
    assert customer["email"] == "ada@example.com"
    assert customer["metadata"] == {"tallystick_account": str(account)}


async def test_the_page_gets_what_it_needs_and_nothing_secret_of_ours(world: "World") -> None:
    account = await world.account()
    page = await world.setup.start_card_setup(account)
    assert page.publishable_key == "pk_test_world"
    assert page.client_secret.startswith("seti_")
    assert page.script_url.endswith("/stripe.js")


async def test_a_stored_event_carries_no_client_secret(world: "World") -> None:
    account = await world.account()
    await world.save_card(account)
    (kept,) = [row for row in await world.inbox_rows() if row["kind"] == "setup_intent.succeeded"]
    assert b'"client_secret"' in kept["body"]
    assert b"_secret_" not in kept["body"]
    assert any(b"_secret_" in body for body, _ in world.endpoint.received)


async def test_the_first_card_is_the_default_and_others_come_behind(world: "World") -> None:
    account = await world.account()
    first = await world.save_card(account)
    second = await world.save_card(account, "pm_card_mastercard")
    assert (second.is_default, second.priority) == (False, 2)
    async with world.db.transaction(WRITER) as conn:
        await methods.set_default(conn, account, second.payment_method_id)
    assert [method.is_default for method in await world.methods(account)] == [False, True]
    async with world.db.transaction(WRITER) as conn:
        await methods.set_priorities(
            conn, account, [second.token, show("payment_method", first.payment_method_id)]
        )
    assert [method.token for method in await world.methods(account)] == [
        second.token,
        first.token,
    ]


async def test_a_removed_default_hands_over_to_the_next_and_is_detached(world: "World") -> None:
    account = await world.account()
    first = await world.save_card(account)
    second = await world.save_card(account, "pm_card_mastercard")
    async with world.db.transaction(WRITER) as conn:
        await methods.remove(conn, account, first.payment_method_id)
    await world.settle_down()
    (left,) = await world.methods(account)
    assert (left.token, left.is_default) == (second.token, True)
    gone = await world.stripe.describe_method(first.token)
    assert gone.customer_token is None


@pytest.mark.parametrize("first", [True, False])
async def test_a_method_detached_before_its_saving_was_heard_of_stays_away(
    world: "World",
    first: bool,  # noqa: FBT001 - a parameter of pytest
) -> None:
    account = await world.account()
    world.mute()
    await world.confirm_setup(account, "pm_card_visa")
    (token,) = [method["id"] for method in await world.look("payment_methods")]
    await world.stripe.detach(token, "detach:1")
    kinds = ["payment_method.detached", "setup_intent.succeeded", "payment_method.attached"]
    for kind in kinds if first else reversed(kinds):
        await world.deliver(kind)
        await world.settle_down()
    assert await world.methods(account) == ()


async def test_a_method_detached_elsewhere_goes_whichever_event_says_so(world: "World") -> None:
    account = await world.account()
    method = await world.save_card(account)
    world.mute()
    await world.stripe.detach(method.token, "detach:1")
    await world.deliver("payment_method.attached")
    await world.settle_down()
    event = world.stripe.read_event(world.endpoint.of("payment_method.attached")[0][0])
    assert await world.news.apply("stripe", event) == Handled(account)
    assert await world.methods(account) == ()
    assert await world.news.apply("stripe", event) == Skipped("method_not_attached")


async def test_a_changed_card_is_shown_as_it_is_now(world: "World") -> None:
    account = await world.account()
    method = await world.save_card(account)
    headers = {"authorization": "Bearer sk_test_world"}
    path = f"/v1/payment_methods/{method.token}"
    await world.http.post(path, data={"card[exp_year]": "2044"}, headers=headers)
    await world.endpoint.wait("payment_method.updated")
    await world.settle_down()
    (shown,) = await world.methods(account)
    assert isinstance(shown.card, Card)
    assert shown.card.exp_year == 2044


async def test_another_accounts_method_is_not_found(world: "World") -> None:
    mine, other = await world.account(), await world.account()
    method = await world.save_card(mine)
    async with world.db.transaction(WRITER) as conn:
        for name in (method.token, str(method.payment_method_id)):
            with pytest.raises(NotFound):
                await methods.find_method(conn, other, name)


async def test_without_a_key_saving_a_card_says_so_and_lists_still_answer(world: "World") -> None:
    account = await world.account()
    world.wire(Gateways([ManualGateway()]))
    with pytest.raises(Unavailable) as refused:
        await world.setup.start_card_setup(account)
    assert refused.value.code == "gateway_unavailable"
    assert await world.methods(account) == ()
    assert await world.payments(account) == []


async def test_a_gateway_that_is_away_is_unavailable_not_a_crash(world: "World") -> None:
    account = await world.account()
    await world.arm("status", path="/v1/*", times=None, status=503)
    with pytest.raises(Unavailable) as refused:
        await world.setup.start_card_setup(account)
    assert refused.value.code == "gateway_unavailable"
