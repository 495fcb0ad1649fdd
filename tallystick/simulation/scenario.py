"""A scenario: an account, what is metered and sold, and what happens when; read from JSON.

The shapes are strict: an unknown field is refused with its path, as is a value of another kind.
Instants are RFC 3339 with an offset; amounts and quantities are decimal strings.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

import msgspec

from tallystick.api.errors import body_error
from tallystick.catalog.model import Billing, Interval, NewMeter, PlanCredits, Proration
from tallystick.catalog.offer_model import NewAddOn, NewCoupon
from tallystick.credit_notes.model import Reason, Rest
from tallystick.documents.document import TaxCategory
from tallystick.issuers.model import ZeroRule
from tallystick.kernel.errors import BadInput, FieldError
from tallystick.metering.numbers import read_number
from tallystick.subscriptions.model import BillingTime, Remainder, TrialEnd
from tallystick.taxes.model import STANDARD

BYTES_MAX: Final = 64 << 20
STEPS_MAX: Final = 100_000
PLANS_MAX: Final = 100
METERS_MAX: Final = 100
ADD_ONS_MAX: Final = 100
COUPONS_MAX: Final = 100
TAX_RATES_MAX: Final = 500

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=63)]
When = Literal["now", "period_end"]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all shapes: a typo is refused."""


class AccountFacts(_Strict, frozen=True, kw_only=True):
    """Who is billed."""

    currency: str = "USD"
    timezone: str = "UTC"
    country: str = "US"
    region: str | None = None
    tax_number: str | None = None
    name: str = "Scenario"
    email: str = "scenario@example.com"
    locale: str = "en-US"
    tax_name: str | None = None
    tax_percent: str | None = None
    payment_due_days: int | None = None


class RegistrationFacts(_Strict, frozen=True, kw_only=True):
    """Where the issuer is registered for a tax besides its VAT number; `EU`: One-Stop Shop."""

    country: str
    number: str
    region: str | None = None


class RateFacts(_Strict, frozen=True, kw_only=True):
    """A tax rate, which ends the one that this tax had before: as at `/admin/tax-rates`."""

    country: str
    name: str
    percent: Decimal
    valid_from: date
    region: str | None = None
    tax_code: str = STANDARD
    category: TaxCategory = "S"
    reason: str | None = None
    inclusive: bool = False
    replaces_national: bool = False
    valid_until: date | None = None


class IssuerFacts(_Strict, frozen=True, kw_only=True):
    """Who issues the invoices, and where it charges taxes.

    `minimum_amounts` are the least that an invoice asks for, by currency; what is less is carried
    forward. `zero_rule` "skip": one over nothing is not issued. `grace_hours`: how long a billed
    period stays on a draft.
    """

    country: str | None = None
    region: str | None = None
    vat_number: str | None = None
    tax_registrations: tuple[RegistrationFacts, ...] = ()
    minimum_amounts: dict[str, str] = {}
    zero_rule: ZeroRule = "issue"
    grace_hours: int = 0


class PlanFacts(_Strict, frozen=True, kw_only=True):
    """A plan; `billing` and the account's currency hold for prices that name no other.

    A flat price without its own `billing` is billed as the plan says; usage is known afterwards,
    so other prices are billed in arrears unless they say otherwise.
    """

    code: str
    name: str | None = None
    currency: str | None = None
    interval: Interval = "month"
    interval_count: int = 1
    billing: Billing = "in_arrears"
    prices: list[dict[str, Any]]
    limits: dict[str, Any] = {}
    credits: PlanCredits | None = None
    tier: str | None = None
    trial_days: int = 0
    proration: Proration = "by_day"
    fixed_months: bool = False
    usage_interval: Interval | None = None
    minimum_commitment: dict[str, str] = {}


class _Step(_Strict, frozen=True, kw_only=True, tag_field="do"):
    """Something that happens at an instant, after all that was due before it."""

    at: Instant


