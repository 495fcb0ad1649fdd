"""The hosted pages: the bank's check, microdeposits, and Checkout. Plain forms, no script."""

from collections.abc import Mapping
from importlib import resources
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import jinja2
import msgspec

from tallystick.simulators.http import Reply, Request
from tallystick.simulators.stripe import amounts
from tallystick.simulators.stripe.api import Api
from tallystick.simulators.stripe.bank.accounts import ACCOUNTS
from tallystick.simulators.stripe.checkout import lines
from tallystick.simulators.stripe.computed import LINE_ITEMS
from tallystick.simulators.stripe.errors import Json
from tallystick.simulators.stripe.paper import pdf_of

HTML = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; form-action *; style-src 'self'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
KEY = "pk_test_hosted_page"
OK = 200
BANK = "/_page/authenticate"
LEAVE = "/_page/authenticate/hosted"
DEPOSITS = "/_page/microdeposits"
CHECKOUT = "/_page/checkout/"
INVOICES = "/_page/invoices/"
PDF = {"content-type": "application/pdf", "cache-control": "no-store"}
STYLE = "/_page/hosted.css"
HEADINGS = {"payment": "pay", "setup": "save a payment method", "subscription": "subscribe"}
ACTIONS = {"payment": "Pay", "setup": "Save", "subscription": "Subscribe"}
KINDS = {"card": "Card", "us_bank_account": "US bank account"}


