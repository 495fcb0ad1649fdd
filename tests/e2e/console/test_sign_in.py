"""The door: who comes in, who does not, and what is left after leaving."""

from typing import TYPE_CHECKING
from urllib.parse import quote

import httpx

if TYPE_CHECKING:
    from tests.e2e.conftest import Product
    from tests.e2e.console.conftest import Visit

PASSWORD = "correct horse battery staple"


async def test_a_wrong_password_is_told_and_the_right_one_leads_on(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer()
    visitor = await visit()
    visitor.expects(401)
    await visitor.goto("/billing/invoices?status=open")
    page = visitor.page
    assert page.url.endswith(f"/sign-in?next={quote('/billing/invoices?status=open', safe='')}")

    await page.get_by_label("E-mail").fill(customer.owner)
    await page.get_by_label("Password").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("alert").wait_for()
    assert await page.get_by_role("alert").inner_text() == (
        "The e-mail address or the password is wrong."
    )
    assert await page.get_by_label("E-mail").input_value() == customer.owner
    assert await page.get_by_label("Password").evaluate("node => node === document.activeElement")

    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", name="Invoices").wait_for()
    assert page.url.endswith("/billing/invoices?status=open")


async def test_signing_in_and_reading_works_by_keyboard_alone(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer()
    visitor = await visit()
    await visitor.goto("/sign-in")
    keyboard, page = visitor.page.keyboard, visitor.page
    # The field takes the focus by itself, a moment after the page is there.
    await page.locator("input[type=email]:focus").wait_for()
    await keyboard.type(customer.owner)
    await keyboard.press("Tab")
    await keyboard.type(PASSWORD)
    await keyboard.press("Enter")
    await page.get_by_role("heading", name="Usage").wait_for()

    await keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    assert await skip.evaluate("node => node === document.activeElement")
    box = await skip.bounding_box()
    assert box is not None
    assert box["y"] >= 0
    await keyboard.press("Enter")
    assert await page.evaluate("document.activeElement.id") == "main"


async def test_focus_goes_through_a_page_in_reading_order(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer()
    visitor = await visit()
    await visitor.sign_in(customer.owner)
    seen = []
    for _ in range(7):
        await visitor.page.keyboard.press("Tab")
        seen.append(await visitor.page.evaluate("document.activeElement.innerText.trim()"))
    assert seen == [
        "Skip to content",
        "Tallystick",
        "Usage",
        "Credits",
        "Invoices",
        "Payment methods",
        "Sign out",
    ]


async def test_the_session_cookie_is_out_of_reach_of_scripts(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer()
    visitor = await visit()
    await visitor.sign_in(customer.owner)
    (cookie,) = await visitor.context.cookies()
    assert cookie["name"] == "session_token"
    assert cookie["httpOnly"]
    assert cookie["sameSite"] == "Lax"
    assert await visitor.page.evaluate("document.cookie") == ""


async def test_after_signing_out_nothing_is_left(
    product: "Product", visit: "Visit", http: httpx.AsyncClient
) -> None:
    customer = await product.customer()
    visitor = await visit()
    await visitor.sign_in(customer.owner)
    (cookie,) = await visitor.context.cookies()
    await visitor.page.get_by_role("button", name="Sign out").click()
    await visitor.page.get_by_role("heading", name="Sign in").wait_for()
    assert await visitor.context.cookies() == []

    await visitor.page.go_back()
    await visitor.page.get_by_role("heading", name="Sign in").wait_for()
    await visitor.page.reload()
    await visitor.page.get_by_role("heading", name="Sign in").wait_for()
    assert await visitor.page.get_by_text("Atelier").count() == 0

    headers = {"Cookie": f"session_token={cookie['value']}"}
    answer = await http.get("/api/v1/billing/settings", headers=headers)
    assert answer.status_code == 401


async def test_a_form_without_the_token_changes_nothing(product: "Product", visit: "Visit") -> None:
    customer = await product.customer(autopay=True)
    visitor = await visit()
    await visitor.sign_in(customer.owner, "/billing/payment-methods")
    forms: list[dict[str, str | float | bool]] = [
        {"enabled": "false"},
        {"enabled": "false", "csrf_token": "0" * 64},
    ]
    for form in forms:
        answer = await visitor.page.request.post(
            f"{product.address}/billing/autopay", form=form, max_redirects=0
        )
        assert answer.status == 403
    answer = await visitor.page.request.post(f"{product.address}/sign-out", max_redirects=0)
    assert answer.status == 403
    await visitor.page.reload()
    assert await visitor.page.get_by_role("button", name="Turn off").is_visible()


async def test_another_site_can_not_sign_somebody_in(
    product: "Product", http: httpx.AsyncClient
) -> None:
    customer = await product.customer()
    answer = await http.post(
        "/sign-in",
        data={"email": customer.owner, "password": PASSWORD},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


async def test_too_many_tries_are_stopped_with_a_sentence(
    product: "Product", visit: "Visit", http: httpx.AsyncClient
) -> None:
    customer = await product.customer()
    form = {"email": customer.owner, "password": "wrong"}
    statuses = [(await http.post("/sign-in", data=form)).status_code for _ in range(11)]
    assert statuses == [401] * 10 + [429]
    visitor = await visit()
    visitor.expects(429)
    await visitor.goto("/sign-in")
    await visitor.page.get_by_label("E-mail").fill(customer.owner)
    await visitor.page.get_by_label("Password").fill(PASSWORD)
    await visitor.page.get_by_role("button", name="Sign in").click()
    assert "Too many tries" in await visitor.page.get_by_role("alert").inner_text()
