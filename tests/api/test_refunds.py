"""Refunds and disputes over HTTP, for finance."""

from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.api.test_credit_notes import ADMIN, BILLING, finance, issued

if TYPE_CHECKING:
    from tests.api.conftest import Json, Shop, Tenant

PAYMENTS = "/api/v1/admin/payments"


async def paid(shop: "Shop") -> "tuple[Tenant, Json, str]":
    """An account with an invoice that was paid by transfer, and the payment's id."""
    tenant, invoice = await shop.billed()
    owner = shop.with_key(tenant.keys["billing:write"])
    manual = {
        "invoice_id": invoice["id"],
        "payment_method": "bank_transfer",
        "transaction_reference": "T-1",
        "amount_cents": invoice["total_cents"],
    }
    payment = (await owner.post(f"{BILLING}/payments/manual", json=manual)).json()
    approve = f"{PAYMENTS}/{payment['id']}/approve"
    await finance(shop).post(approve, json={"reason": "it came"})
    return tenant, invoice, payment["id"]


async def refund(shop: "Shop", payment: str, **body: Any) -> httpx.Response:
    return await finance(shop).post(f"{PAYMENTS}/{payment}/refund", json={"reason": "x", **body})


async def test_a_payment_by_hand_is_refunded_by_hand(shop: "Shop") -> None:
    tenant, invoice, payment = await paid(shop)
    answer = await refund(shop, payment, amount_cents=100)
    assert answer.status_code == 201, answer.text
    (wish,) = answer.json()["refunds"]
    assert (wish["status"], wish["problem"], wish["amount_cents"]) == ("requested", "by_hand", 100)
    path = f"{ADMIN}/refunds/{wish['id']}"
    shop.refused(await finance(shop).post(f"{path}/retry"), 409, "refund_by_hand")
    made = await finance(shop).post(f"{path}/made", json={"reference": "SEPA-1"})
    assert (made.json()["status"], made.json()["made_cents"]) == ("made", 100)
    detail = (await finance(shop).get(path)).json()
    assert [one["payment"] for one in detail["attempts"]] == [payment]
    account = shop.with_key(tenant.keys["billing:read"])
    read = (await account.get(f"{BILLING}/payments/{payment}")).json()
    assert read["status"] == "partially_refunded"
    listed = (await finance(shop).get(f"{ADMIN}/refunds", params={"status": "made"})).json()
    assert wish["id"] in [one["id"] for one in listed["refunds"]]
    over = await refund(shop, payment, amount_cents=invoice["total_cents"])
    problem = shop.refused(over, 409, "refund_exceeds_payment")
    assert problem["left_cents"] == invoice["total_cents"] - 100


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"reason": ""}, 422, "validation_failed"),
        ({"amount_cents": 0}, 422, "validation_failed"),
        ({"amount_cents": "1"}, 422, "validation_failed"),
        ({"amount": 1}, 422, "validation_failed"),
        ({"left_cents": 1}, 409, "payment_changed"),
        ({"amount_cents": 10**12}, 409, "refund_exceeds_payment"),
    ],
)
async def test_what_can_not_be_is_refused_and_changes_nothing(
    shop: "Shop", body: "Json", status: int, code: str
) -> None:
    _, _, payment = await paid(shop)
    before = await shop.counts()
    shop.refused(await refund(shop, payment, **body), status, code)
    assert await shop.counts() == before


async def test_who_may_not_or_names_what_is_not_there_is_refused(shop: "Shop") -> None:
    tenant, invoice, payment = await paid(shop)
    owner = shop.with_key(tenant.keys["billing:write"])
    body = {"reason": "x"}
    assert (await owner.post(f"{PAYMENTS}/{payment}/refund", json=body)).status_code == 403
    assert (await owner.get(f"{ADMIN}/disputes")).status_code == 403
    missing = f"{PAYMENTS}/pay_01h455vb4pex5vsknk084sn02q/refund"
    shop.refused(await finance(shop).post(missing, json=body), 404, "payment_not_found")
    disputes = await finance(shop).get(f"{ADMIN}/disputes", params={"account_id": tenant.id})
    assert disputes.json()["disputes"] == []
    shop.refused(
        await finance(shop).get(f"{ADMIN}/disputes", params={"status": "x"}),
        422, "validation_failed",
    )  # fmt: skip
    del invoice


async def test_a_note_with_its_refund_under_way_or_made_stays(shop: "Shop") -> None:
    _, invoice, _ = await paid(shop)
    note = await issued(shop, invoice, rest="refund")
    waiting = await finance(shop).get(f"{ADMIN}/refunds")
    (wish,) = [one for one in waiting.json()["refunds"] if one["credit_note"] == note["id"]]
    await finance(shop).post(f"{ADMIN}/refunds/{wish['id']}/made", json={"reference": "S"})
    refused = await finance(shop).post(f"{ADMIN}/credit-notes/{note['id']}/void")
    shop.refused(refused, 409, "refund_made")
