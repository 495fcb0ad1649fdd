"""Who looks at a page, and what the page offers them. Pure."""

from collections.abc import Iterator
from typing import Final

import msgspec

from tallystick.accounts.model import Principal
from tallystick.accounts.policy import allows
from tallystick.accounts.tokens import csrf_token

HOME: Final = "/home"
USAGE: Final = "/billing/usage"
CREDITS: Final = "/billing/credits"
INVOICES: Final = "/billing/invoices"
PAYMENT_METHODS: Final = "/billing/payment-methods"
ACCOUNTS: Final = "/staff/accounts"
BILLING: Final = "/staff/billing"
CREDIT_NOTES: Final = "/staff/credit-notes"
REFUNDS: Final = "/staff/refunds"
UNCLEAR: Final = "/staff/unclear-payments"
APPROVALS: Final = "/staff/approvals"
DISPUTES: Final = "/staff/disputes"
MAILS: Final = "/staff/mails"
ISSUERS: Final = "/staff/issuers"
REPORTS: Final = "/staff/reports"
WHAT_IFS: Final = "/staff/what-ifs"
PLAN_MIGRATIONS: Final = "/staff/plan-migrations"
WEBHOOKS: Final = "/staff/webhooks"


class Link(msgspec.Struct, frozen=True):
    """A way on, as it stands in the navigation."""

    href: str
    text: str


class Viewer(msgspec.Struct, frozen=True, kw_only=True):
    """Who is signed in, in the page's words; the token goes into every form that changes."""

    name: str
    links: tuple[Link, ...]
    csrf_token: str
    may_write: bool
    may_administer: bool
    may_finance: bool = False


def viewer_of(principal: Principal, *, billing_enabled: bool) -> Viewer:
    """Return what the page says of its reader; without billing no link leads there."""
    links = _links(principal) if billing_enabled else ()
    return Viewer(
        name=principal.account.name if principal.account else f"Staff ({principal.staff_role})",
        links=tuple(links),
        csrf_token=csrf_token(principal.csrf_secret) if principal.csrf_secret else "",
        may_write=allows(principal, "billing:write"),
        may_administer=allows(principal, "staff:admin"),
        may_finance=allows(principal, "staff:finance"),
    )


def home_of(principal: Principal) -> str:
    """Return where work begins: staff with all accounts, everybody else with their usage."""
    return ACCOUNTS if principal.staff_role else USAGE


def _links(principal: Principal) -> Iterator[Link]:
    if principal.account is not None and allows(principal, "billing:read"):
        yield Link(USAGE, "Usage")
        yield Link(CREDITS, "Credits")
        yield Link(INVOICES, "Invoices")
        yield Link(PAYMENT_METHODS, "Payment methods")
    if allows(principal, "staff:read"):
        yield Link(ACCOUNTS, "Accounts")
        yield Link(BILLING, "Billing")
        yield Link(REPORTS, "Reports")
        yield Link(ISSUERS, "Issuers")
        yield Link(WHAT_IFS, "What-ifs")
        yield Link(PLAN_MIGRATIONS, "Plan migrations")
