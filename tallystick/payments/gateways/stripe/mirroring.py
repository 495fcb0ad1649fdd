"""What lives at Stripe, read for the mirror: customers, subscriptions, invoices, charges.

Since API version 2025-03-31 a subscription's period stands with its items; older shapes are read
too. https://docs.stripe.com/changelog/basil
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

import msgspec
import structlog

from tallystick.kernel.errors import NotFound
from tallystick.money.amount import Money
from tallystick.money.monthly import per_month
from tallystick.money.rounding import round_ratio
from tallystick.payments.gateways.stripe import wire
from tallystick.payments.gateways.stripe.amounts import from_stripe
from tallystick.payments.gateways.stripe.client import Call, StripeCalls
from tallystick.payments.gateways.stripe.mirror_wire import (
    KINDS,
    Charge,
    Customer,
    Invoice,
    Item,
    Price,
    Subscription,
)
from tallystick.payments.gateways.stripe.readers import describe
from tallystick.payments.gateways.stripe.wire import id_of
from tallystick.payments.mirrored import (
    Mirrored,
    MirroredCharge,
    MirroredCustomer,
    MirroredInvoice,
    MirroredSubscription,
    MirrorKind,
    MirrorPage,
)
from tallystick.payments.requests import MethodDescription

PAGE_ROWS: Final = 100
METHODS_MAX: Final = 100
_OURS: Final = "tallystick_payment"
_ACCOUNT_NAMES: Final = ("tallystick_account", "account_id", "user_id")
"""Under which names a customer's metadata may say whose it is; `user_id` is Ops Center's."""
_PLACES: Final = Decimal("0.000000001")


log = structlog.get_logger()


class StripeMirror:
    """Reads what lives at Stripe; writes nothing there."""

    def __init__(self, calls: StripeCalls) -> None:
        self._calls = calls
        self._products: dict[str, str] = {}

    async def list_page(self, kind: MirrorKind, cursor: str | None) -> MirrorPage:
        """Return the objects older than the cursor's; raises Unavailable."""
        page = await self._calls.fetch(_listing(kind, cursor), wire.Page[dict[str, Any]])
        objects = [seen for one in page.data if (seen := await self._seen(kind, one)) is not None]
        more = page.has_more and page.data
        return MirrorPage(tuple(objects), page.data[-1]["id"] if more else None)

    async def read(self, kind: MirrorKind, reference: str) -> Mirrored | None:
        """Return an object as it is now; None: it is gone, or nothing to a mirror."""
        try:
            told = await self._calls.fetch(_retrieving(kind, reference), dict[str, Any])
        except NotFound:
            return None
        if told.get("deleted"):
            return None
        return await self._seen(kind, told)

    async def methods_of(self, customer: str) -> Sequence[MethodDescription]:
        """Return the methods that a customer has saved, oldest first."""
        page = await self._calls.fetch(
            lambda client: client.v1.payment_methods.list_async(
                {"customer": customer, "limit": METHODS_MAX}
            ),
            wire.Page[wire.PaymentMethod],
        )
        return [describe(method) for method in reversed(page.data)]

    async def _seen(self, kind: MirrorKind, answer: dict[str, Any]) -> Mirrored | None:
        """Return an object in our words; one that can not be read does not stop the others."""
        try:
            told = msgspec.convert(answer, KINDS[kind])
        except msgspec.ValidationError as error:
            log.warning("mirror_unreadable", kind=kind, id=answer.get("id"), problem=str(error))
            return None
        match told:
            case Customer():
                return _customer(told)
            case Subscription():
                return await self._subscription(told)
            case Invoice():
                return _invoice(told)
            case Charge():
                return _charge(told)
        return None

    async def _subscription(self, told: Subscription) -> MirroredSubscription | None:
        customer = id_of(told.customer)
        if customer is None or not told.items.data:
            return None
        first = told.items.data[0]
        recurring = first.price.recurring
        amount = sum((_amount(item) for item in told.items.data), Fraction(0))
        starts = [at for item in told.items.data if (at := item.current_period_start)]
        ends = [at for item in told.items.data if (at := item.current_period_end)]
        return MirroredSubscription(
            reference=told.id,
            customer_token=customer,
            status=told.status,
            tier=await self._tier(told, first.price),
            currency=told.currency.upper(),
            amount_minor=_whole(amount, told.currency),
            monthly_minor=_decimal(sum(_monthly(told.items.data), Fraction(0)), told.currency),
            interval=recurring.interval if recurring else None,
            interval_count=recurring.interval_count if recurring else None,
            period_start=_at(min(starts, default=told.current_period_start)),
            period_end=_at(min(ends, default=told.current_period_end)),
            trial_ends_at=_at(told.trial_end),
            cancel_at_period_end=told.cancel_at_period_end,
            created_at=datetime.fromtimestamp(told.created, UTC),
            ended_at=_at(told.ended_at),
        )

    async def _tier(self, told: Subscription, price: Price) -> str:
        """Return what the business calls it: by metadata, key or name of the price, or product."""
        named = told.metadata.get("tier") or price.metadata.get("tier")
        return named or price.lookup_key or price.nickname or await self._product(price)

    async def _product(self, price: Price) -> str:
        product = id_of(price.product)
        if product is None:
            return price.id
        if product not in self._products:
            told = await self._calls.fetch(
                lambda client: client.v1.products.retrieve_async(product), dict[str, Any]
            )
            self._products[product] = str(told.get("name") or product)
        return self._products[product]


