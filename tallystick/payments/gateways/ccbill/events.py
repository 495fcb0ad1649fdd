"""CCBill's nineteen events in our words, from the form in which `deliveries` keeps them.

Amounts: of a sale `billedInitialPrice`, of a renewal `billedAmount`, of money that goes back
`amount`. A missing one is never made up: the event waits for a person.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import msgspec

from tallystick.kernel.errors import BadInput
from tallystick.money.amount import Money
from tallystick.payments.facts import (
    ChargeReported,
    ChargeReturned,
    ChargeSeen,
    DisputeReported,
    DisputeState,
    Fact,
    GatewayEvent,
    Ignored,
    RefundReported,
    RenewalFailed,
    RenewalMoved,
    SubscriptionCanceled,
    SubscriptionEnded,
    SubscriptionRenewed,
)
from tallystick.payments.gateways.ccbill import declines
from tallystick.payments.gateways.ccbill.amounts import code_of, read_amount
from tallystick.payments.gateways.ccbill.datalink import charge_name
from tallystick.payments.gateways.ccbill.deliveries import event_id
from tallystick.payments.gateways.ccbill.mountain import read_time
from tallystick.payments.outcomes import Outcome, Succeeded

Fields = Mapping[str, str]
ACCOUNT, ATTEMPT = "tallystick_account", "tallystick_attempt"
"""The names under which our ids go along with a charge (`passThroughInfo`)."""


def read_event(body: bytes) -> GatewayEvent:
    """Read what `deliveries` kept. Raises BadInput `invalid_payload`."""
    try:
        fields = msgspec.json.decode(body, type=dict[str, str])
        kind = fields["eventType"]
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
        raise _unreadable() from error
    read = _READERS.get(kind)
    return GatewayEvent(
        event_id=event_id(fields),
        kind=kind,
        created_at=read_time(fields.get("timestamp")) or datetime.fromtimestamp(0, UTC),
        livemode=True,
        fact=Ignored("unknown_kind") if read is None else read(fields),
    )


def _sold(fields: Fields) -> Fact:
    reference = _need(fields, "subscriptionId")
    return _charge(fields, Succeeded(reference, _price(fields)))


def _not_sold(fields: Fields) -> Fact:
    if _ours(fields) is None:
        return Ignored("refused_sale_of_nobody")
    return _charge(fields, declines.of_failure(fields.get("failureCode")))


def _sold_beside(fields: Fields) -> Fact:
    """Read a sale that followed another one: it may repeat that one's ids of ours."""
    reference = _need(fields, "subscriptionId")
    return ChargeSeen(reference, Succeeded(reference, _price(fields)))


def _charge(fields: Fields, outcome: Outcome) -> Fact:
    ids = _ours(fields)
    if ids is not None:
        return ChargeReported(ids[0], ids[1], str(ids[0]), outcome)
    return ChargeSeen(_need(fields, "subscriptionId"), outcome)


def _renewed(fields: Fields) -> Fact:
    subscription = _need(fields, "subscriptionId")
    return SubscriptionRenewed(
        subscription_reference=subscription,
        charge_reference=charge_name(subscription, _need(fields, "transactionId")),
        amount=_money(fields, "billedAmount", "billed"),
        renewed_at=_time(fields, "renewalDate", "timestamp"),
        next_renewal_at=read_time(fields.get("nextRenewalDate")),
        accounted=_optional(fields, "accountingAmount", "accounting"),
    )


def _not_renewed(fields: Fields) -> Fact:
    return RenewalFailed(
        subscription_reference=_need(fields, "subscriptionId"),
        code=declines.of_failure(fields.get("failureCode")).code,
        renewed_at=_time(fields, "renewalDate", "timestamp"),
        retry_at=read_time(fields.get("nextRetryDate")),
    )


def _canceled(fields: Fields) -> Fact:
    return SubscriptionCanceled(_need(fields, "subscriptionId"), _time(fields, "timestamp"))


def _ended(fields: Fields) -> Fact:
    return SubscriptionEnded(_need(fields, "subscriptionId"), _time(fields, "timestamp"))


def _moved(fields: Fields) -> Fact:
    return RenewalMoved(_need(fields, "subscriptionId"), _time(fields, "nextRenewalDate"))


