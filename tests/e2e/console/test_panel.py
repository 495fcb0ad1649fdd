"""The control panel at `/`: open to anybody, and for whoever has a token or a session."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.async_api import Request, Route

from tallystick.accounts import keys
from tallystick.console.panel_pages import gateway_views
from tallystick.console.rendering import render
from tallystick.kernel.db import WRITER
from tallystick.settings import Settings

from . import panel
from .panel import part

if TYPE_CHECKING:
    from tests.e2e.conftest import Product
    from tests.e2e.console.conftest import Visit

NOW = datetime(2026, 11, 1, tzinfo=UTC)


async def test_anybody_may_look_at_the_panel_and_is_shown_nothing_of_anybody(
    visit: "Visit",
) -> None:
    visitor = await visit()
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url))
    assert await visitor.goto("/") == 200
    page = visitor.page
    await part(page, "Who asks").get_by_text("Nobody is signed in.").wait_for()
    assert await page.get_by_role("link", name="Sign in").get_attribute("href") == "/sign-in?next=/"
    assert not await part(page, "Balance").is_visible()
    assert not await page.get_by_role("button", name="Refresh billing").is_visible()
    assert not [url for url in asked if "/api/" in url or visitor.product.address not in url]
    await panel.need_readable(visitor, "nobody")


async def test_what_is_not_configured_says_how_to(visit: "Visit") -> None:
    stripe, ccbill = gateway_views(Settings(home=Path("/")))
    facts = {
        "stripe": stripe,
        "ccbill": ccbill,
        "exponents": "{}",
        "public_url": "https://b.example",
    }
    frame = {"viewer": None, "here": "/", "path": "/", "notice": ""}
    html = render("panel.html", {**frame, **facts})
    visitor = await visit()
    await visitor.page.route(
        f"{visitor.product.address}/",
        lambda route: route.fulfill(body=html, content_type="text/html"),
    )
    await visitor.goto("/")
    for name in ("Stripe", "CCBill"):
        assert await visitor.page.get_by_text(f"{name} is not configured here.").is_visible()
    assert await visitor.page.get_by_role("link", name="settings").count() == 2
    await panel.need_readable(visitor, "not-configured")


async def test_staff_name_the_account_that_they_look_at(product: "Product", visit: "Visit") -> None:
    customer = await product.customer(None)
    visitor = await visit()
    visitor.expects(400, 404)
    await visitor.enter(await product.staff())
    await visitor.goto("/")
    page, caller = visitor.page, part(visitor.page, "Who asks")
    await page.get_by_role("alert").filter(has_text="name one under Set tokens").wait_for()
    assert await page.get_by_text("Set tokens or sign in to save a card.").is_visible()
    await caller.get_by_role("button", name="Set tokens").click()
    await caller.get_by_label("Account").fill("nobody-has-this")
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").filter(has_text="There is no such").wait_for()
    await caller.get_by_role("button", name="Change tokens").click()
    await caller.get_by_label("Account").fill(customer.subject)
    await page.keyboard.press("Enter")
    await caller.get_by_text(f"For {customer.subject}.").wait_for()
    await part(page, "Balance").get_by_text("Owed").wait_for()


async def test_without_scripts_a_sentence_says_what_is_missing(visit: "Visit") -> None:
    visitor = await visit(scripts=False)
    await visitor.goto("/")
    sentence = visitor.page.locator("noscript p")
    assert await sentence.is_visible()
    assert "needs JavaScript" in await sentence.inner_text()


async def test_tokens_are_kept_in_the_tab_and_sent_to_our_own_api_alone(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer()
    async with product.services.db.transaction(WRITER) as conn:
        _, secret = await keys.create_api_key(
            conn, None, name="Panel", scopes=["billing:write"], now=NOW
        )
    visitor = await visit()
    visitor.expects(401)
    bearers: set[tuple[str, str]] = set()

    def see(request: Request) -> None:
        if "authorization" in request.headers:
            path = request.url.removeprefix(product.address)
            bearers.add((path.partition("/api/billing/")[0], request.headers["authorization"]))

    visitor.page.on("request", see)
    await visitor.goto("/")
    page, caller = visitor.page, part(visitor.page, "Who asks")
    await page.get_by_role("button", name="Set tokens").press("Enter")
    await caller.get_by_role("button", name="Use these tokens").click()
    token = caller.get_by_label("Access token")
    assert await token.evaluate("node => node === document.activeElement")
    assert await token.get_attribute("aria-invalid") == "true"
    await token.fill("tsk_wrong")
    await page.keyboard.press("Enter")
    await page.get_by_role("alert").filter(has_text="key").wait_for()
    assert not await part(page, "Balance").is_visible()

    await page.get_by_role("button", name="Change tokens").click()
    await token.fill(secret)
    await caller.get_by_label("Account").fill(customer.subject)
    await caller.get_by_label("ID token").fill("kept.and.unsent")
    await panel.need_readable(visitor, "tokens")
    await page.keyboard.press("Enter")
    await part(page, "Balance").get_by_text("Owed").wait_for()
    await page.reload()
    await page.get_by_text("As of").wait_for()
    assert bearers == {("", "Bearer tsk_wrong"), ("", f"Bearer {secret}")}
    assert await page.evaluate("localStorage.length") == 0

    other = await visitor.context.new_page()
    await other.goto(product.address)
    assert await other.get_by_text("Nobody is signed in.").is_visible()
    await page.get_by_role("button", name="Clear tokens").click()
    await page.get_by_text("Nobody is signed in.").wait_for()
    assert not await part(page, "Balance").is_visible()
    assert "tsk_" not in await page.evaluate("JSON.stringify(sessionStorage)")


async def test_what_may_have_been_done_is_asked_again_with_the_same_key(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer(None)
    await product.save_card(customer)
    visitor = await visit()
    page = await panel.enter(visitor, customer.owner)
    sent: list[str] = []

    async def lose_the_first_answer(route: Route) -> None:
        sent.append(route.request.headers["idempotency-key"])
        answer = await route.fetch()
        if len(sent) == 1:
            visitor.complaints.clear()
            await route.fulfill(status=503, json={"detail": "It is too busy."})
        else:
            await route.fulfill(response=answer)

    visitor.expects(503)
    await page.route("**/charge-once", lose_the_first_answer)
    await panel.charge_once(page, "12.50")
    await page.get_by_text("It is too busy.").wait_for()
    await page.reload()
    await page.get_by_text("As of").wait_for()
    await panel.charge_once(page, "12.50")
    await page.get_by_text("€12.50 was paid.").wait_for()
    await panel.charge_once(page, "12.50")
    await part(page, "Payments").get_by_role("row").nth(2).wait_for()
    await page.unroute_all(behavior="wait")
    assert sent[0] == sent[1] != sent[2]


async def test_a_gateway_that_is_away_leaves_the_rest_working(
    product: "Product", visit: "Visit"
) -> None:
    customer = await product.customer(None)
    visitor = await visit()
    visitor.expects(503)
    page = await panel.enter(visitor, customer.owner)
    refused = {"code": "gateway_unavailable", "detail": "The gateway stripe does not answer."}
    await page.route("**/setup-intent/card", lambda route: route.fulfill(status=503, json=refused))
    stripe = part(page, "Billing (Stripe)")
    await stripe.get_by_role("button", name="Add a card").click()
    await stripe.get_by_role("alert").filter(has_text="does not answer").wait_for()
    switch = part(page, "Settings").get_by_role("switch", name="Autopay")
    await switch.press("Space")
    await page.get_by_text("Autopay is off.").wait_for()
    await page.reload()
    await page.get_by_text("As of").wait_for()
    assert not await switch.is_checked()