class Subscribe(_Step, frozen=True, kw_only=True, tag="subscribe"):
    """Put the account on a plan; `as` is the subscription's name in later steps.

    `anchor_on`: the day that periods are counted from. `trial_days` (None: those of the plan);
    `trial_end` says what its end does when no card was saved. `starts_at` (None: at once),
    `ends_at`. `must_pay_first`: it begins when its first invoice is paid. `invoice_separately`:
    not on one invoice with what else is due.
    """

    plan: str
    invoice_separately: bool = False
    billing_time: BillingTime = "anniversary"
    anchor_on: date | None = None
    quantity: int = 1
    trial_days: int | None = None
    trial_end: TrialEnd = "bill"
    must_pay_first: bool = False
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    name: Name | None = msgspec.field(default=None, name="as")


class Usage(_Step, frozen=True, kw_only=True, tag="usage"):
    """Record an event of a meter; `time` (else `at`) is when it happened."""

    meter: str
    properties: dict[str, Any] = {}
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=255)] | None = None
    time: Instant | None = None


class ChangePlan(_Step, frozen=True, kw_only=True, tag="change_plan"):
    """Move a subscription to another plan, or to another quantity of its own.

    Without `when`: at once if that costs as much or more, else at the period's end. `effective_at`
    is an instant instead.
    """

    plan: str | None = None
    quantity: int | None = None
    subscription: str | None = None
    when: When | None = None
    effective_at: Instant | None = None


class Cancel(_Step, frozen=True, kw_only=True, tag="cancel"):
    """End a subscription; `remainder` is what becomes of what was paid ahead."""

    subscription: str | None = None
    when: When = "period_end"
    remainder: Remainder | None = None


class Pause(_Step, frozen=True, kw_only=True, tag="pause"):
    """Stop a subscription for a while: until `resumes_at`, or until it is resumed."""

    subscription: str | None = None
    resumes_at: Instant | None = None


class Resume(_Step, frozen=True, kw_only=True, tag="resume"):
    """Let a paused subscription go on, or keep one that was to end."""

    subscription: str | None = None


class Reactivate(_Step, frozen=True, kw_only=True, tag="reactivate"):
    """Begin a subscription again that has ended."""

    subscription: str | None = None


class GrantCredits(_Step, frozen=True, kw_only=True, tag="grant_credits"):
    """Give credits; the lowest `priority` is used first."""

    amount: str
    expires_at: Instant | None = None
    priority: int = 100
    reason: str = ""


class Prepay(_Step, frozen=True, kw_only=True, tag="prepay"):
    """Receive money before anything is invoiced; invoices that follow are paid with it."""

    amount: str


class RedeemCoupon(_Step, frozen=True, kw_only=True, tag="redeem_coupon"):
    """Take the coupon with this `code`; it lowers the invoices that follow."""

    code: str


class NoteLineFacts(_Strict, frozen=True, kw_only=True):
    """A line of the invoice by its place, from 1: all that is left, so much, or so many units."""

    line: int
    amount_cents: int | None = None
    quantity: str | None = None


class IssueCreditNote(_Step, frozen=True, kw_only=True, tag="credit_note"):
    """Credit the newest invoice, or the one with this number; without `lines` all of it.

    What is due comes first; `rest` says what becomes of what was paid.
    """

    invoice: str | None = None
    lines: list[NoteLineFacts] | None = None
    reason: Reason = "other"
    text: str = ""
    rest: Rest = "credit"


class AddAddOn(_Step, frozen=True, kw_only=True, tag="add_add_on"):
    """Put an add-on on a subscription; `as` is its name when it is taken off.

    From `starts_at` (None: at once) to before `ends_at` (None: until it is taken off).
    """

    add_on: str
    quantity: int = 1
    subscription: str | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    name: Name | None = msgspec.field(default=None, name="as")


