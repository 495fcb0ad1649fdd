"""Payments outside any gateway: bank transfer, cash, cheque. A person says whether money came."""

from collections.abc import Mapping
from datetime import datetime

from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.payments.gateway import (
    BadSignature,
    Capabilities,
    Charge,
    CustomerDetails,
    Declined,
    GatewayEvent,
    MethodDescription,
    Outcome,
    PageSecret,
    Pending,
    Receipt,
    Refund,
)


class ManualGateway:
    """Nothing is ever taken by itself: what is charged waits for approval."""

    name = "manual"
    capabilities = Capabilities()

    async def ensure_customer(self, details: CustomerDetails, key: str) -> str:  # noqa: ARG002 - port
        """Return the account's own id: nobody else keeps an object for it."""
        return str(details.account_id)

    async def start_setup(self, customer_token: str, key: str) -> PageSecret:  # noqa: ARG002 - port
        """Refuse: there is nothing to save."""
        raise _no_page()

    async def charge(self, charge: Charge) -> Outcome:  # noqa: ARG002 - port
        """Wait for a person."""
        return Pending()

    async def look_up(self, charge: Charge, reference: str | None, now: datetime) -> Outcome:  # noqa: ARG002 - port
        """Wait for a person."""
        return Pending(reference)

    async def cancel(self, reference: str, key: str) -> Outcome:  # noqa: ARG002 - port
        """Nothing is under way that could go through."""
        return Declined("cancelled", reference=reference)

    async def start_action(self, reference: str) -> PageSecret:  # noqa: ARG002 - port
        """Refuse: there is nothing to authenticate."""
        raise _no_page()

    async def refund(self, refund: Refund) -> Outcome:
        """Wait for the person who sends the money back."""
        return Pending(refund.reference)

    async def describe_method(self, token: str) -> MethodDescription:  # noqa: ARG002 - port
        """Nothing is kept elsewhere."""
        raise NotFound("gateway_object_missing", "A manual method is known to us alone.")

    async def detach(self, token: str, key: str) -> None:
        """Nothing is kept elsewhere."""

    async def verify_webhook(
        self,
        body: bytes,  # noqa: ARG002 - port
        headers: Mapping[str, str],  # noqa: ARG002 - port
        now: datetime,  # noqa: ARG002 - port
    ) -> Receipt:
        """Nobody signs for manual payments."""
        raise BadSignature

    def read_event(self, body: bytes) -> GatewayEvent:  # noqa: ARG002 - port
        """Nobody sends events of manual payments."""
        raise BadInput("invalid_payload", "Manual payments have no webhooks.")

    async def close(self) -> None:
        """Nothing is open."""


def _no_page() -> Conflict:
    return Conflict("gateway_has_no_page", "Manual payments have no page; send the money instead.")
