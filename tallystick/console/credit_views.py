"""Credits as they stand on a page: words, numbers and dates ready to print. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

import msgspec

from tallystick.console.formats import NONE, Formats
from tallystick.console.invoice_views import Fact
from tallystick.credits.amounts import to_credits
from tallystick.credits.burn import usable
from tallystick.credits.explain import Explained, closing, opening
from tallystick.credits.model import Balance, Grant, Package, Settings, Source, UsageRow
from tallystick.kernel import ids
from tallystick.kernel.paging import Page
from tallystick.ledger.model import CREDITS, PostedEntry
from tallystick.money.amount import Money

SOURCES: Final[dict[Source, str]] = {
    "plan": "Plan",
    "purchase": "Bought",
    "promotion": "Promotion",
    "manual": "Given by us",
    "refund": "Given back",
    "transfer": "From another account",
}
_CHANGES: Final = {
    "credit_grant": "Credits given",
    "credit_usage": "Used",
    "credit_breakage": "Expired",
    "credit_revocation": "Taken back",
    "credit_adjustment": "Adjusted",
    "credit_transfer": "Moved to another account",
    "reversal": "Reversed",
}


class GrantRow(msgspec.Struct, frozen=True, kw_only=True):
    """Credits that can be used, in the order in which they are."""

    source: str
    left: str
    given: str
    until: str
    note: str


class PackageView(msgspec.Struct, frozen=True, kw_only=True):
    """Credits for sale."""

    id: str
    name: str
    credits: str
    price: str
    lasts: str


class UsageLine(msgspec.Struct, frozen=True, kw_only=True):
    """What used credits."""

    id: str
    at: str
    operation: str
    quantity: str
    credits: str
    left: str


class ChangeLine(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the books that changed the credits."""

    id: str
    at: str
    what: str
    why: str
    credits: str
    balance: str


class Lines(msgspec.Struct, frozen=True, kw_only=True):
    """One page of usage or of changes."""

    rows: tuple[UsageLine, ...] | tuple[ChangeLine, ...]
    page: int
    total_pages: int


class ChangeView(msgspec.Struct, frozen=True, kw_only=True):
    """One change, and how it came about."""

    what: str
    credits: str
    facts: tuple[Fact, ...]
    steps: tuple[str, ...]


def credits_text(units: int, formats: Formats) -> str:
    """Write 1/100,000 credits as people do: "1,234.5"."""
    return formats.number(to_credits(units))


def balance_facts(
    balance: Balance, used: int, plan_units: int, formats: Formats
) -> tuple[Fact, ...]:
    """Return what stands beside what can be spent; `used` since the month began."""
    figures = (
        ("Used this month", used, True),
        ("From the plan, each period", plan_units, plan_units > 0),
        ("Held for running work", balance.reserved, balance.reserved > 0),
        ("Owed", balance.owed, balance.owed > 0),
        ("Overdraft", balance.overdraft_max, balance.overdraft_max > 0),
    )
    return tuple(
        Fact(name, credits_text(units, formats)) for name, units, is_told in figures if is_told
    )


def grant_rows(grants: Sequence[Grant], now: datetime, formats: Formats) -> tuple[GrantRow, ...]:
    """Return what is left of the grants, in their order; what is spent or lapsed is left out."""
    return tuple(
        GrantRow(
            source=SOURCES[one.source],
            left=credits_text(usable(one, now), formats),
            given=credits_text(one.amount, formats),
            until=formats.day(one.expires_at) if one.expires_at else "No end",
            note=_note(one, now, formats),
        )
        for one in grants
        if usable(one, now) or now < one.effective_at
    )


def _note(one: Grant, now: datetime, formats: Formats) -> str:
    if now < one.effective_at:
        return f"{credits_text(one.remaining, formats)} from {formats.day(one.effective_at)} on"
    if one.cap_at is not None and one.cap is not None and now < one.cap_at:
        return f"{credits_text(one.cap, formats)} of it stay after {formats.day(one.cap_at)}"
    return one.reason


def package_views(packages: Sequence[Package], formats: Formats) -> tuple[PackageView, ...]:
    """Return what is for sale."""
    return tuple(
        PackageView(
            id=ids.show("credit_package", one.credit_package_id),
            name=one.name,
            credits=credits_text(one.credits, formats),
            price=formats.money(Money(one.amount_minor, one.currency)),
            lasts=f"Usable for {one.expires_after_days} days"
            if one.expires_after_days
            else "They do not expire",
        )
        for one in packages
    )


def usage_lines(found: Page[UsageRow], formats: Formats) -> Lines:
    """Return a page of the usage log."""
    rows = tuple(
        UsageLine(
            id=ids.show("ledger_entry", row.ledger_entry_id),
            at=formats.instant(row.at),
            operation=row.operation if row.model is None else f"{row.operation} · {row.model}",
            quantity=NONE if row.quantity is None else formats.number(row.quantity),
            credits=credits_text(row.credits, formats),
            left=credits_text(row.available_after, formats),
        )
        for row in found.items
    )
    return Lines(rows=rows, page=found.request.page, total_pages=found.total_pages)


def change_lines(found: Page[PostedEntry], formats: Formats) -> Lines:
    """Return a page of changes."""
    rows = tuple(change_line(entry, formats) for entry in found.items)
    return Lines(rows=rows, page=found.request.page, total_pages=found.total_pages)


def change_line(entry: PostedEntry, formats: Formats) -> ChangeLine:
    """Return an entry as its customer sees it: what they hold is a credit in our books."""
    own = next(posting for posting in entry.postings if posting.ledger_account == CREDITS)
    return ChangeLine(
        id=ids.show("ledger_entry", entry.ledger_entry_id),
        at=formats.instant(entry.at),
        what=_CHANGES.get(entry.kind, "Changed"),
        why=entry.reason,
        credits=("" if own.amount > 0 else "+") + credits_text(-own.amount, formats),
        balance=credits_text(-(own.balance_after or 0), formats),
    )


def change_view(entry: PostedEntry, explained: Explained, formats: Formats) -> ChangeView:
    """Return one change with its explanation."""
    line = change_line(entry, formats)
    return ChangeView(
        what=line.what,
        credits=line.credits,
        facts=tuple(_change_facts(line, explained)),
        steps=tuple(_change_steps(explained, formats)),
    )


def _change_steps(explained: Explained, formats: Formats) -> Iterator[str]:
    yield from opening(explained)
    for part in () if explained.granted is not None else explained.parts:
        units, end = credits_text(part.units, formats), part.grant.expires_at
        until = f", usable until {formats.day(end)}" if end else ""
        yield f"{units} from: {part.grant.reason or SOURCES[part.grant.source]}{until}."
    yield from closing(explained)


def _change_facts(line: ChangeLine, explained: Explained) -> Iterator[Fact]:
    yield Fact("When", line.at)
    if explained.debit is not None:
        model = explained.debit.model
        yield Fact("Operation", explained.debit.operation + (f" · {model}" if model else ""))
    if line.why:
        yield Fact("Why", line.why)
    yield Fact("Balance after it", line.balance)


def watch_note(settings: Settings, package: Package | None, formats: Formats) -> str:
    """Return what happens by itself when little is left; empty: nothing."""
    if settings.top_up_below is None or package is None:
        return ""
    most = Money(settings.top_up_month_max_minor or 0, package.currency)
    return (
        f"Below {credits_text(settings.top_up_below, formats)} credits, {package.name} is bought "
        f"by itself, for at most {formats.money(most)} a calendar month."
    )
