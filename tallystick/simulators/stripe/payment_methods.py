"""Payment methods: a token, who owns it, and the test ids that make a fresh one."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tallystick.simulators.stripe import vault
from tallystick.simulators.stripe.bank import accounts
from tallystick.simulators.stripe.bank import methods as bank_methods
from tallystick.simulators.stripe.call import Call, Route
from tallystick.simulators.stripe.cards import Card, by_token
from tallystick.simulators.stripe.declines import refused
from tallystick.simulators.stripe.errors import Json, StripeError, invalid, missing_parameter
from tallystick.simulators.stripe.events import emit
from tallystick.simulators.stripe.method_parts import (
    BILLING,
    REDISPLAY,
    filled_billing,
    new_method,
)
from tallystick.simulators.stripe.paging import LIST, page
from tallystick.simulators.stripe.params import (
    Shape,
    integer,
    merged,
    metadata,
    nest,
    one_of,
    text,
)
from tallystick.simulators.stripe.typed_cards import TypedCard, checked

TYPED = {"number": text, "exp_month": integer, "exp_year": integer, "cvc": text}
# What `payment_method_data` of an intent takes, and POST /v1/payment_methods.
DATA: Shape = {
    "type": one_of("card", "us_bank_account"),
    "card": nest({**TYPED, "token": text}),
    "us_bank_account": bank_methods.US_BANK_ACCOUNT,
    "billing_details": BILLING,
    "metadata": metadata,
    "allow_redisplay": REDISPLAY,
}
UPDATE: Shape = {
    "billing_details": BILLING,
    "card": nest({"exp_month": integer, "exp_year": integer}),
    "us_bank_account": bank_methods.UPDATE,
    "metadata": metadata,
    "allow_redisplay": REDISPLAY,
}
SPENT = (
    "This PaymentMethod was previously used without being attached to a Customer or was detached "
    "from a Customer, and may not be used again."
)
UNVERIFIED = (
    "This bank account must be verified before it can be attached to a customer: use a "
    "SetupIntent or a PaymentIntent."
)
RAW_NUMBER = (
    "Sending credit card numbers directly to the Stripe API is generally unsafe. We suggest you "
    "use test tokens that map to the test card you are using, see https://docs.stripe.com/testing."
)


def usable(call: Call, method_id: str, param: str) -> Json:
    """Return the payment method a parameter names; a test id makes a fresh one.

    Raises StripeError when there is none, or when it may not be used any more.
    """
    fresh = from_test_id(call, method_id)
    if fresh:
        return fresh
    method = call.found("payment_method", method_id, param=param)
    if vault.is_spent(call, method["id"]):
        raise invalid(SPENT, param=param)
    return method


def from_test_id(call: Call, method_id: str) -> Json | None:
    """Make the payment method that a test id stands for; None for any other id."""
    card = by_token(method_id) if method_id.startswith("pm_card_") else None
    if card:
        return _make(call, card, {})
    account = accounts.by_token(method_id)
    holder = {"billing_details": {"name": "Jenny Rosen"}}
    return bank_methods.make(call, account, holder, verified=True) if account else None


def from_data(call: Call, data: dict[str, Any], param: str) -> Json:
    """Make a payment method from what a page typed in, or from a test token."""
    if "type" not in data:
        raise missing_parameter(f"{param}[type]" if param else "type")
    if data["type"] == "us_bank_account":
        return bank_methods.from_numbers(call, data, param)
    if "card" not in data:
        raise missing_parameter(f"{param}[card]" if param else "card")
    fields = data["card"]
    if "token" in fields:
        card = by_token(fields["token"])
        if card is None:
            message = f"No such token: '{fields['token']}'"
            raise invalid(message, code="resource_missing", param="card[token]")
        return _make(call, card, data)
    if not call.publishable:
        raise StripeError(402, "invalid_request_error", RAW_NUMBER)
    for name in ("number", "exp_month", "exp_year"):
        if name not in fields:
            raise missing_parameter(f"card[{name}]")
    typed = checked(TypedCard(**fields), call.state.now())
    return _make(call, typed.card, data, typed.typed)


def _make(call: Call, card: Card, data: dict[str, Any], typed: TypedCard | None = None) -> Json:
    details = _card(card, call.state.now(), typed)
    method = new_method(call, "card", details, data)
    vault.store(call, method["id"], card)
    return call.state.save(method)


def _card(card: Card, at: int, typed: TypedCard | None) -> Json:
    # A test id's card is good until the end of the third year after this one.
    year = datetime.fromtimestamp(at, UTC).year + 3
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "unchecked" if typed is None or typed.cvc is None else "pass",
        },
        "country": "US",
        "display_brand": "american_express" if card.brand == "amex" else card.brand,
        "exp_month": typed.exp_month if typed else 12,
        "exp_year": typed.exp_year if typed else year,
        "fingerprint": hashlib.sha256(card.number.encode()).hexdigest()[:16],
        "funding": "credit",
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def attach(call: Call, method: Json, customer_id: str) -> Json:
    """Give the method to the customer; a card that does not save declines here.

    Raises StripeError when it has another owner or is spent.
    """
    if method["customer"] == customer_id:
        return method
    if method["customer"]:
        raise invalid(
            "The payment method you provided has already been attached to a customer.",
            param="payment_method",
        )
    if vault.is_spent(call, method["id"]):
        raise invalid(SPENT, param="payment_method")
    card = vault.card_of(call, method["id"]) if method["type"] == "card" else None
    if card and card.decline and not card.saves_fine:
        raise refused(card.decline, payment_method=method)
    attached = call.state.save({**method, "customer": customer_id})
    emit(call, "payment_method.attached", attached)
    return attached


def owned_by(call: Call, customer_id: str) -> Iterator[Json]:
    """Walk a customer's payment methods, newest first."""
    for method in call.state.newest_first("payment_method"):
        if method["customer"] == customer_id:
            yield method


