"""One period under two versions of a plan: the same lines that an invoice would have. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

import msgspec

from tallystick.accounts.model import Account
from tallystick.catalog.currencies import priced_in
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.build import build
from tallystick.invoices.model import DraftLine, InvoiceDraft
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.money.exact import total
from tallystick.pricing.use import Uses
from tallystick.subscriptions.periods import Period
from tallystick.whatif.model import LineChange, Outcome


class Versions(msgspec.Struct, frozen=True):
    """The version that a subscription is on, the one that is tried, and the meters of both."""

    now: PlanVersion
    then: PlanVersion
    meters: Mapping[str, Meter]


class Used(msgspec.Struct, frozen=True):
    """What was used in one period, as each version's prices are rated for it."""

    now: Uses
    then: Uses


def versions_for(
    account: Account, now: PlanVersion, then: PlanVersion, meters: Mapping[str, Meter]
) -> Versions:
    """Return both versions in the account's currency.

    Raises Conflict `plan_currency_differs` when one is not sold in it, `interval_differs` when
    their periods are not of one length: those do not match.
    """
    if _rhythm(now) != _rhythm(then):
        raise Conflict(
            "interval_differs", "The versions have periods of another length; try one of the same."
        )
    return Versions(priced_in(now, account.currency), priced_in(then, account.currency), meters)


def compare(
    account: Account,
    subscription_id: UUID,
    versions: Versions,
    period: Period,
    used: Used,
) -> Outcome:
    """Return what the period costs under both versions.

    Raises Conflict for a price whose meter does not exist, BadAmount for what no invoice can bill.
    """
    now = build(account, versions.now, versions.meters, period, used.now)
    then = build(account, versions.then, versions.meters, period, used.then)
    return Outcome(
        account_id=account.account_id,
        subscription_id=subscription_id,
        plan_version_id=versions.now.plan_version_id,
        period=period,
        now=now.subtotal,
        then=then.subtotal,
        lines=tuple(_changes(now, then)),
    )


def _rhythm(version: PlanVersion) -> tuple[object, ...]:
    usage_interval = version.usage_interval or version.interval
    return version.interval, version.interval_count, version.fixed_months, usage_interval


def _changes(now: InvoiceDraft, then: InvoiceDraft) -> Iterator[LineChange]:
    """Yield the prices of both versions, the tried one's first, matched by their codes."""
    by_code_now, by_code_then = _by_code(now.lines), _by_code(then.lines)
    for code in [*by_code_then, *(code for code in by_code_now if code not in by_code_then)]:
        lines = by_code_then.get(code) or by_code_now[code]
        yield LineChange(
            price_code=code,
            meter_code=lines[0].meter_code,
            quantity=total(
                line.quantity for line in lines if line.kind not in ("minimum", "maximum")
            ),
            now=_sum(by_code_now.get(code)),
            then=_sum(by_code_then.get(code)),
        )


def _by_code(lines: Iterable[DraftLine]) -> dict[str, list[DraftLine]]:
    found: dict[str, list[DraftLine]] = {}
    for line in lines:
        found.setdefault(line.price_code, []).append(line)
    return found


def _sum(lines: list[DraftLine] | None) -> Money | None:
    if lines is None:
        return None
    return sum((line.amount for line in lines[1:]), lines[0].amount)
