"""Accounts as staff see them. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from tallystick.accounts.model import Account
from tallystick.catalog.model import PlanVersion
from tallystick.console.formats import NONE, Formats, formats_of
from tallystick.console.invoice_views import Fact
from tallystick.console.viewer import ACCOUNTS, CREDIT_NOTES, MAILS, REFUNDS, REPORTS, Link
from tallystick.kernel import ids
from tallystick.kernel.paging import Page
from tallystick.kernel.test_clocks import TestClock
from tallystick.subscriptions.model import Subscription

_LATER: Final = timedelta(days=1)
_MINUTE: Final = timedelta(minutes=1)


class AccountRow(msgspec.Struct, frozen=True, kw_only=True):
    """An account in a list."""

    id: str
    name: str
    email: str
    external_id: str
    currency: str
    since: str


class AccountListView(msgspec.Struct, frozen=True, kw_only=True):
    """One page of accounts."""

    rows: tuple[AccountRow, ...]
    page: int
    total_pages: int


class AccountView(msgspec.Struct, frozen=True, kw_only=True):
    """An account with what it is on."""

    id: str
    name: str
    facts: tuple[Fact, ...]


class ClockView(msgspec.Struct, frozen=True, kw_only=True):
    """A test clock; `suggested` fills the form's field, in UTC."""

    status: str
    now: str
    target: str
    suggested: str


def account_list(found: Page[Account]) -> AccountListView:
    """Return a page of accounts, each date as that account writes it."""
    return AccountListView(
        rows=tuple(_row(account) for account in found.items),
        page=found.request.page,
        total_pages=found.total_pages,
    )


def account_view(
    account: Account, subscription: Subscription | None, plan: PlanVersion | None
) -> AccountView:
    """Return all that staff look for first; without a subscription it says so."""
    return AccountView(
        id=ids.show("account", account.account_id),
        name=account.name,
        facts=(*_plan_facts(formats_of(account), subscription, plan), *_facts(account)),
    )


def account_links(account: str, draft_count: int) -> tuple[Link, ...]:
    """Return the lists of one account; `account` is its public id."""
    drafts = "1 draft" if draft_count == 1 else f"{draft_count} drafts"
    return (
        Link(f"{ACCOUNTS}/{account}/invoices", "All invoices"),
        Link(f"{ACCOUNTS}/{account}/invoices?status=draft", drafts),
        Link(f"{CREDIT_NOTES}?account_id={account}", "Credit notes"),
        Link(f"{REFUNDS}?account_id={account}", "Refunds asked for"),
        Link(f"{MAILS}?account_id={account}", "Mails"),
        Link(f"{REPORTS}?account_id={account}", "Reports and exports"),
    )


def clock_view(clock: TestClock, next_bill_at: datetime | None, formats: Formats) -> ClockView:
    """Return a clock; the form offers the instant at which the next period is billed."""
    ahead = next_bill_at if next_bill_at and next_bill_at > clock.now_at else clock.now_at + _LATER
    return ClockView(
        status=clock.status,
        now=formats.utc(clock.now_at),
        target=formats.utc(clock.target_at),
        suggested=_field_text(ahead),
    )


def _row(account: Account) -> AccountRow:
    return AccountRow(
        id=ids.show("account", account.account_id),
        name=account.name,
        email=account.email,
        external_id=account.external_id or NONE,
        currency=account.currency,
        since=formats_of(account).day(account.created_at),
    )


def _facts(account: Account) -> Iterator[Fact]:
    yield Fact("E-mail", account.email)
    yield Fact("External id", account.external_id or NONE)
    yield Fact("Currency", account.currency)
    yield Fact("Country", account.country)
    yield Fact("Time zone", account.timezone)
    yield Fact("Automatic payment", "on" if account.autopay else "off")
    yield Fact("Customer since", formats_of(account).day(account.created_at))
    yield Fact("Id", ids.show("account", account.account_id))


def _plan_facts(
    formats: Formats, subscription: Subscription | None, plan: PlanVersion | None
) -> Iterator[Fact]:
    if subscription is None or plan is None:
        yield Fact("Subscription", "none")
        return
    yield Fact("Subscription", f"{plan.plan_name}, {subscription.status.value}")
    yield Fact("Current period", formats.days(subscription.period_start, subscription.period_end))
    if subscription.cancel_at_period_end:
        yield Fact("Ends", formats.day(subscription.ends_at))
    if subscription.bill_error:
        yield Fact("Billing is held up", subscription.bill_error)


def _field_text(at: datetime) -> str:
    """Return the first full minute from `at` on, as a `datetime-local` field holds it."""
    wall = at.astimezone(UTC).replace(tzinfo=None)
    floor = wall.replace(second=0, microsecond=0)
    return (floor if floor == wall else floor + _MINUTE).isoformat(timespec="minutes")
