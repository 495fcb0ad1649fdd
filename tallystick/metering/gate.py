"""The gate: may an account use so much more, and events that are recorded only if it may."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import count
from typing import Final

import msgspec
from msgspec.structs import replace

from tallystick.kernel.db import Connection, Database
from tallystick.kernel.errors import Unavailable
from tallystick.kernel.group_commit import GroupCommitter
from tallystick.metering import counters_store, limits
from tallystick.metering.counters_redis import RedisCounters
from tallystick.metering.decide import (
    Decided,
    Outcome,
    Seed,
    Source,
    Span,
    Work,
    decide_here,
    read_used,
    repeated,
    write_decided,
)
from tallystick.metering.limits import Ask, LimitState, Slot
from tallystick.metering.prepare import AGES, Ages
from tallystick.metering.usage_store import need_postgres

BUSY: Final = "usage_busy"
AGAIN_MAX: Final = 5
DECISIONS_KEPT: Final = timedelta(days=30)
"""How long the same event gets the same answer; later, one that is stored is a duplicate."""


class Checked(msgspec.Struct, frozen=True):
    """How the limits stand, and which counters said so."""

    states: tuple[LimitState, ...]
    source: Source


class _Read(msgspec.Struct, frozen=True):
    number: int
    asks: tuple[Ask, ...]


class Gate:
    """Answers in batches over connections of its own; `outside`: counters on Redis.

    `ages`: how old an event may be, for who makes `Work` of it.

    Everything that can not be said by Redis, and everything while Redis is away, is decided in the
    database: slower, never wider.
    """

    def __init__(
        self, db: Database, outside: RedisCounters | None = None, ages: Ages = AGES
    ) -> None:
        self.ages: Final = ages
        self._db = db
        self._outside = outside
        self._numbers = count()
        here = partial(decide_here, is_outside=outside is not None)
        self._here: GroupCommitter[Work, Decided] = GroupCommitter(
            db, here, key=lambda work: work.key, repeat=repeated, lanes=1, busy_code=BUSY
        )
        self._written: GroupCommitter[Work, Decided] = GroupCommitter(
            db, write_decided, key=lambda work: work.key, repeat=repeated, busy_code=BUSY
        )
        self._reads: GroupCommitter[_Read, dict[Slot, Decimal]] = GroupCommitter(
            db, _read_batch, key=lambda read: read.number, repeat=_never, busy_code=BUSY
        )

    @property
    def outside(self) -> RedisCounters | None:
        """The counters on Redis, if there are to be any."""
        return self._outside

    async def check(self, asks: Sequence[Ask]) -> Checked:
        """Tell how the limits stand and whether what is asked for fits; nothing is changed.

        Exact to the last commit by the database; by Redis up to `LIFE_MS` behind what came in by
        `/events`. Raises Unavailable.
        """
        asks = tuple(asks)
        if not limits.slots(asks):
            return Checked((), "postgresql")
        if self._outside is not None:
            held = await self._outside.read(asks)
            if held is not None:
                return Checked(limits.judge(asks, held), "redis")
        used = await self._reads.submit(_Read(next(self._numbers), asks))
        if self._outside is not None:
            await self._outside.fill(_to_read(asks, used), to_read=True)
        return Checked(limits.judge(asks, used), "postgresql")

    async def check_and_record(self, work: Work) -> Decided:
        """Record the event if no hard limit stands in the way, and answer once it is committed.

        The same event again gets the same answer. Raises Unavailable; the same event is then safe
        to send again. Raises Conflict `needs_usage_in_postgresql`: elsewhere events are not
        written in the transaction that decides.
        """
        need_postgres(self._db, "Recording only what fits")
        for _ in range(AGAIN_MAX):
            answer = await self._decide(work)
            if answer.outcome is Outcome.AGAIN:
                continue
            if answer.outcome is Outcome.DUPLICATE and not answer.states:
                return await self._with_states(answer, work)
            return answer
        raise Unavailable(
            BUSY, "Others send the same event just now; send it again.", extra={"retry_after": 1}
        )

    async def close(self) -> None:
        """Answer those who wait, and end the connections."""
        for committer in (self._here, self._written, self._reads):
            await committer.close()
        if self._outside is not None:
            await self._outside.close()

    async def _decide(self, work: Work) -> Decided:
        if self._outside is None or not work.counters:
            return await self._here.submit(work)
        taken = await self._outside.take(work.asks)
        if taken is not None:
            answer = await self._written.submit(replace(work, taken=taken))
            if limits.is_allowed(taken.states) and not _is_new(answer):
                await self._outside.forget(work.counters)
            if answer.outcome is not Outcome.AGAIN:
                return answer
        answer = await self._here.submit(work)
        await self._outside.fill(answer.seeds)
        return answer

    async def _with_states(self, answer: Decided, work: Work) -> Decided:
        nothing = [replace(ask, quantity=limits.ZERO) for ask in work.asks]
        checked = await self.check(nothing)
        return replace(answer, states=checked.states, source=checked.source)


async def forget_old_decisions(conn: Connection, wall: datetime) -> int:
    """Drop answers that nobody asks for any more, under the writer's scope; return how many."""
    return await counters_store.forget_old_decisions(conn, wall - DECISIONS_KEPT)


def _is_new(answer: Decided) -> bool:
    return answer.outcome is Outcome.ACCEPTED and not answer.is_replay


async def _read_batch(conn: Connection, reads: Sequence[_Read]) -> Sequence[dict[Slot, Decimal]]:
    used = await read_used(conn, [ask for read in reads for ask in read.asks])
    return [{slot: used[slot] for slot in limits.slots(read.asks)} for read in reads]


def _never(_first: _Read, _again: _Read, _answer: dict[Slot, Decimal]) -> None:
    return None


def _to_read(asks: Sequence[Ask], used: dict[Slot, Decimal]) -> list[Seed]:
    spans: dict[tuple[object, object], dict[Span, Decimal]] = {}
    for (account_id, meter_id, start, end), value in used.items():
        spans.setdefault((account_id, meter_id), {})[start, end] = value
    return [
        Seed((ask.account_id, ask.meter.meter_id), 0, spans[ask.account_id, ask.meter.meter_id])
        for ask in asks
        if ask.limits
    ]