def _refunded(fields: Fields) -> Fact:
    subscription, amount, name = _need(fields, "subscriptionId"), _back(fields), event_id(fields)
    return RefundReported(
        reference=name,
        charge_reference=charge_name(subscription, fields.get("transactionId")),
        amount=amount,
        outcome=Succeeded(name, amount),
        subscription_reference=subscription,
    )


def _charged_back(fields: Fields) -> Fact:
    """Read a dispute: CCBill tells of none that was won, so the money is gone for good."""
    subscription = _need(fields, "subscriptionId")
    return DisputeReported(
        reference=event_id(fields),
        charge_reference=charge_name(subscription, fields.get("transactionId")),
        amount=_back(fields),
        state=DisputeState.LOST,
        code="charged_back",
        subscription_reference=subscription,
    )


def _returned(fields: Fields) -> Fact:
    subscription = _need(fields, "subscriptionId")
    return ChargeReturned(
        reference=event_id(fields),
        charge_reference=charge_name(subscription, fields.get("transactionId")),
        amount=_back(fields),
        code="returned",
        subscription_reference=subscription,
    )


def _customer_changed(_: Fields) -> Fact:
    return Ignored("kept_by_the_gateway")


_READERS: Final[Mapping[str, Callable[[Fields], Fact]]] = {
    "NewSaleSuccess": _sold,
    "NewSaleFailure": _not_sold,
    "UpSaleSuccess": _sold,
    "UpSaleFailure": _not_sold,
    "CrossSaleSuccess": _sold_beside,
    "CrossSaleFailure": lambda _: Ignored("refused_sale_of_nobody"),
    "UpgradeSuccess": _sold_beside,
    "UpgradeFailure": lambda _: Ignored("refused_sale_of_nobody"),
    "RenewalSuccess": _renewed,
    "RenewalFailure": _not_renewed,
    "Cancellation": _canceled,
    "Expiration": _ended,
    "BillingDateChange": _moved,
    "UserReactivation": _moved,
    "CustomerDataUpdate": _customer_changed,
    "Chargeback": _charged_back,
    "Refund": _refunded,
    "Void": _refunded,
    "Return": _returned,
}
KINDS: Final = tuple(_READERS)


def _price(fields: Fields) -> Money:
    """Return what was paid for a sale.

    What the consumer paid; where that is in another currency than the sale was made in, the
    merchant's price: we asked for 10.00 USD, the consumer may have paid 9.20 EUR.
    """
    billed = _money(fields, "billedInitialPrice", "billed")
    asked = _optional(fields, "subscriptionInitialPrice", "subscription")
    return asked if asked is not None and asked.currency != billed.currency else billed


def _back(fields: Fields) -> Money:
    """Return what went back: a returned debit names its currency by number alone."""
    money = read_amount(fields.get("amount"), _currency(fields, ""))
    if money is None:
        raise _unreadable()
    return money


def _money(fields: Fields, name: str, family: str) -> Money:
    money = _optional(fields, name, family)
    if money is None:
        raise _unreadable()
    return money


def _optional(fields: Fields, name: str, family: str) -> Money | None:
    return read_amount(fields.get(name), _currency(fields, family))


def _currency(fields: Fields, family: str) -> str | None:
    name = f"{family}Currency" if family else "currency"
    return code_of(fields.get(f"{name}Code"), fields.get(name))


def _ours(fields: Fields) -> tuple[UUID, UUID] | None:
    """Return our ids; whether they come back with `X-` in front is said nowhere."""
    found = [fields.get(name) or fields.get(f"X-{name}") for name in (ACCOUNT, ATTEMPT)]
    try:
        return UUID(found[0] or ""), UUID(found[1] or "")
    except ValueError:
        return None


def _need(fields: Fields, name: str) -> str:
    value = fields.get(name, "").strip()
    if not value:
        raise _unreadable()
    return value


def _time(fields: Fields, *names: str) -> datetime:
    for name in names:
        found = read_time(fields.get(name))
        if found is not None:
            return found
    raise _unreadable()


def _unreadable() -> BadInput:
    return BadInput("invalid_payload", "The webhook can not be read.")
