"""The page script in a real browser, on a page of another origin with a strict policy."""

from collections.abc import Callable
from typing import Any, Literal

import httpx
import pytest
import stripe
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Page, expect

Json = dict[str, Any]
Look = Callable[[str], list[Json]]


@pytest.fixture
def setup(client: stripe.StripeClient, customer: stripe.Customer) -> stripe.SetupIntent:
    return client.v1.setup_intents.create(
        {"customer": customer.id, "allowed_payment_method_types": ["card"]}
    )


def show(page: Page, shop: Any, secret: str | None, **query: str) -> None:
    page.goto(str(httpx.URL(shop.url).copy_merge_params({"secret": str(secret), **query})))
    page.wait_for_selector("body[data-ready=yes]")


def fill(page: Page, number: str, expiry: str = "1240", cvc: str = "123") -> None:
    page.get_by_label("Card number").press_sequentially(number)
    page.get_by_label("Expiry (MM / YY)").press_sequentially(expiry)
    page.get_by_label("Security code (CVC)").press_sequentially(cvc)


def result(page: Page, text: str) -> None:
    expect(page.get_by_role("status")).to_contain_text(text)


def save(page: Page) -> None:
    page.get_by_role("button", name="Save card").click()


def test_a_card_is_saved_and_the_shop_never_sees_it(
    page: Page, shop: Any, setup: stripe.SetupIntent, client: stripe.StripeClient
) -> None:
    show(page, shop, setup.client_secret)
    expect(page.get_by_text("Stripe simulator \u2013 test cards only")).to_be_visible()
    fill(page, "4242424242424242")
    expect(page.get_by_label("Card number")).to_have_value("4242 4242 4242 4242")
    expect(page.get_by_label("Expiry (MM / YY)")).to_have_value("12 / 40")
    page.get_by_label("Postal code (optional)").fill("69001")
    save(page)
    result(page, "succeeded")
    intent = client.v1.setup_intents.retrieve(setup.id, {"expand": ["payment_method"]})
    assert isinstance(intent.payment_method, stripe.PaymentMethod)
    assert intent.payment_method.card is not None
    assert intent.payment_method.card.exp_year == 2040
    assert intent.payment_method.billing_details.address is not None
    assert intent.payment_method.billing_details.address.postal_code == "69001"
    assert page.evaluate("window.changes[0]") == [False, False]
    assert page.evaluate("window.changes.at(-1)") == [True, False]
    page.evaluate("document.getElementById('form').submit()")
    page.wait_for_timeout(50)
    assert "4242" not in "".join(shop.seen)
    assert "" in shop.seen


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (("4111111111111111",), "invalid_number: This is a simulator"),
        (("42424242",), "incomplete_number"),
        (("4242424242424242", "12"), "incomplete_expiry"),
        (("4242424242424242", "1240", "12"), "incomplete_cvc"),
    ],
)
def test_what_is_not_a_whole_test_card_never_leaves_the_page(
    *,
    page: Page,
    shop: Any,
    setup: stripe.SetupIntent,
    look: Look,
    typed: tuple[str, ...],
    says: str,
) -> None:
    show(page, shop, setup.client_secret)
    fill(page, *typed)
    save(page)
    result(page, says)
    expect(page.get_by_role("alert")).not_to_be_empty()
    assert page.locator("[aria-invalid=true]").count() == 1
    assert [one for one in look("requests") if one["path"].endswith("/confirm")] == []


@pytest.mark.parametrize(
    ("number", "says"),
    [
        ("4000000000000002", "card_declined: Your card was declined."),
        ("4242424242424241", "incorrect_number"),
        ("4000000000000069", "expired_card"),
    ],
)
def test_a_refused_card_says_why_and_another_may_follow(
    page: Page, shop: Any, setup: stripe.SetupIntent, number: str, says: str
) -> None:
    show(page, shop, setup.client_secret)
    fill(page, number)
    save(page)
    result(page, says)
    page.get_by_label("Card number").fill("")
    page.get_by_label("Card number").press_sequentially("378282246310005")
    expect(page.get_by_label("Card number")).to_have_value("3782 822463 10005")
    page.get_by_label("Security code (CVC)").press_sequentially("4")
    save(page)
    result(page, "succeeded")


