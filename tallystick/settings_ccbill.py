"""The settings of CCBill: the seed's variables, and what it leaves open.

The seed's names are kept (`CCBILL_CLIENT_ACCNUM` …). What CCBill agrees with each merchant by hand
(price limits, the hosts of 3-D Secure) is a setting, since no page of CCBill's says it.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

import msgspec

from tallystick.settings_readers import (
    Limits,
    Variable,
    read_bool,
    read_in_range,
    read_key,
    read_networks,
    read_origins,
    read_price_limits,
    read_url,
)

API: Final = "https://api.ccbill.com"
ACCEPT: Final = "application/vnd.mcn.transaction-service.api.v.2+json"
WIDGET: Final = "https://js.ccbill.com/v1.13.1/ccbill-advanced-widget.js"
DATALINK: Final = "https://datalink.ccbill.com"
PRICE_LIMITS: Final[Limits] = (("USD", Decimal("2.95"), Decimal("100.00")),)
"""What a merchant may charge who has agreed nothing else (kb "Price Minimums and Maximums")."""
SOURCES: Final = tuple(f"64.38.{third}.0/24" for third in (212, 215, 240, 241))
"""Where CCBill's webhooks come from (ccbill.com/doc/webhooks-user-guide)."""


class CcbillSettings(msgspec.Struct, frozen=True, kw_only=True):
    """CCBill's account and keys; the secrets must not be printed.

    `subacc_3ds` None: the same sub-account with and without 3-D Secure.
    """

    base_url: str = API
    accept: str = ACCEPT
    frontend_id: str | None = None
    frontend_secret: str | None = None
    backend_id: str | None = None
    backend_secret: str | None = None
    accnum: int | None = None
    subacc: int = 0
    subacc_3ds: int | None = None
    webhook_ip_enforce: bool = False
    webhook_networks: tuple[str, ...] = SOURCES
    trusted_proxies: tuple[str, ...] = ()
    widget_url: str = WIDGET
    frame_origins: tuple[str, ...] = ()
    price_limits: Limits = PRICE_LIMITS
    datalink_url: str = DATALINK
    datalink_username: str | None = None
    datalink_password: str | None = None
    datalink_of_subacc: bool = False

    @property
    def configured(self) -> bool:
        """Whether cards can be charged."""
        return bool(self.backend_id and self.backend_secret and self.accnum is not None)

    @property
    def makes_tokens(self) -> bool:
        """Whether a page can make payment tokens."""
        return self.configured and bool(self.frontend_id and self.frontend_secret)

    @property
    def datalink_configured(self) -> bool:
        """Whether subscriptions can be managed, refunds made and transactions listed."""
        return bool(self.datalink_username and self.datalink_password)


def read_accept(text: str) -> str:
    """Read the media type of one of the versions that are understood."""
    known = tuple(ACCEPT.replace("v.2", f"v.{version}") for version in (1, 2))
    if text not in known:
        raise ValueError(f"must be {known[0]} or {known[1]}")
    return text


CCBILL_VARIABLES: Final = (
    Variable("CCBILL_BASE_URL", "base_url", read_url, "CCBill's API, or a simulator"),
    Variable("CCBILL_ACCEPT", "accept", read_accept, "version 1 or 2 of its transaction service"),
    Variable("CCBILL_FRONTEND_CLIENT_ID", "frontend_id", read_key, "application id of the page"),
    Variable("CCBILL_FRONTEND_CLIENT_SECRET", "frontend_secret", read_key, "its secret"),
    Variable("CCBILL_BACKEND_CLIENT_ID", "backend_id", read_key, "absent: CCBill is switched off"),
    Variable("CCBILL_BACKEND_CLIENT_SECRET", "backend_secret", read_key, "its secret"),
    Variable("CCBILL_CLIENT_ACCNUM", "accnum", read_in_range(900_000, 999_999), "main account"),
    Variable("CCBILL_CLIENT_SUBACC", "subacc", read_in_range(0, 9_999), "sub-account"),
    Variable("CCBILL_3DS_SUBACC", "subacc_3ds", read_in_range(0, 9_999),
             "sub-account of charges with 3-D Secure, if it is another"),
    Variable("CCBILL_WEBHOOK_IP_ENFORCE", "webhook_ip_enforce", read_bool,
             "true: webhooks are taken from CCBill's addresses alone"),
    Variable("CCBILL_WEBHOOK_NETWORKS", "webhook_networks", read_networks,
             "those addresses, if they change"),
    Variable("TALLYSTICK_TRUSTED_PROXIES", "trusted_proxies", read_networks,
             "whose X-Forwarded-For says who asks"),
    Variable("CCBILL_WIDGET_URL", "widget_url", read_url, "the page script of CCBill"),
    Variable("CCBILL_FRAME_ORIGINS", "frame_origins", read_origins,
             "whose frames 3-D Secure may show"),
    Variable("CCBILL_PRICE_LIMITS", "price_limits", read_price_limits,
             "least and most of a price by currency"),
    Variable("CCBILL_DATALINK_URL", "datalink_url", read_url, "DataLink, or a simulator"),
    Variable("CCBILL_DATALINK_USERNAME", "datalink_username", read_key,
             "absent: no refund and no cancellation over CCBill"),
    Variable("CCBILL_DATALINK_PASSWORD", "datalink_password", str, "its password"),
    Variable("CCBILL_DATALINK_OF_SUBACC", "datalink_of_subacc", read_bool,
             "true: the DataLink user is of the sub-account"),
)  # fmt: skip


def ccbill_problems(ccbill: CcbillSettings) -> Iterator[str]:
    """Yield what does not fit together, one sentence each, without any secret."""
    keys = {
        "CCBILL_BACKEND_CLIENT_ID": ccbill.backend_id,
        "CCBILL_BACKEND_CLIENT_SECRET": ccbill.backend_secret,
        "CCBILL_CLIENT_ACCNUM": ccbill.accnum,
    }
    missing = [name for name, value in keys.items() if value is None]
    if missing and (len(missing) < len(keys) or ccbill.frontend_id):
        yield f"{' and '.join(missing)} missing: CCBill is switched off."
    if not ccbill.configured:
        return
    if not ccbill.makes_tokens:
        yield "CCBILL_FRONTEND_CLIENT_ID or its secret is missing: customers could not save a card."
    if not ccbill.datalink_configured:
        yield (
            "CCBILL_DATALINK_USERNAME or its password is missing: nothing could be refunded or "
            "cancelled at CCBill, and lost charges are found later."
        )
    if not ccbill.webhook_ip_enforce:
        yield "CCBILL_WEBHOOK_IP_ENFORCE is false: anybody could send webhooks of CCBill."
