"""What is asked of a gateway, and what it keeps for us, as values; nothing here is a vendor's."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal
from uuid import UUID

import msgspec

from tallystick.money.amount import Money


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


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway can do, as data; what it can not it refuses with `gateway_can_not`."""

    charges_saved_methods: bool = False
    setups: frozenset[str] = frozenset()
    """Types of methods that its own form saves: `card`, `us_bank_account`."""
    takes_authentication: bool = False
    """Takes what its script brought of the payer's bank (3-D Secure) with a charge."""
    saves_tokens: bool = False
    """Takes a token that its script made on our page."""
    method_types: frozenset[str] = frozenset()
    """What is taken up when it tells of a saved method."""
    method_currencies: Mapping[str, frozenset[str]] = {}
    """What a type of method is charged in; one that is not named here: in any currency."""
    keeps_keys: timedelta | None = None
    """For how long a repeat with the same key is the same charge; None: it knows no keys."""
    captures: bool = False
    refunds: bool = False
    refunds_in_part: bool = False
    checkout: frozenset[str] = frozenset()
    """Modes of its own payment page: `payment`, `setup`, `subscription`."""
    owns_schedule: bool = False
    """Can renew a subscription by itself."""
    lists_events: timedelta | None = None
    """How far back its events can be listed after an outage; None: not at all."""
    lists_transactions: bool = False
    amount_limits: Mapping[str, tuple[int, int]] = {}
    """The least and the most of one charge, in minor units, by currency; others have no limit."""

    def charges_in(self, method_type: str, currency: str) -> bool:
        """Tell whether a method of this type can be charged in this currency."""
        return currency in self.method_currencies.get(method_type, {currency})


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
    reference: str = ""
    """The gateway's name of what is begun: a setup that has to be verified later is named by it."""
    method_token: str | None = None
    """With what a charge is to be confirmed."""


class Microdeposits(msgspec.Struct, frozen=True):
    """What the customer read on the statement: two amounts in minor units, or a code."""

    amounts: tuple[int, int] | None = None
    descriptor_code: str | None = None


class WaitingSetup(msgspec.Struct, frozen=True):
    """A bank account that is being saved and waits for what arrives on it.

    `arrives_at` (UTC): when it should have; `proof`: `amounts` or `descriptor_code`; None: not
    told.
    """

    reference: str
    bank: Bank | None
    arrives_at: datetime | None
    proof: str | None


class SetupState(StrEnum):
    """Where the saving of a method stands."""

    SUCCEEDED = "succeeded"
    PROCESSING = "processing"
    NEEDS_ACTION = "needs_action"
    FAILED = "failed"


class SetupResult(msgspec.Struct, frozen=True):
    """What came of a proof; `code` says why it failed, one of `declines.DECLINES`."""

    state: SetupState
    method_token: str | None = None
    code: str | None = None


class Authentication(msgspec.Struct, frozen=True):
    """What a page's script brought of the payer's bank (3-D Secure), in the gateway's own words.

    It goes to the gateway with the first call and nowhere else: never stored, never logged.
    """

    values: Mapping[str, str | bool]

    def __repr__(self) -> str:
        return "Authentication(...)"


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """One charge; every repeat is equal in all fields, or its key would be refused.

    `started_at` is the wall time of the first try: a gateway forgets keys with age.
    """

    key: str
    amount: Money
    customer_token: str
    method_token: str
    method_type: str
    account_id: UUID
    payment_id: UUID
    attempt_id: UUID
    started_at: datetime
    authentication: Authentication | None = None
    """With the first call alone; a repeat has none."""


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Give back so much of the charge `reference`, which took `charged`.

    `started_at` is the wall time of the first try.
    """

    key: str
    reference: str
    amount: Money
    charged: Money
    account_id: UUID
    refund_id: UUID
    started_at: datetime


class CheckoutRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A page of the gateway for one purpose, until `expires_at` (UTC).

    `payment`: `amount` is taken for `attempt_id`, and the method kept where `saves_method`;
    `setup`: a method is saved. The payer comes back to one of the addresses, which proves nothing.
    """

    key: str
    mode: Literal["payment", "setup"]
    customer_token: str
    description: str
    currency: str
    amount: Money | None
    account_id: UUID
    checkout_id: UUID
    payment_id: UUID | None
    attempt_id: UUID | None
    success_url: str
    cancel_url: str
    expires_at: datetime
    saves_method: bool = False


class CheckoutPage(msgspec.Struct, frozen=True):
    """Where to send the payer, and until when (UTC)."""

    reference: str
    url: str
    expires_at: datetime


class SubscribeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Let the gateway charge `initial` now and `recurring` every `period_days` from then on.

    `initial_days` is how long the first price lasts; `rebills` None: until cancelled.
    """

    charge: Charge
    initial_days: int
    recurring: Money
    period_days: int
    rebills: int | None = None


class SubscriptionView(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as its gateway has it: whether it renews, and how often money moved."""

    is_active: bool
    renews: bool
    refund_count: int
    void_count: int
    chargeback_count: int
    rebill_count: int


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """A movement of money as the gateway's own books have it; `fee` and `net` None: not told.

    `kind`: `charge`, `refund`, `dispute`, `payout`, `fee`, `adjustment`; amounts are signed, from
    our side. `references` are all names by which one of our charges may be found.
    """

    reference: str
    kind: str
    amount: Money
    fee: Money | None
    net: Money | None
    created_at: datetime
    references: tuple[str, ...] = ()


class TransactionPage(msgspec.Struct, frozen=True):
    """Some transactions of a window; `cursor` None: there are no more."""

    transactions: tuple[Transaction, ...]
    cursor: str | None