def _customer(told: Customer) -> MirroredCustomer:
    names = (told.metadata.get(name) for name in _ACCOUNT_NAMES)
    return MirroredCustomer(
        reference=told.id,
        created_at=datetime.fromtimestamp(told.created, UTC),
        name=told.name or None,
        email=told.email or None,
        currency=told.currency.upper() if told.currency else None,
        country=told.address.country if told.address else None,
        account_name=next((name for name in names if name), None),
    )


def _invoice(told: Invoice) -> MirroredInvoice | None:
    customer = id_of(told.customer)
    if customer is None:
        return None
    return MirroredInvoice(
        reference=told.id,
        customer_token=customer,
        number=told.number,
        status=told.status or "draft",
        currency=told.currency.upper(),
        total_minor=from_stripe(told.total, told.currency).minor,
        due_minor=from_stripe(told.amount_due, told.currency).minor,
        paid_minor=from_stripe(told.amount_paid, told.currency).minor,
        created_at=datetime.fromtimestamp(told.created, UTC),
        due_at=_at(told.due_date),
        paid_at=_at(told.status_transitions.paid_at),
    )


def _charge(told: Charge) -> MirroredCharge | None:
    """Return a charge of a customer; ours are in our books already."""
    customer = id_of(told.customer)
    if customer is None or _OURS in told.metadata:
        return None
    return MirroredCharge(
        reference=told.id,
        payment_reference=id_of(told.payment_intent),
        customer_token=customer,
        status=told.status,
        currency=told.currency.upper(),
        amount_minor=from_stripe(told.amount, told.currency).minor,
        refunded_minor=from_stripe(told.amount_refunded, told.currency).minor,
        description=told.description,
        is_paid=told.paid,
        created_at=datetime.fromtimestamp(told.created, UTC),
    )


def _amount(item: Item) -> Fraction:
    """Return what an item costs each period in Stripe's units; usage and tiers are not known."""
    price = item.price
    if price.recurring is not None and price.recurring.usage_type == "metered":
        return Fraction(0)
    unit = price.unit_amount_decimal or price.unit_amount or 0
    return Fraction(unit) * (1 if item.quantity is None else item.quantity)


def _monthly(items: Sequence[Item]) -> Iterator[Fraction]:
    for item in items:
        recurring = item.price.recurring
        if recurring is not None:
            yield per_month(_amount(item), recurring.interval, recurring.interval_count)


def _whole(amount: Fraction, code: str) -> int:
    return from_stripe(round_ratio(amount.numerator, amount.denominator), code).minor


def _decimal(amount: Fraction, code: str) -> Decimal:
    """Return Stripe's units in ours, to nine places of a minor unit."""
    one: Money = from_stripe(10**3, code)
    exact = amount * Fraction(one.minor, 10**3)
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(_PLACES)


def _at(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def _listing(kind: MirrorKind, cursor: str | None) -> Call:
    more = {"starting_after": cursor} if cursor else {}
    params: dict[str, Any] = {"limit": PAGE_ROWS, **more}
    if kind is MirrorKind.SUBSCRIPTION:
        params["status"] = "all"
    lists: Mapping[MirrorKind, Callable[[Any], Any]] = {
        MirrorKind.CUSTOMER: lambda client: client.v1.customers.list_async(params),
        MirrorKind.SUBSCRIPTION: lambda client: client.v1.subscriptions.list_async(params),
        MirrorKind.INVOICE: lambda client: client.v1.invoices.list_async(params),
        MirrorKind.CHARGE: lambda client: client.v1.charges.list_async(params),
    }
    return lists[kind]


def _retrieving(kind: MirrorKind, reference: str) -> Call:
    reads: Mapping[MirrorKind, Callable[[Any], Any]] = {
        MirrorKind.CUSTOMER: lambda client: client.v1.customers.retrieve_async(reference),
        MirrorKind.SUBSCRIPTION: lambda client: client.v1.subscriptions.retrieve_async(reference),
        MirrorKind.INVOICE: lambda client: client.v1.invoices.retrieve_async(reference),
        MirrorKind.CHARGE: lambda client: client.v1.charges.retrieve_async(reference),
    }
    return reads[kind]
