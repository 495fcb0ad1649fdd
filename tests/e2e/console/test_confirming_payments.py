"""A bank that asks its customer (3-D Secure): the same charge, confirmed on our page or refused."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # has none

from tallystick.kernel.db import WRITER
from tallystick.kernel.ids import show
from tallystick.kernel.paging import PageRequest
from tallystick.payments import service

if TYPE_CHECKING:
    from tests.e2e.conftest import Customer, Product
    from tests.e2e.console.conftest import Visit

BILLED = datetime(2025, 3, 1, 12, tzinfo=UTC)
ASKS = "pm_card_authenticationRequired"


async def asked(product: "Product") -> "tuple[Customer, str]":
    """A customer whose bank asks about the first invoice's payment, and the page about it."""
    customer = await product.customer()
    await product.save_card(customer, ASKS)
    await product.advance(customer, BILLED)
    async with product.services.db.transaction(WRITER) as conn:
        found = await service.list_payments(conn, customer.account_id, PageRequest())
    return customer, show("payment", found.items[-1].payment_id)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Complete authentication", "The payment went through."),
        ("Fail authentication", "The payment was not confirmed with your bank."),
    ],
)
async def test_the_payer_answers_the_bank_on_our_page(
    product: "Product", visit: "Visit", answer: str, text: str
) -> None:
    customer, payment = await asked(product)
    visitor = await visit()
    visitor.expects(402)
    await visitor.sign_in(customer.owner, "/billing/invoices")
    page = visitor.page
    await page.get_by_role("row").nth(1).get_by_role("link").first.click()
    await page.get_by_role("link", name="Confirm the payment").click()
    assert page.url.endswith(f"/billing/payments/{payment}/confirm")
    await visitor.picture("payment-confirm")
    report = await Axe().run(page)
    assert report.violations_count == 0, report.generate_report()

    await page.get_by_role("button", name="Confirm with your bank").press("Enter")
    await page.get_by_role("button", name=answer).click()
    await page.get_by_text(text).wait_for()
    assert await page.get_by_role("button", name="Confirm with your bank").count() == 0
    await visitor.picture(f"payment-{answer.split(maxsplit=1)[0].lower()}")
    report = await Axe().run(page)
    assert report.violations_count == 0, report.generate_report()
    # Coming back from the bank's own page to what is done already changes nothing.
    await visitor.goto(f"/billing/payments/{payment}/confirm?payment_intent=pi_1&redirect_status=x")
    await page.get_by_text(text).wait_for()


async def test_who_may_only_read_is_told_who_confirms(product: "Product", visit: "Visit") -> None:
    customer, payment = await asked(product)
    member = await product.member(customer.account_id, "member")
    visitor = await visit()
    await visitor.sign_in(member, f"/billing/payments/{payment}/confirm")
    assert await visitor.page.get_by_text("Only an owner").is_visible()
    assert await visitor.page.get_by_role("button", name="Confirm with your bank").count() == 0
