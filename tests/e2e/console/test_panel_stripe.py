"""The control panel's Stripe part: methods saved and ordered, charges, the bank's question."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from . import panel
from .panel import part

if TYPE_CHECKING:
    from tests.e2e.conftest import Product
    from tests.e2e.console.conftest import Visit

BILLED = datetime(2025, 3, 1, 12, tzinfo=UTC)
ASKS = "pm_card_authenticationRequired"
FAILS_LATER = "pm_card_chargeCustomerFail"


async def test_a_card_is_saved_charged_and_seen_in_the_lists(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer(None)
    visitor = await visit()
    visitor.expects(402)
    page = await panel.enter(visitor, customer.owner)
    stripe = part(page, "Billing (Stripe)")
    await panel.need_readable(visitor, "empty")

    await stripe.get_by_role("button", name="Add a card").press("Enter")
    await panel.fill_stripe_card(page, "4000000000000002")
    await stripe.get_by_role("button", name="Save card").click()
    await stripe.get_by_role("alert").filter(has_text="declined").wait_for()
    await panel.need_readable(visitor, "card-declined")
    await panel.fill_stripe_card(page, "4242424242424242")
    await stripe.get_by_role("button", name="Save card").click()
    await stripe.get_by_text("The card was saved.").wait_for()

    once = part(page, "Charge once")
    await panel.charge_once(page, "12,505")
    amount = once.get_by_label("Amount")
    assert await amount.evaluate("node => node === document.activeElement")
    assert await once.get_by_text("Is no amount in EUR").is_visible()
    await once.get_by_label("Description").fill("A poster")
    await panel.charge_once(page, "12.50", "Visa ending in 4242 (default)")
    await once.get_by_text("€12.50 was paid.").wait_for()
    assert await part(page, "Payments").get_by_role("cell", name="Paid").is_visible()
    assert await part(page, "Ledger").get_by_text("€12.50").first.is_visible()
    await panel.need_readable(visitor, "charged")


async def test_a_decline_is_said_in_words(product: "Product", visit: "Visit") -> None:
    customer = await product.customer(None)
    await product.save_card(customer, FAILS_LATER)
    visitor = await visit()
    visitor.expects(402)
    page = await panel.enter(visitor, customer.owner)
    await panel.charge_once(page, "20")
    alert = part(page, "Charge once").get_by_role("alert")
    await alert.filter(has_text="declined").wait_for()
    row = part(page, "Payments").get_by_role("row").nth(1)
    assert "Declined" in await row.inner_text()
    await panel.need_readable(visitor, "declined")


async def test_what_is_due_is_paid_at_a_press(product: "Product", visit: "Visit") -> None:
    customer = await product.customer(autopay=False)
    await product.save_card(customer)
    await product.advance(customer, BILLED)
    visitor = await visit()
    page = await panel.enter(visitor, customer.owner)
    balance = part(page, "Balance")
    button = balance.get_by_role("button", name="Pay balance")
    assert "€149" in await button.inner_text()
    await button.press("Enter")
    await balance.get_by_text("was paid.").wait_for()
    assert not await button.is_visible()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Complete authentication", "€30.00 was paid."),
        ("Fail authentication", "The payment was not confirmed with your bank."),
    ],
)
async def test_the_bank_asks_on_the_panel(
    product: "Product", visit: "Visit", answer: str, text: str
) -> None:
    customer = await product.customer(None)
    await product.save_card(customer, ASKS)
    visitor = await visit()
    visitor.expects(402)
    page = await panel.enter(visitor, customer.owner)
    await panel.charge_once(page, "30")
    await page.get_by_role("button", name=answer).click()
    await part(page, "Charge once").get_by_text(text).wait_for()


async def test_methods_are_ordered_by_keyboard_and_by_drag(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer(None)
    for card in ("pm_card_visa", "pm_card_mastercard", "pm_card_amex"):
        await product.save_card(customer, card)
    visitor = await visit()
    page = await panel.enter(visitor, customer.owner)
    methods = part(page, "Payment methods")
    names = methods.get_by_role("heading", level=3)

    async def order() -> list[str]:
        return [name.split(maxsplit=1)[0] for name in await names.all_inner_texts()]

    assert await order() == ["Visa", "Mastercard", "American"]
    up = methods.get_by_role("button", name="Move up American Express")
    await up.press("Enter")
    await page.get_by_text("is now number 2 of 3.").wait_for()
    assert await up.evaluate("node => node === document.activeElement")
    assert await order() == ["Visa", "American", "Mastercard"]
    await panel.need_readable(visitor, "methods")

    await (
        methods.get_by_role("listitem")
        .nth(2)
        .drag_to(methods.get_by_role("listitem").nth(0), target_position={"x": 60, "y": 5})
    )
    await page.get_by_text("Mastercard ending in 4444 is now number 1 of 3.").wait_for()
    assert await order() == ["Mastercard", "Visa", "American"]

    await methods.get_by_role("button", name="Make default Mastercard").press("Enter")
    await methods.get_by_text("Mastercard ending in 4444 is the default.").wait_for()
    await methods.get_by_text("Remove", exact=True).first.press("Enter")
    await methods.get_by_role("button", name="Yes, remove it: Mastercard").press("Enter")
    await methods.get_by_text("Mastercard ending in 4444 was removed.").wait_for()
    await page.reload()
    await page.get_by_text("As of").wait_for()
    assert await order() == ["Visa", "American"]
    assert "Default" in await names.first.inner_text()


async def test_a_bank_account_is_proved_by_its_deposits(product: "Product", visit: "Visit") -> None:
    customer = await product.customer(None, currency="USD")
    visitor = await visit()
    visitor.expects(422)
    page = await panel.enter(visitor, customer.owner)
    stripe = part(page, "Billing (Stripe)")
    await stripe.get_by_label("Name on the account").fill("Ann Lee")
    await stripe.get_by_role("button", name="Add a bank account").click()
    email = stripe.get_by_label("E-mail")
    assert await email.evaluate("node => node === document.activeElement")
    await email.fill("ann@example.com")
    await stripe.get_by_role("button", name="Add a bank account").click()
    await page.get_by_label("Routing number").fill("110000000")
    await page.get_by_label("Account number").fill("000123456789")
    await page.get_by_role("button", name="Use these numbers").click()
    await stripe.get_by_text("Prove the account below when it has arrived.").wait_for()

    await page.reload()  # days later, in the same browser
    await page.get_by_text("As of").wait_for()
    amounts = stripe.get_by_label("Two amounts in cents")
    await amounts.fill("11, 12")
    await stripe.get_by_role("button", name="Prove the account").click()
    await stripe.get_by_text("amounts").last.wait_for()
    await panel.need_readable(visitor, "deposits")
    await amounts.fill("32, 45")
    await stripe.get_by_role("button", name="Prove the account").click()
    await stripe.get_by_text("The bank account was saved.").wait_for()
    assert await part(page, "Payment methods").get_by_text("ending in 6789").is_visible()


async def test_who_comes_back_from_the_bank_is_told_and_the_address_is_cleaned(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer(None)
    visitor = await visit()
    await visitor.enter(customer.owner)
    query = "setup_intent=seti_1&setup_intent_client_secret=seti_1_secret_x"
    await visitor.goto(f"/?{query}&redirect_status=failed")
    await visitor.page.get_by_text("That was not confirmed.").first.wait_for()
    assert "secret" not in visitor.page.url


async def test_what_is_due_is_paid_on_stripes_own_page(product: "Product", visit: "Visit") -> None:
    customer = await product.customer(autopay=False)
    await product.advance(customer, BILLED)
    visitor = await visit()
    page = await panel.enter(visitor, customer.owner)
    stripe = part(page, "Billing (Stripe)")
    await stripe.get_by_label("Pay an amount ahead").check()
    assert await stripe.get_by_label("Amount", exact=True).is_visible()
    await stripe.get_by_label("Pay what is due").check()
    await stripe.get_by_role("button", name="Go to Stripe's page").click()
    await page.get_by_label("Name", exact=True).fill("Ann Lee")
    await page.get_by_label("Card number").fill("4242424242424242")
    await page.get_by_label("Expiry").fill("12/40")
    await page.get_by_label("Security code").fill("123")
    await page.get_by_role("button").last.click()
    await page.get_by_text("Stripe's page is done").first.wait_for()
    assert page.url == f"{product.address}/"
    await panel.until_seen(page, part(page, "Payments").get_by_text("Paid", exact=True))
