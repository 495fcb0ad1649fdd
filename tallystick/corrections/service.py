"""Corrections: shown before they are confirmed, and exact in every total as soon as they are made.

What is shown is what would happen: the correction is made, its effect read, and then undone.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from msgspec.structs import replace

from tallystick.corrections import plans, store
from tallystick.corrections.effect import compare, confirmation
from tallystick.corrections.events import USAGE_CORRECTED, UsageCorrected
from tallystick.corrections.model import Change, Correction, History, Named, Outcome, State, Terms
from tallystick.corrections.plans import Plan, Times, Written
from tallystick.corrections.reading import read, watch
from tallystick.invoices.usage_changes import note_usage_change
from tallystick.kernel import outbox
from tallystick.kernel.clock import Clock, account_now
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.errors import Conflict, Forbidden, NotFound
from tallystick.kernel.paging import After, Page, PageRequest, make_page
from tallystick.lago_sync import service as lago
from tallystick.metering import walk
from tallystick.metering.corrections import lock_totals, renew_counters
from tallystick.metering.model import UsageEvent
from tallystick.metering.prepare import event_key
from tallystick.stripe_meters import service as stripe_meters

log = structlog.get_logger()

EVENTS_MAX: Final = 1_000
"""How many events one backfill stores."""
WINDOW: Final = timedelta(days=400)

_Planner = Callable[[Connection, Times], Awaitable[Plan | Outcome]]


class _ShownError(Exception):
    """Undoes a correction that was only to be seen."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.state)
        self.outcome = outcome


class Corrections:
    """Amends, takes out and puts in events of any age.

    `window`: for how long after a period's end changed usage is billed. Each correction is one
    transaction, or part of the caller's; corrections of all accounts wait for each other.
    """

    def __init__(
        self, db: Database, clock: Clock, ahead_max: timedelta, window: timedelta = WINDOW
    ) -> None:
        self._db = db
        self._clock = clock
        self._ahead_max = ahead_max
        self.window = window

    async def reverse(self, named: Named, terms: Terms) -> Outcome:
        """Take an event out of every total; again changes nothing.

        Raises NotFound `event_not_found`; Conflict `usage_archived`, `correction_changed`;
        Forbidden `billed_usage`.
        """

        async def planner(conn: Connection, times: Times) -> Plan | Outcome:
            return await plans.reversal(conn, named, terms.reason, times)

        return await self._correct(named.account_id, terms, planner)

    async def amend(self, named: Named, change: Change, terms: Terms) -> Outcome:
        """Let an event count as if it had said something else; the same again changes nothing.

        Raises as `reverse` does, and Conflict `event_reversed`; BadInput naming the fields.
        """

        async def planner(conn: Connection, times: Times) -> Plan | Outcome:
            return await plans.amendment(conn, named, change, terms.reason, times)

        return await self._correct(named.account_id, terms, planner)

    async def backfill(
        self, account_id: UUID, events: Sequence[UsageEvent], terms: Terms
    ) -> Outcome:
        """Store events of an account, of any age; each is answered as when it is sent.

        Every event has its instant. Raises BadInput when none can be counted; Conflict
        `correction_changed`; Forbidden `billed_usage`.
        """

        async def planner(conn: Connection, times: Times) -> Plan | Outcome:
            return await plans.backfilling(conn, account_id, events, terms.reason, times)

        return await self._correct(account_id, terms, planner)

    async def _correct(self, account_id: UUID, terms: Terms, planner: _Planner) -> Outcome:
        wall = self._clock()
        try:
            async with self._db.transaction(WRITER) as conn:
                await lock_totals(conn)
                now = await account_now(conn, account_id, wall)
                times = Times(now, wall, self._ahead_max)
                plan = await planner(conn, times)
                if isinstance(plan, Outcome):
                    return plan
                return await self._make(conn, account_id, plan, times, terms)
        except _ShownError as shown:
            return shown.outcome

    async def _make(
        self, conn: Connection, account_id: UUID, plan: Plan, times: Times, terms: Terms
    ) -> Outcome:
        watched = await watch(conn, account_id, plan.event_types, plan.instants, times.now)
        before = await read(conn, account_id, watched)
        written = await plan.write(conn)
        after = await read(conn, account_id, watched)
        effect = compare(watched, before, after, times.now, self.window)
        outcome = Outcome(
            state="applied" if written.corrections else "unchanged",
            effect=effect,
            confirmation=confirmation(plan.intent, effect),
            corrections=tuple(replace(one, billed=effect.billed) for one in written.corrections),
            results=written.results,
        )
        _need_consent(outcome, terms)
        changed = {line.invoice_line_id for line in effect.billed}
        lines = [line for line in watched.lines if line.invoice_line_id in changed]
        await note_usage_change(conn, account_id, lines, times.wall)
        await _keep(conn, account_id, outcome.corrections, written, times)
        if outcome.corrections:
            await renew_counters(conn, account_id, plan.event_types)
        return outcome


async def list_corrections(
    conn: Connection, request: PageRequest, account_id: UUID | None, kind: str | None
) -> Page[Correction]:
    """Return corrections, newest first; of one account, or of all (None)."""
    rows = await store.list_page(conn, request, account_id, kind)
    total = await store.count(conn, account_id, kind)
    return make_page(
        rows, total, request, lambda one: After(one.corrected_at, one.usage_correction_id)
    )


async def event_history(conn: Connection, named: Named) -> History:
    """Return what an event said first and all that was done to it; any version names it.

    Raises NotFound `event_not_found`.
    """
    key = event_key(named.source, named.event_id)
    chain = await store.chain(conn, named.account_id, key)
    root_key = chain[0].root_key if chain else key
    stored = await walk.events_by_keys(conn, named.account_id, [root_key])
    if not chain and not stored:
        raise NotFound("event_not_found", "There is no such event of this account.")
    first = chain[0] if chain else None
    return History(
        source=first.source if first else named.source,
        event_id=first.event_id if first else named.event_id,
        original=plans.told(stored[0]) if stored else None,
        corrections=chain,
    )


def _need_consent(outcome: Outcome, terms: Terms) -> None:
    """Undo what was only to be seen, what must be confirmed, and what is not for this caller."""
    if terms.preview:
        raise _ShownError(_shown(outcome, "previewed"))
    if outcome.effect.billed and not terms.may_change_billed:
        raise Forbidden(
            "billed_usage",
            "This changes usage that an issued invoice billed; finance or an admin can do it.",
        )
    if terms.confirm is not None and terms.confirm != outcome.confirmation:
        raise Conflict(
            "correction_changed",
            "The effect on issued invoices is another one now; look at it again and confirm that.",
        )
    if terms.confirm is None and outcome.effect.billed:
        raise _ShownError(_shown(outcome, "to_confirm"))


def _shown(outcome: Outcome, state: State) -> Outcome:
    return replace(outcome, state=state, corrections=())


async def _keep(
    conn: Connection, account_id: UUID, made: Sequence[Correction], written: Written, times: Times
) -> None:
    """Write down what was done, and tell others; Lago and Stripe forget what was taken out."""
    if not made:
        return
    await store.insert(conn, made)
    if written.taken:
        await lago.compensate(conn, account_id, written.taken, times.wall)
        await stripe_meters.hours_changed(conn, account_id, written.taken, times.wall)
    ids = tuple(one.usage_correction_id for one in made)
    event = UsageCorrected(kind=made[0].kind, usage_correction_ids=ids)
    await outbox.append(conn, account_id, USAGE_CORRECTED, event)
    log.info("usage_corrected", account_id=str(account_id), kind=event.kind, count=len(ids))
