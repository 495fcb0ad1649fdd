"""The page script that browsers load: `window.Stripe`."""

from importlib import resources

import msgspec

from tallystick.simulators.http import Reply
from tallystick.simulators.stripe.bank.accounts import ACCOUNTS
from tallystick.simulators.stripe.cards import listed_numbers

SCRIPTS = frozenset({"/stripe.js", "/v3", "/v3/", "/endive/stripe.js"})
PARTS = ("helpers.js", "fields.js", "element.js", "stripe.js", "bank.js")
# It sets no inline style and runs no inline code: a strict Content-Security-Policy with script-src
# and connect-src for this origin is enough.
WRAPPER = """/* The page script of Tallystick's Stripe simulator: window.Stripe, test cards only.
   A card or account number that is not on the test list never leaves the page. */
(function () {
"use strict";
%s
}());
"""


def script() -> Reply:
    """Return the page script: its parts in one function, with the list of test cards in it."""
    folder = resources.files(__package__).joinpath("page")
    parts = "\n".join(folder.joinpath(name).read_text("utf-8") for name in PARTS)
    for name, numbers in (("CARDS", listed_numbers()), ("ACCOUNTS", [a.number for a in ACCOUNTS])):
        listed = msgspec.json.encode(numbers).decode()
        parts = parts.replace(f"/* TEST_{name} */ []", listed)
    filled = WRAPPER % parts
    headers = {
        "content-type": "text/javascript; charset=utf-8",
        "cache-control": "no-cache",
        "cross-origin-resource-policy": "cross-origin",
    }
    return Reply(200, filled.encode(), headers)
