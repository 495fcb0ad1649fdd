"""Payment tokens: made of a card or of an earlier sale, read, and asked about 3-D Secure."""

from datetime import timedelta

import msgspec

from tallystick.simulators.ccbill import cards
from tallystick.simulators.ccbill.call import Answer, Call, Route
from tallystick.simulators.ccbill.errors import (
    Json,
    bad_account,
    expired_token,
    invalid,
    no_such_token,
)
from tallystick.simulators.ccbill.fields import VALUES, Fields
from tallystick.simulators.ccbill.model import (
    UNLIMITED,
    Check,
    ClientKind,
    Customer,
    PaymentToken,
    StoredCard,
)
from tallystick.simulators.ccbill.state import State

FRONTEND: frozenset[ClientKind] = frozenset({"frontend"})
EITHER: frozenset[ClientKind] = frozenset({"frontend", "backend"})
EMAIL = r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+"
WRONG_CVV2 = "999"
WRONG_ZIPCODE = "00000"
IPV4 = r"(25[0-5]|2[0-4]\d|1?\d?\d)(\.(25[0-5]|2[0-4]\d|1?\d?\d)){3}"


def account_of(state: State, fields: Fields) -> tuple[int, int]:
    """Return account and sub-account. Raises CcbillError when they are not of this merchant."""
    accnum = fields.whole("clientAccnum", 900000, 999999)
    subacc = fields.whole("clientSubacc", 0, 9999)
    fields.done()
    if accnum not in state.config.accounts:
        raise bad_account()
    if subacc in state.config.inactive_subaccs:
        raise invalid(("clientSubacc", "Program is Inactive."))
    return accnum, subacc


def read_customer(fields: Fields, origin_ip: str = "") -> Customer:
    """Return the consumer."""
    return Customer(
        first_name=fields.text("customerFname", size=45),
        last_name=fields.text("customerLname", size=45),
        email=fields.text("email", EMAIL, "Invalid email address.", size=254),
        country=fields.text("country", "[A-Z]{2}"),
        zipcode=fields.text("zipcode", "[A-Za-z0-9 -]{2,16}", "Invalid postal code."),
        address1=fields.text("address1", required=False, size=50),
        city=fields.text("city", required=False, size=50),
        state=fields.text("state", required=False, size=50),
        phone_number=fields.text("phoneNumber", required=False, size=20),
        ip_address=fields.text("ipAddress", IPV4, required=False) or origin_ip,
    )


def read_card(fields: Fields, year: int) -> StoredCard | None:
    """Return the card. A number off the test list is invalid, like one without its check digit."""
    number = fields.text("cardNum")
    card = cards.BY_NUMBER.get(number)
    if number and card is None:
        fields.blame("cardNum", "Invalid credit card number.")
    month = fields.text("expMonth", "(0[1-9]|1[012])")
    exp_year = fields.text("expYear", r"\d{4}")
    if exp_year.isdecimal() and int(exp_year) < year:
        fields.blame("expYear", "Invalid expiration year.")
    fields.text("nameOnCard", "[A-Za-z .'-]{2,45}")
    return None if card is None or fields.wrong else cards.stored(card, int(month), int(exp_year))


def create(call: Call) -> Answer:
    """Make a token."""
    return Answer(shown(_create(call), call))


def create_and_verify(call: Call) -> Answer:
    """Make a token and ask the bank about address and security code."""
    fields = Fields(call.body)
    if Fields(call.body).identifier("subscriptionId") == "0":
        fields.nest("paymentInfo").nest("creditCardPaymentInfo").text("cvv2", r"\d{3,4}")
    fields.done()
    token = _create(call)
    card = (call.body.get("paymentInfo") or {}).get("creditCardPaymentInfo") or {}
    wrong = str(card.get("cvv2")) == WRONG_CVV2
    replies = {
        "cvv2Response": "N" if wrong else cards.behaviour(token.card).cvv2_response,
        "avsResponse": "N" if token.customer.zipcode == WRONG_ZIPCODE else "Y",
    }
    return Answer({**shown(token, call), **replies})


def _create(call: Call) -> PaymentToken:
    fields = Fields(call.body)
    accnum, subacc = account_of(call.state, fields)
    subscription_id = fields.identifier("subscriptionId")
    time_to_live = fields.whole("timeToLive", 0, UNLIMITED, UNLIMITED)
    uses_max = fields.whole("validNumberOfUse", 0, UNLIMITED, UNLIMITED)
    fields.done()
    if subscription_id == "0":
        customer, card = _holder(call)
    else:
        customer, card = _earlier(call.state, subscription_id, accnum)
    token = PaymentToken(
        id=call.state.new_token_id(),
        accnum=accnum,
        subacc=subacc,
        customer=customer,
        card=card,
        created_at=call.state.now(),
        time_to_live=time_to_live,
        uses_max=uses_max,
        subscription_id=subscription_id,
        authenticated=_was_authenticated(call),
    )
    call.state.put("tokens", token.id, token)
    return token


