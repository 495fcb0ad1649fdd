"""The port behind which every gateway stands, in our words; a vendor's own types stop behind it.

Outcome
├── Succeeded     the money is ours: only this is booked
├── Declined      refused; nothing was taken
├── NeedsAction   the payer has to authenticate; nothing was taken yet
├── Pending       under way for days (bank debits), or waits for a person (manual)
└── Unknown       sent, no clear answer: ask again with the same key, never charge anew
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from tallystick.kernel.errors import BadInput, NotFound, Unavailable
from tallystick.money.amount import Money

KNOWN: frozenset[str] = frozenset({"stripe", "ccbill", "paypal", "manual"})


class Succeeded(msgspec.Struct, frozen=True, tag=True):
    """So much was received; `reference` is the gateway's name for it."""

    reference: str
    amount: Money


class Declined(msgspec.Struct, frozen=True, tag=True):
    """Refused. `code` is one of `declines.DECLINES`; hard: never try this method again."""

    code: str
    hard: bool = False
    reference: str | None = None


class NeedsAction(msgspec.Struct, frozen=True, tag=True):
    """The payer has to authenticate the charge `reference` on a page."""

    reference: str
    code: str = "authentication_required"


class Pending(msgspec.Struct, frozen=True, tag=True):
    """Accepted, and the result comes later."""

    reference: str | None = None


class Unknown(msgspec.Struct, frozen=True, tag=True):
    """Nobody can say yet; `code` says why (`no_answer`, `gateway_busy` …)."""

    code: str
    reference: str | None = None


Outcome = Succeeded | Declined | NeedsAction | Pending | Unknown


class Card(msgspec.Struct, frozen=True):
    """What may be shown of a card."""

    brand: str
    last4: str
    exp_month: int
    exp_year: int


class Bank(msgspec.Struct, frozen=True):
    """What may be shown of a bank account."""

    name: str | None
    last4: str


class MethodDescription(msgspec.Struct, frozen=True):
    """A saved method as the gateway has it now; `customer_token` None: detached for good."""

    token: str
    customer_token: str | None
    type: str
    card: Card | None = None
    bank: Bank | None = None


class Capabilities(msgspec.Struct, frozen=True):
    """What a gateway can do, as data; `method_types`: what is taken up when it tells of it."""

    charges_saved_methods: bool = False
    saves_cards: bool = False
    method_types: frozenset[str] = frozenset()


class CustomerDetails(msgspec.Struct, frozen=True):
    """Whom a gateway customer stands for."""

    account_id: UUID
    name: str
    email: str


class PageSecret(msgspec.Struct, frozen=True):
    """What a page needs to let the payer act. Never stored, never logged."""

    client_secret: str
    publishable_key: str
    script_url: str


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """One charge; every repeat is equal in all fields, or its key would be refused.

    `started_at` is the wall time of the first try: a gateway forgets keys with age.
    """

    key: str
    amount: Money
    customer_token: str
    method_token: str
    account_id: UUID
    payment_id: UUID
    attempt_id: UUID
    started_at: datetime


class Refund(msgspec.Struct, frozen=True):
    """Give back so much of the charge `reference`."""

    key: str
    reference: str
    amount: Money


class MethodSaved(msgspec.Struct, frozen=True, tag=True):
    """A method of this customer was saved or changed; how it is now has to be asked."""

    customer_token: str
    method_token: str


class MethodRemoved(msgspec.Struct, frozen=True, tag=True):
    """A method was taken from its customer, for good."""

    customer_token: str
    method: MethodDescription


class ChargeReported(msgspec.Struct, frozen=True, tag=True):
    """How a charge of ours stands; the ids are those that went with it as metadata."""

    account_id: UUID
    attempt_id: UUID
    customer_token: str | None
    outcome: Outcome


class MoneyReturned(msgspec.Struct, frozen=True, tag=True):
    """A refund or a dispute of the charge `charge_reference` moved."""

    reference: str
    charge_reference: str | None


