"""What a gateway tells: webhooks, proved and read, and its lists of events and of money."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from tallystick.kernel.errors import BadInput
from tallystick.payments.facts import (
    BadSignature,
    ChargeReported,
    Delivery,
    Fact,
    Ignored,
    Receipt,
    RefundReported,
)
from tallystick.payments.outcomes import Declined, Succeeded
from tallystick.payments.requests import Transaction
from tests.contract.gateways.rig import Payer, Rig, a_refund

PAGES_MAX = 20


def now() -> datetime:
    return datetime.now(UTC)


async def receipts(rig: Rig) -> list[Receipt]:
    return [await rig.gateway.verify_webhook(sent, now()) for sent in await rig.told()]


async def facts(rig: Rig) -> list[Fact]:
    return [rig.gateway.read_event(receipt.body).fact for receipt in await receipts(rig)]


def outcome_of(facts: Sequence[Fact], kind: type[ChargeReported | RefundReported]) -> object:
    """Return the newest word of that kind."""
    return [fact.outcome for fact in facts if isinstance(fact, kind)][-1]


async def test_what_the_gateway_tells_of_a_charge_is_what_it_answered(rig: Rig) -> None:
    if not rig.has_network:
        return
    charge = await rig.charge()
    answered = await rig.gateway.charge(charge)
    told = await facts(rig)
    assert outcome_of(told, ChargeReported) == answered
    named = {
        (fact.account_id, fact.attempt_id) for fact in told if isinstance(fact, ChargeReported)
    }
    assert named == {(charge.account_id, charge.attempt_id)}


async def test_what_the_gateway_tells_of_a_decline_is_a_decline(rig: Rig) -> None:
    if Payer.REFUSED not in rig.payers:
        return
    answered = await rig.gateway.charge(await rig.charge(Payer.REFUSED))
    outcome = outcome_of(await facts(rig), ChargeReported)
    assert isinstance(answered, Declined)
    assert isinstance(outcome, Declined)
    assert outcome.code == answered.code


async def test_what_the_gateway_tells_of_a_refund_names_the_charge_and_the_amount(rig: Rig) -> None:
    if not rig.has_network or not rig.gateway.capabilities.refunds:
        return
    charge = await rig.charge()
    paid = await rig.gateway.charge(charge)
    assert isinstance(paid, Succeeded)
    refund = a_refund(charge, paid.reference, 4900)
    await rig.gateway.refund(refund)
    told = [fact for fact in await facts(rig) if isinstance(fact, RefundReported)]
    assert told
    for fact in told:
        assert (fact.charge_reference, fact.amount) == (paid.reference, refund.amount)
        assert fact.refund_id in {refund.refund_id, None}


async def test_a_webhook_has_the_same_id_whenever_it_comes(rig: Rig) -> None:
    await rig.gateway.charge(await rig.charge())
    ids = [[receipt.event_id for receipt in await receipts(rig)] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == len(ids[0])
    assert bool(ids[0]) == rig.has_network


async def test_a_webhook_that_somebody_else_sends_is_refused(rig: Rig) -> None:
    await rig.gateway.charge(await rig.charge())
    for sent in (
        *(rig.forged(real) for real in await rig.told()),
        Delivery(body=b"{}", headers={}),
    ):
        with pytest.raises(BadSignature):
            await rig.gateway.verify_webhook(sent, now())


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"{}", b"\xff\xfe", b'{"id": 1}'])
async def test_what_can_not_be_read_is_bad_input(rig: Rig, body: bytes) -> None:
    with pytest.raises(BadInput) as raised:
        rig.gateway.read_event(body)
    assert raised.value.code == "invalid_payload"


async def test_the_list_of_events_brings_what_webhooks_would_have_brought(rig: Rig) -> None:
    if rig.gateway.capabilities.lists_events is None:
        return
    since = now() - timedelta(seconds=2)
    await rig.gateway.charge(await rig.charge())
    listed: list[Receipt] = []
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        page = await rig.gateway.list_events(since, cursor)
        listed += page.receipts
        cursor = page.cursor
        if cursor is None:
            break
    told = await receipts(rig)
    ours = {one.event_id for one in told if not _is_ignored(rig, one)}
    assert ours
    assert ours <= {one.event_id for one in listed} <= {one.event_id for one in told}
    assert [rig.gateway.read_event(one.body).event_id for one in listed] == [
        one.event_id for one in listed
    ]
    times = [rig.gateway.read_event(one.body).created_at for one in listed]
    assert times == sorted(times)
    late = await rig.gateway.list_events(now() + timedelta(hours=1), None)
    assert late.receipts == ()


async def test_the_list_of_transactions_has_each_movement_once_and_names_it(rig: Rig) -> None:
    if not rig.gateway.capabilities.lists_transactions:
        return
    charge = await rig.charge()
    paid = await rig.gateway.charge(charge)
    assert isinstance(paid, Succeeded)
    if rig.gateway.capabilities.refunds:
        await rig.gateway.refund(a_refund(charge, paid.reference, 4900))
    since, until = now() - timedelta(minutes=5), now() + timedelta(minutes=5)
    listed = await transactions(rig, since, until)
    charges = [one for one in listed if one.kind == "charge"]
    assert [one.amount for one in charges] == [charge.amount]
    assert paid.reference in {charges[0].reference, *charges[0].references}
    refunds = [one.amount.minor for one in listed if one.kind == "refund"]
    assert refunds == ([-4900] if rig.gateway.capabilities.refunds else [])
    await rig.next_hour()
    assert await transactions(rig, until, until + timedelta(days=1)) == []


def _is_ignored(rig: Rig, receipt: Receipt) -> bool:
    return isinstance(rig.gateway.read_event(receipt.body).fact, Ignored)


async def transactions(rig: Rig, since: datetime, until: datetime) -> list[Transaction]:
    listed: list[Transaction] = []
    cursor: str | None = None
    for _ in range(PAGES_MAX):
        page = await rig.gateway.list_transactions(since, until, cursor)
        listed += page.transactions
        cursor = page.cursor
        if cursor is None:
            return listed
    raise AssertionError("the list never ends")
