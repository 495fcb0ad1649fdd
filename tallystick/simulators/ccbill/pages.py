"""What browsers load: the widget, and the bank's page that it shows in an iframe."""

import re
from importlib import resources

import msgspec

from tallystick.simulators.ccbill.call import MEDIA_TYPES
from tallystick.simulators.ccbill.cards import listed_numbers
from tallystick.simulators.http import Reply, Request

WIDGET = re.compile(r"/v(\d+(?:\.\d+)*)/ccbill-advanced-widget\.js")
BANK = "/_widget/threeds"
FILES = {
    "/_widget/bank.js": ("bank.js", "text/javascript; charset=utf-8"),
    "/_widget/sheet.css": ("sheet.css", "text/css; charset=utf-8"),
}
# The page may stand in any merchant's frame: it knows nothing and takes nothing but a choice.
HTML = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "form-action *; base-uri 'none'",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="/_widget/sheet.css"></head><body><main><h1>{title}</h1>
{body}
</main></body></html>
"""
BANK_BODY = """<p>CCBill simulator: this stands for the bank's check. No real card is involved.</p>
<p class="choices"><button type="button" value="complete">Complete authentication</button>
<button type="button" value="fail">Fail authentication</button></p>
<script src="/_widget/bank.js"></script>"""
WRAPPER = """/* The stand-in for CCBill's Advanced Widget: window.ccbill, test cards only.
   A card number that is not on the test list never leaves the page. */
(function () {
"use strict";
var ORIGIN = new URL(document.currentScript.src).origin;
var VERSION = %s;
var ACCEPT = %s;
var TEST_CARDS = %s;
%s
}());
"""


def answer(request: Request) -> Reply | None:
    """Return a page or a script, or None when the path has none."""
    if request.method != "GET":
        return None
    version = WIDGET.fullmatch(request.path)
    if version:
        return _script(version[1])
    if request.path == BANK:
        body = PAGE.format(title="Your bank asks (3-D Secure)", body=BANK_BODY)
        return Reply(200, body.encode(), HTML)
    if request.path in FILES:
        name, kind = FILES[request.path]
        return Reply(200, _file(name).encode(), {"content-type": kind})
    return None


def _script(version: str) -> Reply:
    """Return the widget; every version is the same, and knows its own from the path."""
    accept = next(name for name, number in MEDIA_TYPES.items() if number == 2)  # noqa: PLR2004
    told = [msgspec.json.encode(part).decode() for part in (version, accept, listed_numbers())]
    filled = WRAPPER % (*told, _file("fields.js") + _file("widget.js"))
    headers = {
        "content-type": "text/javascript; charset=utf-8",
        "cache-control": "no-cache",
        "cross-origin-resource-policy": "cross-origin",
    }
    return Reply(200, filled.encode(), headers)


def _file(name: str) -> str:
    return resources.files(__package__).joinpath("page", name).read_text("utf-8")
