"""A browser that notes all it does, and people who look at pages with it.

`TALLYSTICK_CHROMIUM` names a browser, `TALLYSTICK_SCREENSHOTS` a folder for pictures.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    ViewportSize,
    async_playwright,
)

if TYPE_CHECKING:
    from tests.e2e.conftest import Product

PASSWORD = "correct horse battery staple"
TIMEOUT_MS = 30_000
WIDE: ViewportSize = {"width": 1200, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # Whatever a page asks of another host fails here, and is noted as well.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


class Visitor:
    """A browser window, and a note of all that it should not have done."""

    def __init__(self, product: "Product", context: BrowserContext, page: Page) -> None:
        self.product = product
        self.context = context
        self.page = page
        self.complaints: list[str] = []
        self._expected: set[int] = set()
        self._allowed = {product.address, product.simulator, product.ccbill.url}
        context.on("request", lambda request: self._see(request.url))
        context.on("console", self._hear)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))

    def expects(self, *statuses: int) -> None:
        """Take an answer with one of these statuses as what the test is about."""
        self._expected.update(statuses)

    async def goto(self, path: str) -> int:
        """Go to a page of the product and return the status of its answer."""
        answer = await self.page.goto(self.product.address + path)
        assert answer is not None
        return answer.status

    async def sign_in(self, email: str, following: str = "/home") -> None:
        """Sign in as a person would, and end on the page `following`."""
        await self.goto(f"/sign-in?next={following}")
        await self.page.get_by_label("E-mail").fill(email)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.get_by_role("button", name="Sign out").wait_for()

    async def enter(self, email: str) -> None:
        """Be signed in, without looking at the form."""
        form = {"email": email, "password": PASSWORD}
        async with httpx.AsyncClient() as http:
            answer = await http.post(f"{self.product.address}/sign-in", data=form)
        token = answer.cookies["session_token"]
        address = self.product.address
        await self.context.add_cookies([{"name": "session_token", "value": token, "url": address}])

    async def picture(self, name: str) -> None:
        """Keep a picture of the whole page, if somebody asked for pictures."""
        folder = os.environ.get("TALLYSTICK_SCREENSHOTS")
        if folder:
            await self.page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)

    def _see(self, url: str) -> None:
        parts = urlsplit(url)
        own = f"{parts.scheme}://{parts.netloc}" in self._allowed
        if not own and parts.scheme not in {"data", "blob", "about"}:
            self.complaints.append(f"a request left for {url}")

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        if any(f"status of {status} " in message.text for status in self._expected):
            return
        self.complaints.append(f"the console says: {message.text}")


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """The browser: named, found, or installed once; without one the tests say why they do not run.

    In CI (`CI=true`) they fail instead: there, not run is not good.
    """
    found = os.environ.get("TALLYSTICK_CHROMIUM") or shutil.which("chromium") or install_chromium()
    if found:
        return found
    reason = "there is no Chromium: install Debian's chromium, or name one in TALLYSTICK_CHROMIUM"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def install_chromium() -> str | None:
    """Install Debian's Chromium, if this is a Debian and we may; one test process at a time."""
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return None
    lock = Path(tempfile.gettempdir()) / f"tallystick-chromium-{os.getuid()}.lock"
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        found = shutil.which("chromium")
        if found:
            return found
        print("installing chromium with apt-get, once", file=sys.__stderr__, flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["update"], ["install", "-y", "--no-install-recommends", "chromium"]):
            subprocess.run(["apt-get", "-q", *command], check=False, env=environment)
        return shutil.which("chromium")


@pytest.fixture(scope="session")
async def browser(chromium_path: str) -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(
            executable_path=chromium_path, args=list(CHROMIUM_ARGUMENTS)
        )
        yield started
        await started.close()


Visit = Callable[..., Awaitable[Visitor]]


@pytest.fixture
async def visit(browser: Browser, product: "Product") -> AsyncIterator[Visit]:
    """Open windows; at the end none of them may have anything to complain of."""
    visitors: list[Visitor] = []

    async def opened(*, viewport: ViewportSize = WIDE, scripts: bool = True) -> Visitor:
        context = await browser.new_context(viewport=viewport, java_script_enabled=scripts)
        context.set_default_timeout(TIMEOUT_MS)
        visitors.append(Visitor(product, context, await context.new_page()))
        return visitors[-1]

    yield opened
    for visitor in visitors:
        await visitor.context.close()
    assert [said for visitor in visitors for said in visitor.complaints] == []
