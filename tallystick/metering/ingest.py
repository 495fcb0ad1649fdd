"""Events in: every one answered, every one once.

The events of many requests share one look-up, one COPY and one commit: whatever waits while a
batch commits is the next batch. A request is answered when the commit is done that holds it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final
from uuid import UUID

import msgspec

from tallystick.accounts.service import find_by_subjects
from tallystick.catalog.service import meters_of_events
from tallystick.kernel.clock import account_now
from tallystick.kernel.db import WRITER, Connection, Database
from tallystick.kernel.errors import BadInput, Conflict, FieldError
from tallystick.kernel.group_commit import GroupCommitter
from tallystick.metering import own_events, unmatched
from tallystick.metering.bodies import ERRORS_MAX, refuse
from tallystick.metering.events_postgres import usage_of
from tallystick.metering.model import Batch, EventResult, Status, UsageEvent
from tallystick.metering.prepare import AGES, Ages, Prepared, Rules, Target, prepare, read_rules
from tallystick.metering.write import Remembered, copy_new, write

BATCH_EVENTS_MAX: Final = 5_000
"""Events in one commit; a request of more is a commit of its own."""
WAITING_EVENTS_MAX: Final = 100_000
LANES: Final = 2

_FOREIGN: Final = "names no account"
_OTHER_CONTENT: Final = "was sent before with other content; an event never changes"


class _Request(msgspec.Struct, frozen=True):
    """The events of one request, and on what terms they are taken."""

    batch: Batch
    now: datetime
    only_account: UUID | None
    strict: bool
    ages: Ages


class _Known(msgspec.Struct, frozen=True):
    """What the events of several requests name: accounts by subject, their clocks, meters."""

    accounts: Mapping[str, UUID]
    clocks: Mapping[UUID, datetime]
    rules: Rules


class _Ready(msgspec.Struct, frozen=True):
    """A request's events checked: rows, what is parked, faults."""

    request: _Request
    prepared: Prepared
    parked: Mapping[int, unmatched.Parking]


# Of what is the same as the stored event of its key, is another, or is new.
_STORED: Final = {True: Status.DUPLICATE, False: Status.CONFLICT, None: Status.ACCEPTED}
_Answer = tuple[EventResult, ...] | BadInput


class Ingest:
    """Records usage events, over connections of its own under the writer's scope."""

    def __init__(self, db: Database, ages: Ages = AGES) -> None:
        self._db = db
        self._ages = ages
        self._committer: GroupCommitter[_Request, _Answer] = GroupCommitter(
            db,
            partial(_record, Remembered()),
            key=id,
            repeat=lambda *_: None,
            size=lambda request: len(request.batch.events),
            batch_max=BATCH_EVENTS_MAX,
            waiting_max=WAITING_EVENTS_MAX,
            lanes=LANES,
            busy_code="events_busy",
        )

    async def close(self) -> None:
        """Commit all that was taken, and close the connections."""
        await self._committer.close()

    async def record(
        self,
        events: Sequence[UsageEvent],
        *,
        now: datetime,
        only_account: UUID | None = None,
        strict: bool = True,
    ) -> tuple[EventResult, ...]:
        """Record events of our own form; see `record_batch`."""
        batch = Batch(own_events.SHAPE, events)
        return await self.record_batch(batch, now=now, only_account=only_account, strict=strict)

    async def record_batch(
        self,
        batch: Batch,
        *,
        now: datetime,
        only_account: UUID | None = None,
        strict: bool = True,
        ages: Ages | None = None,
    ) -> tuple[EventResult, ...]:
        """Store what is new, answer each event in order, and return when that is committed.

        What matches no account or no meter is parked; what differs from the stored event of its
        key is kept aside. `only_account`: the account of the caller's key; any other subject is
        unknown to it, and not parked but invalid. `ages`: others than the installation's.

        Strict: one invalid event refuses the whole request (BadInput), and when one is kept aside
        the others are stored, yet Conflict `event_conflict` is raised. Otherwise each has its
        answer; BadInput when all of them are invalid. Raises Unavailable: `events_busy`,
        `database_unavailable`; then the same events are safe to send again.
        """
        if not batch.events:
            return ()
        request = _Request(batch, now, only_account, strict, ages or self._ages)
        answer = await self._committer.submit(request)
        if isinstance(answer, BadInput):
            raise answer
        if strict:
            _refuse_conflicts(batch, answer)
        elif all(result.status is Status.INVALID for result in answer):
            refuse([fault for result in answer for fault in result.errors])
        return answer

    async def check_batch(
        self, batch: Batch, *, now: datetime, ages: Ages | None = None
    ) -> tuple[EventResult, ...]:
        """Answer each event as `record_batch` does when not strict, and store nothing.

        An event that stands twice in the batch is `accepted` twice.
        """
        async with self._db.transaction(WRITER) as conn:
            known = await _look_up(conn, batch.events)
            request = _Request(batch, now, None, strict=False, ages=ages or self._ages)
            ready = _check(request, known)
            if isinstance(ready, BadInput):
                raise ready
            stated = [event.at for event in _written(ready)]
            same = await usage_of(conn).same_as_stored(conn, ready.prepared.rows, stated)
        return _results(ready, iter([_STORED[one] for one in same]), set())


