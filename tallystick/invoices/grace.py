"""The grace period: how long a billed period stays on a draft, and what that is made from. Pure.

The step that bills a period is taken when the period ends, and the subscription goes on. With a
grace period what it comes to is not issued yet: it stands on a draft, with the subscription as it
was before the step. From that the same step is taken again whenever the draft is shown, and when it
becomes final, with the usage that is known by then. So a period is billed once, on that invoice,
whatever becomes of the subscription meanwhile.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from tallystick.accounts.model import Account
from tallystick.catalog.model import PlanVersion
from tallystick.invoices.compose import Bill
from tallystick.issuers.model import Issuer
from tallystick.subscriptions.bills import Due
from tallystick.subscriptions.lifecycle import natural_period
from tallystick.subscriptions.model import Status, Subscription
from tallystick.subscriptions.terms import bills_usage_in_advance
from tallystick.subscriptions.usage_dues import RunningDue, UsageDue


def grace_of(account: Account, issuer: Issuer | None) -> timedelta:
    """Return the account's own grace period, else its issuer's."""
    hours = account.grace_hours
    if hours is None:
        hours = 0 if issuer is None else issuer.grace_hours
    return timedelta(hours=hours)


def parted(
    bills: Sequence[tuple[Bill, PlanVersion]], grace: timedelta, now: datetime
) -> tuple[list[Bill], list[Bill]]:
    """Return the bills that are issued at once at `now`, and those that stand on a draft.

    Each comes with the plan that it bills.
    """
    stays = [stays_draft(bill, plan, grace, now) for bill, plan in bills]
    return (
        [bill for (bill, _), waits in zip(bills, stays, strict=True) if not waits],
        [bill for (bill, _), waits in zip(bills, stays, strict=True) if waits],
    )


def stays_draft(bill: Bill, plan: PlanVersion, grace: timedelta, now: datetime) -> bool:
    """Tell whether the bill is of a period that ended, and its grace period runs at `now`.

    What is billed as it comes never does: its fees are issued while the period runs. Nor does what
    begins a subscription, ends its trial, resumes it, or cuts a period (a change or an end
    in the middle of one).
    """
    if not bill.lines or bill.fees or bill.step.at + grace <= now:
        return False
    return _ends_period(bill.on, plan, bill.step.at) and not any(map(_as_it_comes, bill.step.dues))


def _ends_period(on: Subscription, plan: PlanVersion, at: datetime) -> bool:
    """Tell whether the step at `at` ends a period; how a trial ends may depend on a card."""
    if at in (on.opens_at, on.resumes_at) or at != natural_period(on, plan).end:
        return False
    return on.status is not Status.TRIALING or on.trial_end == "bill"


def _as_it_comes(due: Due) -> bool:
    if isinstance(due, RunningDue):
        return True
    return isinstance(due, UsageDue) and bills_usage_in_advance(due.plan)


def encode(on: Subscription) -> str:
    """Return a subscription as JSON, with its add-ons."""
    return msgspec.json.encode(on).decode()


def decode(stored: str) -> Subscription:
    """Read what `encode` wrote."""
    return msgspec.json.decode(stored, type=Subscription)
