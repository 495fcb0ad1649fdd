"""Which method autopay charges: the default, what comes next when one is out, and expired cards."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from tallystick.accounts import service as accounts
from tallystick.invoices.model import Status
from tallystick.kernel.db import WRITER
from tallystick.payments import methods
from tallystick.payments.expiry import Watched, expires_at, watched
from tallystick.payments.expiry_watch import ExpiryWatch
from tallystick.payments.gateway import Gateways
from tallystick.payments.gateways.stripe import StripeGateway
from tallystick.payments.model import PaymentStatus
from tallystick.payments.outcomes import Declined, Outcome
from tallystick.payments.requests import Card, Charge, MethodDescription

if TYPE_CHECKING:
    from tests.service.payments.conftest import World

DAY = timedelta(days=1)


class Refuses(StripeGateway):
    """Stripe, which refuses some methods without asking anybody."""

    refused: frozenset[str] = frozenset()
    hard = True

    async def charge(self, charge: Charge) -> Outcome:
        if charge.method_token in self.refused:
            return Declined("card_declined", hard=self.hard)
        return await super().charge(charge)


async def with_cards(world: "World", *cards: str, fallback: bool = True) -> tuple[UUID, Refuses]:
    account = await world.account()
    async with world.db.transaction(WRITER) as conn:
        await accounts.set_autopay(conn, account, enabled=True, fallback=fallback)
    for card in cards:
        await world.save_card(account, card)
    gateway = Refuses(world.settings)
    world.wire(Gateways([gateway]))
    return account, gateway


async def test_a_hard_decline_goes_on_to_the_next_method_by_priority(world: "World") -> None:
    account, gateway = await with_cards(world, "pm_card_visa", "pm_card_mastercard", "pm_card_amex")
    visa, mastercard, amex = await world.methods(account)
    async with world.db.transaction(WRITER) as conn:
        await methods.set_priorities(conn, account, [amex.token, mastercard.token, visa.token])
    gateway.refused = frozenset({visa.token, amex.token})
    invoice = await world.invoice(account)
    await world.settle_down()
    made = await world.payments(account)
    assert [one.payment_method_id for one in made] == [
        one.payment_method_id for one in (visa, amex, mastercard)
    ]
    assert [one.status.value for one in made] == ["failed", "failed", "succeeded"]
    assert (await world.get_invoice(account, invoice)).status is Status.PAID
    assert len(await world.charges()) == 1
    assert await world.balances(account) == (0, 4900)


async def test_when_all_are_refused_each_was_tried_once(world: "World") -> None:
    account, gateway = await with_cards(world, "pm_card_visa", "pm_card_mastercard")
    gateway.refused = frozenset(one.token for one in await world.methods(account))
    await world.invoice(account)
    await world.settle_down()
    assert [one.status.value for one in await world.payments(account)] == ["failed", "failed"]
    async with world.db.transaction(WRITER) as conn:
        await conn.execute(
            """INSERT INTO outbox (account_id, kind, payload)
               SELECT account_id, kind, payload FROM outbox_done WHERE kind = 'payment.failed'"""
        )
    await world.settle_down()
    assert len(await world.payments(account)) == 2


@pytest.mark.parametrize(("fallback", "hard"), [(False, True), (True, False)])
async def test_without_leave_or_for_a_soft_decline_no_other_method_is_charged(
    world: "World", *, fallback: bool, hard: bool
) -> None:
    account, gateway = await with_cards(
        world, "pm_card_visa", "pm_card_mastercard", fallback=fallback
    )
    gateway.hard = hard
    gateway.refused = frozenset({(await world.methods(account))[0].token})
    await world.invoice(account)
    await world.settle_down()
    assert (await world.payment(account)).status is PaymentStatus.FAILED


async def test_what_a_person_pays_falls_back_to_nothing(world: "World") -> None:
    account, gateway = await with_cards(world, "pm_card_visa", "pm_card_mastercard")
    async with world.db.transaction(WRITER) as conn:
        await accounts.set_autopay(conn, account, enabled=False)
    invoice = await world.invoice(account)
    gateway.refused = frozenset({(await world.methods(account))[0].token})
    await world.settle_down()
    await world.collector.pay_invoice(account, invoice, request_key="k")
    async with world.db.transaction(WRITER) as conn:
        await accounts.set_autopay(conn, account, enabled=True)
    await world.settle_down()
    assert (await world.payment(account)).status is PaymentStatus.FAILED


def test_a_card_expires_with_the_end_of_its_month() -> None:
    assert expires_at(Card("visa", "4242", 12, 2027)) == datetime(2028, 1, 1, tzinfo=UTC)
    assert expires_at(Card("visa", "4242", 2, 2028)) == datetime(2028, 3, 1, tzinfo=UTC)
    assert expires_at(Card("visa", "4242", 0, 2028)) is expires_at(None) is None


@pytest.mark.parametrize(
    ("ahead", "days", "next_ahead"),
    [(31, None, 30), (30, 30, 7), (8, 30, 7), (7, 7, 0), (1, 7, 0), (0, 0, None), (-90, 0, None)],
)
def test_each_stage_is_told_once_and_then_the_next_is_awaited(
    ahead: int, days: int | None, next_ahead: int | None
) -> None:
    card = Card("visa", "4242", 6, 2030)
    end = datetime(2030, 7, 1, tzinfo=UTC)
    next_at = None if next_ahead is None else end - next_ahead * DAY
    assert watched(card, end - ahead * DAY) == Watched(days, next_at)


async def test_a_card_that_expires_is_told_of_twice_before_and_once_after(world: "World") -> None:
    account = await world.account()
    method = await world.save_card(account)
    end, watch = expires_at(method.card), ExpiryWatch(world.db)
    assert end is not None
    for ahead in (31, 30, 29, 7, 6, 1, 0, -5):
        await watch.run_due(end - ahead * DAY)
    told = [kind for kind in await world.told(account) if "expir" in kind]
    assert told == ["payment_method.expiring"] * 2 + ["payment_method.expired"]


async def test_a_renewed_card_is_watched_anew_and_a_removed_one_never(world: "World") -> None:
    account = await world.account()
    method = await world.save_card(account)
    end, watch = expires_at(method.card), ExpiryWatch(world.db)
    assert end is not None
    assert method.card is not None
    newer = Card("visa", "4242", 1, method.card.exp_year + 2)
    described = MethodDescription(method.token, "cus", "card", card=newer)
    async with world.db.transaction(WRITER) as conn:
        await methods.save(conn, account, "stripe", described, world.clock())
    assert await watch.run_due(end) == 0
    async with world.db.transaction(WRITER) as conn:
        await methods.remove(conn, account, method.payment_method_id)
    assert await watch.run_due(end + 1000 * DAY) == 0


async def test_an_expired_default_is_not_charged_while_another_card_is_there(
    world: "World",
) -> None:
    account, _ = await with_cards(world, "pm_card_visa", "pm_card_mastercard")
    default, other = await world.methods(account)
    async with world.db.transaction(WRITER) as conn:
        await conn.execute(
            """UPDATE payment_methods SET card = jsonb_set(card, '{exp_year}', '2020')
               WHERE payment_method_id = $1""",
            default.payment_method_id,
        )
    await world.invoice(account)
    await world.settle_down()
    payment = await world.payment(account)
    assert payment.payment_method_id == other.payment_method_id
    assert payment.status is PaymentStatus.SUCCEEDED
    async with world.db.transaction(WRITER) as conn:
        await methods.remove(conn, account, other.payment_method_id)
    await world.invoice(account)
    await world.settle_down()
    tried = (await world.payments(account))[-1]
    assert tried.payment_method_id == default.payment_method_id
