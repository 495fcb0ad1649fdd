"""What tests of the control panel share: its parts by name, forms filled in, pictures, axe."""

from typing import TYPE_CHECKING, Literal

from axe_playwright_python.async_playwright import Axe  # type: ignore[import-untyped]  # has none
from playwright.async_api import Locator, Page, ViewportSize

if TYPE_CHECKING:
    from tests.e2e.console.conftest import Visitor

WIDE: ViewportSize = {"width": 1200, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 740}
LOOKS: tuple[tuple[ViewportSize, Literal["light", "dark"]], ...] = (
    (WIDE, "light"),
    (PHONE, "dark"),
)


def part(page: Page, name: str) -> Locator:
    """Return a section of the panel by its heading."""
    return page.get_by_role("region", name=name, exact=True)


async def enter(visitor: "Visitor", owner: str) -> Page:
    """Come to the panel signed in, and wait until it shows something."""
    await visitor.enter(owner)
    await visitor.goto("/")
    await visitor.page.get_by_text("As of").wait_for()
    return visitor.page


async def fill_stripe_card(page: Page, number: str) -> None:
    form = part(page, "Billing (Stripe)")
    await form.get_by_label("Card number").fill(number)
    await form.get_by_label("Expiry").fill("1234")
    await form.get_by_label("Security code").fill("123")


async def fill_ccbill_card(page: Page, number: str) -> None:
    form = part(page, "Billing (CCBill)")
    for label, text in {
        "First name": "Ann",
        "Last name": "Lee",
        "E-mail": "ann@example.com",
        "Country": "US",
        "Postal code": "85281",
        "Name on the card": "Ann Lee",
        "Card number": number,
        "Month": "03",
        "Year": "2040",
        "Code": "123",
    }.items():
        await form.get_by_label(label, exact=True).fill(text)


async def charge_once(page: Page, amount: str, method: str | None = None) -> None:
    form = part(page, "Charge once")
    await form.get_by_label("Amount").fill(amount)
    if method is not None:
        await form.get_by_label("Payment method").select_option(label=method)
    await form.get_by_role("button", name="Charge once").click()


async def need_readable(visitor: "Visitor", name: str) -> None:
    """Axe finds nothing, wide and light as narrow and dark, and nothing is pushed sideways."""
    for size, scheme in LOOKS:
        await visitor.page.set_viewport_size(size)
        await visitor.page.emulate_media(color_scheme=scheme)
        await visitor.picture(f"panel-{name}-{size['width']}-{scheme}")
        report = await Axe().run(visitor.page)
        assert report.violations_count == 0, report.generate_report()
        width = await visitor.page.evaluate("document.documentElement.scrollWidth")
        assert width <= size["width"]
    await visitor.page.set_viewport_size(WIDE)
    await visitor.page.emulate_media(color_scheme="light")


async def until_seen(page: Page, wanted: Locator) -> None:
    """Refresh until a webhook has made what is wanted."""
    for _ in range(40):
        await page.get_by_role("button", name="Refresh billing").click()
        await page.get_by_text("As of").wait_for()
        if await wanted.count():
            return
        await page.wait_for_timeout(250)
    raise AssertionError("it did not come to be seen")