@pytest.mark.parametrize(
    ("press", "says", "scheme"),
    [
        ("Complete authentication", "succeeded", "light"),
        ("Fail authentication", "setup_intent_authentication_failure", "dark"),
        ("Escape", "setup_intent_authentication_failure", "light"),
    ],
)
def test_the_bank_asks_in_a_dialog(
    *,
    page: Page,
    shop: Any,
    setup: stripe.SetupIntent,
    press: str,
    says: str,
    scheme: Literal["light", "dark"],
) -> None:
    page.emulate_media(color_scheme=scheme)
    show(page, shop, setup.client_secret)
    fill(page, "4000002760003184")
    save(page)
    dialog = page.get_by_role("dialog", name="Your bank asks (3D Secure)")
    expect(dialog).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    if press == "Escape":
        page.keyboard.press(press)
    else:
        dialog.get_by_role("button", name=press).click()
    result(page, says)
    expect(dialog).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_is_accessible_and_fits_a_phone(
    page: Page, shop: Any, setup: stripe.SetupIntent, scheme: Literal["light", "dark"]
) -> None:
    page.emulate_media(color_scheme=scheme)
    show(page, shop, setup.client_secret)
    assert Axe().run(page).response["violations"] == []
    save(page)
    result(page, "incomplete_number")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    heights = page.locator("fieldset input").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().height)"
    )
    assert min(heights) >= 44
    autocomplete = page.locator("fieldset input").evaluate_all(
        "all => all.map(one => one.autocomplete + (one.name || ''))"
    )
    assert autocomplete == ["cc-number", "cc-exp", "cc-csc", "postal-code"]


def test_a_payment_is_confirmed_and_the_page_is_left_when_asked(
    page: Page, shop: Any, client: stripe.StripeClient
) -> None:
    intent = client.v1.payment_intents.create({"amount": 1500, "currency": "usd"})
    show(page, shop, intent.client_secret, redirect="always")
    fill(page, "5555555555554444")
    save(page)
    page.wait_for_url("**/back?**")
    back = httpx.URL(page.url)
    assert back.params["payment_intent"] == intent.id
    assert back.params["redirect_status"] == "succeeded"
    assert back.params["order"] == "7"
    assert client.v1.payment_intents.retrieve(intent.id).amount_received == 1500


def test_a_waiting_payment_goes_on_with_the_saved_card(
    page: Page, shop: Any, client: stripe.StripeClient
) -> None:
    intent = client.v1.payment_intents.create(
        {
            "amount": 1500,
            "currency": "usd",
            "allowed_payment_method_types": ["card"],
            "payment_method": "pm_card_authenticationRequired",
            "confirm": True,
        }
    )
    show(page, shop, intent.client_secret)
    page.evaluate(
        """secret => { stripe.handleNextAction({clientSecret: secret}).then(done => {
        document.getElementById("result").textContent = done.paymentIntent.status; }); }""",
        intent.client_secret,
    )
    page.get_by_role("button", name="Complete authentication").click()
    result(page, "succeeded")
    seen = page.evaluate("secret => stripe.retrievePaymentIntent(secret)", intent.client_secret)
    assert seen["paymentIntent"]["status"] == "succeeded"


def test_only_publishable_test_keys_are_taken(
    page: Page, shop: Any, setup: stripe.SetupIntent
) -> None:
    show(page, shop, setup.client_secret)
    for key in ("sk_test_1", "pk_live_1", ""):
        refused = page.evaluate(
            "key => { try { Stripe(key); return false; } catch (error) { return true; } }", key
        )
        assert refused


@pytest.mark.parametrize("path", ["/stripe.js", "/v3/", "/endive/stripe.js"])
def test_the_script_is_served_where_stripe_has_it(base_url: str, path: str) -> None:
    answer = httpx.get(base_url + path)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert "4242424242424242" in answer.text
    assert "TEST_CARDS */ []" not in answer.text
