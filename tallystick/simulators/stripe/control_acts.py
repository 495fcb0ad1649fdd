"""What a person does to the simulated world by hand: settle a debit, return it, end a dispute."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import msgspec

from tallystick.simulators.stripe import refunds
from tallystick.simulators.stripe.bank import debits, microdeposits
from tallystick.simulators.stripe.bank.accounts import FAILURES
from tallystick.simulators.stripe.books import disputes
from tallystick.simulators.stripe.call import API_VERSION, Call
from tallystick.simulators.stripe.cards import Decline
from tallystick.simulators.stripe.errors import Json, invalid
from tallystick.simulators.stripe.events import emit, queue_delivery

FailureCode = Literal["account_closed", "no_account", "insufficient_funds", "debit_not_authorized"]


class SettleDebit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """End a debit now; without an id all that are processing. By default as the account says."""

    payment_intent: str | None = None
    outcome: Literal["as_planned", "succeeded", "failed"] = "as_planned"
    failure_code: FailureCode = "insufficient_funds"


class ReturnDebit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Take a debit back that had succeeded."""

    payment_intent: str
    shape: Literal["dispute", "failure"] = "dispute"
    failure_code: FailureCode = "insufficient_funds"


class Deposits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which kind of microdeposit is sent from now on."""

    type: Literal["amounts", "descriptor_code"]


class OpenDispute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Dispute the charge of a payment intent."""

    payment_intent: str
    reason: str = "fraudulent"


class EndDispute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Answer a dispute, or end it."""

    dispute: str
    action: Literal["submit", "win", "lose"]


class EndRefund(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """End a refund now: a pending one succeeds, or any one fails."""

    refund: str
    outcome: Literal["succeeded", "failed"] = "failed"
    failure_reason: str = "lost_or_stolen_card"


class Forge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Send an event of one's own making: of a type nobody knows, live, old, or another account's.

    It is signed as all are, and listed with the others; it changes no object.
    """

    type: str
    object: dict[str, Any]
    livemode: bool = False
    account: str | None = None
    api_version: str = API_VERSION
    created: int | None = None


class RenewCard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Let a card's network tell that the card was replaced: a new expiry, the same token."""

    payment_method: str
    exp_month: Annotated[int, msgspec.Meta(ge=1, le=12)]
    exp_year: int


Act = Callable[[Call, Any], object]


def _settle(call: Call, wish: SettleDebit) -> Json:
    if wish.payment_intent is None:
        waiting = [
            intent
            for intent in call.state.newest_first("payment_intent")
            if intent["status"] == "processing"
        ]
    else:
        waiting = [call.found("payment_intent", wish.payment_intent)]
    for intent in reversed(waiting):
        if wish.outcome == "as_planned":
            debits.settle(call, intent["id"])
        else:
            debits.finish(call, intent, _failure(wish))
    return {"settled": [intent["id"] for intent in waiting]}


def _failure(wish: SettleDebit) -> Decline | None:
    return FAILURES[wish.failure_code] if wish.outcome == "failed" else None


def _return(call: Call, wish: ReturnDebit) -> Json:
    intent = call.found("payment_intent", wish.payment_intent)
    debits.give_back(call, intent, FAILURES[wish.failure_code], wish.shape)
    return call.found("payment_intent", wish.payment_intent)


def _deposits(call: Call, wish: Deposits) -> Json:
    return call.state.put(microdeposits.SETTINGS, "microdeposits", {"type": wish.type})


def _dispute(call: Call, wish: OpenDispute) -> Json:
    intent = call.found("payment_intent", wish.payment_intent)
    if intent["status"] != "succeeded":
        raise invalid("Only a payment that succeeded can be disputed.")
    return disputes.open_dispute(call, call.found("charge", intent["latest_charge"]), wish.reason)


def _end(call: Call, wish: EndDispute) -> Json:
    dispute = call.found("dispute", wish.dispute)
    if wish.action == "submit":
        return disputes.submit(call, dispute, dispute["evidence"])
    return disputes.close(call, dispute, "won" if wish.action == "win" else "lost")


def _end_refund(call: Call, wish: EndRefund) -> Json:
    refund = call.found("refund", wish.refund)
    if wish.outcome == "failed":
        return refunds.fail(call, refund, wish.failure_reason)
    if refund["status"] != "pending":
        raise invalid(f"This refund is {refund['status']}: only a pending one can succeed.")
    return refunds.succeed(call, refund)


def _renew_card(call: Call, wish: RenewCard) -> Json:
    before = call.found("payment_method", wish.payment_method)
    if before["type"] != "card":
        raise invalid("Only a card expires.")
    told = {"exp_month": wish.exp_month, "exp_year": wish.exp_year}
    method = call.state.save({**before, "card": {**before["card"], **told}})
    emit(call, "payment_method.automatically_updated", method, before)
    return method


def _forge(call: Call, wish: Forge) -> Json:
    event = {
        "id": call.state.ids.new("evt"),
        "object": "event",
        "api_version": wish.api_version,
        "created": call.state.now() if wish.created is None else wish.created,
        "data": {"object": wish.object},
        "livemode": wish.livemode,
        "pending_webhooks": 0,
        "request": None,
        "type": wish.type,
        **({"account": wish.account} if wish.account else {}),
    }
    for endpoint in call.state.newest_first("webhook_endpoint"):
        queue_delivery(call.state, event, endpoint)
    return call.state.save(event)


ACTS: Mapping[str, tuple[type[Any], Act]] = {
    "/_sim/ach/settle": (SettleDebit, _settle),
    "/_sim/ach/return": (ReturnDebit, _return),
    "/_sim/ach/microdeposits": (Deposits, _deposits),
    "/_sim/disputes/open": (OpenDispute, _dispute),
    "/_sim/disputes/end": (EndDispute, _end),
    "/_sim/refunds/end": (EndRefund, _end_refund),
    "/_sim/cards/renew": (RenewCard, _renew_card),
    "/_sim/webhooks/forge": (Forge, _forge),
}
