"""Bank accounts in a page: the payment element, the dialog that links one, and microdeposits."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import stripe
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Page, expect

Json = dict[str, Any]
# The page's own policy forbids to wait by evaluating: the result is written where people see it.
LINK = """secret => { (async () => {
  let done = await stripe.collectBankAccountForSetup({clientSecret: secret, params: {
    payment_method_type: "us_bank_account",
    payment_method_data: {billing_details: {name: "Ada"}}}});
  if (done.setupIntent.status === "requires_confirmation") {
    done = await stripe.confirmUsBankAccountSetup(secret);
  }
  document.getElementById("result").textContent = done.setupIntent.status;
})(); }"""


@pytest.fixture
def setup(client: stripe.StripeClient, customer: stripe.Customer) -> stripe.SetupIntent:
    return client.v1.setup_intents.create(
        {"customer": customer.id, "allowed_payment_method_types": ["card", "us_bank_account"]}
    )


@pytest.fixture
def show(page: Page, shop: Any) -> Callable[[str | None], None]:
    def show(secret: str | None) -> None:
        page.goto(f"{shop.url}/?secret={secret}")
        page.wait_for_selector("body[data-ready=yes]")

    return show


def result(page: Page, text: str) -> None:
    expect(page.get_by_role("status")).to_contain_text(text)


def test_an_account_is_chosen_and_typed_by_keyboard(
    *,
    page: Page,
    show: Callable[[str | None], None],
    setup: stripe.SetupIntent,
    client: stripe.StripeClient,
) -> None:
    show(setup.client_secret)
    page.get_by_label("Card", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("US bank account")).to_be_focused()
    assert Axe().run(page).response["violations"] == []
    page.keyboard.press("Tab")
    for typed in ("Ada Lovelace", "110000000", "000999999999"):
        page.keyboard.type(typed)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    result(page, "invalid_account_number")
    page.get_by_label("Account number").fill("000123456789")
    page.keyboard.press("Enter")
    result(page, "requires_action")
    told = page.evaluate(
        'secret => stripe.verifyMicrodepositsForSetup(secret, {descriptor_code: "SM99ZZ"})',
        setup.client_secret,
    )
    assert told["error"]["code"].endswith("descriptor_code_mismatch")
    told = page.evaluate(
        "secret => stripe.verifyMicrodepositsForSetup(secret, {amounts: [32, 45]})",
        setup.client_secret,
    )
    assert told["setupIntent"]["status"] == "succeeded"
    saved = client.v1.payment_methods.list({"customer": str(setup.customer)}).data
    assert [method.type for method in saved] == ["us_bank_account"]
    assert saved[0].billing_details.name == "Ada Lovelace"


def test_an_account_of_the_test_bank_is_verified_at_once(
    page: Page, show: Callable[[str | None], None], setup: stripe.SetupIntent
) -> None:
    show(setup.client_secret)
    page.evaluate(LINK, setup.client_secret)
    dialog = page.get_by_role("dialog", name="Link a test bank account")
    assert Axe().run(page).response["violations"] == []
    dialog.get_by_role("button", name="Use this account").click()
    result(page, "succeeded")


def test_typed_numbers_wait_and_a_closed_dialog_changes_nothing(
    page: Page, show: Callable[[str | None], None], setup: stripe.SetupIntent
) -> None:
    show(setup.client_secret)
    page.evaluate(LINK, setup.client_secret)
    page.keyboard.press("Escape")
    result(page, "requires_payment_method")
    page.evaluate(LINK, setup.client_secret)
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name on the account")).to_have_value("Ada")
    dialog.get_by_label("Routing number").fill("110000000")
    dialog.get_by_label("Account number").fill("000123456789")
    dialog.get_by_role("button", name="Use these numbers").click()
    result(page, "requires_action")
    again = page.evaluate(
        "secret => stripe.handleNextAction({clientSecret: secret})", setup.client_secret
    )
    assert again["setupIntent"]["next_action"]["type"] == "verify_with_microdeposits"


def test_the_hosted_page_takes_what_arrived(
    *,
    page: Page,
    client: stripe.StripeClient,
    setup: stripe.SetupIntent,
    page_call: Callable[..., httpx.Response],
) -> None:
    form = {
        "payment_method_data[type]": "us_bank_account",
        "payment_method_data[us_bank_account][routing_number]": "110000000",
        "payment_method_data[us_bank_account][account_number]": "000123456789",
        "payment_method_data[us_bank_account][account_holder_type]": "individual",
        "payment_method_data[billing_details][name]": "Ada",
        "client_secret": str(setup.client_secret),
    }
    waiting: Json = page_call("POST", f"/v1/setup_intents/{setup.id}/confirm", **form).json()
    step = waiting["next_action"]["verify_with_microdeposits"]
    page.goto(step["hosted_verification_url"])
    assert Axe().run(page).response["violations"] == []
    page.get_by_label("Code").fill("SM00AA")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("alert")).to_contain_text("do not match")
    page.get_by_label("Code").fill("SM11AA")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("succeeded")
    assert client.v1.setup_intents.retrieve(setup.id).status == "succeeded"
