"""What-ifs: begun, gone through in batches, read; and what refuses an activation by them."""

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from tallystick.kernel.db import Connection, actor
from tallystick.kernel.errors import BadInput, Conflict
from tallystick.kernel.ids import new_id, unknown
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.subscriptions import chosen
from tallystick.whatif import store
from tallystick.whatif.model import Outcome, Question, Status, WhatIf
from tallystick.whatif.reading import plan_of, read_batch
from tallystick.whatif.store import Change
from tallystick.whatif.summary import Tally
from tallystick.whatif.variance import exceeded, figures

KEEP: Final = timedelta(days=90)
"""How long a what-if is kept after it finished."""
ACCOUNTS_NAMED_MAX: Final = 1_000
"""How many accounts a question may name."""


async def start(conn: Connection, question: Question, wall: datetime) -> WhatIf:
    """Begin a what-if, which the worker goes through; the writer's scope.

    Raises NotFound `plan_version_not_found`, `plan_not_found`, `account_not_found`; BadInput
    naming every bad field of a version given as data, `period_reversed`.
    """
    check_span(question)
    plan = await plan_of(conn, question)
    who = actor()
    begun = WhatIf(
        what_if_id=new_id(),
        question=question,
        status=Status.RUNNING,
        account_count=await chosen.count_accounts(conn, plan.choice),
        done_count=0,
        after_account_id=chosen.FIRST,
        skipped={},
        result=None,
        error=None,
        actor_kind=who.kind,
        actor_id=who.id,
        created_at=wall,
        finished_at=None,
    )
    await store.insert(conn, begun)
    return begun


def check_span(question: Question) -> None:
    """Raise BadInput `period_reversed` unless the span has a beginning before its end."""
    if question.start >= question.end:
        raise BadInput.field("to", "period_reversed", "must be after `from`")


async def lock_running(conn: Connection) -> WhatIf | None:
    """Return and lock the oldest one that still runs; what another worker holds is left to it."""
    return await store.lock_running(conn)


async def advance(conn: Connection, running: WhatIf, wall: datetime) -> None:
    """Go through the next accounts of a locked what-if, or sum it up behind the last one."""
    plan = await plan_of(conn, running.question)
    batch = await read_batch(conn, plan, running.after_account_id, wall)
    if batch is None:
        await _sum_up(conn, running, wall)
        return
    await store.insert_outcomes(conn, running.what_if_id, batch.outcomes)
    skipped = Counter(running.skipped)
    skipped.update(one.reason for one in batch.skipped)
    await store.advance(
        conn, running.what_if_id, batch.account_count, batch.last_account_id, skipped
    )


async def fail(conn: Connection, running: WhatIf, reason: str, wall: datetime) -> None:
    """Note that a locked what-if can not be gone through, and why."""
    await store.finish(conn, replace(running, status=Status.FAILED, error=reason, finished_at=wall))


async def get_what_if(conn: Connection, what_if_id: UUID) -> WhatIf:
    """Return a what-if with its progress, and its result when it is done; raises NotFound."""
    found = await store.find(conn, what_if_id)
    if found is None:
        raise unknown("what_if")
    return found


async def list_what_ifs(conn: Connection, request: PageRequest) -> Page[WhatIf]:
    """Return what-ifs, newest first."""
    rows = await store.list_page(conn, request)
    total = await store.count(conn)
    return make_page(rows, total, request, lambda one: After(one.created_at, one.what_if_id))


async def list_outcomes(
    conn: Connection,
    what_if_id: UUID,
    request: PageRequest,
    account_id: UUID | None,
    change: Change | None,
) -> Page[Outcome]:
    """Return what each account's periods cost, the newest periods first; raises NotFound.

    Of one account or of all; `change`: only what would cost more, less or the same.
    """
    await get_what_if(conn, what_if_id)
    rows = await store.list_outcomes(conn, what_if_id, request, account_id, change)
    total = await store.count_outcomes(conn, what_if_id, account_id, change)
    return make_page(rows, total, request, lambda one: After(one.period.start, one.subscription_id))


async def delete_what_if(conn: Connection, what_if_id: UUID) -> None:
    """Delete a what-if with its rows, also one that runs; raises NotFound."""
    if not await store.delete(conn, what_if_id):
        raise unknown("what_if")


async def forget_old(conn: Connection, now: datetime) -> int:
    """Delete one that finished long ago; return how many that were."""
    return await store.forget_one(conn, now - KEEP)


async def need_variance(
    conn: Connection, plan_version_id: UUID, what_if_id: UUID, percent_max: Decimal
) -> None:
    """Refuse a version whose what-if differs by more than so many percent from what is billed now.

    Raises NotFound; Conflict `what_if_of_another_version`, `what_if_not_done`, `what_if_empty`,
    and `plan_variance_too_high` with the figures.
    """
    found = await get_what_if(conn, what_if_id)
    if found.question.plan_version_id != plan_version_id:
        raise Conflict(
            "what_if_of_another_version",
            "The what-if tried another version; name one of the version that is activated.",
        )
    if found.result is None:
        raise Conflict("what_if_not_done", "The what-if has no result yet; ask when it is done.")
    if not found.result.summaries:
        raise Conflict(
            "what_if_empty", "The what-if compared no period; choose accounts with ended periods."
        )
    if any(exceeded(one, percent_max) for one in found.result.summaries):
        raise Conflict(
            "plan_variance_too_high",
            f"What is billed would change by more than {percent_max} percent; look at the what-if.",
            extra={"variances": [figures(one) for one in found.result.summaries]},
        )


async def _sum_up(conn: Connection, running: WhatIf, wall: datetime) -> None:
    tally = Tally()
    async for outcome in store.all_outcomes(conn, running.what_if_id):
        tally.add(outcome)
    for reason, count in running.skipped.items():
        tally.skip(reason, count)
    done = replace(running, status=Status.DONE, result=tally.result(), finished_at=wall)
    await store.finish(conn, done)