class RemoveAddOn(_Step, frozen=True, kw_only=True, tag="remove_add_on"):
    """Take the add-on with this name, else the newest with this code, off."""

    add_on: str


class NewVersion(_Step, frozen=True, kw_only=True, tag="new_version"):
    """Sell a plan anew from now on; who has it keeps the version that was bought."""

    plan: PlanFacts


class MigratePlan(_Step, frozen=True, kw_only=True, tag="migrate_plan"):
    """Move all who are on a plan to its newest version, or to another plan's.

    At once, at the first end of what was paid for that leaves `notice_days`, or (`when` from) at
    `effective_at`.
    """

    plan: str
    to_plan: str | None = None
    when: Literal["now", "period_end", "from"] = "period_end"
    effective_at: Instant | None = None
    notice_days: int = 0


class ChangeAccount(_Step, frozen=True, kw_only=True, tag="change_account"):
    """Let the account be somewhere else, or have another tax number, from now on."""

    country: str | msgspec.UnsetType = msgspec.UNSET
    region: str | msgspec.UnsetType | None = msgspec.UNSET
    tax_number: str | msgspec.UnsetType | None = msgspec.UNSET


class AddTaxRate(_Step, frozen=True, kw_only=True, tag="tax_rate"):
    """Let a tax rate be known from now on; it holds from its own `valid_from`."""

    rate: RateFacts


class Pay(_Step, frozen=True, kw_only=True, tag="pay"):
    """Charge the account's card for the oldest open invoice, or for the one that is named."""

    outcome: Literal["succeeded", "declined", "needs_action"] = "succeeded"
    invoice: str | None = None


class Advance(_Step, frozen=True, kw_only=True, tag="advance"):
    """Nothing happens but that time goes on to `at`, and all that is due is done."""


Step = (
    Subscribe
    | Usage
    | ChangePlan
    | Cancel
    | Pause
    | Resume
    | Reactivate
    | GrantCredits
    | Prepay
    | RedeemCoupon
    | IssueCreditNote
    | AddAddOn
    | RemoveAddOn
    | NewVersion
    | MigratePlan
    | ChangeAccount
    | AddTaxRate
    | Pay
    | Advance
)


class Scenario(_Strict, frozen=True, kw_only=True):
    """A whole story."""

    account: AccountFacts = AccountFacts()
    issuer: IssuerFacts | None = None
    meters: Annotated[list[NewMeter], msgspec.Meta(max_length=METERS_MAX)] = []
    plans: Annotated[list[PlanFacts], msgspec.Meta(max_length=PLANS_MAX)] = []
    tax_rates: Annotated[list[RateFacts], msgspec.Meta(max_length=TAX_RATES_MAX)] = []
    coupons: Annotated[list[NewCoupon], msgspec.Meta(max_length=COUPONS_MAX)] = []
    add_ons: Annotated[list[NewAddOn], msgspec.Meta(max_length=ADD_ONS_MAX)] = []
    steps: Annotated[list[Step], msgspec.Meta(min_length=1, max_length=STEPS_MAX)]


_DECODER: Final = msgspec.json.Decoder(Scenario, float_hook=read_number)


def read_scenario(text: bytes) -> Scenario:
    """Read a scenario from JSON; raises BadInput with the path of what can not be taken."""
    if len(text) > BYTES_MAX:
        raise refused([FieldError("", "too_large", f"may have {BYTES_MAX >> 20} MiB at most")])
    try:
        return _DECODER.decode(text)
    except msgspec.ValidationError as error:
        raise refused([body_error(error)]) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise BadInput(
            "malformed_json", f"The scenario is not well-formed JSON: {error}"
        ) from error


def refused(faults: list[FieldError]) -> BadInput:
    """Return the error for these faults, each on a line of its own with its path."""
    lines = [f"{fault.field}: {fault.message}".removeprefix(": ") for fault in faults]
    return BadInput("scenario_invalid", "\n".join(lines), errors=faults)
