"""What a customer does: look at usage, save a card, see an invoice paid, read how it came about."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from playwright.async_api import Page

    from tests.e2e.conftest import Product
    from tests.e2e.console.conftest import Visit

IN_SECOND_PERIOD = datetime(2025, 3, 1, 12, tzinfo=UTC)


async def fill_card(page: "Page", number: str) -> None:
    await page.get_by_label("Card number").fill(number)
    await page.get_by_label("Expiry").fill("1234")
    await page.get_by_label("Security code").fill("123")


async def test_usage_shows_each_meter_with_its_bar_and_the_overage(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer()
    await product.use(customer, "api_calls", "17500")  # 7,500 over: 5,000 x .0004 + 2,500 x .0003
    await product.use(customer, "storage", "41.5")
    await product.use(customer, "seats", "3")
    visitor = await visit()
    await visitor.sign_in(customer.owner)
    page = visitor.page
    await visitor.picture("usage")

    calls = page.get_by_role("listitem").filter(has_text="API calls")
    assert "17,500 of 10,000 calls" in " ".join((await calls.inner_text()).split())
    assert "7,500 calls over the plan · €2.75 so far" in await calls.inner_text()
    bar = page.get_by_role("meter", name="API calls")
    assert await bar.get_attribute("aria-valuenow") == "100"
    included = await bar.locator(".calm").bounding_box()
    over = await bar.locator(".over").bounding_box()
    assert included is not None
    assert over is not None
    assert abs(included["width"] / (included["width"] + over["width"]) - 10000 / 17500) < 0.01

    storage = page.get_by_role("meter", name="Storage")
    assert await storage.get_attribute("aria-valuetext") == "41.5 of 50 GB: 83% of the plan"
    assert await storage.locator(".near").count() == 1
    assert await page.get_by_role("meter", name="Seats").count() == 0
    assert (
        "€12.00 so far" in await page.get_by_role("listitem").filter(has_text="Seats").inner_text()
    )
    total = page.locator("section", has=page.get_by_role("heading", name="Overage so far"))
    assert "€14.75" in await total.inner_text()


async def test_usage_grows_with_the_events(product: "Product", visit: "Visit") -> None:
    customer = await product.customer()
    visitor = await visit()
    await visitor.sign_in(customer.owner)
    for quantity in ("1", "41"):
        await product.use(customer, "api_calls", quantity)
    await visitor.page.reload()
    assert "42 of 10,000 calls" in " ".join((await visitor.page.inner_text("main")).split())


async def test_a_card_is_saved_charged_and_the_invoice_explained(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer()
    await product.use(customer, "api_calls", "17500")
    visitor = await visit()
    visitor.expects(402)
    await visitor.sign_in(customer.owner, "/billing/payment-methods")
    page = visitor.page

    await page.get_by_role("button", name="Add a card").click()
    await fill_card(page, "4000000000000002")
    await visitor.picture("card-form")
    await page.get_by_role("button", name="Save card").click()
    declined = page.get_by_role("alert").filter(has_text="declined")
    await declined.wait_for()
    await visitor.picture("card-declined")

    await fill_card(page, "4242424242424242")
    await page.get_by_role("button", name="Save card").click()
    await page.get_by_text("The card was saved.").wait_for()
    assert await page.get_by_role("heading", name="Visa ending in 4242").is_visible()
    assert await page.get_by_text("Expires 12/2034").is_visible()
    await visitor.picture("card-saved")

    staff = await visit()
    await staff.sign_in(await product.staff(), f"/staff/accounts/{customer.id}")
    assert await staff.page.get_by_label("Advance to (UTC)").input_value() == "2025-02-27T23:00"
    await staff.page.get_by_label("Advance to (UTC)").fill("2025-03-01T12:00")
    await staff.page.get_by_role("button", name="Advance").click()
    await staff.page.get_by_text("Ready").wait_for()
    await staff.page.get_by_role("cell", name="Paid").wait_for()
    assert await staff.page.get_by_text("1 Mar 2025, 12:00 UTC").is_visible()
    await staff.picture("staff-account")

    await page.get_by_role("link", name="Invoices").click()
    await page.get_by_role("cell", name="Paid").wait_for()
    await visitor.picture("invoices")
    await page.get_by_role("row").nth(1).get_by_role("link").first.click()
    await page.get_by_role("heading", name="Invoice").wait_for()
    await page.get_by_text("How this amount came about: API calls").click()
    steps = await page.get_by_role("listitem").filter(visible=True).all_inner_texts()
    assert "10,000 of 10,000 included" in steps
    assert "tier 0\u20135,000: 5,000 \u00d7 €0.0004 = €2.00" in steps
    assert "tier above 5,000: 2,500 \u00d7 €0.0003 = €0.75" in steps
    assert await page.get_by_text(
        "Computed again from what is stored: €2.75, the same"
    ).is_visible()
    await visitor.picture("invoice")

    link = await page.get_by_role("link", name="Open PDF").get_attribute("href")
    pdf = await page.request.get(f"{product.address}{link}")
    assert pdf.status == 200
    assert (await pdf.body()).startswith(b"%PDF")


async def test_a_gateway_that_is_down_is_told_and_tried_again(
    product: "Product", visit: "Visit", http: httpx.AsyncClient
) -> None:
    customer = await product.customer()
    visitor = await visit()
    visitor.expects(503)
    await visitor.sign_in(customer.owner, "/billing/payment-methods")
    fault = {"action": "status", "status": 500, "path": "/v1/setup_intents", "times": None}
    await http.post(f"{product.simulator}/_sim/faults", json=fault)
    await visitor.page.get_by_role("button", name="Add a card").click()
    await visitor.page.get_by_role("alert").wait_for()
    assert "does not answer" in await visitor.page.get_by_role("alert").inner_text()

    await http.delete(f"{product.simulator}/_sim/faults")
    await visitor.page.get_by_role("button", name="Add a card").click()
    await visitor.page.get_by_label("Card number").wait_for()
    assert await visitor.page.get_by_role("alert").count() == 0


async def test_a_card_that_the_bank_asks_about_is_saved_after_its_check(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer()
    visitor = await visit()
    visitor.expects(402)
    await visitor.sign_in(customer.owner, "/billing/payment-methods")
    page = visitor.page
    await page.get_by_role("button", name="Add a card").click()
    await fill_card(page, "4000002500003155")
    await page.get_by_role("button", name="Save card").click()
    await page.get_by_role("button", name="Fail authentication").click()
    await page.get_by_role("alert").filter(has_text="authenticate").wait_for()
    await page.get_by_role("button", name="Save card").click()
    await page.get_by_role("button", name="Complete authentication").click()
    await page.get_by_text("The card was saved.").wait_for()
    assert await page.get_by_role("heading", name="Visa ending in 3155").is_visible()


async def test_a_method_is_made_default_and_removed(product: "Product", visit: "Visit") -> None:
    customer = await product.customer()
    await product.save_card(customer)
    await product.save_card(customer, "pm_card_mastercard")
    visitor = await visit()
    await visitor.sign_in(customer.owner, "/billing/payment-methods")
    page = visitor.page
    await page.get_by_role("button", name="Make default Mastercard").click()
    await page.get_by_text("The default method was changed.").wait_for()
    mastercard = page.get_by_role("listitem").filter(has_text="Mastercard ending in 4444")
    assert await mastercard.get_by_text("Default", exact=True).is_visible()

    await mastercard.get_by_text("Remove Mastercard").click()
    await visitor.picture("remove-asked")
    await mastercard.get_by_role("button", name="Yes, remove it").click()
    await page.get_by_text("The method was removed.").wait_for()
    visa = page.get_by_role("listitem").filter(has_text="Visa ending in 4242")
    assert await visa.get_by_text("Default", exact=True).is_visible()


async def test_automatic_payment_is_switched_by_an_owner_only(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer()
    visitor = await visit()
    await visitor.sign_in(customer.owner, "/billing/payment-methods")
    await visitor.page.get_by_role("button", name="Turn off").click()
    await visitor.page.get_by_text("Automatic payment is off.").wait_for()
    await visitor.page.get_by_role("button", name="Turn on").click()
    await visitor.page.get_by_text("Automatic payment is on.").wait_for()

    member = await visit()
    await member.sign_in(
        await product.member(customer.account_id, "member"), "/billing/payment-methods"
    )
    assert await member.page.get_by_role("button").all_inner_texts() == ["Sign out"]
    assert await member.page.get_by_text("Only an owner").is_visible()


async def test_all_but_the_card_form_works_without_scripts(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer()
    await product.save_card(customer)
    visitor = await visit(scripts=False)
    await visitor.sign_in(customer.owner, "/billing/payment-methods")
    page = visitor.page
    assert not await page.get_by_role("button", name="Add a card").is_visible()
    await page.get_by_role("button", name="Turn off").click()
    await page.get_by_text("Automatic payment is off.").wait_for()
    await page.get_by_text("Remove Visa").click()
    await page.get_by_role("button", name="Yes, remove it").click()
    await page.get_by_text("The method was removed.").wait_for()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("heading", name="Sign in").wait_for()


async def test_invoices_are_narrowed_by_status(product: "Product", visit: "Visit") -> None:
    customer = await product.customer(autopay=False)
    await product.advance(customer, IN_SECOND_PERIOD)
    visitor = await visit()
    await visitor.sign_in(customer.owner, "/billing/invoices")
    page = visitor.page
    assert await page.get_by_role("cell", name="Open", exact=True).count() == 1
    await page.get_by_role("link", name="Paid", exact=True).click()
    assert await page.get_by_text("No invoice is paid.").is_visible()
    assert (
        await page.get_by_role("link", name="Paid", exact=True).get_attribute("aria-current")
        == "true"
    )


async def test_somebody_elses_invoice_is_not_there(product: "Product", visit: "Visit") -> None:
    other = await product.customer(autopay=False)
    await product.advance(other, IN_SECOND_PERIOD)
    theirs = await visit()
    await theirs.sign_in(other.owner, "/billing/invoices")
    path = (
        await theirs.page.get_by_role("row").nth(1).get_by_role("link").first.get_attribute("href")
    )
    assert path is not None

    visitor = await visit()
    visitor.expects(404)
    await visitor.sign_in((await product.customer()).owner)
    assert await visitor.goto(path) == 404
    assert await visitor.page.get_by_role("heading", name="Nothing here").is_visible()
    assert await visitor.page.get_by_text("Request req_").is_visible()


async def test_customers_do_not_see_the_pages_of_staff(product: "Product", visit: "Visit") -> None:
    customer = await product.customer()
    visitor = await visit()
    visitor.expects(403)
    await visitor.sign_in(customer.owner)
    assert await visitor.goto("/staff/accounts") == 403
    assert await visitor.goto(f"/staff/accounts/{customer.id}") == 403
    await visitor.picture("not-allowed")


async def test_staff_find_an_account_and_are_told_of_a_wrong_date(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer()
    visitor = await visit()
    visitor.expects(422)
    await visitor.sign_in(await product.staff())
    page = visitor.page
    await page.get_by_label("Name, e-mail or external id").fill(customer.subject)
    await page.get_by_role("button", name="Search").click()
    await page.get_by_text("1 account, newest first").wait_for()
    await visitor.picture("staff-accounts")
    await page.get_by_role("link", name="Atelier Lumière").click()
    await page.get_by_label("Advance to (UTC)").fill("2020-01-01T00:00")
    await page.get_by_role("button", name="Advance").click()
    await page.get_by_role("alert").wait_for()
    assert "only moves forward" in await page.get_by_role("alert").inner_text()


async def test_staff_who_only_look_can_not_move_a_clock(product: "Product", visit: "Visit") -> None:
    customer = await product.customer()
    visitor = await visit()
    await visitor.sign_in(await product.staff("support"), f"/staff/accounts/{customer.id}")
    assert await visitor.page.get_by_role("heading", name="Test clock").is_visible()
    assert await visitor.page.get_by_role("button", name="Advance").count() == 0


async def test_the_docs_page_loads_nothing_from_elsewhere(visit: "Visit") -> None:
    visitor = await visit()
    assert await visitor.goto("/docs") == 200
    await visitor.page.get_by_text("Tallystick").first.wait_for()
    await visitor.page.locator(".opblock").first.wait_for()


async def test_static_files_are_known_again_by_their_tag(http: httpx.AsyncClient) -> None:
    first = await http.get("/static/console.css")
    assert first.headers["content-type"].startswith("text/css")
    again = await http.get("/static/console.css", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert (await http.get("/static/..%2fcontext.py")).status_code == 404
    assert (await http.get("/static/context.py")).status_code == 404
