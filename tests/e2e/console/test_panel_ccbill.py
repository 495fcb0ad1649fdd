"""The control panel's CCBill part: a card that we never see, charged, renewed, given back."""

from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Request

from . import panel
from .panel import part

if TYPE_CHECKING:
    from tests.e2e.conftest import Product
    from tests.e2e.console.conftest import Visit, Visitor

VISA = "4111111111111111"
ASKS = "4000002500003155"
DECLINED = "4000000000009995"


def watch(visitor: "Visitor", number: str) -> list[str]:
    """Note each request to our own server that has anything of the card's number in it."""
    seen: list[str] = []

    def see(request: Request) -> None:
        told = request.url + (request.post_data or "")
        if request.url.startswith(visitor.product.address) and number[:12] in told:
            seen.append(request.url)

    visitor.page.on("request", see)
    return seen


async def test_a_card_becomes_a_token_and_its_number_never_comes_to_us(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer(None, currency="USD")
    visitor = await visit()
    page = await panel.enter(visitor, customer.owner)
    seen = watch(visitor, VISA)
    ccbill = part(page, "Billing (CCBill)")
    assert await ccbill.locator("input[name]").count() == 0
    await panel.fill_ccbill_card(page, VISA)
    await ccbill.get_by_label("Country").fill("United States"[:2].lower())
    await ccbill.get_by_label("Month").fill("13")
    await ccbill.get_by_role("button", name="Create token").click()
    country = ccbill.get_by_label("Country")
    await ccbill.get_by_text("Must be a two-letter country code").wait_for()
    assert await country.evaluate("node => node === document.activeElement")
    assert await ccbill.get_by_text("Must be a month from 1 to 12").is_visible()
    await panel.need_readable(visitor, "ccbill-wrong")

    await panel.fill_ccbill_card(page, VISA)
    await page.keyboard.press("Enter")
    await ccbill.get_by_text("Visa ending in 1111 was saved.").wait_for()
    assert await ccbill.get_by_label("Card number").input_value() == ""
    method = part(page, "Payment methods")
    assert await method.get_by_text("Expires 03/2040 · through CCBill").is_visible()

    await panel.charge_once(page, "12.50")
    await part(page, "Charge once").get_by_text("$12.50 was paid.").wait_for()
    assert "CCBill" in await part(page, "Payments").get_by_role("row").nth(1).inner_text()
    assert seen == []
    await panel.need_readable(visitor, "ccbill-charged")


async def test_a_declined_card_is_said_in_words(product: "Product", visit: "Visit") -> None:
    customer = await product.customer(None, currency="USD")
    visitor = await visit()
    visitor.expects(402)
    page = await panel.enter(visitor, customer.owner)
    await panel.fill_ccbill_card(page, DECLINED)
    await page.keyboard.press("Enter")
    await page.get_by_text("Visa ending in 9995 was saved.").wait_for()
    await panel.charge_once(page, "12.50")
    await part(page, "Charge once").get_by_role("alert").filter(has_text="funds").wait_for()


async def test_a_subscription_is_renewed_by_ccbill_and_given_back(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer(None, currency="USD")
    visitor = await visit()
    page = await panel.enter(visitor, customer.owner)
    await panel.fill_ccbill_card(page, VISA)
    await page.keyboard.press("Enter")
    await page.get_by_text("Visa ending in 1111 was saved.").wait_for()
    monthly = part(page, "Subscribe monthly")
    await monthly.get_by_label("Plan").select_option(label="$18.00 a month")
    await monthly.get_by_role("button", name="Subscribe monthly").click()
    await monthly.get_by_text("$18.00 was paid.").wait_for()
    assert await monthly.get_by_role("heading", name="Active").is_visible()
    await panel.need_readable(visitor, "ccbill-subscribed")

    (sold,) = product.ccbill.look("subscriptions")[-1:]
    product.ccbill.trigger(str(sold["id"]), "renew")
    payments = part(page, "Payments")
    await panel.until_seen(page, payments.get_by_role("row").nth(2))
    await panel.need_readable(visitor, "ccbill-renewed")

    await monthly.get_by_text("Cancel", exact=True).click()
    await monthly.get_by_role("button", name="Yes, cancel it").click()
    await monthly.get_by_text("is cancelled.").wait_for()
    assert await monthly.get_by_text("ends on").is_visible()

    product.ccbill.trigger(str(sold["id"]), "refund")
    await panel.until_seen(page, payments.get_by_text("efunded"))
    await panel.need_readable(visitor, "ccbill-refunded")


@pytest.mark.parametrize(
    ("answer", "text"), [("complete", "$20.00 was paid."), ("fail", "not confirmed with your bank")]
)
async def test_the_bank_asks_in_a_frame_before_the_charge(
    product: "Product", visit: "Visit", answer: str, text: str
) -> None:
    customer = await product.customer(None, currency="USD")
    visitor = await visit()
    visitor.expects(402)
    page = await panel.enter(visitor, customer.owner)
    await panel.fill_ccbill_card(page, ASKS)
    await page.keyboard.press("Enter")
    await page.get_by_text("Visa ending in 3155 was saved.").wait_for()
    await page.reload()
    await page.get_by_text("As of").wait_for()
    await panel.charge_once(page, "20")
    bank = page.frame_locator("#bank-frame iframe")
    button = bank.locator(f"button[value={answer}]")
    await button.wait_for()
    await visitor.picture("panel-ccbill-bank")
    await button.press("Enter")
    await part(page, "Charge once").get_by_text(text).wait_for()
    assert await page.locator("#bank-frame iframe").count() == 0
