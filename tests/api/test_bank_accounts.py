"""US bank accounts over HTTP: begun, proved by deposits, and shown; each refusal in words."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tallystick.settings import Settings
    from tests.api.conftest import Shop, Stripe, Tenant

Json = dict[str, Any]
BILLING = "/api/v1/billing"
VERIFY = f"{BILLING}/us-bank/verify-microdeposits"
TYPED = {
    "payment_method_data[type]": "us_bank_account",
    "payment_method_data[us_bank_account][routing_number]": "110000000",
    "payment_method_data[us_bank_account][account_number]": "000123456789",
    "payment_method_data[us_bank_account][account_holder_type]": "individual",
    "payment_method_data[billing_details][name]": "Ada",
}


@pytest.fixture(scope="module")
def settings(stripe_settings: "Settings") -> "Settings":
    return stripe_settings


async def typed_in(shop: "Shop", stripe: "Stripe", tenant: "Tenant") -> str:
    """Begin to save a bank account, and type its numbers in as on the page."""
    owner = shop.as_person(tenant.owner)
    begun = await owner.post(f"{BILLING}/setup-intent/us-bank", json={})
    assert begun.status_code == 201, begun.text
    named: str = begun.json()["setup_intent_id"]
    await asyncio.to_thread(
        stripe.page,
        f"/v1/setup_intents/{named}/confirm",
        client_secret=begun.json()["client_secret"],
        **TYPED,
    )
    return named


async def test_a_bank_account_is_proved_by_what_arrived_on_it(
    shop: "Shop", stripe: "Stripe"
) -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    named = await typed_in(shop, stripe, tenant)
    wrong = {"setup_intent_id": named, "descriptor_code": "SM99ZZ"}
    problem = shop.refused(await owner.post(VERIFY, json=wrong), 422, "validation_failed")
    assert shop.fields(problem) == [("descriptor_code", "descriptor_code_differs")]
    assert "statement" in problem["detail"]
    proved = await owner.post(VERIFY, json={"setup_intent_id": named, "amounts": [45, 32]})
    assert proved.status_code == 200, proved.text
    answer = proved.json()
    assert (answer["setup_intent_id"], answer["status"]) == (named, "succeeded")
    assert answer["payment_method_token"].startswith("pm_")


async def test_what_can_not_be_proved_any_more_is_409(shop: "Shop", stripe: "Stripe") -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    for amounts, code in [
        ([10, 11], "microdeposit_tries_used_up"),
        ([40, 41], "microdeposit_time_over"),
    ]:
        named = await typed_in(shop, stripe, tenant)
        answer = await owner.post(VERIFY, json={"setup_intent_id": named, "amounts": amounts})
        problem = shop.refused(answer, 409, code)
        assert "Save" in problem["detail"]
        assert "Stripe" not in problem["detail"]


async def test_a_proof_has_one_shape(shop: "Shop", stripe: "Stripe") -> None:
    assert stripe
    owner = shop.as_person(shop.acme.owner)
    named = {"setup_intent_id": "seti_1"}
    bad: list[tuple[Json, str]] = [
        ({}, "setup_intent_id"),
        (named, "amounts"),
        ({**named, "amounts": [32, 45], "descriptor_code": "SM11AA"}, "amounts"),
        ({**named, "amounts": [32]}, "amounts"),
        ({**named, "amounts": [32, 45, 1]}, "amounts"),
        ({**named, "amounts": [0, 45]}, "amounts[0]"),
        ({**named, "amounts": [32, 4.5]}, "amounts[1]"),
        ({**named, "amounts": [32, 100]}, "amounts[1]"),
        ({**named, "descriptor_code": "XX11AA"}, "descriptor_code"),
        ({"setup_intent_id": "seti_1/../x", "amounts": [32, 45]}, "setup_intent_id"),
    ]
    for body, field in bad:
        problem = shop.refused(await owner.post(VERIFY, json=body), 422, "validation_failed")
        assert [name for name, _ in shop.fields(problem)] == [field], body
    unknown = await owner.post(VERIFY, json={**named, "amounts": [32, 45]})
    shop.refused(unknown, 404, "setup_intent_not_found")


async def test_nobody_proves_the_bank_account_of_another(shop: "Shop", stripe: "Stripe") -> None:
    named = await typed_in(shop, stripe, await shop.tenant())
    other = shop.as_person((await shop.tenant()).owner)
    answer = await other.post(VERIFY, json={"setup_intent_id": named, "amounts": [32, 45]})
    shop.refused(answer, 404, "setup_intent_not_found")


async def test_an_account_billed_in_euro_has_no_us_bank(shop: "Shop", stripe: "Stripe") -> None:
    assert stripe
    tenant = await shop.tenant(currency="EUR")
    owner = shop.as_person(tenant.owner)
    answer = await owner.post(f"{BILLING}/setup-intent/us-bank")
    problem = shop.refused(answer, 422, "currency_not_supported")
    assert "EUR" in problem["detail"]


async def test_a_bank_account_that_waits_is_found_again_by_its_owner_alone(
    shop: "Shop", stripe: "Stripe"
) -> None:
    tenant = await shop.tenant()
    owner = shop.as_person(tenant.owner)
    waiting = f"{BILLING}/us-bank/waiting"
    assert (await owner.get(waiting)).json() == {"data": []}
    await owner.post(f"{BILLING}/setup-intent/card", json={})
    named = await typed_in(shop, stripe, tenant)
    answer = await owner.get(waiting)
    assert answer.status_code == 200, answer.text
    (one,) = answer.json()["data"]
    arrives = datetime.fromisoformat(one.pop("arrives_at"))
    assert timedelta(days=1) < arrives - datetime.now(UTC) < timedelta(days=7)
    assert one == {
        "setup_intent_id": named,
        "bank_name": "STRIPE TEST BANK",
        "last4": "6789",
        "proof": "descriptor_code",
    }
    other = shop.as_person((await shop.tenant()).owner)
    assert (await other.get(waiting)).json() == {"data": []}
    proof = {"setup_intent_id": named, "descriptor_code": "SM11AA"}
    assert (await owner.post(VERIFY, json=proof)).status_code == 200
    assert (await owner.get(waiting)).json() == {"data": []}
