"""The gateway of a simulation: it answers as the story says, at once and without a network."""

from datetime import datetime
from typing import Final, Literal

from tallystick.payments.gateway import Gateway
from tallystick.payments.outcomes import Declined, NeedsAction, Outcome, Succeeded
from tallystick.payments.requests import (
    Capabilities,
    Card,
    Charge,
    CustomerDetails,
    MethodDescription,
    Refund,
)

NAME: Final = "simulated"
CARD: Final = "card_of_the_story"
Answer = Literal["succeeded", "declined", "needs_action"]


class ToldGateway(Gateway):
    """Charges one card; `answer` is what the next charge is answered with."""

    name = NAME
    capabilities = Capabilities(charges_saved_methods=True, refunds=True, refunds_in_part=True)

    def __init__(self) -> None:
        self.answer: Answer = "succeeded"
        self._count = 0
        self._answers: dict[str, Outcome] = {}

    async def ensure_customer(self, details: CustomerDetails, key: str) -> str:  # noqa: ARG002 - port
        """Return the one customer that there is."""
        return "customer_of_the_story"

    async def charge(self, charge: Charge) -> Outcome:
        """Answer as the story says, and the same for the same key."""
        if charge.key not in self._answers:
            self._count += 1
            self._answers[charge.key] = self._outcome(charge, f"charge_{self._count}")
        return self._answers[charge.key]

    async def look_up(self, charge: Charge, reference: str | None, now: datetime) -> Outcome:  # noqa: ARG002 - port
        """Answer as the first time."""
        return await self.charge(charge)

    async def cancel(self, reference: str, key: str) -> Outcome:  # noqa: ARG002 - port
        """Let the payer come too late."""
        return Declined("cancelled", reference=reference)

    async def refund(self, refund: Refund) -> Outcome:
        """Give it back."""
        return Succeeded(refund.key, refund.amount)

    async def look_up_refund(self, refund: Refund, reference: str | None, now: datetime) -> Outcome:  # noqa: ARG002 - port
        """Answer as the first time."""
        return await self.refund(refund)

    async def describe_method(self, token: str) -> MethodDescription:
        """Return the card."""
        card = Card("visa", "4242", 12, 2199)
        return MethodDescription(token, "customer_of_the_story", "card", card)

    def _outcome(self, charge: Charge, reference: str) -> Outcome:
        match self.answer:
            case "succeeded":
                return Succeeded(reference, charge.amount)
            case "declined":
                return Declined("card_declined", reference=reference)
            case "needs_action":
                return NeedsAction(reference)
