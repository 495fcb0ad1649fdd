"""Plans in a story: sold, sold anew in another version, and migrations of who has them."""

from collections.abc import Iterator
from datetime import datetime

from tallystick.catalog import service as catalog
from tallystick.catalog.checks import read_prices
from tallystick.catalog.limits import read_limits
from tallystick.catalog.model import NewPlanVersion, PlanVersion
from tallystick.catalog.plan_terms import read_amounts
from tallystick.kernel.db import Connection
from tallystick.kernel.errors import BadInput
from tallystick.kernel.paging import PageRequest
from tallystick.plan_migrations import service, store
from tallystick.plan_migrations.jobs import PlanMigrations
from tallystick.plan_migrations.model import WORKING, Migration, RowState, Wanted
from tallystick.simulation.scenario import MigratePlan, NewVersion, PlanFacts, Scenario


def plans_of(scenario: Scenario) -> Iterator[PlanFacts]:
    """Yield all that is ever sold in the story."""
    yield from scenario.plans
    yield from (step.plan for step in scenario.steps if isinstance(step, NewVersion))


def is_billed_as_it_comes(plan: PlanFacts) -> bool:
    """Tell whether the plan bills usage event by event."""
    return any(
        price.get("billing") == "in_advance" and price.get("model") != "flat"
        for price in plan.prices
    )


async def sell(conn: Connection, plan: PlanFacts, currency: str, at: datetime) -> PlanVersion:
    """Sell the plan like this from now on; `currency` is that of prices that name none."""
    return await catalog.create_plan_version(conn, _asked(plan, plan.currency or currency), at)


def _asked(plan: PlanFacts, currency: str) -> NewPlanVersion:
    return NewPlanVersion(
        plan_code=plan.code,
        plan_name=plan.code if plan.name is None else plan.name,
        currency=currency,
        interval=plan.interval,
        interval_count=plan.interval_count,
        billing=plan.billing,
        prices=read_prices(plan.prices, currency=currency, billing=plan.billing),
        limits=read_limits(plan.limits),
        credits=plan.credits,
        tier=plan.tier,
        trial_days=plan.trial_days,
        proration=plan.proration,
        fixed_months=plan.fixed_months,
        usage_interval=plan.usage_interval,
        minimum_commitment=read_amounts("minimum_commitment", plan.minimum_commitment),
    )


async def migrate(conn: Connection, work: PlanMigrations, step: MigratePlan) -> None:
    """Move who is on the plan, by the batches of the worker: foreseen, confirmed, scheduled.

    Raises BadInput where nobody is on it, or somebody can not be moved.
    """
    to = await catalog.current_plan_version(conn, step.to_plan or step.plan)
    wanted = Wanted(
        plan_code=step.plan,
        to_plan_version_id=to.plan_version_id,
        when=step.when,
        at=step.effective_at,
        notice_days=step.notice_days,
        reason="As the story says.",
    )
    seen = await _passed(conn, work, await service.start(conn, wanted, step.at), step.at)
    await _need_all(conn, seen)
    named, confirmation = seen.plan_migration_id, seen.confirmation or ""
    begun = await service.confirm(conn, named, confirmation, step.at)
    await _need_all(conn, await _passed(conn, work, begun, step.at))


async def _passed(
    conn: Connection, work: PlanMigrations, migration: Migration, at: datetime
) -> Migration:
    """Go through all that it has; return it with what came of that."""
    while migration.status in WORKING:
        locked = await store.lock(conn, migration.plan_migration_id)
        assert locked is not None  # noqa: S101 -- it was made in this transaction
        migration = await work.advance(conn, locked, at)
    return await service.get_migration(conn, migration.plan_migration_id)


async def _need_all(conn: Connection, migration: Migration) -> None:
    if not migration.counts:
        raise BadInput.field("plan", "subscription_not_found", "nobody is on the plan")
    refused = RowState.REFUSED
    page = PageRequest(limit=1)
    rows = await service.list_rows(conn, migration.plan_migration_id, page, refused, None)
    for row in rows.items:
        raise BadInput("step_refused", row.detail or row.reason or "It can not be moved.")
