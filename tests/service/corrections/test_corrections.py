"""Events are amended, taken out and put in: totals are right at once, and nothing is forgotten."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tallystick.corrections.model import Change, Outcome, Terms, Told
from tallystick.corrections.service import event_history, list_corrections
from tallystick.kernel.db import STAFF, WRITER
from tallystick.kernel.errors import BadInput, Conflict, NotFound
from tallystick.kernel.ids import show
from tallystick.kernel.paging import PageRequest
from tallystick.metering.archive import Archiver
from tallystick.metering.corrections import AMENDMENTS
from tallystick.metering.model import Status, UsageEvent

if TYPE_CHECKING:
    from tests.service.corrections.conftest import World

NOON = datetime(2026, 1, 10, 12, 30, tzinfo=UTC)
DAY = timedelta(days=1)
NOTHING = {"calls": 0, "peak": 0, "seats": 0}


def event(event_id: str, n: object, at: datetime | None = NOON, **more: Any) -> UsageEvent:
    fields = {"type": "call", "subject": "ada", "source": "s", **more}
    return UsageEvent(id=event_id, at=at, properties={"n": n}, **fields)


@pytest.mark.parametrize("folded", [False, True])
async def test_a_reversed_event_counts_no_longer_folded_or_not(
    world: "World", *, folded: bool
) -> None:
    await world.send("a", 7, NOON)
    await world.send("b", 3, NOON)
    if folded:
        await world.fold()
    outcome = await world.reverse("a")
    assert outcome.state == "applied"
    assert await world.totals() == {"calls": 3, "peak": 3, "seats": 0}
    await world.fold()
    assert await world.totals() == {"calls": 3, "peak": 3, "seats": 0}
    assert await world.differences() == ()


@pytest.mark.parametrize("folded", [False, True])
async def test_an_amended_event_counts_as_it_is_told_now(world: "World", *, folded: bool) -> None:
    await world.send("a", 7, NOON)
    if folded:
        await world.fold()
    change = Change(at=NOON + 9 * DAY, properties={"n": Decimal("2.50"), "why": "typing error"})
    outcome = await world.amend("a", change)
    assert await world.totals(NOON - DAY, NOON + DAY) == NOTHING
    assert (await world.totals())["calls"] == Decimal("2.5")
    (made,) = outcome.corrections
    assert made.old == Told("call", NOON, {"n": 7})
    assert made.new == Told("call", NOON + 9 * DAY, {"n": Decimal("2.50"), "why": "typing error"})
    assert (made.reason, made.actor_kind, made.actor_id) == ("it was a test", "user", "usr_finn")
    assert made.corrected_at == world.now
    await world.fold()
    assert await world.differences() == ()


async def test_the_sent_event_stays_as_it_is_and_is_a_duplicate_when_it_comes_again(
    world: "World",
) -> None:
    await world.send("a", 7, NOON)
    before = await world.rows("SELECT * FROM usage_events")
    await world.amend("a", Change(properties={"n": 1}))
    await world.reverse("a")
    assert (await world.send("a", 7, NOON)).status is Status.DUPLICATE
    assert (await world.send("a", 1, NOON)).status is Status.CONFLICT
    assert before[0] in await world.rows("SELECT * FROM usage_events")
    assert await world.totals() == NOTHING


async def test_what_is_amended_again_is_the_newest_version(world: "World") -> None:
    await world.send("a", 7, NOON)
    for n in (1, 2, 3):
        await world.amend("a", Change(properties={"n": n}))
    assert (await world.totals())["calls"] == 3
    voids = await world.rows("SELECT key FROM usage_voids")
    assert len(voids) == 3
    async with world.db.transaction(STAFF) as conn:
        history = await event_history(conn, world.named("a"))
        newest = show("usage_correction", history.corrections[-1].usage_correction_id)
        assert await event_history(conn, world.named(newest, AMENDMENTS)) == history
    assert history.original == Told("call", NOON, {"n": 7})
    assert [one.position for one in history.corrections] == [1, 2, 3]
    assert [one.new.properties["n"] for one in history.corrections if one.new] == [1, 2, 3]
    assert history.current == Told("call", NOON, {"n": 3})


async def test_a_version_of_an_event_names_all_of_it(world: "World") -> None:
    await world.send("a", 7, NOON)
    (first,) = (await world.amend("a", Change(properties={"n": 1}))).corrections
    await world.amend("a", Change(properties={"n": 2}))
    name = show("usage_correction", first.usage_correction_id)
    outcome = await world.corrections.reverse(
        world.named(name, AMENDMENTS), Terms(reason="by the first version's name")
    )
    (made,) = outcome.corrections
    assert (made.source, made.event_id, made.position) == ("s", "a", 3)
    assert await world.totals() == NOTHING


async def test_the_same_again_changes_nothing_and_answers_with_what_was_done(
    world: "World",
) -> None:
    await world.send("a", 7, NOON)
    assert (await world.amend("a", Change(properties={"n": 7}))).corrections == ()
    first = await world.amend("a", Change(properties={"n": Decimal("1.0")}))
    again = await world.amend("a", Change(properties={"n": 1}))
    assert (first.state, again.state) == ("applied", "unchanged")
    assert again.corrections == first.corrections
    first, again = await world.reverse("a"), await world.reverse("a", reason="another reason")
    assert (first.state, again.state) == ("applied", "unchanged")
    assert again.corrections == first.corrections
    assert len(await world.rows("SELECT FROM usage_corrections")) == 2


async def test_a_reversed_event_can_not_be_amended(world: "World") -> None:
    await world.send("a", 7, NOON)
    await world.reverse("a")
    with pytest.raises(Conflict) as caught:
        await world.amend("a", Change(properties={"n": 1}))
    assert caught.value.code == "event_reversed"


@pytest.mark.parametrize("event_id", ["b", "", "ucr_" + "0" * 26])
async def test_an_event_that_is_not_there_is_not_found(world: "World", event_id: str) -> None:
    await world.send("a", 7, NOON)
    for work in (world.reverse(event_id), world.amend(event_id, Change(properties={"n": 1}))):
        with pytest.raises(NotFound) as caught:
            await work
        assert caught.value.code == "event_not_found"
    async with world.db.transaction(STAFF) as conn:
        with pytest.raises(NotFound):
            await event_history(conn, world.named(event_id))


@pytest.mark.parametrize(
    ("change", "field", "code"),
    [
        (Change(properties={"n": -1}), "properties.n", "negative_quantity"),
        (Change(properties={}), "properties.n", "missing"),
        (Change(properties={"n": "x"}), "properties.n", "not_a_number"),
        (Change(properties={"n": Decimal("1e-13")}), "properties.n", "too_many_decimals"),
        (Change(type="unheard"), "type", "unknown_type"),
        (Change(at=datetime(1969, 12, 31, tzinfo=UTC)), "time", "too_early"),
        (Change(at=datetime(9999, 12, 31, tzinfo=UTC)), "time", "in_the_future"),
    ],
)
async def test_what_no_meter_can_count_is_refused_and_changes_nothing(
    world: "World", change: Change, field: str, code: str
) -> None:
    await world.send("a", 7, NOON)
    with pytest.raises(BadInput) as caught:
        await world.amend("a", change)
    assert {(one.field, one.code) for one in caught.value.errors} == {(field, code)}
    assert (await world.totals())["calls"] == 7
    assert await world.rows("SELECT FROM usage_corrections") == []


async def test_an_event_may_become_one_of_another_meter(world: "World") -> None:
    await world.send("a", 7, NOON)
    await world.amend("a", Change(type="seat"))
    assert await world.totals() == {"calls": 0, "peak": 0, "seats": 7}


async def test_events_of_any_age_are_put_in_with_who_and_why(world: "World") -> None:
    old = datetime(1999, 5, 1, tzinfo=UTC)
    await world.send("a", 7, NOON)
    outcome = await world.backfill(
        event("x", 5, old),
        event("a", 7),
        event("a", 8),
        event("y", -5),
        event("z", 5, type="unheard"),
        event("x", 5, old),
    )
    told = [(one.id, one.status.value, one.detail) for one in outcome.results]
    assert told == [
        ("x", "accepted", None),
        ("a", "duplicate", None),
        ("a", "conflict", "other_content"),
        ("y", "invalid", "negative_quantity"),
        ("z", "invalid", "unknown_type"),
        ("x", "duplicate", None),
    ]
    assert outcome.results[3].errors[0].field == "events[3].properties.n"
    assert (await world.totals(old, old + DAY))["calls"] == 5
    (made,) = outcome.corrections
    assert (made.kind, made.event_id, made.actor_id) == ("backfill", "x", "usr_finn")
    assert len(await world.rows("SELECT FROM usage_conflicts")) == 1
    await world.fold()
    assert await world.differences() == ()
    again = await world.backfill(event("x", 5, old))
    assert (again.state, again.corrections) == ("unchanged", ())


async def test_a_backfill_of_nothing_that_counts_is_refused(world: "World") -> None:
    with pytest.raises(BadInput) as caught:
        await world.backfill(event("x", -5), event("y", 1, type="unheard"))
    assert [(one.field, one.code) for one in caught.value.errors] == [
        ("events[0].properties.n", "negative_quantity"),
        ("events[1].type", "unknown_type"),
    ]


async def test_what_was_backfilled_is_amended_and_taken_out_like_any_other(
    world: "World",
) -> None:
    await world.backfill(event("x", 5))
    await world.amend("x", Change(properties={"n": 6}))
    assert (await world.totals())["calls"] == 6
    await world.reverse("x")
    assert await world.totals() == NOTHING
    async with world.db.transaction(STAFF) as conn:
        history = await event_history(conn, world.named("x"))
    assert [one.kind for one in history.corrections] == ["backfill", "amend", "reverse"]
    assert history.current is None


async def test_a_preview_shows_what_would_be_and_changes_nothing(world: "World") -> None:
    await world.send("a", 7, NOON)
    await world.fold()
    before = await world.rows("SELECT * FROM usage_totals ORDER BY meter_id, hour")
    outcome = await world.amend("a", Change(properties={"n": 2}), preview=True)
    assert (outcome.state, outcome.corrections) == ("previewed", ())
    changes: set[Any] = {
        (one.meter_code, one.old_quantity, one.new_quantity) for one in outcome.effect.open
    }
    assert changes == {("calls", 7, 2), ("peak", 7, 2)}
    assert await world.rows("SELECT * FROM usage_totals ORDER BY meter_id, hour") == before
    for table in ("usage_voids", "usage_corrections", "outbox WHERE kind = 'usage.corrected'"):
        assert await world.rows(f"SELECT FROM {table}") == []
    applied = await world.amend("a", Change(properties={"n": 2}), confirm=outcome.confirmation)
    assert applied.state == "applied"


async def test_of_archived_months_nothing_is_taken_out_and_events_are_put_in(
    world: "World",
) -> None:
    await world.send("a", 7, NOON)
    await world.send("b", 7, NOON + 23 * DAY)
    async with world.db.transaction(WRITER) as conn:
        await conn.execute("UPDATE usage_fold SET archived_before = '2026-02-01T00:00:00Z'")
    for work in (world.reverse("a"), world.amend("a", Change(properties={"n": 1}))):
        with pytest.raises(Conflict) as caught:
            await work
        assert caught.value.code == "usage_archived"
        assert "2026-02-01" in caught.value.detail
    assert (await world.amend("b", Change(at=NOON))).state == "applied"
    assert (await world.backfill(event("x", 1))).state == "applied"
    assert (await world.totals())["calls"] == 15
    await world.fold()
    assert (await world.totals())["calls"] == 15


async def test_of_many_who_correct_one_event_at_once_each_finds_the_one_before(
    world: "World",
) -> None:
    """Corrections wait for each other; folds and new events come in between."""
    await world.send("a", 100, NOON)

    async def amend(n: int) -> Outcome:
        return await world.amend("a", Change(properties={"n": n}))

    async def disturb(n: int) -> None:
        await world.send(f"other-{n}", 1, NOON)
        await world.fold()

    outcomes = await asyncio.gather(*map(amend, range(8)), *map(disturb, range(8)))
    made = [one.corrections[0] for one in outcomes if one is not None]
    assert sorted(one.position for one in made) == list(range(1, 9))
    last = max(made, key=lambda one: one.position)
    assert last.new is not None
    assert (await world.totals())["calls"] == 8 + last.new.properties["n"]
    await world.fold()
    assert await world.differences() == ()


async def test_corrections_are_listed_newest_first(world: "World") -> None:
    for number in range(3):
        await world.send(f"e{number}", 1, NOON)
        await world.reverse(f"e{number}", reason=f"reason {number}")
        world.now += DAY
    await world.backfill(event("x", 5))
    async with world.db.transaction(STAFF) as conn:
        page = await list_corrections(conn, PageRequest(limit=2), world.account_id, None)
        assert [one.kind for one in page.items] == ["backfill", "reverse"]
        assert page.total == 4
        reversals = await list_corrections(conn, PageRequest(limit=2), None, "reverse")
        assert [one.reason for one in reversals.items] == ["reason 2", "reason 1"]
        rest = PageRequest(limit=2, page=2)
        assert [
            one.reason for one in (await list_corrections(conn, rest, None, "reverse")).items
        ] == ["reason 0"]


async def test_others_are_told_once_of_each_correction(world: "World") -> None:
    await world.send("a", 7, NOON)
    (made,) = (await world.reverse("a")).corrections
    await world.reverse("a")
    (told,) = await world.rows("SELECT payload FROM outbox WHERE kind = 'usage.corrected'")
    assert str(made.usage_correction_id) in told["payload"]


async def test_an_archived_event_is_told_from_one_that_never_was(
    world: "World", tmp_path: Path
) -> None:
    await world.send("a", 7, NOON)
    archiver = Archiver(world.db, lambda: world.now, tmp_path, grace=timedelta(seconds=-1))
    async with asyncio.timeout(30):
        while await world.rows("SELECT FROM usage_events"):
            await world.fold()
            await archiver.run(datetime(2026, 2, 1, tzinfo=UTC))
    for work in (world.reverse("a"), world.amend("a", Change(properties={"n": 1}))):
        with pytest.raises(Conflict) as caught:
            await work
        assert caught.value.code == "usage_archived"
    with pytest.raises(NotFound):
        await world.reverse("b")
    assert (await world.totals())["calls"] == 7
