"""How the simulated merchant is set up: everything here is invented or CCBill's to choose."""

import ipaddress
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Literal

import msgspec

Gap = Annotated[float, msgspec.Meta(ge=0)]
DEFAULT_RETRIES: tuple[float, ...] = (0, 30, 300, *((3600,) * 24))
# Every event that CCBill tells.
KINDS = (
    "NewSaleSuccess",
    "NewSaleFailure",
    "UpSaleSuccess",
    "UpSaleFailure",
    "CrossSaleSuccess",
    "CrossSaleFailure",
    "UpgradeSuccess",
    "UpgradeFailure",
    "RenewalSuccess",
    "RenewalFailure",
    "Cancellation",
    "Expiration",
    "BillingDateChange",
    "CustomerDataUpdate",
    "UserReactivation",
    "Chargeback",
    "Refund",
    "Return",
    "Void",
)
WEBHOOKS_MAX = 4
PRICE_LIMITS = {
    "*": (Decimal("2.95"), Decimal("100.00")),
    "JPY": (Decimal(300), Decimal(15000)),
}
RATES_TO_USD = {
    "USD": Decimal(1),
    "EUR": Decimal("1.10"),
    "GBP": Decimal("1.25"),
    "CAD": Decimal("0.74"),
    "AUD": Decimal("0.66"),
    "JPY": Decimal("0.0067"),
}


class Webhook(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A URL that is told. `client_subacc` None means all; `versions` are those of each event."""

    url: str
    format: Literal["json", "form"] = "json"
    content_type: Literal["application/x-www-form-encoded", "application/x-www-form-urlencoded"] = (
        "application/x-www-form-encoded"
    )
    events: tuple[str, ...] = ("*",)
    client_subacc: int | None = None
    versions: Mapping[str, int] = {}


class Client(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A Merchant Application ID with its secret."""

    id: str
    secret: str


class DataLinkUser(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A DataLink login, of the main account or (with `client_subacc`) of one sub-account."""

    username: str
    password: str
    client_subacc: int | None = None
    active: bool = True
    actions: tuple[str, ...] = ("*",)


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole setup; `PUT /_sim/config` replaces the members that it names.

    `price_limits` are by currency, `*` for all others. `webhook_retries_s` are the waits before
    each try. `renewal_times` writes a time behind the day of a renewal. `peers` None lets every
    address in. `old_shapes` answers charges as old samples do (`approved` and `denialId` as text).
    """

    frontend: Client = Client("sim-frontend", "sim-frontend-secret")
    backend: Client = Client("sim-backend", "sim-backend-secret")
    token_lifetime_s: int = 3600
    oauth_error_body: bool = True
    accounts: tuple[int, ...] = (900000,)
    inactive_subaccs: tuple[int, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    webhook_retries_s: Annotated[tuple[Gap, ...], msgspec.Meta(min_length=1)] = DEFAULT_RETRIES
    webhook_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 10.0
    webhook_delay_s: Gap = 0.0
    webhook_forwarded_for: str | None = None
    event_type_in_body: bool = False
    pass_through_prefix: Literal["", "X-"] = ""
    salt: str = "sim-salt"
    price_limits: Mapping[str, tuple[Decimal, Decimal]] = msgspec.field(
        default_factory=lambda: PRICE_LIMITS
    )
    initial_period_min: int = 2
    initial_period_max: int = 365
    recurring_periods: tuple[int, ...] = (30, 60, 90)
    yen_decimals: bool = True
    renewal_times: bool = False
    rates_to_usd: Mapping[str, Decimal] = msgspec.field(default_factory=lambda: RATES_TO_USD)
    rebill_retry_days: tuple[int, ...] = (1, 3, 5)
    slow_reply_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 60.0
    old_shapes: bool = False
    peers: tuple[str, ...] | None = None
    datalink_users: tuple[DataLinkUser, ...] = (DataLinkUser("simlink", "simlink-secret"),)
    datalink_gap_s: float = 3600
    datalink_window_s: int = 86400
    datalink_times: Literal["dashed", "digits"] = "dashed"
    approval_url: str | None = None
    denial_url: str | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for networks and events that are none, and for too many URLs."""
        for network in self.peers or ():
            ipaddress.ip_network(network, strict=False)
        named = {kind for hook in self.webhooks for kind in (*hook.events, *hook.versions)}
        if named - {"*", *KINDS}:
            raise ValueError(f"The events are {', '.join(KINDS)}, or * for all.")
        for subacc in {hook.client_subacc for hook in self.webhooks}:
            urls = [hook for hook in self.webhooks if hook.client_subacc in (None, subacc)]
            if len(urls) > WEBHOOKS_MAX:
                raise ValueError(f"A sub-account has at most {WEBHOOKS_MAX} webhook URLs.")


def changed(config: Config, wish: Mapping[str, object]) -> Config:
    """Return the setup with some members replaced. Raises msgspec.ValidationError."""
    return msgspec.convert({**msgspec.to_builtins(config), **wish}, Config)
