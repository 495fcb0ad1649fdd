"""The widget in a real browser, on a page of another origin with a strict policy."""

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # it has no types
from playwright.sync_api import Browser, Page, sync_playwright

from tests.ccbill import ACCNUM, FRONTEND, VISA, CcbillSimulator, Json

SCA = "4000002500003155"
FIELDS = {
    "firstName": "Ann",
    "lastName": "Lee",
    "postalCode": "85281",
    "country": "US",
    "email": "ann@example.com",
    "cardNumber": VISA,
    "expMonth": "3",
    "expYear": "2040",
    "cvv2": "123",
    "nameOnCard": "Ann Lee",
    "currencyCode": "840",
    "amount": "10.50",
}
HTML = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Pay</title></head>
<body><main><h1>Pay</h1><form id="form">{inputs}</form><div id="bank"></div></main>
<script src="{simulator}/v1.13.1/ccbill-advanced-widget.js"></script></body></html>"""
# Calls a method of the widget; the answer is what came, or what was thrown.
CALL = """async ([name, args, customIds]) => {
  const widget = new ccbill.CCBillAdvancedWidget("sim-frontend", customIds);
  try {
    const done = await widget[name](...args);
    return done instanceof Response ? {status: done.status, json: await done.json()} : {json: done};
  } catch (error) {
    return {thrown: Array.isArray(error) ? error.map(one => [one.propertyName, one.message])
      : String(error), hasTarget: Array.isArray(error) && error.every(one => one.target)};
  }
}"""


class Shop:
    """The merchant's own server: one page, whose fields a test may change."""

    def __init__(self, simulator: str) -> None:
        self.inputs = "".join(field(name) for name in FIELDS)
        shop = self
        policy = (
            f"default-src 'none'; script-src {simulator}; connect-src {simulator}; "
            f"frame-src {simulator}; base-uri 'none'"
        )

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.send_header("content-security-policy", policy)
                self.end_headers()
                self.wfile.write(HTML.format(inputs=shop.inputs, simulator=simulator).encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


def field(name: str, attribute: str = "data-ccbill", value: str | None = None) -> str:
    named = f'{attribute}="{name}"' if attribute == "data-ccbill" else f'id="{attribute}{name}"'
    return f'<input aria-label="{name}" {named} value="{FIELDS[name] if value is None else value}">'


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
def shop(ccbill: CcbillSimulator) -> Iterator[Shop]:
    shop = Shop(ccbill.url)
    threading.Thread(target=shop.server.serve_forever, args=(0.01,), daemon=True).start()
    yield shop
    shop.server.shutdown()
    shop.server.server_close()


@pytest.fixture
def page(browser: Browser, shop: Shop) -> Iterator[Page]:
    """The shop's page; nothing may be blocked by the policy or fail in a script."""
    context = browser.new_context(viewport={"width": 390, "height": 800})
    page = context.new_page()
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on(
        "console",
        lambda line: complaints.append(line.text) if "Content Security" in line.text else None,
    )
    page.goto(shop.url)
    yield page
    context.close()
    assert complaints == []


def call(page: Page, name: str, *args: Any, custom_ids: Json | None = None) -> Json:
    done: Json = page.evaluate(CALL, [name, list(args), custom_ids])
    return done


def put(page: Page, **values: str) -> None:
    for name, value in values.items():
        page.get_by_label(name, exact=True).fill(value)


def test_a_card_typed_in_becomes_a_token_that_can_be_charged(
    page: Page, ccbill: CcbillSimulator
) -> None:
    bearer = ccbill.bearer(FRONTEND)
    clear_limits = (True, True, 24, 3)
    done = call(page, "createPaymentToken", bearer, ACCNUM, 0, *clear_limits)
    assert done["status"] == 200
    token = done["json"]["paymentTokenId"]
    assert (done["json"]["timeToLive"], done["json"]["validNumberOfUse"]) == (24, 3)
    assert ccbill.charge(token).json()["approved"] is True
    assert page.get_by_label("cardNumber").input_value() == ""
    assert page.get_by_label("firstName").input_value() == ""
    assert page.get_by_label("amount").input_value() == "10.50"


def test_fields_are_found_by_id_too(page: Page, shop: Shop, ccbill: CcbillSimulator) -> None:
    shop.inputs = "".join(field(name, "_ccbillId_") for name in FIELDS)
    page.goto(shop.url)
    bearer = ccbill.bearer(FRONTEND)
    assert call(page, "createPaymentToken", bearer, ACCNUM, 0)["status"] == 200
    shop.inputs = "".join(field(name, "my-") for name in FIELDS)
    page.goto(shop.url)
    assert "thrown" in call(page, "createPaymentToken", bearer, ACCNUM, 0)
    ids = {name: f"my-{name}" for name in FIELDS}
    done = call(page, "createPaymentToken", bearer, ACCNUM, 0, custom_ids=ids)
    assert done["status"] == 200


WRONG = (
    ("cardNumber", "4242424242424242", "test cards only"),
    ("cardNumber", "4111", "valid credit card number"),
    ("firstName", " ", "required"),
    ("email", "ann", "valid email"),
    ("expMonth", "13", "month"),
    ("expYear", "2017", "year"),
    ("cvv2", "1", "digits"),
    ("country", "USA", "two-letter"),
)


def test_what_is_wrong_is_thrown_as_a_list_and_sent_nowhere(
    page: Page, ccbill: CcbillSimulator
) -> None:
    for name, value, says in WRONG:
        put(page, **{name: value})
        done = call(page, "createPaymentToken", ccbill.bearer(FRONTEND), ACCNUM, 0)
        ((blamed, message),) = done["thrown"]
        assert blamed == name
        assert message.startswith(f"{name}.")
        assert says in message
        assert done["hasTarget"] is True
        put(page, **{name: FIELDS[name]})
    assert [one for one in ccbill.look("requests") if "payment-tokens" in one["path"]] == []


def test_accounts_and_limits_are_checked_in_the_page(page: Page) -> None:
    done = call(page, "createPaymentToken", "bearer", 1, 10000, None, None, -1, "x")
    names = [name for name, _ in done["thrown"]]
    assert names == ["clientAccnum", "clientSubacc", "timeToLive", "numberOfUse"]


def test_an_error_of_the_api_comes_as_a_response(page: Page, ccbill: CcbillSimulator) -> None:
    put(page, cardNumber="4242424242424241")
    done = call(page, "createPaymentToken", ccbill.bearer(FRONTEND), ACCNUM, 0)
    assert (done["status"], done["json"]["errorCode"]) == (400, 200000)
    assert call(page, "createPaymentToken", "stale", ACCNUM, 0)["status"] == 401


def test_it_asks_whether_the_bank_must_be_asked(page: Page, ccbill: CcbillSimulator) -> None:
    bearer = ccbill.bearer(FRONTEND)
    assert call(page, "isScaRequired", bearer, ACCNUM, 0)["json"]["required"] is False
    put(page, cardNumber=SCA)
    assert call(page, "isScaRequired", bearer, ACCNUM, 0)["json"]["required"] is True
    token = ccbill.token(SCA)
    done = call(page, "isScaRequiredForPaymentToken", bearer, token)
    assert done["json"]["required"] is True
    put(page, currencyCode="USD")
    done = call(page, "isScaRequiredForPaymentToken", bearer, "!")
    assert [name for name, _ in done["thrown"]] == ["paymentTokenId", "currencyCode"]


def start(page: Page, name: str, *args: Any) -> None:
    """Begin a call that waits for the bank; `finish` returns what came of it."""
    script = f"(given) => {{ window.waiting = ({CALL})(given); }}"
    page.evaluate(script, [name, list(args), None])


def finish(page: Page, press: str) -> Json:
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name=press).click()
    done: Json = page.evaluate("() => window.waiting")
    assert page.locator("iframe").count() == 0
    return done


