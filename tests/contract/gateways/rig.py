"""What the suite needs of a gateway beside its adapter; see README.md."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID, uuid4

from tallystick.kernel.ids import new_id
from tallystick.money.amount import Money
from tallystick.payments.facts import Delivery
from tallystick.payments.gateway import Gateway
from tallystick.payments.requests import Charge, CheckoutRequest, CustomerDetails, Refund


class Payer(StrEnum):
    """What a payer's method does when it is charged."""

    GOOD = "good"
    REFUSED = "refused"
    ASKS = "asks"
    """The bank wants to hear the payer first."""


class Rig:
    """One gateway before its simulator; this one has neither payers nor a network."""

    gateway: Gateway
    payers: frozenset[Payer] = frozenset({Payer.GOOD})
    """Which payers can be had."""
    has_network = False
    detaches = False
    """A method that is removed here can not be charged there any more."""
    currency = "USD"

    async def account_id(self) -> UUID:
        """Return an account that may pay."""
        return new_id()

    async def method(self, customer_token: str, payer: Payer) -> str:  # noqa: ARG002 - nobody saves
        """Return the token of a method that this customer saved."""
        return "none"

    async def taken(self) -> Sequence[int]:
        """Return what the gateway took from payers, charge by charge, in minor units."""
        return ()

    async def given_back(self) -> Sequence[int]:
        """Return what it gave back, refund by refund."""
        return ()

    async def go_away(self) -> None:
        """Cut every connection from now on, before anything is done."""

    async def drop_replies(self) -> None:
        """Do what is asked, and cut the connection before the answer."""

    async def come_back(self) -> None:
        """Answer again."""

    async def next_hour(self) -> None:
        """Let an hour pass, where a gateway lists its books no more often."""

    async def told(self) -> Sequence[Delivery]:
        """Return all webhooks since the test began, as the gateway would send them now."""
        return ()

    def forged(self, delivery: Delivery) -> Delivery:
        """Return it as somebody else would send it."""
        raise NotImplementedError

    async def close(self) -> None:
        """Close all connections."""
        await self.gateway.close()

    # -- the same for all --

    async def customer(self) -> tuple[CustomerDetails, str]:
        """Return a new customer and the gateway's token of it."""
        details = CustomerDetails(await self.account_id(), "Ada Byron", "ada@example.com")
        token = await self.gateway.ensure_customer(details, f"cus:{details.account_id}")
        return details, token

    async def charge(self, payer: Payer = Payer.GOOD, minor: int = 4900) -> Charge:
        """Return a charge that was not made yet, of a new customer."""
        details, token = await self.customer()
        attempt = new_id()
        return Charge(
            key=f"pay:{attempt}:1",
            amount=Money(minor, self.currency),
            customer_token=token,
            method_token=await self.method(token, payer),
            method_type="card",
            account_id=details.account_id,
            payment_id=new_id(),
            attempt_id=attempt,
            started_at=datetime.now(UTC),
        )


def a_refund(charge: Charge, reference: str, minor: int) -> Refund:
    """Return a wish to give so much of a charge back, with a key of its own."""
    return Refund(
        key=f"refund:{uuid4()}",
        reference=reference,
        amount=Money(minor, charge.amount.currency),
        charged=charge.amount,
        account_id=charge.account_id,
        refund_id=new_id(),
        started_at=datetime.now(UTC),
    )


def a_page(charge: Charge, mode: Literal["payment", "setup"]) -> CheckoutRequest:
    """Return a wish for a page of the gateway on which this charge is paid, or a method saved."""
    pays = mode == "payment"
    return CheckoutRequest(
        key=f"checkout:{uuid4()}",
        mode=mode,
        customer_token=charge.customer_token,
        description="Something",
        currency=charge.amount.currency,
        amount=charge.amount if pays else None,
        account_id=charge.account_id,
        checkout_id=new_id(),
        payment_id=charge.payment_id if pays else None,
        attempt_id=charge.attempt_id if pays else None,
        success_url="https://example.com/paid",
        cancel_url="https://example.com/back",
        expires_at=datetime.now(UTC) + timedelta(hours=2),
    )