def _create(call: Call) -> Json:
    return from_data(call, dict(call.named()), "")


def _retrieve(call: Call) -> Json:
    return call.found("payment_method", call.path["id"])


def _update(call: Call) -> Json:
    before = call.found("payment_method", call.path["id"])
    if before["customer"] is None:
        raise invalid("You must save this PaymentMethod to a customer before you can update it.")
    given = dict(call.named())
    if "metadata" in given:
        given["metadata"] = merged(before["metadata"], given["metadata"])
    if "billing_details" in given:
        given["billing_details"] = filled_billing(
            before["billing_details"], given["billing_details"]
        )
    for kind in given.keys() & {"card", "us_bank_account"}:
        if kind != before["type"]:
            raise invalid(f"This PaymentMethod is no {kind}.", param=kind)
        given[kind] = {**before[kind], **given[kind]}
    method = call.state.save({**before, **given})
    emit(call, "payment_method.updated", method, before)
    return method


def _attach(call: Call) -> Json:
    customer = call.found("customer", call.params["customer"], param="customer")
    method = from_test_id(call, call.path["id"])
    method = method or call.found("payment_method", call.path["id"])
    if method["type"] == "us_bank_account" and not vault.is_verified(call, method["id"]):
        raise invalid(UNVERIFIED, param="payment_method")
    return attach(call, method, customer["id"])


def _detach(call: Call) -> Json:
    before = call.found("payment_method", call.path["id"])
    if before["customer"] is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible."
        )
    method = call.state.save({**before, "customer": None})
    vault.mark(call, method["id"], spent=True)
    emit(call, "payment_method.detached", method, before)
    _forget_default(call, before)
    return method


def _forget_default(call: Call, method: Json) -> None:
    """Take a detached method away as its former owner's default."""
    before = call.found("customer", method["customer"])
    settings = before["invoice_settings"]
    if settings["default_payment_method"] != method["id"]:
        return
    cleared = {**settings, "default_payment_method": None}
    customer = call.state.save({**before, "invoice_settings": cleared})
    emit(call, "customer.updated", customer, before)


def _list(call: Call) -> Json:
    """Without a customer the list is empty: methods belong to customers."""
    owner = call.params.get("customer")
    if owner is not None:
        call.found("customer", owner, param="customer")
    return _page(call, owner, "/v1/payment_methods")


def _of_customer(call: Call) -> Json:
    owner = call.found("customer", call.path["id"])["id"]
    return _page(call, owner, f"/v1/customers/{owner}/payment_methods")


def _page(call: Call, owner: str | None, url: str) -> Json:
    kind, shows = call.params.get("type"), call.params.get("allow_redisplay")
    return page(
        call,
        "payment_method",
        lambda method: (
            owner is not None
            and method["customer"] == owner
            and kind in {None, method["type"]}
            and shows in {None, method["allow_redisplay"]}
        ),
        url,
    )


def _one_of_customer(call: Call) -> Json:
    method = call.found("payment_method", call.path["method"])
    if method["customer"] != call.path["id"]:
        raise invalid(
            "This PaymentMethod is not attached to this customer.",
            code="resource_missing",
            param="payment_method",
            status=404,
        )
    return method


FILTER: Shape = {**LIST, "type": text, "allow_redisplay": REDISPLAY}
ROUTES = (
    Route("POST", "/v1/payment_methods", _create, DATA, client=True),
    Route("GET", "/v1/payment_methods", _list, {**FILTER, "customer": text}),
    Route("GET", "/v1/payment_methods/{id}", _retrieve),
    Route("POST", "/v1/payment_methods/{id}", _update, UPDATE),
    Route("POST", "/v1/payment_methods/{id}/attach", _attach, {"customer": text}, ("customer",)),
    Route("POST", "/v1/payment_methods/{id}/detach", _detach),
    Route("GET", "/v1/customers/{id}/payment_methods", _of_customer, FILTER),
    Route("GET", "/v1/customers/{id}/payment_methods/{method}", _one_of_customer),
)
