"""What `POST /_sim/subscriptions/{id}/{name}` can let happen to a subscription (invented)."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import msgspec

from tallystick.simulators.ccbill import cards, life
from tallystick.simulators.ccbill.declines import DECLINES, DO_NOT_HONOR
from tallystick.simulators.ccbill.ids import short_form
from tallystick.simulators.ccbill.management import refund_and_end
from tallystick.simulators.ccbill.model import UNTIL_CANCELLED, Move, Subscription, Terms
from tallystick.simulators.ccbill.sale_fields import CENT
from tallystick.simulators.ccbill.sales import Sale, SaleKind, sell
from tallystick.simulators.ccbill.state import State
from tallystick.simulators.ccbill.terms import DAYS_MAX

Days = Annotated[int, msgspec.Meta(ge=1, le=DAYS_MAX)]
# Ten million units of a currency are beyond any card.
WHOLE_DIGITS_MAX = 7


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An empty body."""


class Failing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why a rebill fails, by CCBill's code."""

    failure_code: Literal["BE-102", "BE-103", "BE-104", "BE-105", "BE-111", "BE-122"] = "BE-103"


class Cancelling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who cancels, and why."""

    reason: str = "Satisfied Customer"
    source: str = "customerSupport"


class Reversing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes back: all of the newest charge unless an amount or a charge is named.

    `ends` False leaves the subscription as it is (a refund otherwise cancels and expires it).
    """

    amount: Decimal | None = None
    transaction_id: str | None = None
    reason: str | None = None
    ends: bool = True

    def __post_init__(self) -> None:
        """Raise ValueError for an amount that is none."""
        _check(self.amount)


class Moving(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The day of the next rebill."""

    next_renewal_date: date


class Updating(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the consumer changes."""

    first_name: str | None = None
    last_name: str | None = None
    email: str | None = None
    address1: str | None = None
    city: str | None = None
    zipcode: str | None = None
    card: str | None = None


class Selling(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another sale to the same consumer; what is not named is as in the first one."""

    initial_price: Decimal | None = None
    initial_period: Days | None = None
    recurring_price: Decimal | None = None
    recurring_period: Days | None = None
    rebills: Annotated[int, msgspec.Meta(ge=0, le=UNTIL_CANCELLED)] | None = None
    client_subacc: Annotated[int, msgspec.Meta(ge=0, le=9999)] | None = None
    failure_code: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a price that is none."""
        _check(self.initial_price)
        _check(self.recurring_price)


def _check(amount: Decimal | None) -> None:
    if amount is None:
        return
    if not amount.is_finite() or amount.adjusted() >= WHOLE_DIGITS_MAX or amount <= 0:
        raise ValueError("Amounts are more than 0 and less than 10,000,000.")
    if amount != amount.quantize(CENT):
        raise ValueError("Amounts have at most two decimals.")


Act = Callable[[State, Subscription, Any], object]


def _reversal(kind: Literal["Refund", "Void", "Chargeback", "Return"], reason: str) -> Act:
    def act(state: State, about: Subscription, wish: Reversing) -> None:
        charge = _charge(state, about, wish.transaction_id)
        amount = life.left_of(state, charge) if wish.amount is None else wish.amount
        back = life.Reversal(kind, amount, wish.reason or reason, charge)
        if kind in ("Refund", "Void") and wish.ends:
            refund_and_end(state, about, back)
        else:
            life.reverse(state, about, back)

    return act


def _charge(state: State, about: Subscription, identifier: str | None) -> Move:
    if identifier is None:
        return life.last_charge(state, about)
    for move in life.charges_of(state, about):
        if move.id == short_form(identifier):
            return move
    raise msgspec.ValidationError(f"There is no charge {identifier}.")


def _update(state: State, about: Subscription, wish: Updating) -> object:
    given = {name: value for name, value in msgspec.to_builtins(wish).items() if value is not None}
    number = given.pop("card", None)
    card = about.card
    if number is not None:
        if number not in cards.BY_NUMBER:
            raise msgspec.ValidationError("The card is not on the test list.")
        card = cards.stored(cards.BY_NUMBER[number], 11, state.now().year + 3)
    customer = msgspec.structs.replace(about.customer, **given)
    after = msgspec.structs.replace(about, customer=customer, card=card)
    return life.update_customer(state, about, after)


def _sale(kind: SaleKind) -> Act:
    def act(state: State, about: Subscription, wish: Selling) -> None:
        if wish.failure_code is not None and wish.failure_code not in DECLINES:
            raise msgspec.ValidationError(f"failure_code is one of {', '.join(DECLINES)}.")
        sale = Sale(
            kind=kind,
            accnum=about.accnum,
            subacc=about.subacc if wish.client_subacc is None else wish.client_subacc,
            customer=about.customer,
            card=about.card,
            terms=_terms(about.terms, wish),
            source="API",
            original_id=about.id,
            original_accnum=about.accnum,
            original_subacc=about.subacc,
            extras=about.extras,
        )
        decline = DECLINES[wish.failure_code] if wish.failure_code else None
        sold = sell(state, sale, decline)
        if kind == "Upgrade" and isinstance(sold, str):
            # The new one takes the old one's place (how CCBill tells so is not known).
            life.cancel(state, about, "Upgraded", "API")

    return act


def _terms(was: Terms, wish: Selling) -> Terms:
    given = {name: getattr(wish, name) for name in wish.__struct_fields__}
    known = {
        name: value
        for name, value in given.items()
        if value is not None and name in was.__struct_fields__
    }
    return msgspec.structs.replace(was, **known)


TRIGGERS: Mapping[str, tuple[type[Any], Act]] = {
    "renew": (Nothing, lambda state, about, _: life.renew(state, about)),
    "fail": (
        Failing,
        lambda state, about, wish: life.fail(
            state, about, DECLINES.get(wish.failure_code, DO_NOT_HONOR)
        ),
    ),
    "cancel": (
        Cancelling,
        lambda state, about, wish: life.cancel(state, about, wish.reason, wish.source),
    ),
    "expire": (Nothing, lambda state, about, _: life.expire(state, about)),
    "refund": (Reversing, _reversal("Refund", "Customer Refunded")),
    "void": (Reversing, _reversal("Void", "Threatened CB")),
    "chargeback": (Reversing, _reversal("Chargeback", "Charged Back")),
    "return": (Reversing, _reversal("Return", "Insufficient funds")),
    "reactivate": (Nothing, lambda state, about, _: life.reactivate(state, about)),
    "change-date": (
        Moving,
        lambda state, about, wish: life.change_date(state, about, wish.next_renewal_date),
    ),
    "update-customer": (Updating, _update),
    "upgrade": (Selling, _sale("Upgrade")),
    "cross-sale": (Selling, _sale("CrossSale")),
    "up-sale": (Selling, _sale("UpSale")),
    "new-sale": (Selling, _sale("NewSale")),
}
