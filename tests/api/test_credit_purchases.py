"""Credits bought by card: what to do next, and that they come once, however often it is told."""

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.api.test_credits import BILLING, Teller
from tests.api.test_stripe_payments import gateway, save_card, settings, until

if TYPE_CHECKING:
    from tests.api.conftest import Shop, Stripe

__all__ = ["gateway", "settings"]
GRANTED = "SELECT count(*) = 1 FROM credit_grants WHERE account_id = $1"


@pytest.fixture
async def teller(shop: "Shop") -> Teller:
    return Teller(shop, await shop.tenant())


async def bought(teller: Teller, **body: Any) -> Any:
    new = {"code": f"p{uuid4().hex[:12]}", "name": "Small", "credits": "500", "currency": "USD",
           "amount_cents": 900}  # fmt: skip
    package = (await teller.admin("/credit-packages", new)).json()
    path = f"{BILLING}/credit-packages/{package['id']}/purchase"
    answer = await teller.owner.post(path, json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_card_pays_at_the_address_that_the_purchase_names(
    teller: Teller,
    gateway: "Stripe",
) -> None:
    shop, account_id = teller.shop, teller.tenant.account.account_id
    await save_card(shop, gateway, teller.tenant)
    purchase = await bought(teller)
    action = purchase["next_action"]
    assert (action["type"], action["gateway"]) == ("pay_invoice", "stripe")
    assert (action["amount_due_cents"], action["currency"]) == (900, "usd")
    owner = shop.as_person(teller.tenant.owner)
    key = {"Idempotency-Key": uuid4().hex}
    for _ in range(2):
        paid = await owner.post(action["url"], headers=key)
        assert paid.status_code in {200, 201}, paid.text
    await until(shop, GRANTED, account_id)
    for _ in range(3):
        await shop.work()
    amounts = await shop.rows("SELECT amount FROM credit_grants WHERE account_id = $1", account_id)
    assert [tuple(row) for row in amounts] == [(50_000_000,)]
    assert (await teller.get("/credits/balance"))["credits"] == 500


async def test_autopay_buys_without_asking(teller: Teller, gateway: "Stripe") -> None:
    shop, account_id = teller.shop, teller.tenant.account.account_id
    await save_card(shop, gateway, teller.tenant)
    owner = shop.as_person(teller.tenant.owner)
    await owner.post(f"{BILLING}/autopay", json={"enabled": True})
    await bought(teller)
    await until(shop, GRANTED, account_id)
    assert (await teller.get("/credits/balance"))["credits"] == 500


async def test_without_a_card_a_transfer_is_still_possible(teller: Teller) -> None:
    purchase = await bought(teller, payment_method="manual")
    action, invoice = purchase["next_action"], purchase["invoice"]
    assert action["type"] == "bank_transfer"
    assert (action["invoice"], action["reference"], action["url"]) == (
        invoice["id"], invoice["number"], None,
    )  # fmt: skip
