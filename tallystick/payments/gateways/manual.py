"""Payments outside any gateway: bank transfer, cash, cheque. A person says whether money came."""

from datetime import datetime

from tallystick.payments.gateway import Gateway
from tallystick.payments.outcomes import Declined, Outcome, Pending
from tallystick.payments.requests import Capabilities, Charge, Refund


class ManualGateway(Gateway):
    """Nothing is ever taken by itself: what is charged waits for approval."""

    name = "manual"
    capabilities = Capabilities(refunds=True, refunds_in_part=True)

    async def charge(self, charge: Charge) -> Outcome:  # noqa: ARG002 - port
        """Wait for a person."""
        return Pending()

    async def look_up(self, charge: Charge, reference: str | None, now: datetime) -> Outcome:  # noqa: ARG002 - port
        """Wait for a person."""
        return Pending(reference)

    async def cancel(self, reference: str, key: str) -> Outcome:  # noqa: ARG002 - port
        """Nothing is under way that could go through."""
        return Declined("cancelled", reference=reference)

    async def refund(self, refund: Refund) -> Outcome:  # noqa: ARG002 - port
        """Wait for the person who sends the money back."""
        return Pending()

    async def look_up_refund(self, refund: Refund, reference: str | None, now: datetime) -> Outcome:  # noqa: ARG002 - port
        """Wait for the person who sends the money back."""
        return Pending(reference)
