"""The worker's part: migrations are gone through in batches, each a transaction of its own.

A worker that dies loses one batch; the next one goes on behind the last that was committed. Each
subscription is a savepoint: one that can not be moved is listed with the reason, the others go on.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final
from uuid import UUID

import msgspec
import structlog
from msgspec.structs import replace

from tallystick.accounts import service as accounts
from tallystick.catalog import service as catalog
from tallystick.catalog.model import PlanVersion
from tallystick.documents.document import Party
from tallystick.invoices.biller import HasMethod
from tallystick.kernel import outbox
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.due import WallKind
from tallystick.kernel.errors import Conflict, TallystickError
from tallystick.kernel.outbox import Event
from tallystick.money.errors import MoneyError
from tallystick.payments import methods
from tallystick.plan_migrations import moving, service, store
from tallystick.plan_migrations.events import (
    MIGRATION_CANCELED,
    MIGRATION_SCHEDULED,
    MigrationCanceled,
    MigrationScheduled,
)
from tallystick.plan_migrations.model import Migration, Row, RowState, Status
from tallystick.plan_migrations.moving import Move
from tallystick.subscriptions import chosen
from tallystick.subscriptions import service as subscriptions
from tallystick.subscriptions.events import PeriodBegan
from tallystick.subscriptions.model import Status as SubscriptionStatus
from tallystick.subscriptions.model import Subscription

log = structlog.get_logger()

NAME: Final = "plan_migrations"
ACCOUNTS_MAX: Final = 20
"""How many accounts one batch has: each is walked ahead twice."""
LATE_MAX: Final = 100
LOOK_AGAIN: Final = timedelta(minutes=10)
_DETAIL_CHARS_MAX: Final = 500


class PlanMigrations:
    """The work of the kind `plan_migrations`; `seller` stands on what is invoiced at once."""

    def __init__(
        self, db: Database, seller: Party, has_method: HasMethod = methods.has_method
    ) -> None:
        self._db = db
        self._seller = seller
        self._has_method = has_method

    def kind(self) -> WallKind:
        """Return the work as the worker takes it."""
        return WallKind(NAME, self.run_due)

    async def run_due(self, now: datetime) -> int:
        """Go through one batch of the oldest migration that waits for it; else look who is late."""
        async with self._db.transaction(WRITER) as conn:
            working = await store.lock_working(conn)
            if working is not None:
                await self.advance(conn, working, now)
                return 1
            late = await store.lock_late_rows(conn, now, LATE_MAX)
            for plan_migration_id, row in late:
                await _look_again(conn, plan_migration_id, row, now)
            ended = await store.lock_ended(conn)
            if ended is not None:
                await store.save(conn, replace(ended, status=Status.DONE, finished_at=now))
            return len(late) + (ended is not None)

    async def advance(self, conn: Connection, was: Migration, now: datetime) -> Migration:
        """Go through the next accounts of a locked migration, or finish its pass."""
        to = await catalog.get_plan_version(conn, was.wanted.to_plan_version_id)
        match was.status:
            case Status.PREVIEWING:
                batch = await self._preview(conn, was, to, now)
            case Status.SCHEDULING:
                batch = await self._schedule(conn, was, to, now)
            case _:
                batch = await self._take_back(conn, was, to, now)
        if batch:
            count = len(set(batch))
            after = replace(was, done_count=was.done_count + count, after_account_id=batch[-1])
        else:
            after = await _pass_done(conn, was, now)
        await store.save(conn, after)
        return after

    async def on_subscription_changed(self, event: Event) -> None:
        """Note that a subscription has come to the version that a migration scheduled."""
        began = msgspec.json.decode(event.payload, type=PeriodBegan)
        async with self._db.transaction(WRITER) as conn:
            named = event.account_id, began.subscription_id
            on = await subscriptions.get_subscription(conn, *named)
            await service.note_moved(conn, *named, on.plan_version_id)

    async def _preview(
        self, conn: Connection, was: Migration, to: PlanVersion, wall: datetime
    ) -> list[UUID]:
        choice = await service.choice_of(conn, was.wanted, was.created_at)
        found = await chosen.next_batch(conn, choice, was.after_account_id, ACCOUNTS_MAX)
        running = [one for one in found if one.status is not SubscriptionStatus.CANCELED]
        rows = [
            await _foreseen(conn, move, was) for move in await _moves(conn, running, was, to, wall)
        ]
        await store.insert_rows(conn, was.plan_migration_id, rows)
        return [one.account_id for one in found]

    async def _schedule(
        self, conn: Connection, was: Migration, to: PlanVersion, wall: datetime
    ) -> list[UUID]:
        rows = await _next_rows(conn, was, RowState.FORESEEN)
        found = [
            await subscriptions.get_subscription(conn, row.account_id, row.subscription_id)
            for row in rows
        ]
        moves = await _moves(conn, found, was, to, wall)
        for row, move in zip(rows, moves, strict=True):
            await self._schedule_one(conn, was, row, move)
        return [row.account_id for row in rows]

    async def _schedule_one(self, conn: Connection, was: Migration, row: Row, move: Move) -> None:
        named = was.plan_migration_id
        try:
            async with conn.transaction():
                after = await moving.schedule(conn, row, move, self._seller, self._has_method)
                assert after.at is not None  # noqa: S101 -- what is scheduled has its time
                told = MigrationScheduled(
                    named,
                    row.subscription_id,
                    move.to.plan_version_id,
                    after.at,
                    was.wanted.notice_days,
                )
                await outbox.append(conn, row.account_id, MIGRATION_SCHEDULED, told)
        except (TallystickError, MoneyError) as error:
            after = _refused(row, error)
        await store.set_row(conn, named, after, check_at=after.at)

    async def _take_back(
        self, conn: Connection, was: Migration, to: PlanVersion, wall: datetime
    ) -> list[UUID]:
        rows = await _next_rows(conn, was, RowState.SCHEDULED, RowState.FORESEEN)
        for row in rows:
            after = await _canceled(conn, was, row, to, wall)
            await store.set_row(conn, was.plan_migration_id, after, check_at=after.at)
        return [row.account_id for row in rows]


async def _moves(
    conn: Connection,
    found: Sequence[Subscription],
    was: Migration,
    to: PlanVersion,
    wall: datetime,
) -> list[Move]:
    ids = sorted({one.plan_version_id for one in found})
    plans = {one: await catalog.get_plan_version(conn, one) for one in ids}
    moves = []
    for account_id, group in groupby(found, lambda one: one.account_id):
        account = await accounts.get_account(conn, account_id)
        now = await account_now(conn, account_id, wall)
        moves += [
            Move(
                account=account,
                on=one,
                before=plans[one.plan_version_id],
                to=to,
                wanted=was.wanted,
                now=now,
            )
            for one in group
        ]
    return moves


async def _foreseen(conn: Connection, move: Move, was: Migration) -> Row:
    on = move.on
    row = Row(
        account_id=on.account_id,
        subscription_id=on.subscription_id,
        plan_version_id=on.plan_version_id,
        quantity=on.quantity,
        state=RowState.FORESEEN,
    )
    try:
        async with conn.transaction():
            return await moving.foresee(conn, move)
    except (TallystickError, MoneyError) as error:
        log.info(
            "plan_migration_refused",
            plan_migration_id=str(was.plan_migration_id),
            subscription_id=str(on.subscription_id),
            code=error.code,
        )
        return _refused(row, error)


async def _canceled(
    conn: Connection, was: Migration, row: Row, to: PlanVersion, wall: datetime
) -> Row:
    if row.state is RowState.FORESEEN:
        return replace(row, state=RowState.CANCELED)
    try:
        async with conn.transaction():
            now = await account_now(conn, row.account_id, wall)
            after = await moving.take_back(conn, row, to, now)
            if after.state is RowState.CANCELED:
                told = MigrationCanceled(was.plan_migration_id, row.subscription_id)
                await outbox.append(conn, row.account_id, MIGRATION_CANCELED, told)
            return after
    except Conflict:  # its time has come already: it is told as moved when it was
        return row


async def _next_rows(conn: Connection, was: Migration, *states: RowState) -> tuple[Row, ...]:
    return await store.next_rows(
        conn, was.plan_migration_id, states, was.after_account_id, ACCOUNTS_MAX
    )


async def _pass_done(conn: Connection, was: Migration, now: datetime) -> Migration:
    if was.status is Status.PREVIEWING:
        return replace(
            was,
            status=Status.PREVIEWED,
            summaries=await store.summaries(conn, was.plan_migration_id),
            confirmation=await store.digest(conn, was.plan_migration_id),
            previewed_at=now,
        )
    if was.status is Status.SCHEDULING:
        return replace(was, status=Status.SCHEDULED)
    return replace(was, status=Status.CANCELED, finished_at=now)


async def _look_again(conn: Connection, plan_migration_id: UUID, row: Row, now: datetime) -> None:
    """See what became of a subscription whose time has come."""
    migration = await service.get_migration(conn, plan_migration_id)
    to = await catalog.get_plan_version(conn, migration.wanted.to_plan_version_id)
    on = await subscriptions.get_subscription(conn, row.account_id, row.subscription_id)
    if on.plan_version_id == to.plan_version_id:
        after = replace(row, state=RowState.MOVED)
    elif moving.is_waiting(on, row, to):
        after = row
    else:
        detail = "The subscription was changed or ended meanwhile, and kept so."
        after = replace(row, state=RowState.REFUSED, reason="subscription_changed", detail=detail)
    await store.set_row(conn, plan_migration_id, after, check_at=now + LOOK_AGAIN)


def _refused(row: Row, error: TallystickError | MoneyError) -> Row:
    detail = next(_details(error))
    return replace(
        row, state=RowState.REFUSED, reason=error.code, detail=detail[:_DETAIL_CHARS_MAX]
    )


def _details(error: TallystickError | MoneyError) -> Iterator[str]:
    if isinstance(error, TallystickError):
        yield error.detail
    yield str(error)
