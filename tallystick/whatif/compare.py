"""One period under two versions of a plan: the same lines that an invoice would have. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from tallystick.accounts.model import Account
from tallystick.catalog.currencies import priced_in
from tallystick.catalog.model import Meter, PlanVersion
from tallystick.invoices.model import DraftLine
from tallystick.kernel.errors import Conflict
from tallystick.money.amount import Money
from tallystick.money.exact import total
from tallystick.subscriptions.lifecycle import need_billable
from tallystick.subscriptions.model import Subscription
from tallystick.subscriptions.periods import Period
from tallystick.whatif.model import LineChange, Outcome


class Versions(msgspec.Struct, frozen=True):
    """The version that a subscription is on, the one that is tried, and the meters of both."""

    now: PlanVersion
    then: PlanVersion
    meters: Mapping[str, Meter]


def versions_for(
    account: Account, now: PlanVersion, then: PlanVersion, meters: Mapping[str, Meter]
) -> Versions:
    """Return both versions in the account's currency.

    Raises Conflict `plan_not_in_currency`, `plan_not_billable` for one that it can not be billed
    by, `interval_differs` when their periods are not of one length: those do not match.
    """
    if _rhythm(now) != _rhythm(then):
        raise Conflict(
            "interval_differs", "The versions have periods of another length; try one of the same."
        )
    need_billable(account, then)
    return Versions(priced_in(now, account.currency), priced_in(then, account.currency), meters)


def compare(
    on: Subscription,
    versions: Versions,
    period: Period,
    now: Sequence[DraftLine],
    then: Sequence[DraftLine],
) -> Outcome:
    """Return what a period costs by the lines of each version. Raises BadAmount beyond all size."""
    currency = versions.now.currency
    return Outcome(
        account_id=on.account_id,
        subscription_id=on.subscription_id,
        plan_version_id=versions.now.plan_version_id,
        period=period,
        now=_sum(now, currency),
        then=_sum(then, currency),
        lines=tuple(_changes(now, then, currency)),
    )


def _rhythm(version: PlanVersion) -> tuple[object, ...]:
    usage_interval = version.usage_interval or version.interval
    return version.interval, version.interval_count, version.fixed_months, usage_interval


def _changes(
    now: Sequence[DraftLine], then: Sequence[DraftLine], currency: str
) -> Iterator[LineChange]:
    """Yield the prices of both versions, the tried one's first, matched by their codes."""
    before, after = _by_code(now), _by_code(then)
    for code in (*after, *(code for code in before if code not in after)):
        lines = after.get(code) or before[code]
        yield LineChange(
            price_code=code,
            meter_code=lines[0].meter_code,
            quantity=total(
                line.quantity for line in lines if line.kind not in ("minimum", "maximum")
            ),
            now=_sum(before[code], currency) if code in before else None,
            then=_sum(after[code], currency) if code in after else None,
        )


def _by_code(lines: Iterable[DraftLine]) -> dict[str, list[DraftLine]]:
    found: dict[str, list[DraftLine]] = {}
    for line in lines:
        found.setdefault(line.price_code, []).append(line)
    return found


def _sum(lines: Iterable[DraftLine], currency: str) -> Money:
    return sum((line.amount for line in lines), Money.zero(currency))
