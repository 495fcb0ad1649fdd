"""Asking a gateway about its payment pages: the attempt of such a page has no saved method."""

from datetime import datetime
from typing import Final

from tallystick.kernel.db import Database, account_scope
from tallystick.money.amount import Money
from tallystick.payments import checkout_store, method_store
from tallystick.payments.gateway import Gateway
from tallystick.payments.model import Attempt, Checkout
from tallystick.payments.outcomes import Declined, NeedsAction, Outcome, Unknown
from tallystick.payments.requests import CheckoutPage, CheckoutRequest

STILL_OPEN: Final = "page_is_open"


class CheckoutPages:
    """Opens pages, and asks what they brought."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def of_attempt(self, attempt: Attempt) -> Checkout | None:
        """Return the page of an attempt, None when it charges a saved method."""
        account_id = attempt.account_id
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            return await checkout_store.of_attempt(conn, account_id, attempt.payment_attempt_id)

    async def start(self, gateway: Gateway, checkout: Checkout) -> CheckoutPage:
        """Open the page, and keep its name; again it is the same page. Raises Unavailable."""
        account_id = checkout.account_id
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            customer = await method_store.customer(conn, account_id, gateway.name)
        page = await gateway.start_checkout(request_of(checkout, customer or str(account_id)))
        async with self._db.own_transaction(account_scope(account_id)) as conn:
            await checkout_store.mark_open(conn, checkout, page.reference)
        return page

    async def look_up(self, gateway: Gateway, checkout: Checkout, now: datetime) -> Outcome:
        """Find out what a page brought.

        One whose opening was cut off was shown to nobody: it is found by its key, and ended.
        """
        if checkout.reference is None and now > checkout.expires_at:
            return Declined("cancelled")
        if checkout.reference is None:
            page = await self.start(gateway, checkout)
            return await gateway.end_checkout(page.reference, f"checkout:{page.reference}:end")
        return await self._told(gateway, checkout.reference)

    async def end(self, gateway: Gateway, checkout: Checkout) -> Outcome:
        """Make sure that a page brings no money any more, or say what it brought."""
        if checkout.reference is None:
            return Unknown("no_answer")
        key = f"checkout:{checkout.checkout_id}:end"
        return await gateway.end_checkout(checkout.reference, key)

    async def _told(self, gateway: Gateway, reference: str) -> Outcome:
        outcome = await gateway.look_up_checkout(reference)
        # Nothing to write down: the page's own name is none of a charge.
        return Unknown(STILL_OPEN) if isinstance(outcome, NeedsAction) else outcome


def request_of(checkout: Checkout, customer: str) -> CheckoutRequest:
    """Return the request of a checkout, equal whenever it is made."""
    amount = checkout.amount_minor
    return CheckoutRequest(
        key=f"checkout:{checkout.checkout_id}",
        mode="setup" if amount is None else "payment",
        customer_token=customer,
        description=checkout.description,
        currency=checkout.currency,
        amount=None if amount is None else Money(amount, checkout.currency),
        account_id=checkout.account_id,
        checkout_id=checkout.checkout_id,
        payment_id=checkout.payment_id,
        attempt_id=checkout.payment_attempt_id,
        success_url=checkout.success_url,
        cancel_url=checkout.cancel_url,
        expires_at=checkout.expires_at,
        saves_method=checkout.mode == "subscription",
    )


def has_expired(outcome: Outcome) -> bool:
    """Tell whether a page ended without money, and not by a refusal."""
    return isinstance(outcome, Declined) and outcome.code == "cancelled"
