"""`POST /pay-balance` and parts of invoices over HTTP, through Stripe's simulator."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from tallystick.invoices.draft_lines import NewLine
from tallystick.invoices.drafts import write_invoice
from tallystick.invoices.terms import Terms
from tallystick.kernel import ids
from tallystick.kernel.db import WRITER
from tallystick.money.amount import Money
from tests.api.test_stripe_payments import charges, gateway, save_card

if TYPE_CHECKING:
    import httpx

    from tallystick.settings import Settings
    from tests.api.conftest import Shop, Stripe, Tenant

Json = dict[str, Any]
BILLING = "/api/v1/billing"
__all__ = ["gateway"]


@pytest.fixture(scope="module")
def settings(stripe_settings: "Settings") -> "Settings":
    return stripe_settings


async def owe(shop: "Shop", tenant: "Tenant", minor: int) -> str:
    """Issue an invoice of so much, tax-free; return its public id."""
    line = NewLine(description="Work", amount=Money(minor, tenant.account.currency))
    async with shop.db.transaction(WRITER) as conn:
        made = await write_invoice(
            conn,
            tenant.account,
            [line],
            Terms(),
            is_final=True,
            finalize_at=None,
            seller=shop.services.seller,
            at=shop.wall(),
        )
    return ids.show("invoice", made.invoice_id)


async def pay(who: "httpx.AsyncClient", body: Json | None = None, **more: Any) -> "httpx.Response":
    return await who.post(f"{BILLING}/pay-balance", json=body, **more)


async def test_all_that_is_due_is_paid_by_one_charge_and_named_by_invoice(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    shop.refused(await pay(owner), 409, "nothing_to_pay")
    card = await save_card(shop, gateway, tenant)
    made = [await owe(shop, tenant, one) for one in (1000, 2500)]
    before, headers = len(await charges(gateway)), {"Idempotency-Key": "all"}
    answer = await pay(owner, {"payment_method_id": card["id"]}, headers=headers)
    assert answer.status_code == 200, answer.text
    (payment,) = answer.json()["payments"]
    assert (payment["status"], payment["amount_cents"], payment["invoice"]) == (
        "succeeded",
        3500,
        None,
    )
    assert [(one["id"], one["paid_cents"]) for one in payment["invoices"]] == [
        (made[0], 1000),
        (made[1], 2500),
    ]
    assert (payment["amount_received_cents"], payment["amount_over_cents"]) == (3500, 0)
    again = await pay(owner, {"payment_method_id": card["id"]}, headers=headers)
    assert (again.json(), again.headers["idempotent-replayed"]) == (answer.json(), "true")
    shop.refused(await pay(owner), 409, "nothing_to_pay")
    assert len(await charges(gateway)) == before + 1
    listed = (await owner.get(f"{BILLING}/payments")).json()["payments"]
    assert listed == [payment]
    owed = (await owner.get(f"{BILLING}/balance")).json()
    assert (owed["due_settled_cents"], owed["credit_balance_cents"]) == (0, 0)
    receipt = f"{BILLING}/payments/{payment['id']}/receipt"
    shop.refused(await owner.get(receipt), 422, "validation_failed")
    assert (await owner.get(receipt, params={"invoice": made[1]})).status_code == 200


async def test_concurrent_presses_pay_once(shop: "Shop", gateway: "Stripe") -> None:
    tenant = await shop.tenant()
    await save_card(shop, gateway, tenant)
    for minor in (1000, 2500, 40):
        await owe(shop, tenant, minor)
    before, owner = len(await charges(gateway)), shop.as_person(tenant.owner)
    answers = await asyncio.gather(
        *(pay(owner, headers={"Idempotency-Key": f"press-{one}"}) for one in range(10))
    )
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses[0] == 200
    assert set(statuses[1:]) <= {400, 409}, [answer.text for answer in answers]
    assert statuses.count(200) == 1
    assert len(await charges(gateway)) == before + 1


async def test_a_declined_card_is_402_and_names_no_other_account(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant = await shop.tenant()
    await save_card(shop, gateway, tenant, "pm_card_chargeCustomerFail")
    await owe(shop, tenant, 1000)
    owner = shop.as_person(tenant.owner)
    problem = shop.refused(await pay(owner), 402, "payment_declined")
    assert problem["decline_code"] == "card_declined"
    other = await shop.tenant()
    card = await save_card(shop, gateway, other)
    answer = await pay(owner, {"payment_method_id": card["id"]})
    shop.refused(answer, 404, "payment_method_not_found")
    wrong = await pay(owner, {"currency": "xxz"})
    shop.refused(wrong, 422, "unknown_currency")


async def test_a_part_of_an_invoice_is_paid(shop: "Shop", gateway: "Stripe") -> None:
    tenant = await shop.tenant()
    await save_card(shop, gateway, tenant)
    invoice = await owe(shop, tenant, 1000)
    owner, path = shop.as_person(tenant.owner), f"{BILLING}/invoices/{invoice}/pay"
    paid = await owner.post(path, json={"amount_cents": 400})
    assert (paid.status_code, paid.json()["amount_received_cents"]) == (200, 400)
    over = await owner.post(path, json={"amount_cents": 601})
    assert shop.fields(shop.refused(over, 422, "validation_failed")) == [
        ("amount_cents", "not_payable")
    ]
    left = (await owner.get(f"{BILLING}/invoices/{invoice}")).json()
    assert (left["status"], left["amount_remaining_cents"]) == ("open", 600)


async def test_methods_are_ordered_by_our_ids_and_the_gateways_tokens(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant = await shop.tenant()
    owner, path = shop.as_person(tenant.owner), f"{BILLING}/payment-methods/priority"
    first = await save_card(shop, gateway, tenant)
    second = await save_card(shop, gateway, tenant, "pm_card_mastercard")
    sql = "SELECT token FROM payment_methods WHERE account_id = $1 AND is_default"
    ((token,),) = await shop.rows(sql, tenant.account.account_id)
    for order in ([second["id"], token], [second["id"], first["id"]]):
        answer = await owner.post(path, json={"payment_method_ids": order})
        assert answer.status_code == 200, answer.text
        found = answer.json()["payment_methods"]
        assert [(one["id"], one["priority"], one["is_default"]) for one in found] == [
            (second["id"], 1, False),
            (first["id"], 2, True),
        ]
        assert found[0]["expires"] is not None
    for order, problem in (
        (
            [first["id"], "pm_other", second["id"]],
            ("payment_method_ids[1]", "unknown_payment_method"),
        ),
        ([first["id"]], ("payment_method_ids", "incomplete")),
        ([first["id"], token, second["id"]], ("payment_method_ids", "incomplete")),
    ):
        answer = await owner.post(path, json={"payment_method_ids": order})
        assert shop.fields(shop.refused(answer, 422, "validation_failed")) == [problem]
    await owner.delete(f"{BILLING}/payment-methods/{first['id']}")
    shown = (await owner.get(f"{BILLING}/settings")).json()
    assert shown["default_payment_method_id"] == second["id"]


async def test_falling_back_is_off_until_it_is_switched_on_and_stays_as_it_was(
    shop: "Shop",
) -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    assert (await owner.get(f"{BILLING}/settings")).json()["payment_fallback"] is False
    for body, told in (
        ({"enabled": True, "payment_fallback": True}, (True, True)),
        ({"enabled": False}, (False, True)),
        ({"enabled": True, "payment_fallback": False}, (True, False)),
    ):
        answer = (await owner.post(f"{BILLING}/autopay", json=body)).json()
        assert (answer["autopay"], answer["payment_fallback"]) == told


async def test_a_one_time_charge_is_invoiced_and_paid_at_once(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant = await shop.tenant()
    card = await save_card(shop, gateway, tenant)
    owner, path = shop.as_person(tenant.owner), f"{BILLING}/charge-once"
    body = {"amount_cents": 2500, "description": "Workshop", "payment_method_id": card["id"]}
    headers, before = {"Idempotency-Key": "once"}, len(await charges(gateway))
    answer = await owner.post(path, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["invoice"]["status"], made["payment"]["status"]) == ("paid", "succeeded")
    assert made["invoice"]["lines"][0]["description"] == "Workshop"
    again = await owner.post(path, json=body, headers=headers)
    assert (again.json(), again.headers["idempotent-replayed"]) == (made, "true")
    other = await owner.post(path, json={**body, "amount_cents": 1}, headers=headers)
    shop.refused(other, 409, "idempotency_conflict")
    assert len(await charges(gateway)) == before + 1
    for amount in (0, -5, 10**16):
        wrong = await owner.post(path, json={"amount_cents": amount})
        shop.refused(wrong, 422, "validation_failed")


async def test_a_refused_one_time_charge_is_402_and_owes_nothing(
    shop: "Shop", gateway: "Stripe"
) -> None:
    tenant = await shop.tenant()
    owner, path = shop.as_person(tenant.owner), f"{BILLING}/charge-once"
    shop.refused(await owner.post(path, json={"amount_cents": 900}), 409, "payment_method_missing")
    await save_card(shop, gateway, tenant, "pm_card_chargeCustomerFail")
    answer = await owner.post(path, json={"amount_cents": 900})
    shop.refused(answer, 402, "payment_declined")
    (invoice,) = (await owner.get(f"{BILLING}/invoices")).json()["invoices"]
    assert invoice["status"] == "void"
    assert (await owner.get(f"{BILLING}/balance")).json()["due_settled_cents"] == 0
