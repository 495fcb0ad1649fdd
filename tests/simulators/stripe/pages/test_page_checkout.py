"""The hosted checkout page in a real browser: by keyboard, on a phone, with the bank's check."""

from typing import Any, Literal

import pytest
import stripe
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Page, expect


@pytest.fixture
def session(client: stripe.StripeClient, shop: Any) -> stripe.checkout.Session:
    return client.v1.checkout.sessions.create(
        {
            "mode": "payment",
            "allowed_payment_method_types": ["card", "us_bank_account"],
            "line_items": [
                {
                    "price_data": {
                        "currency": "usd",
                        "unit_amount": 1500,
                        "product_data": {"name": "Credits"},
                    },
                    "quantity": 1,
                }
            ],
            "success_url": f"{shop.url}/back?session={{CHECKOUT_SESSION_ID}}",
            "cancel_url": f"{shop.url}/cart?secret=seti_1_secret_1",
        }
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_card_is_paid_with_by_keyboard_through_the_banks_check(
    *,
    page: Page,
    client: stripe.StripeClient,
    session: stripe.checkout.Session,
    scheme: Literal["light", "dark"],
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(str(session.url))
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.get_by_label("E-mail").focus()
    typed = ("ada@example.com", "Ada", "", "4000002760003184", "12 / 40", "123")
    for text in typed:
        page.keyboard.type(text)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/_page/authenticate**")
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Complete authentication").press("Enter")
    page.wait_for_url(f"**/back?session={session.id}")
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_a_bank_account_is_chosen_a_decline_is_told_and_the_payer_may_leave(
    page: Page, client: stripe.StripeClient, session: stripe.checkout.Session
) -> None:
    page.goto(str(session.url))
    expect(page.get_by_label("Card number")).to_be_visible()
    page.get_by_label("E-mail").fill("ada@example.com")
    page.get_by_label("Name").fill("Ada")
    page.get_by_label("Card number").fill("4000000000000002")
    page.get_by_label("Expiry (MM / YY)").fill("12 / 40")
    page.get_by_label("Security code (CVC)").fill("123")
    page.get_by_role("button", name="Pay").click()
    expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
    page.get_by_label("US bank account").check()
    expect(page.get_by_label("Card number")).to_be_hidden()
    expect(page.get_by_label("Account at the test bank")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("link", name="Cancel and go back").click()
    page.wait_for_url("**/cart**")
    assert client.v1.checkout.sessions.retrieve(session.id).status == "open"