def _was_authenticated(call: Call) -> bool:
    """Tell whether the widget's `createPaymentToken3DS` made it (how CCBill tells is unknown)."""
    check = call.state.get("checks", str(call.body.get("threedsClientTransactionId")))
    return isinstance(check, Check) and check.passed


def _holder(call: Call) -> tuple[Customer, StoredCard]:
    if not (call.body.get("customerInfo") and call.body.get("paymentInfo")):
        message = "Customer and Payment Information required for zero Subscription ID."
        raise invalid(("subscriptionId", message))
    fields = Fields(call.body)
    customer = read_customer(fields.nest("customerInfo"), call.headers.get("x-origin-ip", ""))
    nest = fields.nest("paymentInfo").nest("creditCardPaymentInfo")
    card = read_card(nest, call.state.now().year)
    fields.done()
    if card is None:
        raise invalid(("paymentInfo", VALUES))
    return customer, card


def _earlier(state: State, subscription_id: str, accnum: int) -> tuple[Customer, StoredCard]:
    found = state.subscription(subscription_id)
    if found is None or found.accnum != accnum:
        raise invalid(("subscriptionId", "Invalid Subscription ID."))
    return found.customer, found.card


def copied(state: State, token: PaymentToken) -> PaymentToken:
    """Make a new token of the same card (`createNewPaymentToken`)."""
    fresh = msgspec.structs.replace(
        token, id=state.new_token_id(), created_at=state.now(), uses=0, original_id=token.id
    )
    state.put("tokens", fresh.id, fresh)
    return fresh


def usable(call: Call) -> PaymentToken:
    """Return the path's token. Raises CcbillError when there is none, or it is over."""
    token = _found(call)
    lives_s = token.time_to_live * 3600
    age_s = (call.state.now() - token.created_at) / timedelta(seconds=1)
    if age_s >= lives_s or token.uses >= token.uses_max:
        raise expired_token()
    return token


def _found(call: Call) -> PaymentToken:
    token = call.state.token(call.path["id"])
    if token is None:
        raise no_such_token()
    return token


def shown(token: PaymentToken, call: Call) -> Json:
    """Return a token as the API shows it: never its card."""
    return {
        "paymentTokenId": token.id,
        "programParticipationId": None,
        "originalPaymentTokenId": token.original_id,
        "clientAccnum": token.accnum,
        "clientSubacc": token.subacc,
        "createdDatetime": f"{token.created_at:%Y-%m-%dT%H:%M:%S}",
        "timeToLive": token.time_to_live,
        "validNumberOfUse": token.uses_max,
        "subscriptionId": call.subscription_id(token.subscription_id),
        "paymentInfoId": None,
    }


def _read(call: Call) -> Answer:
    return Answer(shown(_found(call), call))


def _card_needs_sca(call: Call) -> Answer:
    fields = Fields(call.query)
    first6 = fields.text("bin", r"\d{6,8}")[:6]
    last4 = fields.text("last4", r"\d{4}")
    fields.currency("currencyCode")
    account_of(call.state, fields)
    card = cards.seen(first6, last4)
    return Answer({"required": bool(card and card.sca_required), "amount": 0})


def _token_needs_sca(call: Call) -> Answer:
    fields = Fields(call.query)
    fields.currency("currencyCode")
    fields.done()
    return Answer({"required": cards.behaviour(_found(call).card).sca_required, "amount": 0})


def authenticate(call: Call) -> Answer:
    """Say how the bank's check went: what the widget asks behind the page's iframe (invented)."""
    outcome = call.body.get("outcome")
    if outcome not in ("complete", "fail"):
        raise invalid(("outcome", VALUES))
    if call.body.get("paymentTokenId") and not call.state.token(str(call.body["paymentTokenId"])):
        raise no_such_token()
    passed = outcome == "complete"
    made = call.state.new_token_id()
    check_id = f"id-{made[16:27]}"
    call.state.put("checks", check_id, Check(passed))
    return Answer(
        {
            "eci": "05" if passed else "07",
            "status": "Y" if passed else "N",
            "success": passed,
            "protocolVersion": "2.2.0",
            "dsTransId": made[:8] + "-ds",
            "acsTransId": made[8:16] + "-acs",
            "authenticationValue": made[:28] if passed else "",
            "authenticationType": "02",
            "clientTransactionId": check_id,
            "cardToken": made[:16],
            "sdkTransId": "",
            "amount": call.body.get("amount"),
            "currency": call.body.get("currencyCode"),
        }
    )


ROUTES = (
    Route("POST", "/payment-tokens/merchant-only", create, FRONTEND, page=True),
    Route("POST", "/payment-tokens/merchant-only-verify", create_and_verify, FRONTEND, page=True),
    Route("GET", "/payment-tokens/threeds-required", _card_needs_sca, EITHER, page=True),
    Route("GET", "/payment-tokens/{id}/threeds-required", _token_needs_sca, EITHER, page=True),
    Route("GET", "/payment-tokens/{id}", _read, EITHER, page=True, versions=frozenset({1, 2, 3})),
    Route("POST", "/_widget/threeds", authenticate, FRONTEND, page=True),
)
