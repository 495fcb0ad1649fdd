"""Deciding whether events pass their limits and writing those that do: many in one transaction.

Either here, under a lock on each counter (an account and a meter) and by totals that are exact to
the last commit; or by counters outside the database (Redis), which are only believed while they
are of the epoch that the counter's row names. Whoever decides here, or fills outside counters
anew, begins a new epoch under the lock: what was taken from older counters and is not written yet
is refused, so nothing passes a hard limit by counters that were lost, or restored, or are late.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, Literal

import msgspec
from msgspec.structs import replace

from tallystick.kernel.db import Connection
from tallystick.metering import counters_store, events_store, limits, service
from tallystick.metering.counter_totals_store import counter_totals
from tallystick.metering.counters_store import Counter, Key, StoredDecision
from tallystick.metering.limits import Ask, LimitState, Slot
from tallystick.metering.prepare import Row
from tallystick.metering.usage_store import usage_beside

Source = Literal["postgresql", "redis"]
Span = tuple[datetime, datetime]


class Outcome(StrEnum):
    """What became of an event. AGAIN: nothing was decided; `Work` is to be handed in again."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    CONFLICT = "conflict"
    AGAIN = "again"


class Taken(msgspec.Struct, frozen=True):
    """What outside counters said: how the limits stood, and the epoch of each counter."""

    states: tuple[LimitState, ...]
    epochs: Mapping[Key, int]


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One event as a row, what it adds to which meters, and the account's present.

    `content` tells whether the same key says the same again; `stated_at` is the event's own time,
    None when it arrived without. `taken`: it was decided outside.
    """

    row: Row
    stated_at: datetime | None
    content: bytes
    asks: tuple[Ask, ...]
    now: datetime
    wall: datetime
    taken: Taken | None = None

    @property
    def key(self) -> Key:
        """The account and the event's key, by which it is unique."""
        return self.row[0], self.row[1]

    @property
    def counters(self) -> list[Key]:
        """The counters of the meters that have limits."""
        return [(ask.account_id, ask.meter.meter_id) for ask in self.asks if ask.limits]


