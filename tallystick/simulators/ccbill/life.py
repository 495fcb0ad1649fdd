"""What happens to a subscription after its sale: each step changes it and tells it.

All steps run inside `State.change`. Amounts of events are positive.
"""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal

import msgspec

from tallystick.simulators.ccbill import cards
from tallystick.simulators.ccbill.declines import Decline
from tallystick.simulators.ccbill.events import emit
from tallystick.simulators.ccbill.ids import MOUNTAIN, long_form
from tallystick.simulators.ccbill.model import (
    UNTIL_CANCELLED,
    Move,
    MoveKind,
    Subscription,
)
from tallystick.simulators.ccbill.sale_fields import (
    NUMBERS,
    Fields,
    card_fields,
    in_dollars,
    money,
    person_fields,
    stamp,
)
from tallystick.simulators.ccbill.state import State

RETURN_LACKS = frozenset({"cardType", "expDate", "currency", "accountingCurrency"})


class Reversal(msgspec.Struct, frozen=True):
    """So much of a sale or rebill taken back, and what the webhook says of it."""

    kind: Literal["Refund", "Void", "Chargeback", "Return"]
    amount: Decimal
    reason: str
    of: Move

    @property
    def move_kind(self) -> MoveKind:
        """The kind of money moved."""
        kinds: dict[str, MoveKind] = {"Refund": "REFUND", "Void": "VOID", "Return": "RETURN"}
        return kinds.get(self.kind, "CHARGEBACK")


def day(at: datetime) -> str:
    """Return the Mountain day."""
    return f"{at.astimezone(MOUNTAIN):%Y-%m-%d}"


def base_fields(state: State, about: Subscription) -> Fields:
    """Return what nearly every event after a sale begins with."""
    return {
        "subscriptionId": long_form(about.id),
        "clientAccnum": str(about.accnum),
        "clientSubacc": f"{about.subacc:04d}",
        "timestamp": stamp(state),
    }


def renew(state: State, was: Subscription) -> Subscription:
    """Rebill, and plan the next one, or the end when no rebills are left."""
    now = state.now()
    terms = was.terms
    done = was.rebills_done + 1
    next_at = now + timedelta(days=terms.recurring_period)
    goes_on = terms.rebills == UNTIL_CANCELLED or done < terms.rebills
    is_live = was.cancelled_at is None
    after = state.save(
        msgspec.structs.replace(
            was,
            rebills_done=done,
            failures=0,
            renews_at=next_at if goes_on and is_live else None,
            ends_at=None if goes_on and is_live else next_at,
        )
    )
    amount = terms.recurring_price if terms.recurring_price is not None else terms.initial_price
    move = _move(state, was, "REBILL", amount)
    body = {"transactionId": long_form(move.id), **base_fields(state, was)}
    for name, value, code in (
        ("billed", amount, terms.currency),
        ("accounting", in_dollars(state, amount, terms.currency), "USD"),
    ):
        body[f"{name}Amount"] = money(state, value, code)
        body[f"{name}Currency"] = code
        body[f"{name}CurrencyCode"] = NUMBERS[code]
    renewed_on = stamp(state) if state.config.renewal_times else day(now)
    body |= {"renewalDate": renewed_on, **_card(was, "bin")}
    if after.renews_at:
        body["nextRenewalDate"] = day(after.renews_at)
    emit(state, "RenewalSuccess", after, body)
    return after


def fail(state: State, was: Subscription, decline: Decline) -> Subscription:
    """Let a rebill fail: tried again by the retry schedule, and expired when that is over."""
    failures = was.failures + 1
    days = state.config.rebill_retry_days
    retry_at = state.now() + timedelta(days=days[failures - 1]) if failures <= len(days) else None
    after = state.save(
        msgspec.structs.replace(was, failures=failures, renews_at=retry_at, ends_at=None)
    )
    body = {
        "transactionId": long_form(state.new_transaction_id()),
        **base_fields(state, was),
        "renewalDate": day(was.renews_at or state.now()),
        "cardType": was.card.brand,
        "paymentType": "CREDIT",
        "failureReason": decline.failure_reason,
        "failureCode": decline.failure_code,
    }
    if retry_at:
        body["nextRetryDate"] = day(retry_at)
    emit(state, "RenewalFailure", after, body)
    return after if retry_at else expire(state, after, batched_failure=True)


def rebill(state: State, was: Subscription) -> Subscription:
    """Rebill as the card behaves."""
    decline = cards.behaviour(was.card).rebills_decline or cards.behaviour(was.card).decline
    return fail(state, was, decline) if decline else renew(state, was)


def cancel(
    state: State, was: Subscription, reason: str = "Satisfied Customer", source: str = "API"
) -> Subscription:
    """Rebill no more; what is paid for lasts until its end."""
    ends = was.ends_at or was.renews_at or state.now()
    after = state.save(
        msgspec.structs.replace(was, cancelled_at=state.now(), renews_at=None, ends_at=ends)
    )
    fields = {**base_fields(state, was), "reason": reason, "source": source}
    emit(state, "Cancellation", after, fields)
    return after


