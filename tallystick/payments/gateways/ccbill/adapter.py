"""CCBill behind the port: it keeps the cards and the schedule, and knows no idempotency keys."""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from tallystick.kernel.clock import Clock
from tallystick.kernel.db import Database
from tallystick.kernel.errors import NotFound
from tallystick.money.amount import Money
from tallystick.payments.breaker import Breaker
from tallystick.payments.facts import Back, Delivery, GatewayEvent, Receipt
from tallystick.payments.gateway import Gateway, token_not_found
from tallystick.payments.gateways.ccbill import deliveries, events
from tallystick.payments.gateways.ccbill.amounts import NUMBERS, limits_of, refusal
from tallystick.payments.gateways.ccbill.calls import CcbillCalls
from tallystick.payments.gateways.ccbill.charging import Charging
from tallystick.payments.gateways.ccbill.client import CcbillHttp
from tallystick.payments.gateways.ccbill.datalink import DataLink
from tallystick.payments.gateways.ccbill.management import Management
from tallystick.payments.gateways.ccbill.oauth import Bearer, Bearers
from tallystick.payments.gateways.ccbill.refunding import Refunding
from tallystick.payments.outcomes import Declined, Outcome, Unknown
from tallystick.payments.requests import (
    Capabilities,
    Charge,
    MethodDescription,
    Refund,
    SubscribeRequest,
    SubscriptionView,
    TransactionPage,
)
from tallystick.settings_ccbill import CcbillSettings

ONE_OFF_DAYS: Final = 2
"""A sale that does not renew lasts some days all the same; CCBill takes none of one day."""
UNTIL_CANCELLED: Final = 99
RECURRING_DAYS: Final = (30, 60, 90)
INITIAL_DAYS: Final = (2, 365)
TOKEN_CHARS_MAX: Final = 64


