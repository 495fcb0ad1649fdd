"""Charging a token, with or without 3-D Secure, and the list of a token's charges."""

import re
from collections.abc import Mapping

import msgspec

from tallystick.simulators.ccbill import cards, datalink_logins, terms, threeds, tokens
from tallystick.simulators.ccbill.amounts import DECLINED, MISHAPS, Mishap
from tallystick.simulators.ccbill.call import Answer, Call, Route
from tallystick.simulators.ccbill.declines import NOT_PERMITTED, Decline
from tallystick.simulators.ccbill.errors import bad_account, failed, no_such_token
from tallystick.simulators.ccbill.fields import TYPE, Fields
from tallystick.simulators.ccbill.model import ClientKind, PaymentToken, Terms
from tallystick.simulators.ccbill.sales import Refused, Sale, sell

BACKEND: frozenset[ClientKind] = frozenset({"backend"})
EXTRAS_MAX = 64


def plain(call: Call) -> Answer:
    """Charge a token without 3-D Secure."""
    return _charge(call, authenticated=False)


def with_threeds(call: Call) -> Answer:
    """Charge a token with the results of the bank's check."""
    fields = Fields(call.body)
    passed = threeds.passed(fields)
    fields.done()
    return _charge(call, authenticated=passed)


def _charge(call: Call, *, authenticated: bool) -> Answer:
    fields = Fields(call.body)
    accnum, subacc = tokens.account_of(call.state, fields)
    wanted = terms.read(fields, call.state.config)
    extras = _extras(fields, call.body.get("passThroughInfo"))
    fresh = fields.flag("createNewPaymentToken")
    fields.done()
    token = tokens.usable(call)
    if token.accnum != accnum:
        raise bad_account()
    datalink_logins.check_for_charge(call.state, call.headers)
    authenticated = authenticated or token.authenticated
    mishap = _mishap(token, wanted)
    used = msgspec.structs.replace(token, uses=token.uses + 1)
    call.state.put("tokens", token.id, used)
    sale = Sale(
        kind="UpSale",
        accnum=accnum,
        subacc=subacc,
        customer=token.customer,
        card=token.card,
        terms=wanted,
        source="API",
        token_id=token.id,
        original_id=None if token.subscription_id == "0" else token.subscription_id,
        extras=extras,
        authenticated=authenticated,
    )
    done = sell(call.state, sale, decline_of(token, wanted, authenticated=authenticated), mishap)
    new_token = tokens.copied(call.state, used).id if fresh and not _is_refused(done) else None
    return Answer(_shown(call, token, done, new_token), mishap)


def decline_of(token: PaymentToken, wanted: Terms, *, authenticated: bool) -> Decline | None:
    """Return why the bank refuses, or None: first the card's own reason, then the amount's."""
    card = cards.behaviour(token.card)
    if card.decline:
        return card.decline
    if card.sca_required and not authenticated:
        return NOT_PERMITTED
    return DECLINED.get(wanted.initial_price)


def _mishap(token: PaymentToken, wanted: Terms) -> Mishap | None:
    """Return what goes wrong with this amount. Raises CcbillError where nothing is to be done."""
    if cards.behaviour(token.card).decline:
        return None
    mishap = MISHAPS.get(wanted.initial_price)
    if mishap == "nothing_done":
        raise failed(100106, "Internal error.")
    if mishap == "velocity":
        raise failed(100110, "Transaction count limit reached.")
    return mishap


def _is_refused(done: object) -> bool:
    return isinstance(done, Refused)


def _shown(
    call: Call, token: PaymentToken, done: "str | Refused", new_token: str | None
) -> Mapping[str, object]:
    refused = done if isinstance(done, Refused) else None
    approved: object = refused is None
    denial: object = int(refused.denial_id) if refused else None
    if call.state.config.old_shapes:
        approved = "true" if approved else "false"
        denial = refused.denial_id if refused else None
    return {
        "declineCode": refused.decline.code if refused else None,
        "declineText": refused.decline.text if refused else None,
        "denialId": denial,
        "approved": approved,
        "paymentUniqueId": None if refused else token.card.unique_id,
        "sessionId": None,
        "newPaymentTokenId": new_token,
        "subscriptionId": None if isinstance(done, Refused) else call.subscription_id(done),
    }


def _extras(fields: Fields, given: object) -> dict[str, str]:
    """Return `passThroughInfo` as pairs."""
    if given is None:
        return {}
    if not isinstance(given, list) or len(given) > EXTRAS_MAX:
        fields.blame("passThroughInfo", TYPE)
        return {}
    pairs: dict[str, str] = {}
    for place, one in enumerate(given):
        name = one.get("name") if isinstance(one, Mapping) else None
        if not isinstance(name, str) or not re.fullmatch(r"[\w.-]{1,64}", name):
            fields.blame(f"passThroughInfo[{place}]", TYPE)
            continue
        pairs[name] = str(one.get("value", ""))
    return pairs


def listed(call: Call) -> Answer:
    """List a token's charges, oldest first, of one sub-account when it is named."""
    fields = Fields(call.query)
    accnum = fields.whole("clientAccnum", 900000, 999999)
    subacc = fields.whole("clientSubacc", 0, 9999, -1)
    fields.done()
    token = call.state.token(call.path["id"])
    if token is None:
        raise no_such_token()
    if token.accnum != accnum:
        raise bad_account()
    made = [one for one in call.state.subscriptions() if one.token_id == token.id]
    return Answer(
        [
            {
                "clientAccnum": one.accnum,
                "clientSubacc": one.subacc,
                "subscriptionId": call.subscription_id(one.id),
            }
            for one in reversed(made)
            if subacc in (-1, one.subacc)
        ]
    )


ROUTES = (
    Route("POST", "/transactions/payment-tokens/threeds/{id}", with_threeds, BACKEND),
    Route("POST", "/transactions/payment-tokens/{id}", plain, BACKEND),
    Route("GET", "/transactions/payment-tokens/{id}", listed, BACKEND),
)
