"""The subscription management service: cancel, look up, give back, charge again."""

import csv
import io
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from tallystick.simulators.ccbill import cards, life, terms
from tallystick.simulators.ccbill.amounts import DECLINED
from tallystick.simulators.ccbill.datalink_logins import login
from tallystick.simulators.ccbill.declines import Decline
from tallystick.simulators.ccbill.fields import Fields
from tallystick.simulators.ccbill.ids import MOUNTAIN, long_form
from tallystick.simulators.ccbill.model import Move, Subscription
from tallystick.simulators.ccbill.sales import Refused, Sale, sell
from tallystick.simulators.ccbill.state import State
from tallystick.simulators.http import Reply, Request

PATH = "/utils/subscriptionManagement.cgi"
Query = Mapping[str, str]
# A code, or the columns of a longer answer.
Result = int | Mapping[str, str]
OK, FAILED = 1, 0
BAD_LOGIN, BAD_ID, NO_SUCH, NOT_YOURS, BAD_ARGUMENTS, BAD_ACTION = -1, -2, -3, -4, -5, -6
NOT_PERMITTED, OVER_REFUND = -9, -15


def answer(state: State, request: Request) -> Reply:
    """Do what is asked; the answer is CSV with a header line, or XML with `returnXML=1`."""
    query = dict(parse_qsl(request.query))
    return written(_result(state, query, request), as_xml=query.get("returnXML") == "1")


def written(result: Result, *, as_xml: bool) -> Reply:
    """Return a result as CSV or XML."""
    columns = {"results": str(result)} if isinstance(result, int) else result
    if as_xml:
        inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in columns.items())
        inner = columns["results"] if isinstance(result, int) else inner
        text = f"<?xml version='1.0' standalone='yes'?>\n<results>{inner}</results>\n"
        return Reply(200, text.encode(), {"content-type": "text/xml"})
    out = io.StringIO()
    rows = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    rows.writerows([columns.keys(), columns.values()])
    return Reply(200, out.getvalue().encode(), {"content-type": "text/plain"})


def refund_and_end(state: State, about: Subscription, back: life.Reversal) -> None:
    """Give back, cancel and expire: CCBill does all three, even when only a part goes back."""
    life.reverse(state, about, back)
    after = about
    if about.cancelled_at is None and about.expired_at is None:
        after = life.cancel(state, about, back.reason, "API")
    if after.expired_at is None:
        life.expire(state, after)


def _result(state: State, query: Query, request: Request) -> Result:
    user = login(state, query, request.headers, query.get("clientSubacc"))
    if isinstance(user, int):
        return user
    if user.client_subacc is None and "clientSubacc" in query:
        # A user of the main account names a sub-account in `usingSubacc`.
        return BAD_LOGIN
    action = query.get("action", "")
    if action not in ACTIONS:
        return BAD_ACTION
    if "*" not in user.actions and action not in user.actions:
        return NOT_PERMITTED
    about = _named(state, query)
    return about if isinstance(about, int) else ACTIONS[action](state, about, query)


def _named(state: State, query: Query) -> Subscription | int:
    identifier = query.get("subscriptionId", "")
    if not (identifier.isascii() and identifier.isdecimal()):
        return BAD_ID
    found = state.subscription(identifier)
    if found is None:
        return NO_SUCH
    subacc = query.get("usingSubacc") or query.get("clientSubacc")
    is_there = subacc is None or subacc.rjust(4, "0") == f"{found.subacc:04d}"
    return found if str(found.accnum) == query["clientAccnum"] and is_there else NOT_YOURS


def _cancel(state: State, about: Subscription, _: Query) -> Result:
    if about.terms.recurring_price is None:
        return BAD_ID
    if about.cancelled_at or about.expired_at:
        return FAILED
    life.cancel(state, about)
    return OK


def _status(state: State, about: Subscription, _: Query) -> Result:
    moves = [move.kind for move in state.moves(about.id)]
    active = "1" if about.cancelled_at else "2"
    return {
        "cancelDate": _day(about.cancelled_at),
        "signupDate": _day(about.created_at),
        "chargebacksIssued": str(moves.count("CHARGEBACK")),
        "timesRebilled": str(moves.count("REBILL")),
        "expirationDate": _day(about.expired_at or about.ends_at),
        "recurringSubscription": "0" if about.terms.recurring_price is None else "1",
        "subscriptionStatus": "0" if about.expired_at else active,
        "refundsIssued": str(moves.count("REFUND")),
        "voidsIssued": str(moves.count("VOID")),
    }


def _refund(state: State, about: Subscription, query: Query) -> Result:
    fields = Fields(query)
    amount = fields.price("amount", required=False)
    if fields.wrong or (amount is not None and amount <= 0):
        return BAD_ARGUMENTS
    # Without an amount CCBill gives back the whole initial price.
    amount = about.terms.initial_price if amount is None else amount
    charge = _charge_with(state, about, amount)
    if charge is None:
        return OVER_REFUND
    refund_and_end(state, about, life.Reversal("Refund", amount, "Customer Refunded", charge))
    return OK


def _void(state: State, about: Subscription, _: Query) -> Result:
    charge = life.last_charge(state, about)
    left = life.left_of(state, charge)
    if _day(charge.at) != _day(state.now()) or left <= 0:
        return FAILED
    refund_and_end(state, about, life.Reversal("Void", left, "Voided", charge))
    return OK


def _void_or_refund(state: State, about: Subscription, query: Query) -> Result:
    """Void the whole charge on its own day, whatever amount is named; refund it later."""
    return OK if _void(state, about, query) == OK else _refund(state, about, query)


def _charge_with(state: State, about: Subscription, amount: Decimal) -> Move | None:
    """Return the newest charge of which so much is left."""
    charges = reversed(life.charges_of(state, about))
    return next((one for one in charges if life.left_of(state, one) >= amount), None)


def _charge_again(state: State, about: Subscription, query: Query) -> Result:
    fields = Fields(query)
    accnum = fields.whole("newClientAccnum", 900000, 999999)
    subacc = fields.whole("newClientSubacc", 0, 9999)
    wanted = terms.read(fields, state.config)
    if fields.wrong or accnum not in state.config.accounts:
        return BAD_ARGUMENTS
    sale = Sale(
        kind="UpSale",
        accnum=accnum,
        subacc=subacc,
        customer=about.customer,
        card=about.card,
        terms=wanted,
        source="API",
        original_id=about.id,
        original_accnum=about.accnum,
        original_subacc=about.subacc,
    )
    card = cards.behaviour(about.card)
    done = sell(state, sale, card.decline or DECLINED.get(wanted.initial_price))
    if isinstance(done, Refused):
        return _denied(done.decline, done.denial_id)
    return {"approved": "1", "subscriptionId": long_form(done)}


def _denied(decline: Decline, denial_id: str) -> Result:
    return {
        "approved": "0",
        "denialId": long_form(denial_id),
        "declineCode": str(decline.code),
        "declineText": decline.text,
    }


def _day(at: datetime | None) -> str:
    return f"{at.astimezone(MOUNTAIN):%Y%m%d}" if at else ""


ACTIONS: Mapping[str, Callable[[State, Subscription, Query], Result]] = {
    "cancelSubscription": _cancel,
    "viewSubscriptionStatus": _status,
    "refundTransaction": _refund,
    "voidOrRefundTransaction": _void_or_refund,
    "voidTransaction": _void,
    "chargeByPreviousTransactionId": _charge_again,
}