class Hosted:
    """Serves the pages, and passes what is sent on them to the API as a page's script would."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader(__package__, "page"), autoescape=True
        )

    async def answer(self, request: Request) -> Reply | None:
        """Return the page, or None when the path is none of a page."""
        path, form = request.path, _fields(request)
        if request.method == "GET":
            return self._show(path, form)
        if request.method != "POST":
            return None
        if path == LEAVE:
            return await self._leave_bank(request, form)
        if path == DEPOSITS:
            return await self._verify(request, form)
        if path.startswith(CHECKOUT) and path.count("/") == CHECKOUT.count("/"):
            return await self._pay(request, path.removeprefix(CHECKOUT), form)
        return None

    def _show(self, path: str, form: Mapping[str, str]) -> Reply | None:
        if path == STYLE:
            css = resources.files(__package__).joinpath("page", "hosted.css").read_bytes()
            return Reply(200, css, {"content-type": "text/css; charset=utf-8"})
        if path == BANK:
            return self._page("bank.html", secret=form.get("client_secret", ""))
        if path == DEPOSITS:
            return self._page("microdeposits.html", secret=form.get("client_secret", ""))
        if path.startswith(CHECKOUT):
            return self._checkout(path.removeprefix(CHECKOUT))
        if path.startswith(INVOICES):
            return self._invoice(*path.removeprefix(INVOICES).split("/", 1))
        return None

    async def _leave_bank(self, request: Request, form: Mapping[str, str]) -> Reply:
        """Finish the bank's check and send the payer back to the intent's return URL."""
        secret = form.get("client_secret", "")
        intent = self._intent(secret)
        step = (intent or {}).get("next_action") or {}
        if intent is None or "redirect_to_url" not in step:
            return Reply(400, b"<!doctype html><title>Nothing to do</title>Nothing to do.", HTML)
        told = {"client_secret": secret, "outcome": form.get("outcome", "fail")}
        status, _ = await self._post(request, BANK, told)
        result = "succeeded" if status == OK else "failed"
        return _see(with_result(step["redirect_to_url"]["return_url"], intent, result))

    async def _verify(self, request: Request, form: Mapping[str, str]) -> Reply:
        secret = form.get("client_secret", "")
        intent = self._intent(secret)
        if intent is None:
            return self._page("microdeposits.html", error="This link is not valid.", secret="")
        told = {"client_secret": secret}
        if form.get("code"):
            told["descriptor_code"] = form["code"].strip().upper()
        else:
            told |= {"amounts[0]": form.get("first", ""), "amounts[1]": form.get("second", "")}
        path = f"/v1/{intent['object']}s/{intent['id']}/verify_microdeposits"
        status, answer = await self._post(request, path, told)
        if status == OK:
            return self._page("microdeposits.html", status=answer["status"])
        return self._page("microdeposits.html", error=answer["error"]["message"], secret=secret)

    async def _pay(self, request: Request, session_id: str, form: Mapping[str, str]) -> Reply:
        told = {name: value for name, value in form.items() if value and name != "expiry"}
        if told.get("type") == "card":
            told.pop("test_account", None)
            told |= _expiry(form.get("expiry", ""))
        else:
            for name in ("number", "cvc"):
                told.pop(name, None)
        status, answer = await self._post(request, f"{CHECKOUT}{session_id}/pay", told)
        if status == OK:
            return _see(answer["url"])
        return self._checkout(session_id, error=answer["error"]["message"])

    def _checkout(self, session_id: str, error: str | None = None) -> Reply:
        session = self._api.state.get("checkout.session", session_id)
        if session is None:
            return Reply(404, b"<!doctype html><title>No session</title>No such session.", HTML)
        if session["status"] == "complete":
            return _see(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session_id))
        items = (self._api.state.get(LINE_ITEMS, session_id) or {"items": []})["items"]
        amount = session["amount_total"]
        known = session["customer_details"] or {}
        return self._page(
            "checkout.html",
            accounts=ACCOUNTS,
            action=ACTIONS[session["mode"]],
            email=known.get("email") or "",
            error=error,
            heading=HEADINGS[session["mode"]],
            kinds=[(kind, KINDS[kind]) for kind in session["payment_method_types"]],
            lines=[lines.shown(item) for item in items],
            session=session,
            total=None if amount is None else amounts.shown(amount, session["currency"]),
        )

    def _invoice(self, invoice_id: str, form: str = "") -> Reply:
        """Show an invoice as a page, or as a PDF."""
        invoice = self._api.state.get("invoice", invoice_id)
        if invoice is None or invoice["number"] is None:
            return Reply(404, b"<!doctype html><title>No invoice</title>No such invoice.", HTML)
        told = [
            f"{line['description']}: {amounts.shown(line['amount'], line['currency'])}"
            for line in invoice["lines"]["data"]
        ]
        total = amounts.shown(invoice["total"], invoice["currency"])
        if form == "pdf":
            head = f"Stripe simulator: invoice {invoice['number']} ({invoice['status']})"
            return Reply(200, pdf_of([head, *told, f"Total: {total}"]), PDF)
        return self._page("invoice.html", invoice=invoice, lines=told, total=total)

    def _intent(self, secret: str) -> Json | None:
        """Return the intent that a client secret belongs to."""
        key = secret.partition("_secret_")[0]
        family = "setup_intent" if key.startswith("seti_") else "payment_intent"
        intent = self._api.state.get(family, key)
        return intent if intent and intent["client_secret"] == secret else None

    async def _post(self, request: Request, path: str, told: Mapping[str, str]) -> tuple[int, Json]:
        form = urlencode({**told, "key": KEY})
        posted = msgspec.structs.replace(
            request, method="POST", path=path, body=form.encode(), query=""
        )
        done = await self._api.answer(posted)
        return done.status, msgspec.json.decode(done.body)

    def _page(self, name: str, **values: object) -> Reply:
        text = self._templates.get_template(name).render(values)
        return Reply(200, text.encode(), HTML)


def with_result(return_url: str, intent: Json, status: str) -> str:
    """Return the URL that the payer goes back to, with what came of the intent."""
    name = intent["object"]
    told = urlencode(
        {
            name: intent["id"],
            f"{name}_client_secret": intent["client_secret"],
            "redirect_status": status,
        }
    )
    url = urlsplit(return_url)
    return urlunsplit(url._replace(query=f"{url.query}&{told}".lstrip("&")))


def _fields(request: Request) -> dict[str, str]:
    encoded = request.body.decode("latin-1") if request.method == "POST" else request.query
    return dict(parse_qsl(encoded))


def _expiry(typed: str) -> dict[str, str]:
    digits = "".join(letter for letter in typed if letter.isdecimal())
    return {"exp_month": digits[:2] or "0", "exp_year": digits[2:] or "0"}


def _see(url: str) -> Reply:
    return Reply(303, b"", {"location": url, "referrer-policy": "no-referrer"})