class Ignored(msgspec.Struct, frozen=True, tag=True):
    """Nothing to us; `reason` says why."""

    reason: str


Fact = MethodSaved | MethodRemoved | ChargeReported | MoneyReturned | Ignored


class GatewayEvent(msgspec.Struct, frozen=True):
    """What a webhook says, in our words; `created_at` is the gateway's time (UTC)."""

    event_id: str
    kind: str
    created_at: datetime
    livemode: bool
    fact: Fact


class Receipt(msgspec.Struct, frozen=True):
    """A webhook that is proved to be the gateway's; `body` is what may be stored of it."""

    event_id: str
    kind: str
    body: bytes


class BadSignature(BadInput):
    """The webhook was not signed by the gateway, or too long ago, or in the future."""

    def __init__(self) -> None:
        super().__init__("invalid_signature", "The signature of this webhook is not valid.")


class Gateway(Protocol):
    """One gateway.

    `charge`, `look_up`, `cancel` and `refund` answer with an Outcome, also when the gateway fails.
    The others raise Unavailable then, and NotFound for an object that it does not have.
    """

    @property
    def name(self) -> str:
        """Its name in tables and routes."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    async def ensure_customer(self, details: CustomerDetails, key: str) -> str:
        """Return the token of the customer made with this key, the same for each repeat."""
        ...

    async def start_setup(self, customer_token: str, key: str) -> PageSecret:
        """Begin to save a card for charges without the payer."""
        ...

    async def charge(self, charge: Charge) -> Outcome:
        """Charge once per key, however often it is called. Never raises for a gateway's failure."""
        ...

    async def look_up(self, charge: Charge, reference: str | None, now: datetime) -> Outcome:
        """Find out what became of a charge; it may be carried out with its own key, no other."""
        ...

    async def cancel(self, reference: str, key: str) -> Outcome:
        """Make sure that a charge that waits for its payer can not go through any more.

        Declined with code `cancelled` when it is so; Succeeded when the payer was faster.
        """
        ...

    async def start_action(self, reference: str) -> PageSecret:
        """Return what a page needs to let the payer authenticate the charge `reference`."""
        ...

    async def refund(self, refund: Refund) -> Outcome:
        """Give money back, once per key."""
        ...

    async def describe_method(self, token: str) -> MethodDescription:
        """Return a saved method as it is now."""
        ...

    async def detach(self, token: str, key: str) -> None:
        """Take a method from its customer; doing so again changes nothing."""
        ...

    async def verify_webhook(
        self, body: bytes, headers: Mapping[str, str], now: datetime
    ) -> Receipt:
        """Check who sent it. Raises BadSignature, or BadInput `invalid_payload`."""
        ...

    def read_event(self, body: bytes) -> GatewayEvent:
        """Read a receipt's body. Raises BadInput `invalid_payload`."""
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


class Gateways:
    """The gateways that are configured, by name."""

    def __init__(self, adapters: Iterable[Gateway]) -> None:
        self._adapters = {adapter.name: adapter for adapter in adapters}

    def get(self, name: str) -> Gateway:
        """Return a gateway; raises Unavailable when it is not configured, NotFound when unknown."""
        adapter = self._adapters.get(name)
        if adapter is not None:
            return adapter
        if name in KNOWN:
            raise not_configured(name)
        raise NotFound("gateway_not_found", "There is no such gateway.")

    def names(self) -> tuple[str, ...]:
        """Return the names of those that are configured."""
        return tuple(self._adapters)

    async def close(self) -> None:
        """Close the connections of all."""
        for adapter in self._adapters.values():
            await adapter.close()


def not_configured(name: str) -> Unavailable:
    """Return the error for a gateway without keys."""
    return Unavailable("gateway_unavailable", f"The gateway {name} is not configured here.")


def no_answer(name: str) -> Unavailable:
    """Return the error for a gateway that can not be used at the moment."""
    return Unavailable("gateway_unavailable", f"The gateway {name} does not answer; try again.")
