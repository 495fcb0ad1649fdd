"""A shop's page in a real browser, of another origin than the simulator, with a strict policy."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

HTML = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Pay</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"></head><body><main><h1>Pay</h1>
<form id="form" method="post" action="/pay"><div id="card"></div>
<p><button type="submit">Save card</button></p></form><p id="result" role="status"></p></main>
<script src="{simulator}/stripe.js"></script><script src="/page.js"></script></body></html>"""
SCRIPT = """
const query = new URLSearchParams(location.search);
const clientSecret = query.get("secret");
const stripe = Stripe("pk_test_1");
const elements = stripe.elements({clientSecret, appearance: {variables: {borderRadius: "4px"}}});
const element = elements.create("payment");
window.changes = [];
element.on("ready", () => { document.body.dataset.ready = "yes"; });
element.on("change", (event) => { window.changes.push([event.complete, event.empty]); });
element.mount("#card");
document.getElementById("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const confirm = clientSecret.startsWith("seti_") ? "confirmSetup" : "confirmPayment";
  const result = await stripe[confirm]({elements, redirect: query.get("redirect") || "if_required",
    confirmParams: {return_url: location.origin + "/back?order=7"}});
  const intent = result.setupIntent || result.paymentIntent;
  document.getElementById("result").textContent =
    intent ? intent.status : result.error.code + ": " + result.error.message;
});
"""


class Shop:
    """The merchant's own server: it writes down everything that it is sent."""

    def __init__(self, simulator: str) -> None:
        self.seen: list[str] = []
        shop = self
        policy = (
            f"default-src 'none'; script-src 'self' {simulator}; connect-src {simulator}; "
            "form-action 'self'; base-uri 'none'"
        )

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shop.seen.append(self.path)
                text = SCRIPT if self.path == "/page.js" else HTML.format(simulator=simulator)
                kind = "text/javascript" if self.path == "/page.js" else "text/html"
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-security-policy", policy)
                self.end_headers()
                self.wfile.write(text.encode())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                shop.seen.append(body.decode())
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def shop(base_url: str) -> Iterator[Shop]:
    shop = Shop(base_url)
    threading.Thread(target=shop.server.serve_forever, args=(0.01,), daemon=True).start()
    yield shop
    shop.server.shutdown()
    shop.server.server_close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A phone's page; nothing may be blocked by the policy or fail in the console."""
    context = browser.new_context(viewport={"width": 360, "height": 640})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda line: complaints.append(line.text) if "Content Security" in line.text else None,
    )
    yield page
    context.close()
    assert complaints == []
