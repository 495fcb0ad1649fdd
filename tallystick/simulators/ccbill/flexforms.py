"""A payment form of CCBill's own (FlexForms): the consumer types in the card there.

What comes with the link is checked by its digest; parameters that CCBill does not know come back
in the webhooks as `X-...`. Only NewSaleSuccess and NewSaleFailure follow from it.
"""

import hashlib
import hmac
from collections.abc import Mapping
from html import escape
from urllib.parse import parse_qsl, urlencode

import msgspec

from tallystick.simulators.ccbill import cards, terms, tokens
from tallystick.simulators.ccbill.amounts import DECLINED, MISHAPS
from tallystick.simulators.ccbill.errors import CcbillError
from tallystick.simulators.ccbill.fields import Fields
from tallystick.simulators.ccbill.model import Customer, StoredCard
from tallystick.simulators.ccbill.pages import HTML, PAGE
from tallystick.simulators.ccbill.sale_fields import describe
from tallystick.simulators.ccbill.sales import Refused, Sale, sell
from tallystick.simulators.ccbill.state import State
from tallystick.simulators.http import Reply, Request

PREFIX = "/wap-frontflex/flexforms/"
KNOWN = frozenset(
    {"clientAccnum", "clientSubacc", "initialPrice", "initialPeriod", "recurringPrice",
     "recurringPeriod", "numRebills", "currencyCode", "formDigest"}
)  # fmt: skip
SECRET = frozenset({"cardNum", "cvv2"})
SOFT_DECLINES_MAX = 3
INPUTS = (
    ("customerFname", "First name", "given-name"),
    ("customerLname", "Last name", "family-name"),
    ("email", "E-mail", "email"),
    ("zipcode", "Postal code", "postal-code"),
    ("country", "Country (two letters)", "country"),
    ("nameOnCard", "Name on card", "cc-name"),
    ("cardNum", "Card number", "cc-number"),
    ("expMonth", "Expiry month (MM)", "cc-exp-month"),
    ("expYear", "Expiry year (YYYY)", "cc-exp-year"),
    ("cvv2", "Security code", "cc-csc"),
)


def answer(state: State, request: Request) -> Reply | None:
    """Show the form, or sell what it asks for; None when the path is another one."""
    flex_id = request.path.removeprefix(PREFIX)
    if flex_id == request.path or not flex_id or request.method not in ("GET", "POST"):
        return None
    query = dict(parse_qsl(request.query))
    try:
        sale = _asked(state, query, flex_id)
    except CcbillError as error:
        named = "; ".join(f"{field or 'form'}: {text}" for field, text in error.wrong)
        return _page("This form can not be used", f'<p class="alert">{escape(named)}</p>', 400)
    if request.method == "GET":
        return _form(state, sale)
    with state.change():
        return _sold(state, sale, dict(parse_qsl(request.body.decode("latin-1"))))


def form_digest(query: Mapping[str, str], salt: str) -> str:
    """Return the digest of prices and periods: MD5 is CCBill's choice."""
    names = ["initialPrice", "initialPeriod"]
    if query.get("recurringPrice"):
        names += ["recurringPrice", "recurringPeriod", "numRebills"]
    text = "".join(query.get(name, "") for name in (*names, "currencyCode"))
    return hashlib.md5(f"{text}{salt}".encode(), usedforsecurity=False).hexdigest()


def _asked(state: State, query: Mapping[str, str], flex_id: str) -> Sale:
    """Return what the link asks for. Raises CcbillError."""
    fields = Fields(query)
    accnum, subacc = tokens.account_of(state, fields)
    wanted = terms.read(fields, state.config, rebills="numRebills")
    right = form_digest(query, state.config.salt)
    if not hmac.compare_digest(query.get("formDigest", "").encode(), right.encode()):
        fields.blame("formDigest", "Invalid digest.")
    fields.done()
    return Sale(
        kind="NewSale",
        accnum=accnum,
        subacc=subacc,
        customer=Customer("", "", "", "", ""),
        card=cards.stored(cards.CARDS[0], 1, 2030),
        terms=wanted,
        source="FORM",
        extras={name: value for name, value in query.items() if name not in KNOWN},
        form_name="simulator",
        flex_id=flex_id,
    )


def _sold(state: State, sale: Sale, typed: Mapping[str, str]) -> Reply:
    fields = Fields(typed)
    customer = tokens.read_customer(fields)
    card = tokens.read_card(fields, state.now().year)
    fields.text("cvv2", r"\d{3,4}")
    if fields.wrong or card is None:
        labels = {name: label for name, label, _ in INPUTS}
        told = [f"{labels.get(str(name), name)}: {text}" for name, text in fields.wrong]
        return _form(state, sale, typed, *told)
    return _bought(state, sale, customer, card, typed)


def _bought(
    state: State, sale: Sale, customer: Customer, card: StoredCard, typed: Mapping[str, str]
) -> Reply:
    price = sale.terms.initial_price
    behaviour = cards.behaviour(card)
    whole = msgspec.structs.replace(
        sale, customer=customer, card=card, authenticated=behaviour.sca_required
    )
    done = sell(state, whole, behaviour.decline or DECLINED.get(price), MISHAPS.get(price))
    if not isinstance(done, Refused):
        told = {"subscription_id": done}
        return _left(state.config.approval_url, told, "Thank you", f"Subscription {done}")
    tries = int(typed.get("tries", "0")) + 1 if typed.get("tries", "0").isdecimal() else 1
    if done.decline.hard or tries >= SOFT_DECLINES_MAX:
        told = {"denialId": done.denial_id, "reason": done.decline.text}
        return _left(state.config.denial_url, told, "Declined", done.decline.text)
    return _form(state, sale, {**typed, "tries": str(tries)}, done.decline.text)


def _form(state: State, sale: Sale, typed: Mapping[str, str] | None = None, *alerts: str) -> Reply:
    # What was typed comes back, but never the card's own digits.
    given = {name: text for name, text in (typed or {}).items() if name not in SECRET}
    inputs = "".join(
        f'<label>{label}<input name="{name}" autocomplete="{kind}" required '
        f'value="{escape(given.get(name, ""))}"></label>'
        for name, label, kind in INPUTS
    )
    tries = escape(given.get("tries", "0"))
    lines = "<br>".join(escape(alert) for alert in alerts)
    told = f'<p class="alert" role="alert">{lines}</p>' if lines else ""
    body = (
        f"<p>CCBill simulator: test cards only.</p><p>{escape(describe(state, sale.terms)[0])}</p>"
        f'{told}<form method="post"><input type="hidden" name="tries" value="{tries}">{inputs}'
        "<button>Pay</button></form>"
    )
    return _page("Pay with a card", body)


def _left(url: str | None, told: Mapping[str, str], title: str, sentence: str) -> Reply:
    if url is None:
        return _page(title, f'<p role="status">{escape(sentence)}</p>')
    joint = "&" if "?" in url else "?"
    return Reply(303, b"", {"location": f"{url}{joint}{urlencode(told)}"})


def _page(title: str, body: str, status: int = 200) -> Reply:
    return Reply(status, PAGE.format(title=title, body=body).encode(), HTML)
