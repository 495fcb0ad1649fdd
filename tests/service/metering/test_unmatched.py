"""Events that matched nobody: parked, matched, claimed, discarded, and in time all the same."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tallystick.accounts.model import Account, AccountChange, NewAccount
from tallystick.accounts.service import create_account, update_account
from tallystick.catalog.model import NewMeter
from tallystick.kernel.db import WRITER, Database
from tallystick.kernel.errors import NotFound
from tallystick.kernel.paging import PageRequest
from tallystick.metering import conflicts, service, unmatched
from tallystick.metering.aside import Aside
from tallystick.metering.conflicts_store import KeptConflict
from tallystick.metering.model import EventResult, Status, UsageEvent
from tallystick.metering.unmatched_store import Parked

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = datetime(2026, 2, 10, 8, 30, tzinfo=UTC)
Send = Callable[..., Awaitable[tuple[EventResult, ...]]]
Total = Callable[..., Awaitable[dict[str, Decimal]]]


def call(event_id: str, **changes: Any) -> UsageEvent:
    told = {"source": "gw", "id": event_id, "type": "call", "subject": "nobody", "at": AT}
    return UsageEvent(**{**told, "properties": {"n": 5}, **changes})


async def parked(db: Database, status: str = "parked") -> Sequence[Parked]:
    async with db.transaction(WRITER) as conn:
        return (await unmatched.list_parked(conn, PageRequest(), status, None)).items


async def kept_conflicts(db: Database) -> Sequence[KeptConflict]:
    async with db.transaction(WRITER) as conn:
        return (await conflicts.list_conflicts(conn, PageRequest(), "open", None)).items


async def claim(db: Database, **options: Any) -> list[tuple[Status, str | None]]:
    told: dict[str, Any] = {"account_id": None, "meter_code": None, "now": NOW, **options}
    async with db.transaction(WRITER) as conn:
        events = await unmatched.lock_parked(conn, [], "nobody")
        results = await unmatched.claim(conn, events, **told)
    return [(result.status, result.detail) for _, result in results]


async def name(db: Database, account: Account, external_id: str) -> None:
    async with db.transaction(WRITER) as conn:
        await update_account(conn, account.account_id, AccountChange(external_id=external_id))


async def test_a_parked_event_is_kept_as_it_came_and_once(send: Send, db: Database) -> None:
    event = call("1", at=None, properties={"n": Decimal("1.50")})
    for _ in range(3):
        (result,) = await send(event)
        assert (result.status, result.detail) == (Status.UNMATCHED, "unknown_subject")
    (one,) = await parked(db)
    assert (one.subject, one.event_id, one.stated_at, one.at) == ("nobody", "1", None, NOW)
    assert (one.properties, one.reason) == ('{"n": 1.50}', "unknown_subject")


async def test_an_event_is_counted_at_its_own_time_once_its_account_appears(
    send: Send, total: Total, db: Database, accounts: Sequence[Account]
) -> None:
    await send(call("1"), call("2", at=None), call("3", subject="other"))
    aside = Aside(db)
    assert await aside.match_next(NOW) == 0
    await name(db, accounts[0], "nobody")
    assert await aside.match_next(NOW + timedelta(days=40)) == 2
    assert await total(end=NOW) == {"calls": 1, "tokens": 5}
    assert await total(end=NOW + timedelta(seconds=1)) == {"calls": 2, "tokens": 10}
    assert [one.subject for one in await parked(db)] == ["other"]
    assert [one.status for one in await send(call("1"), call("2", at=None))] == [
        Status.DUPLICATE
    ] * 2


async def test_an_event_is_counted_once_its_meter_appears(
    send: Send, db: Database, accounts: Sequence[Account]
) -> None:
    await send(
        call("1", subject="cust-1", type="later"),
        call("2", subject="cust-1", type="", meter="new"),
        call("3", subject="cust-1", type="never"),
    )  # fmt: skip
    assert {one.account_id for one in await parked(db)} == {accounts[0].account_id}
    async with db.transaction(WRITER) as conn:
        meter = await service.create_meter(conn, NewMeter(code="new", event_type="later"), NOW)
    aside = Aside(db)
    assert await aside.run_due(NOW) == 2
    async with db.transaction(WRITER) as conn:
        found = await service.period_totals(
            conn, accounts[0].account_id, [meter], AT, AT + timedelta(hours=1)
        )
    assert found == {"new": 2}
    assert [one.event_type for one in await parked(db)] == ["never"]


async def test_an_accounts_own_key_parks_for_that_account_alone(
    send: Send, db: Database, accounts: Sequence[Account]
) -> None:
    own = accounts[0].account_id
    (result,) = await send(call("1", subject="cust-1", type="later"), only_account=own)
    assert result.status is Status.UNMATCHED
    await name(db, accounts[0], "renamed")
    await name(db, accounts[1], "cust-1")
    async with db.transaction(WRITER) as conn:
        await service.create_meter(conn, NewMeter(code="new", event_type="later"), NOW)
    await Aside(db).run_due(NOW)
    async with db.transaction(WRITER) as conn:
        assert await conn.fetchval("SELECT account_id FROM usage_events") == own


async def test_what_its_meter_can_not_count_stays_parked_for_staff(
    send: Send, db: Database, accounts: Sequence[Account]
) -> None:
    await send(call("1", properties={}), call("2"))
    await name(db, accounts[0], "nobody")
    aside = Aside(db)
    assert await aside.match_next(NOW) == 2
    assert await aside.match_next(NOW) == 0
    assert [(one.event_id, one.reason) for one in await parked(db)] == [("1", "missing")]
    assert await claim(db) == [(Status.INVALID, "missing")]


async def test_two_parked_events_of_one_id_become_an_event_and_a_conflict(
    send: Send, total: Total, db: Database, accounts: Sequence[Account]
) -> None:
    await send(call("1"), call("1", properties={"n": 6}))
    assert len(await parked(db)) == 2
    await name(db, accounts[0], "nobody")
    await Aside(db).run_due(NOW)
    assert await total() == {"calls": 1, "tokens": 5}
    (conflict,) = await kept_conflicts(db)
    assert (conflict.properties, conflict.stored_properties) == ('{"n": 6}', '{"n": 5}')


async def test_staff_claim_events_to_an_account_and_to_a_meter(
    send: Send, total: Total, db: Database, accounts: Sequence[Account]
) -> None:
    await send(call("1"), call("2", type="typo", at=None))
    own = accounts[0].account_id
    assert await claim(db, account_id=own) == [
        (Status.ACCEPTED, None), (Status.UNMATCHED, "unknown_type"),
    ]  # fmt: skip
    assert await claim(db, account_id=own, meter_code="tokens") == [(Status.ACCEPTED, None)]
    assert await total(end=NOW + timedelta(seconds=1)) == {"calls": 2, "tokens": 10}
    assert await parked(db) == ()
    assert {one.claimed_account_id for one in await parked(db, "claimed")} == {own}
    # Sent again under the name that nobody has, it is known to be counted.
    assert [one.status for one in await send(call("1"))] == [Status.DUPLICATE]


async def test_a_claim_for_nobody_is_refused(send: Send, db: Database) -> None:
    await send(call("1"))
    assert await claim(db) == [(Status.UNMATCHED, "unknown_subject")]
    with pytest.raises(NotFound):
        await claim(db, account_id=(await parked(db))[0].unmatched_event_id)
    with pytest.raises(NotFound):
        await claim(db, meter_code="nothing")


async def test_a_discarded_event_is_never_counted_nor_parked_again(
    send: Send, db: Database, accounts: Sequence[Account], total: Total
) -> None:
    await send(call("1"))
    async with db.transaction(WRITER) as conn:
        events = await unmatched.lock_parked(conn, [], "nobody")
        await unmatched.discard(conn, events, NOW)
    assert [one.status for one in await send(call("1"))] == [Status.UNMATCHED]
    await name(db, accounts[0], "nobody")
    assert await Aside(db).match_next(NOW) == 0
    assert (await total())["calls"] == 0
    assert [one.status for one in await parked(db, "discarded")] == ["discarded"]


async def test_what_is_parked_for_too_long_is_dropped(send: Send, db: Database) -> None:
    await send(call("1"))
    await send(call("2"), now=NOW + timedelta(days=1))
    aside = Aside(db, kept=timedelta(days=30))
    assert await aside.forget_old(NOW + timedelta(days=30, seconds=1)) == 1
    assert [one.event_id for one in await parked(db)] == ["2"]


async def test_many_subjects_that_never_come_do_not_hide_one_that_does(
    send: Send, db: Database, total: Total
) -> None:
    events = [call(str(at), subject=f"stranger-{at:04}") for at in range(1_200)]
    await send(*events, call("x", subject="zz-late"))
    new = NewAccount(
        name="A", email="a@example.com", currency="USD", country="US", external_id="zz-late"
    )
    async with db.transaction(WRITER) as conn:
        await create_account(conn, new, NOW)
    aside = Aside(db)
    assert [await aside.match_next(NOW) for _ in range(5)] == [0, 0, 1, 0, 0]
    assert (await total())["calls"] == 0


async def test_a_conflict_is_kept_once_and_stands_beside_what_is_stored(
    send: Send, db: Database, total: Total
) -> None:
    await send(call("1", subject="cust-1"))
    changed = call("1", subject="cust-1", at=AT + timedelta(hours=1), properties={"n": 7})
    for _ in range(2):
        (result,) = await send(changed, strict=False)
        assert result.status is Status.CONFLICT
    (one,) = await kept_conflicts(db)
    assert (one.event_id, one.at, one.stored_at) == ("1", AT + timedelta(hours=1), AT)
    assert await total() == {"calls": 1, "tokens": 5}
    async with db.transaction(WRITER) as conn:
        await conflicts.dismiss(conn, one.usage_conflict_id, NOW)
    await send(changed, strict=False)
    assert await kept_conflicts(db) == ()