class Seed(msgspec.Struct, frozen=True):
    """Exact totals of a counter by window, to fill outside counters of this epoch with."""

    counter: Key
    epoch: int
    used: Mapping[Span, Decimal]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an event: how its limits stand after it (or before what was refused)."""

    outcome: Outcome
    states: tuple[LimitState, ...] = ()
    source: Source = "postgresql"
    is_replay: bool = False
    seeds: tuple[Seed, ...] = ()

    @property
    def is_allowed(self) -> bool:
        """Whether the event is stored."""
        return self.outcome in (Outcome.ACCEPTED, Outcome.DUPLICATE)


class _Answer(msgspec.Struct, frozen=True):
    """A decision as it is kept."""

    outcome: Outcome
    states: tuple[LimitState, ...]
    source: Source


_ANSWER: Final = msgspec.json.Decoder(_Answer)
_AGAIN: Final = Decided(outcome=Outcome.AGAIN)
_CONFLICT: Final = Decided(outcome=Outcome.CONFLICT)
_DUPLICATE: Final = Decided(outcome=Outcome.DUPLICATE, is_replay=True)


async def decide_here(
    conn: Connection, works: Sequence[Work], *, is_outside: bool
) -> Sequence[Decided]:
    """Decide by exact totals under the locks; `is_outside`: give seeds for outside counters."""
    async with conn.transaction():
        counters = await counters_store.lock(conn, _counters(works))
        known = await _known(conn, works)
        fresh = [work for work in works if work.key not in known]
        used = await read_used(conn, [ask for work in fresh for ask in work.asks])
        decided = known | {work.key: _decide(work, used) for work in fresh}
        decided |= await _write(conn, fresh, decided)
        seeds = await _new_epochs(conn, counters, used, is_outside=is_outside)
    answers = [decided[work.key] for work in works]
    return [*answers[:-1], replace(answers[-1], seeds=seeds)]


async def write_decided(conn: Connection, works: Sequence[Work]) -> Sequence[Decided]:
    """Write what outside counters decided, unless they are of another epoch: then AGAIN."""
    async with conn.transaction():
        counters = await counters_store.share(conn, _counters(works))
        known = await _known(conn, works)
        fresh = [
            work for work in works if work.key not in known and _is_current(work.taken, counters)
        ]
        decided = known | {work.key: _as_taken(work) for work in fresh}
        decided |= await _write(conn, fresh, decided)
    return [decided.get(work.key, _AGAIN) for work in works]


def repeated(first: Work, again: Work, answer: Decided) -> Decided | None:
    """Answer an event whose key its batch had already; None: the next batch tells."""
    if answer.outcome is not Outcome.ACCEPTED:
        return None
    same = first.content == again.content
    return replace(answer, is_replay=True, seeds=()) if same else _CONFLICT


async def read_used(conn: Connection, asks: Sequence[Ask]) -> dict[Slot, Decimal]:
    """Return the exact total of each counter that these look at."""
    meters = {ask.meter.meter_id: replace(ask.meter, rounding=None) for ask in asks}
    wanted = sorted(limits.slots(asks))
    plain = [slot for slot in wanted if not meters[slot[1]].recurring]
    used = await counter_totals(conn, plain) if usage_beside(conn) is None else {}
    for slot in wanted:
        account_id, meter_id, start, end = slot
        if slot not in used:
            meter = meters[meter_id]
            totals = await service.period_totals(conn, account_id, [meter], start, end)
            used[slot] = totals[meter.code]
    return used


def _counters(works: Sequence[Work]) -> list[Key]:
    return sorted({counter for work in works for counter in work.counters})


async def _known(conn: Connection, works: Sequence[Work]) -> dict[Key, Decided]:
    """Return the answers that stand already, and those to events that are stored without one."""
    stored = await counters_store.find_decisions(conn, [work.key for work in works])
    same = await events_store.same_as_stored(
        conn, [work.row for work in works], [work.stated_at for work in works]
    )
    found: dict[Key, Decided] = {}
    for work, is_same in zip(works, same, strict=True):
        decision = stored.get(work.key)
        if decision is not None and (decision.is_allowed or _stands(decision, work)):
            found[work.key] = _replay(decision, work)
        elif is_same is not None:
            # Stored by `/events`, it counts already, whatever the limits say.
            found[work.key] = _DUPLICATE if is_same else _CONFLICT
    return found


def _stands(decision: StoredDecision, work: Work) -> bool:
    return decision.until is None or work.now < decision.until


def _replay(decision: StoredDecision, work: Work) -> Decided:
    if decision.content != work.content:
        return _CONFLICT
    kept = _ANSWER.decode(decision.answer)
    return Decided(outcome=kept.outcome, states=kept.states, source=kept.source, is_replay=True)


def _decide(work: Work, used: dict[Slot, Decimal]) -> Decided:
    """Decide one event and count it if it passes."""
    states = limits.judge(work.asks, used)
    if not limits.is_allowed(states):
        return Decided(outcome=Outcome.REFUSED, states=states)
    limits.count(work.asks, used)
    return Decided(outcome=Outcome.ACCEPTED, states=limits.after(states, work.asks))


def _as_taken(work: Work) -> Decided:
    states = work.taken.states if work.taken else ()
    if not limits.is_allowed(states):
        return Decided(outcome=Outcome.REFUSED, states=states, source="redis")
    after = limits.after(states, work.asks)
    return Decided(outcome=Outcome.ACCEPTED, states=after, source="redis")


def _is_current(taken: Taken | None, counters: Mapping[Key, Counter]) -> bool:
    if taken is None:
        return False
    none = Counter(-1, is_outside=False)
    return all(
        counters.get(key, none) == Counter(epoch, is_outside=True)
        for key, epoch in taken.epochs.items()
    )


async def _write(
    conn: Connection, fresh: Sequence[Work], decided: Mapping[Key, Decided]
) -> dict[Key, Decided]:
    """Write events and answers; return AGAIN for events that another request stored meanwhile."""
    passing = [work for work in fresh if decided[work.key].is_allowed]
    written = await events_store.insert_new_events(conn, [work.row for work in passing])
    lost = {work.key: _AGAIN for work in passing if work.key not in written}
    kept = [
        (work.key, _to_store(work, decided[work.key]))
        for work in fresh
        if work.key not in lost and not _is_throttled(work, decided[work.key])
    ]
    if fresh:
        await counters_store.save_decisions(conn, kept, fresh[0].wall)
    return lost


def _is_throttled(work: Work, decided: Decided) -> bool:
    """Tell whether to come back is all that is asked of the caller: that answer is not kept."""
    return limits.throttled_until(decided.states, work.now) is not None


def _to_store(work: Work, decided: Decided) -> StoredDecision:
    until = max((one.resets_at for one in decided.states if one.refuses), default=None)
    kept = _Answer(decided.outcome, decided.states, decided.source)
    answer = msgspec.json.encode(kept).decode()
    return StoredDecision(work.content, decided.is_allowed, answer, until)


async def _new_epochs(
    conn: Connection,
    counters: Mapping[Key, Counter],
    used: Mapping[Slot, Decimal],
    *,
    is_outside: bool,
) -> tuple[Seed, ...]:
    """Begin a new epoch where outside counters may be, and tell what to fill new ones with."""
    if is_outside:
        counted: dict[Key, dict[Span, Decimal]] = {}
        for (account_id, meter_id, start, end), value in used.items():
            counted.setdefault((account_id, meter_id), {})[start, end] = value
        if counted:
            await counters_store.begin_epoch(conn, list(counted), is_outside=True)
        return tuple(Seed(key, counters[key].epoch + 1, spans) for key, spans in counted.items())
    stale = [key for key, counter in counters.items() if counter.is_outside]
    if stale:
        await counters_store.begin_epoch(conn, stale, is_outside=False)
    return ()