def charge_values(told: Json) -> Json:
    names = ("eci", "status", "success", "dsTransId", "acsTransId", "authenticationValue",
             "cardToken", "clientTransactionId")  # fmt: skip
    values = {f"threeds{name[0].upper()}{name[1:]}": told[name] for name in names}
    return {**values, "threedsVersion": told["protocolVersion"], "threedsAmount": told["amount"]}


@pytest.mark.parametrize(
    ("press", "approved"), [("Complete authentication", True), ("Fail authentication", False)]
)
def test_the_bank_asks_in_an_iframe_and_the_threeds_endpoint_believes_it(
    page: Page, ccbill: CcbillSimulator, press: str, *, approved: bool
) -> None:
    put(page, cardNumber=SCA)
    token = ccbill.token(SCA)
    bearer = ccbill.bearer(FRONTEND)
    start(page, "authenticateCustomer", bearer, ACCNUM, 0, "#form", "bank", token)
    page.frame_locator("#bank iframe").get_by_role("heading").wait_for()
    assert Axe().run(page).response["violations"] == []
    told = finish(page, press)["json"]
    assert told["success"] is approved
    answer = ccbill.charge(token, threeds=charge_values(told))
    assert answer.json()["approved"] is approved


@pytest.mark.parametrize(
    "name", ["authenticateCustomerAndCreatePaymentToken", "createPaymentToken3DS"]
)
def test_a_token_made_with_the_check_is_charged_without_it(
    page: Page, ccbill: CcbillSimulator, name: str
) -> None:
    put(page, cardNumber=SCA)
    start(page, name, ccbill.bearer(FRONTEND), ACCNUM, 0)
    told = finish(page, "Complete authentication")["json"]
    assert told["threedsInformation"]["status"] == "Y"
    assert told["paymentTokenId"] == told["paymentToken"]["paymentTokenId"]
    assert ccbill.charge(told["paymentTokenId"]).json()["approved"] is True


@pytest.mark.parametrize("version", ["1.9.0", "1.13.1"])
def test_the_script_is_where_ccbill_has_it(ccbill: CcbillSimulator, version: str) -> None:
    answer = ccbill.http.get(f"/v{version}/ccbill-advanced-widget.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    assert f'VERSION = "{version}"' in answer.text
    assert VISA in answer.text
    assert ccbill.http.get("/ccbill-advanced-widget.js").status_code == 404