async def _record(
    remembered: Remembered, conn: Connection, requests: Sequence[_Request]
) -> list[_Answer]:
    """Write the events of several requests in one commit, and answer each request."""
    known = await _look_up(conn, [event for one in requests for event in one.batch.events])
    checked = [_check(request, known) for request in requests]
    ready = [one for one in checked if isinstance(one, _Ready)]
    parked = [one for some in ready for one in some.parked.values()]
    rows = [row for one in ready for row in one.prepared.rows]
    if not parked and await copy_new(conn, rows, remembered):
        statuses, counted = [Status.ACCEPTED] * len(rows), set()
    else:
        stated = [event.at for one in ready for event in _written(one)]
        async with conn.transaction():
            statuses = await write(conn, rows, stated, requests[0].now)
            counted = await unmatched.park(conn, parked)
    told = iter(statuses)
    return [_results(one, told, counted) if isinstance(one, _Ready) else one for one in checked]


async def _look_up(conn: Connection, events: Sequence[UsageEvent]) -> _Known:
    accounts = await find_by_subjects(conn, list({event.subject for event in events}))
    types = {event.type for event in events}
    codes = {event.meter for event in events if event.meter is not None}
    rules = read_rules(await meters_of_events(conn, types, codes))
    clocks = {
        account.account_id: await account_now(conn, account.account_id, account.created_at)
        for account in accounts.values()
        if account.test_clock_id is not None
    }
    return _Known({name: one.account_id for name, one in accounts.items()}, clocks, rules)


def _check(request: _Request, known: _Known) -> _Ready | BadInput:
    only, now = request.only_account, request.now
    targets = {
        subject: Target(account_id, known.clocks.get(account_id, now))
        for subject in {event.subject for event in request.batch.events}
        if (account_id := known.accounts.get(subject)) is not None
        and (only is None or account_id == only)
    }
    made = prepare(request.batch, targets, known.rules, now, request.ages)
    if only is not None:
        _refuse_foreign(request.batch, made)
    if request.strict and made.faults:
        return _refusal(fault for faults in made.faults.values() for fault in faults)
    return _Ready(request, made, _to_park(request, made, targets))


def _refuse_foreign(batch: Batch, made: Prepared) -> None:
    """Make what names another account than the caller's a fault: a stranger parks nothing."""
    for index, reason in list(made.unmatched.items()):
        if reason == "unknown_subject":
            field = batch.shape.path(batch.positions[index], batch.shape.subject)
            made.faults.setdefault(index, []).append(FieldError(field, reason, _FOREIGN))


def _to_park(
    request: _Request, made: Prepared, targets: Mapping[str, Target]
) -> dict[int, unmatched.Parking]:
    found = {}
    for index, reason in made.unmatched.items():
        if index not in made.faults:
            event = request.batch.events[index]
            target = targets.get(event.subject)
            account_id = target.account_id if target else None
            found[index] = unmatched.parking(event, account_id, reason, request.now)
    return found


def _written(ready: _Ready) -> list[UsageEvent]:
    return [ready.request.batch.events[index] for index in ready.prepared.indexes]


def _results(
    ready: _Ready, told: Iterable[Status], counted: set[tuple[UUID, UUID]]
) -> tuple[EventResult, ...]:
    """Answer the events of a request; `told` goes on through the rows of all requests."""
    batch, made = ready.request.batch, ready.prepared
    written = dict(zip(made.indexes, told, strict=False))  # it goes on for the next request
    places = batch.positions
    answers = dict(batch.invalid)
    for index, event in enumerate(batch.events):
        if index in written:
            answers[places[index]] = _stored(event.id, written[index])
        elif index in made.faults:
            faults = tuple(made.faults[index])
            answers[places[index]] = EventResult(event.id, Status.INVALID, faults[0].code, faults)
        elif ready.parked[index].name in counted:
            answers[places[index]] = EventResult(event.id, Status.DUPLICATE)
        else:
            reason = made.unmatched[index]
            answers[places[index]] = EventResult(event.id, Status.UNMATCHED, reason)
    return tuple(answers[place] for place in range(len(answers)))


def _stored(event_id: str, status: Status) -> EventResult:
    return EventResult(event_id, status, "other_content" if status is Status.CONFLICT else None)


def _refusal(faults: Iterable[FieldError]) -> BadInput:
    try:
        refuse(list(faults))
    except BadInput as error:
        return error
    raise AssertionError  # it is called with faults


def _refuse_conflicts(batch: Batch, answer: Sequence[EventResult]) -> None:
    found = [
        FieldError(batch.shape.path(place, batch.shape.id), "event_conflict", _OTHER_CONTENT)
        for place, result in enumerate(answer)
        if result.status is Status.CONFLICT
    ]
    if found:
        detail = (
            f"{found[0].field}: {_OTHER_CONTENT}. It is kept aside for staff and not counted; "
            "the other events of the request are stored."
        )
        raise Conflict("event_conflict", detail, errors=found[:ERRORS_MAX])
