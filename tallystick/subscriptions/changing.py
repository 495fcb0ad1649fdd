"""Changing subscriptions: each locks the row, asks `changes` what becomes of it, and writes that.

Nothing is billed here: who calls bills what is due by now next (`invoices.biller.bill_now`), in the
same transaction.
"""

from datetime import datetime
from uuid import UUID

from msgspec.structs import replace

from tallystick.catalog.model import PlanVersion
from tallystick.kernel.db import Connection
from tallystick.subscriptions import changes, service
from tallystick.subscriptions.changes import When
from tallystick.subscriptions.model import Remainder, Status, Subscription
from tallystick.subscriptions.sold import plan_of


async def change_terms(
    conn: Connection,
    account_id: UUID,
    subscription_id: UUID,
    *,
    plan: PlanVersion | None,
    quantity: int | None,
    when: When | None,
    now: datetime,
) -> Subscription:
    """Let it be on another plan's version, or have another quantity; None: as before.

    Another version of its own plan is a migration. Raises NotFound, Conflict, BadInput.
    """
    was, before = await _read(conn, account_id, subscription_id)
    after = changes.change_terms(was, before, plan or before, quantity=quantity, when=when, now=now)
    return await service.save(conn, was, after)


async def drop_change(
    conn: Connection, account_id: UUID, subscription_id: UUID, now: datetime
) -> Subscription:
    """Take a scheduled change back. Raises NotFound, Conflict."""
    was, plan = await _read(conn, account_id, subscription_id)
    return await service.save(conn, was, changes.drop_change(was, plan, now))


async def cancel_now(
    conn: Connection,
    account_id: UUID,
    subscription_id: UUID,
    at: datetime,
    remainder: Remainder | None = None,
) -> Subscription:
    """End the subscription at `at`; the next billing run bills what was used until then.

    Raises NotFound, Conflict `subscription_not_active`.
    """
    was, plan = await _read(conn, account_id, subscription_id)
    return await service.save(conn, was, changes.cancel_now(was, plan, at, remainder))


async def cancel_at_period_end(
    conn: Connection,
    account_id: UUID,
    subscription_id: UUID,
    at: datetime,
    remainder: Remainder | None = None,
) -> Subscription:
    """Let the subscription run until the end of the period that contains `at`, and then end.

    Raises NotFound, Conflict `subscription_not_active`.
    """
    was, plan = await _read(conn, account_id, subscription_id)
    return await service.save(conn, was, changes.cancel_at_period_end(was, plan, at, remainder))


async def end_at(
    conn: Connection,
    account_id: UUID,
    subscription_id: UUID,
    ends_at: datetime,
    *,
    now: datetime,
    remainder: Remainder | None = None,
) -> Subscription:
    """Let it end at an instant. Raises NotFound, Conflict, BadInput."""
    was, plan = await _read(conn, account_id, subscription_id)
    after = changes.end_at(was, plan, ends_at, now, remainder)
    return await service.save(conn, was, after)


async def keep(
    conn: Connection, account_id: UUID, subscription_id: UUID, now: datetime
) -> Subscription:
    """Take back a cancellation that has not come true. Raises NotFound, Conflict."""
    was, plan = await _read(conn, account_id, subscription_id)
    return await service.save(conn, was, changes.keep(was, plan, now))


async def pause(
    conn: Connection,
    account_id: UUID,
    subscription_id: UUID,
    now: datetime,
    resumes_at: datetime | None = None,
) -> Subscription:
    """Use and bill it no more until `resumes_at`, or until it is resumed.

    Raises NotFound, Conflict, BadInput.
    """
    was, plan = await _read(conn, account_id, subscription_id)
    return await service.save(conn, was, changes.pause(was, plan, now, resumes_at))


async def resume(
    conn: Connection, account_id: UUID, subscription_id: UUID, now: datetime
) -> Subscription:
    """Use and bill it again after a pause. Raises NotFound, Conflict."""
    was, plan = await _read(conn, account_id, subscription_id)
    return await service.save(conn, was, changes.resume(was, plan, now))


async def reactivate(
    conn: Connection, account_id: UUID, subscription_id: UUID, now: datetime
) -> Subscription:
    """Begin it again after its end. Raises NotFound, Conflict."""
    was, plan = await _read(conn, account_id, subscription_id)
    return await service.save(conn, was, changes.reactivate(was, plan, now))


async def set_invoicing(
    conn: Connection, account_id: UUID, subscription_id: UUID, *, separately: bool
) -> Subscription:
    """Say whether its next bills stand on invoices of their own. Raises NotFound."""
    was = await service.lock(conn, account_id, subscription_id)
    return await service.save(conn, was, replace(was, invoice_separately=separately))


async def complete_if_waiting(
    conn: Connection, account_id: UUID, subscription_id: UUID
) -> Subscription:
    """Let it begin if it waited for its first invoice to be paid. Raises NotFound."""
    was, plan = await _read(conn, account_id, subscription_id)
    if was.status is not Status.INCOMPLETE:
        return was
    after = await service.save(conn, was, changes.complete(was, plan))
    await service.tell_started(conn, after)
    return after


async def _read(
    conn: Connection, account_id: UUID, subscription_id: UUID
) -> tuple[Subscription, PlanVersion]:
    was = await service.lock(conn, account_id, subscription_id)
    return was, await plan_of(conn, was)
