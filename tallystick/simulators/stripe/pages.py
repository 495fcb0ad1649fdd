"""What browsers load: the page script, and the bank's page that a redirect leads to."""

from html import escape
from importlib import resources
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import msgspec

from tallystick.simulators.http import Reply, Request
from tallystick.simulators.stripe.api import Api
from tallystick.simulators.stripe.cards import listed_numbers
from tallystick.simulators.stripe.errors import Json

SCRIPTS = frozenset({"/stripe.js", "/v3", "/v3/", "/endive/stripe.js"})
PARTS = ("helpers.js", "element.js", "stripe.js")
# It sets no inline style and runs no inline code: a strict Content-Security-Policy with script-src
# and connect-src for this origin is enough.
WRAPPER = """/* The page script of Tallystick's Stripe simulator: window.Stripe, test cards only.
   A card number that is not on the test list never leaves the page. */
(function () {
"use strict";
%s
}());
"""
BANK = "/_page/authenticate"
HOSTED = "/_page/authenticate/hosted"
HTML = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; form-action *; style-src 'self'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
BANK_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Stripe simulator: your bank</title></head>
<body><main><h1>Stripe simulator: your bank asks</h1>
<p>This stands for the bank's check (3D Secure). No real card is involved.</p>
<form method="post" action="{action}"><input type="hidden" name="client_secret" value="{secret}">
<p><button name="outcome" value="complete">Complete authentication</button>
<button name="outcome" value="fail">Fail authentication</button></p></form></main></body></html>
"""


def script() -> Reply:
    """Return the page script: its parts in one function, with the list of test cards in it."""
    folder = resources.files(__package__).joinpath("page")
    parts = "\n".join(folder.joinpath(name).read_text("utf-8") for name in PARTS)
    numbers = msgspec.json.encode(listed_numbers()).decode()
    filled = WRAPPER % parts.replace("/* TEST_CARDS */ []", numbers)
    headers = {
        "content-type": "text/javascript; charset=utf-8",
        "cache-control": "no-cache",
        "cross-origin-resource-policy": "cross-origin",
    }
    return Reply(200, filled.encode(), headers)


def bank_page(request: Request) -> Reply:
    """Return the page on which a redirected payer completes or fails the bank's check."""
    secret = parse_qs(request.query).get("client_secret", [""])[0]
    return Reply(200, BANK_PAGE.format(action=HOSTED, secret=escape(secret)).encode(), HTML)


async def leave_bank(request: Request, api: Api) -> Reply:
    """Finish the check and send the payer back to the intent's return URL."""
    fields = parse_qs(request.body.decode("latin-1"))
    secret = fields.get("client_secret", [""])[0]
    outcome = fields.get("outcome", ["fail"])[0]
    key = secret.partition("_secret_")[0]
    family = "setup_intent" if key.startswith("seti_") else "payment_intent"
    intent = api.state.get(family, key)
    step = (intent or {}).get("next_action") or {}
    if intent is None or intent["client_secret"] != secret or "redirect_to_url" not in step:
        return Reply(400, b"<!doctype html><title>Nothing to do</title>Nothing to do here.", HTML)
    form = urlencode({"client_secret": secret, "outcome": outcome, "key": "pk_test_bank"})
    posted = msgspec.structs.replace(request, path=BANK, body=form.encode(), query="")
    done = await api.answer(posted)
    status = "succeeded" if done.status == 200 else "failed"  # noqa: PLR2004 OK
    back = _with_result(step["redirect_to_url"]["return_url"], intent, status)
    return Reply(303, b"", {"location": back, "referrer-policy": "no-referrer"})


def _with_result(return_url: str, intent: Json, status: str) -> str:
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