class CcbillGateway(Gateway):
    """Cards through CCBill's payment tokens."""

    name = "ccbill"

    def __init__(
        self,
        db: Database,
        settings: CcbillSettings,
        clock: Clock,
        *,
        default_currency: str = "USD",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._limits = limits_of(settings)
        self.capabilities = Capabilities(
            charges_saved_methods=True,
            saves_tokens=True,
            takes_authentication=True,
            method_types=frozenset({"card"}),
            method_currencies={"card": frozenset(NUMBERS)},
            refunds=settings.datalink_configured,
            refunds_in_part=settings.datalink_configured,
            owns_schedule=True,
            lists_transactions=settings.datalink_configured,
            amount_limits=self._limits,
        )
        self.breaker = Breaker(self.name)
        self._http = CcbillHttp(settings.base_url, self.breaker)
        self._datalink_http = CcbillHttp(settings.datalink_url)
        self._bearers = Bearers(self._http, settings, monotonic)
        self._calls = CcbillCalls(self._http, self._bearers, settings)
        self._datalink = DataLink(db, self._datalink_http, settings, clock, default_currency)
        self._charging = Charging(db, self._calls, self._datalink, clock)
        self._management = Management(self._datalink_http, settings)
        self._refunding = Refunding(db, self._management, clock)

    async def page_token(self) -> Bearer:
        """Return a token with which a page may make payment tokens, for this page alone."""
        return await self._bearers.fresh("frontend")

    async def save_token(self, customer_token: str, token: str) -> MethodDescription:
        """Return a payment token of our account as a method of the account `customer_token`."""
        try:
            await self._calls.token(token)
        except NotFound as error:
            raise token_not_found() from error
        return MethodDescription(token, customer_token, "card")

    async def describe_method(self, token: str) -> MethodDescription:
        """Return what CCBill tells of a token: that it is there."""
        await self._calls.token(token)
        return MethodDescription(token, None, "card")

    def refusal(self, amount: Money) -> str | None:
        """Say whether it is outside the agreed limits, or in a currency that CCBill lacks."""
        return refusal(amount, self._limits)

    async def charge(self, charge: Charge) -> Outcome:
        """Charge once, without a schedule: a sale that does not renew."""
        refused = refusal(charge.amount, self._limits)
        if refused is not None:
            return Declined(refused)
        return await self._charging.charge(charge, self._one_off(charge))

    async def look_up(self, charge: Charge, reference: str | None, now: datetime) -> Outcome:
        """Find it among its token's charges; it is never sent again once it may be charged."""
        del reference
        if charge.amount.currency not in NUMBERS:
            return Declined("currency_not_supported")
        return await self._charging.look_up(charge, self._one_off(charge), now)

    async def subscribe(self, request: SubscribeRequest) -> Outcome:
        """Charge the first price and let CCBill rebill; once per key, however often it is asked."""
        charge = request.charge
        for amount in (charge.amount, request.recurring):
            refused = refusal(amount, self._limits)
            if refused is not None:
                return Declined(refused)
        if not _periods_fit(request):
            return Declined("payment_request_invalid", hard=True)
        terms = {
            "initialPeriod": request.initial_days,
            "recurringPrice": request.recurring.to_decimal(),
            "recurringPeriod": request.period_days,
            "rebills": UNTIL_CANCELLED if request.rebills is None else request.rebills,
        }
        return await self._charging.charge(charge, {**self._body(charge), **terms})

    async def cancel_subscription(self, reference: str, key: str) -> None:
        """Let it be rebilled no more; what is paid for stays."""
        del key
        await self._management.cancel(reference.partition("/")[0])

    async def view_subscription(self, reference: str) -> SubscriptionView:
        """Return a subscription as CCBill has it. Raises NotFound, Unavailable."""
        return await self._management.view(reference.partition("/")[0])

    async def refund(self, refund: Refund) -> Outcome:
        """Give money back; CCBill ends the subscription with it, even for a part."""
        return await self._refunding.refund(refund)

    async def look_up_refund(self, refund: Refund, reference: str | None, now: datetime) -> Outcome:
        """Find out by CCBill's counts what became of a refund."""
        del reference
        if not refund.key:
            # It was made at CCBill itself, where nobody can be asked about it.
            return Unknown("not_found")
        return await self._refunding.look_up(refund, now)

    async def verify_webhook(self, delivery: Delivery, now: datetime) -> Receipt:
        """Check the sender's address and the account: there is no signature."""
        del now
        return deliveries.receipt_of(delivery, self._settings)

    def read_event(self, body: bytes) -> GatewayEvent:
        """Read a stored event."""
        return events.read_event(body)

    async def recognize(self, fact: Back) -> Back:
        """Find the charge, and our own refund, that a webhook means: it names neither surely."""
        return await self._refunding.recognize(fact)

    async def list_transactions(
        self, start: datetime, end: datetime, cursor: str | None
    ) -> TransactionPage:
        """List DataLink's lines of a window of a day at most, once an hour.

        Raises BadInput, TooMany `datalink_waits` with `retry_after`, Unavailable.
        """
        del cursor
        return await self._datalink.list_transactions(start, end)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()
        await self._datalink_http.close()

    def _one_off(self, charge: Charge) -> dict[str, Any]:
        return {**self._body(charge), "initialPeriod": ONE_OFF_DAYS}

    def _body(self, charge: Charge) -> dict[str, Any]:
        settings = self._settings
        with_3ds = charge.authentication is not None and settings.subacc_3ds is not None
        return {
            "clientAccnum": settings.accnum,
            "clientSubacc": settings.subacc_3ds if with_3ds else settings.subacc,
            "initialPrice": charge.amount.to_decimal(),
            "currencyCode": NUMBERS[charge.amount.currency],
            "passThroughInfo": [
                {"name": events.ACCOUNT, "value": str(charge.account_id)},
                {"name": events.ATTEMPT, "value": str(charge.attempt_id)},
                {"name": "tallystick_payment", "value": str(charge.payment_id)},
            ],
        }


def _periods_fit(request: SubscribeRequest) -> bool:
    least, most = INITIAL_DAYS
    return least <= request.initial_days <= most and request.period_days in RECURRING_DAYS
