"""The gateway of a simulation: it answers as the story says, at once and without a network."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

from tallystick.kernel.errors import BadInput, Conflict
from tallystick.payments.gateway import (
    BadSignature,
    Capabilities,
    Card,
    Charge,
    CustomerDetails,
    Declined,
    GatewayEvent,
    MethodDescription,
    NeedsAction,
    Outcome,
    PageSecret,
    Receipt,
    Refund,
    Succeeded,
)

NAME: Final = "simulated"
CARD: Final = "card_of_the_story"
Answer = Literal["succeeded", "declined", "needs_action"]


class ToldGateway:
    """Charges one card; `answer` is what the next charge is answered with."""

    name = NAME
    capabilities = Capabilities(charges_saved_methods=True)

    def __init__(self) -> None:
        self.answer: Answer = "succeeded"
        self._count = 0
        self._answers: dict[str, Outcome] = {}

    async def ensure_customer(self, details: CustomerDetails, key: str) -> str:  # noqa: ARG002 - port
        """Return the one customer that there is."""
        return "customer_of_the_story"

    async def start_setup(self, customer_token: str, key: str) -> PageSecret:  # noqa: ARG002 - port
        """Refuse: the card is there already."""
        raise _no_page()

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

    async def start_action(self, reference: str) -> PageSecret:  # noqa: ARG002 - port
        """Refuse: there is no page."""
        raise _no_page()

    async def refund(self, refund: Refund) -> Outcome:
        """Give it back."""
        return Succeeded(refund.reference, refund.amount)

    async def describe_method(self, token: str) -> MethodDescription:
        """Return the card."""
        card = Card("visa", "4242", 12, 2199)
        return MethodDescription(token, "customer_of_the_story", "card", card)

    async def detach(self, token: str, key: str) -> None:
        """Nothing is kept."""

    async def verify_webhook(
        self,
        body: bytes,  # noqa: ARG002 - port
        headers: Mapping[str, str],  # noqa: ARG002 - port
        now: datetime,  # noqa: ARG002 - port
    ) -> Receipt:
        """Nobody sends webhooks."""
        raise BadSignature

    def read_event(self, body: bytes) -> GatewayEvent:  # noqa: ARG002 - port
        """Nobody sends webhooks."""
        raise BadInput("invalid_payload", "A simulated gateway sends no webhooks.")

    async def close(self) -> None:
        """Nothing is open."""

    def _outcome(self, charge: Charge, reference: str) -> Outcome:
        match self.answer:
            case "succeeded":
                return Succeeded(reference, charge.amount)
            case "declined":
                return Declined("card_declined", reference=reference)
            case "needs_action":
                return NeedsAction(reference)


def _no_page() -> Conflict:
    return Conflict("gateway_has_no_page", "A simulated gateway has no page.")