def expire(state: State, was: Subscription, *, batched_failure: bool = False) -> Subscription:
    """End it now."""
    after = state.save(
        msgspec.structs.replace(
            was,
            expired_at=state.now(),
            renews_at=None,
            ends_at=None,
            batched_failure=batched_failure,
        )
    )
    emit(state, "Expiration", after, base_fields(state, was))
    return after


def reverse(state: State, was: Subscription, back: Reversal) -> None:
    """Give money back, or lose it."""
    _move(state, was, back.move_kind, back.amount, of=back.of.id)
    code = was.terms.currency
    dollars = in_dollars(state, back.amount, code)
    body = {
        # CCBill names the sale or rebill that is taken back.
        "transactionId": long_form(back.of.id),
        **base_fields(state, was),
        "amount": money(state, back.amount, code),
        "currency": code,
        "currencyCode": NUMBERS[code],
        "accountingAmount": money(state, dollars, "USD"),
        "accountingCurrency": "USD",
        "accountingCurrencyCode": NUMBERS["USD"],
        "reason": back.reason,
        **(_card(was) if back.kind == "Chargeback" else _card(was, "bin")),
    }
    if back.kind == "Return":
        body = {name: value for name, value in body.items() if name not in RETURN_LACKS}
        body["paymentType"] = "EUDEBIT"
    emit(state, back.kind, was, body)


def charge_back(state: State, was: Subscription, of: Move | None = None) -> None:
    """Let the card's holder dispute the newest charge, or the one that is named."""
    taken = of or last_charge(state, was)
    on = state.now().astimezone(MOUNTAIN)
    reason = f"Charged Back on {on:%m/%d/%Y}"
    reverse(state, was, Reversal("Chargeback", taken.amount, reason, taken))


def reactivate(state: State, was: Subscription) -> Subscription:
    """Undo a cancellation or an expiration; it is billed again after a whole period."""
    days = was.terms.recurring_period or was.terms.initial_period
    over = state.now() + timedelta(days=days)
    recurring = was.terms.recurring_price is not None
    after = state.save(
        msgspec.structs.replace(
            was,
            cancelled_at=None,
            expired_at=None,
            batched_failure=False,
            failures=0,
            renews_at=over if recurring else None,
            ends_at=None if recurring else over,
        )
    )
    price = was.terms.recurring_price if recurring else was.terms.initial_price
    person = person_fields(was.customer)
    kind = "" if recurring else " (non-recurring)"
    body = {name: value for name, value in base_fields(state, was).items() if name != "timestamp"}
    body |= {
        "transactionId": long_form(state.new_transaction_id()),
        "price": f"{money(state, price or Decimal(0), was.terms.currency)} for {days} days{kind}",
        "email": person["email"],
        "username": person["username"],
        "password": person["password"],
        "nextRenewalDate": day(over),
    }
    emit(state, "UserReactivation", after, body)
    return after


def change_date(state: State, was: Subscription, on: date) -> Subscription:
    """Move the next rebill to noon (Mountain) of a day."""
    at = datetime(on.year, on.month, on.day, 12, tzinfo=MOUNTAIN).astimezone(state.now().tzinfo)
    after = state.save(msgspec.structs.replace(was, renews_at=at))
    fields = {**base_fields(state, was), "nextRenewalDate": day(at)}
    emit(state, "BillingDateChange", after, fields)
    return after


def update_customer(state: State, was: Subscription, after: Subscription) -> Subscription:
    """Let the consumer change what CCBill knows: name, address, card."""
    state.save(after)
    body = {
        **base_fields(state, was),
        **person_fields(after.customer),
        **card_fields(after.card),
    }
    filled = {name: value for name, value in body.items() if value}
    emit(state, "CustomerDataUpdate", after, filled)
    return after


def charges_of(state: State, about: Subscription) -> list[Move]:
    """Return the sale and the rebills, oldest first."""
    return [move for move in state.moves(about.id) if move.kind in ("NEW", "REBILL")]


def last_charge(state: State, about: Subscription) -> Move:
    """Return the newest sale or rebill."""
    return charges_of(state, about)[-1]


def left_of(state: State, charge: Move) -> Decimal:
    """Return what of a charge was not given back yet."""
    back = [move.amount for move in state.moves(charge.subscription_id) if move.of == charge.id]
    return charge.amount - sum(back, Decimal(0))


def _card(about: Subscription, *without: str) -> Fields:
    return {name: text for name, text in card_fields(about.card).items() if name not in without}


def _move(
    state: State, about: Subscription, kind: MoveKind, amount: Decimal, of: str | None = None
) -> Move:
    move = Move(
        id=state.new_transaction_id(),
        kind=kind,
        subscription_id=about.id,
        accnum=about.accnum,
        subacc=about.subacc,
        amount=amount,
        currency=about.terms.currency,
        at=state.now(),
        of=of,
    )
    state.put("moves", move.id, move)
    return move
